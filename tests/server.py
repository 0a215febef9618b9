"""Real parts for tests of the network: certificates, an HTTP or HTTPS server, a CONNECT proxy.

All listen on 127.0.0.1 and serve from threads; close() ends them. The certificates are made by the
openssl program once per run of the tests.
"""
import abc
import atexit
import base64
import hashlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple, Union

KEPT = 1024 * 1024  # of a request's body; all of it is counted and hashed
PATIENCE = 20.0
SUBJECTS = {  # name: (authority, extension, days)
    "server": ("ca", "subjectAltName=DNS:localhost,IP:127.0.0.1", 30),
    "expired": ("ca", "subjectAltName=DNS:localhost,IP:127.0.0.1", -1),
    "other": ("ca", "subjectAltName=DNS:other.example", 30),
    "unknown": ("stranger", "subjectAltName=DNS:localhost,IP:127.0.0.1", 30),
    "client": ("ca", "extendedKeyUsage=clientAuth", 30),
    "impostor": ("stranger", "extendedKeyUsage=clientAuth", 30),
}


class Certificates:
    """A folder with ca.pem, stranger.pem (another authority), and NAME/cert.pem, NAME/key.pem."""

    folder: Optional[str] = None

    @classmethod
    def path(cls, *parts: str) -> str:
        if cls.folder is None:
            cls.folder = tempfile.mkdtemp(prefix="certificates-")
            atexit.register(shutil.rmtree, cls.folder, True)
            for name in ("ca", "stranger"):
                cls.make_authority(name)
            for name in SUBJECTS:
                cls.sign(name, *SUBJECTS[name])
        return os.path.join(cls.folder, *parts)

    @classmethod
    def openssl(cls, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=cls.folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    @classmethod
    def write(cls, name: str, text: str) -> str:
        assert cls.folder is not None
        path = os.path.join(cls.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    @classmethod
    def make_key(cls, path: str) -> None:
        cls.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)

    @classmethod
    def make_authority(cls, name: str) -> None:
        cls.make_key(name + ".key")
        config = cls.write(name + ".cnf", "[req]\ndistinguished_name=dn\nx509_extensions=ext\n"
                           "[dn]\n[ext]\nbasicConstraints=critical,CA:true\n"
                           "keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n")
        cls.openssl("req", "-x509", "-new", "-key", name + ".key", "-subj", "/CN=" + name,
                    "-days", "30", "-config", config, "-out", name + ".pem")

    @classmethod
    def sign(cls, name: str, authority: str, extension: str, days: int) -> None:
        assert cls.folder is not None
        os.mkdir(os.path.join(cls.folder, name))
        cert, key, request = name + "/cert.pem", name + "/key.pem", name + "/request"
        cls.make_key(key)
        config = cls.write("request.cnf", "[req]\ndistinguished_name=dn\n[dn]\n")
        cls.openssl("req", "-new", "-key", key, "-subj", "/CN=" + name, "-config", config,
                    "-out", request)
        extensions = cls.write("extensions.cnf", extension + "\nauthorityKeyIdentifier=keyid\n")
        cls.openssl("x509", "-req", "-in", request, "-CA", authority + ".pem", "-CAkey",
                    authority + ".key", "-set_serial", str(len(name) + 100), "-days", str(days),
                    "-extfile", extensions, "-out", cert)


def missing() -> str:
    """Return why there can be no certificates here, or ""."""
    return "" if shutil.which("openssl") else "the openssl program is not installed"


class Request(NamedTuple):
    """What a server got. Header names are in lower case; `body` is its first megabyte."""

    method: str
    target: str
    headers: Dict[str, str]
    body: bytes
    length: int
    sha256: str
    client: str  # common name of the client certificate


Reply = Tuple[int, Mapping[str, str], Union[bytes, Iterable[bytes]]]
Handler = Callable[[Request, Any], Optional[Reply]]  # None: it wrote to the connection itself


class Listener(abc.ABC):
    """Accepts connections on 127.0.0.1 and hands each to `serve` in a thread."""

    def __init__(self) -> None:
        self.closing = threading.Event()  # set by close(); handlers that stall wait for it
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(16)
        self.port = self.socket.getsockname()[1]
        self.threads: List[threading.Thread] = []
        self.start(self.accept)

    def start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self.threads.append(thread)

    @property
    def name(self) -> str:
        return "127.0.0.1:%d" % self.port

    def accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            self.start(self.guard, connection)

    def guard(self, connection: socket.socket) -> None:
        try:
            self.serve(connection)
        except (OSError, ValueError):
            pass  # the client has gone, which many tests are about
        finally:
            connection.close()

    @abc.abstractmethod
    def serve(self, connection: socket.socket) -> None:
        """Answer one connection, in a thread of its own."""

    def close(self) -> None:
        self.closing.set()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        for thread in self.threads:
            thread.join(PATIENCE)


class Raw(Listener):
    """Serves each connection with a function that is given the socket."""

    def __init__(self, serve: Callable[[socket.socket], Any]) -> None:
        self.answer = serve
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        self.answer(connection)


def read_head(stream: Any) -> Tuple[str, Dict[str, str]]:
    """Return the first line and the headers of a request; ValueError at the end of all."""
    first = stream.readline().decode("latin-1").strip()
    if not first:
        raise ValueError("no request")
    headers = {}
    for line in iter(stream.readline, b"\r\n"):
        if not line:
            raise ValueError("the request broke off")
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return first, headers


class Server(Listener):
    """An HTTP server, or HTTPS with one of the certificates.

    `answers` is a table of target: reply, or a function of the request and the connection that
    returns a reply or None. `requests` holds what came. With `clients`, a client certificate of
    this authority is demanded; `tls12` offers no newer TLS; `early` answers before the body came;
    without `hashes` bodies are only read, for what is measured.
    """

    def __init__(self, answers: Union[Mapping[str, Reply], Handler], certificate: str = "",
                 clients: str = "", tls12: bool = False, early: bool = False,
                 hashes: bool = True) -> None:
        self.answers = answers
        self.early = early
        self.hashes = hashes
        self.requests: List[Request] = []
        self.context: Optional[ssl.SSLContext] = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(Certificates.path(certificate, "cert.pem"),
                                         Certificates.path(certificate, "key.pem"))
            if clients:
                self.context.verify_mode = ssl.CERT_REQUIRED
                self.context.load_verify_locations(Certificates.path(clients + ".pem"))
            if tls12 and hasattr(ssl, "OP_NO_TLSv1_3"):
                self.context.options |= ssl.OP_NO_TLSv1_3
        super().__init__()

    def url(self, path: str = "/") -> str:
        return "%s://%s%s" % ("https" if self.context else "http", self.name, path)

    def serve(self, connection: socket.socket) -> None:
        client = ""
        if self.context:
            secured = self.context.wrap_socket(connection, server_side=True)
            certificate: Any = secured.getpeercert() or {"subject": ()}
            client = dict(pair[0] for pair in certificate["subject"]).get("commonName", "")
            connection = secured
        try:
            with connection.makefile("rb") as stream:
                self.answer(connection, self.read_request(stream, client))
        finally:
            connection.close()

    def read_request(self, stream: Any, client: str) -> Request:
        first, headers = read_head(stream)
        method, target, _ = first.split(" ")
        left = 0 if self.early else int(headers.get("content-length", "0"))
        kept, digest, length = b"", hashlib.sha256(), 0
        while left:
            block = stream.read(min(left, KEPT))
            if not block:
                break
            left -= len(block)
            length += len(block)
            if self.hashes:
                digest.update(block)
            kept += block[:KEPT - len(kept)]
        request = Request(method, target, headers, kept, length, digest.hexdigest(), client)
        self.requests.append(request)
        return request

    def answer(self, connection: Any, request: Request) -> None:
        if callable(self.answers):
            reply = self.answers(request, connection)
        else:
            reply = self.answers.get(request.target, (404, {}, b""))
        if reply is None:
            return
        status, headers, body = reply
        fields = dict(headers)
        if isinstance(body, bytes):
            fields.setdefault("Content-Length", str(len(body)))
            body = (body,) if request.method != "HEAD" else ()
        connection.sendall(("HTTP/1.1 %d Status\r\n%s\r\n" % (status, "".join(
            "%s: %s\r\n" % field for field in fields.items()))).encode("latin-1"))
        for block in body:
            connection.sendall(block)
        if self.context:
            connection.unwrap().close()  # a body without a length ends with TLS's own end


def reset(connection: Any) -> None:
    """Make closing this connection reset it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Proxy(Listener):
    """A proxy for CONNECT and for absolute URIs; `heads` holds (first line, headers) of each.

    `login` is the user:password that it demands, `status` what it refuses with, `dies_after` the
    number of bytes from the server after which it is gone; `silent`: it never answers.
    """

    def __init__(self, login: str = "", status: int = 200, dies_after: int = -1,
                 silent: bool = False) -> None:
        self.login = login
        self.status = status
        self.dies_after = dies_after
        self.silent = silent
        self.heads: List[Tuple[str, Dict[str, str]]] = []
        super().__init__()

    def url(self, login: str = "") -> str:
        return "http://%s%s" % (login + "@" if login else "", self.name)

    def serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb", 0) as stream:
            first, headers = read_head(stream)
        self.heads.append((first, headers))
        if self.silent:
            self.closing.wait(PATIENCE)
            return
        method, target, _ = first.split(" ")
        status = self.status
        given = headers.get("proxy-authorization", "")
        if self.login and given != "Basic " + base64.b64encode(self.login.encode()).decode():
            status = 407
        if status != 200:
            connection.sendall(b"HTTP/1.1 %d Status\r\nContent-Length: 0\r\n\r\n" % status)
            return
        where = target if method == "CONNECT" else target.split("/")[2]
        host, _, port = where.rpartition(":")
        with socket.create_connection((host, int(port)), PATIENCE) as onward:
            if method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                path = "/" + target.split("/", 3)[3]
                onward.sendall(("%s %s HTTP/1.1\r\n%s\r\n" % (method, path, "".join(
                    "%s: %s\r\n" % field for field in headers.items()))).encode("latin-1"))
            self.start(self.relay, connection, onward, -1)
            self.relay(onward, connection, self.dies_after)

    def relay(self, source: socket.socket, sink: socket.socket, left: int) -> None:
        try:
            while left:
                block = source.recv(65536 if left < 0 else left)
                if not block:
                    break
                left -= len(block) if left > 0 else 0
                sink.sendall(block)
        except OSError:
            pass  # one side has gone, which the other must learn
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
