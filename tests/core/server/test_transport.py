"""Each fault of the network with the sentence that the user sees, from real servers and proxies."""
import base64
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
import unittest
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from insights_mini.core.server.faults import NotReached
from insights_mini.core.server.places import find_proxy, is_direct, parse_url
from insights_mini.core.server.transport import Answer, Service, Stream, open_service
from insights_mini.exits import Failure
from insights_mini.paths import Paths
from insights_mini.settings import Settings, find_dangers
from tests.server import Certificates, Proxy, Raw, Reply, Request, Server, missing, reset
from tests.support import TOP, Scratch

SHORT = 0.4  # seconds of silence in tests that wait for it
OK: Reply = (200, {"ETag": '"7"'}, b"{}")
TABLE = {"/r/insights/x": OK}
NETWORK = "check base_url and the network, or set proxy if this host needs one"
SECRETS = ("Geheim-42", "kanzler", base64.b64encode(b"kanzler:Geheim-42").decode(), "token=sesam")


class Lines:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: List[Tuple[str, str]] = []
        self.clean = str

    def __getattr__(self, level: str) -> Any:
        return lambda text: self.lines.append((level, text))

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self.lines)

    def of(self, level: str) -> List[str]:
        return [text for kind, text in self.lines if kind == level]


class TransportCase(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.log = Lines()
        self.environ: Dict[str, str] = {}

    def server(self, answers: Any = TABLE, certificate: str = "", **options: Any) -> Server:
        server = Server(answers, certificate, **options)
        self.addCleanup(server.close)
        return server

    def raw(self, serve: Callable[[Any], Any]) -> Raw:
        raw = Raw(serve)
        self.addCleanup(raw.close)
        return raw

    def proxy(self, **options: Any) -> Proxy:
        proxy = Proxy(**options)
        self.addCleanup(proxy.close)
        return proxy

    def paths(self) -> Paths:
        folder = self.folder.encode()
        return Paths(folder, folder, folder, folder, os.path.join(folder, b"rhsm.conf"))

    def open(self, server: Optional[Server] = None, **values: Any) -> Service:
        """Return the service at a server, trusted unless the settings say otherwise."""
        if server is not None:
            values.setdefault("base_url", server.name + "/r/insights")
            values.setdefault("insecure_connection", not server.context)
            if server.context:
                values.setdefault("cert_verify", Certificates.path("ca.pem"))
        values.setdefault("http_timeout", 10.0)
        return open_service(Settings(**values), self.paths(), self.environ,
                            self.log)  # type: ignore[arg-type]  # it has what a Log has

    def get(self, service: Service, path: str = "/x", most: int = 1000, seconds: float = 10,
            headers: Optional[Mapping[str, str]] = None) -> Answer:
        return service.get(service.url(path), most, time.monotonic() + seconds, headers)

    def fault(self, service: Service, path: str = "/x", **limits: Any) -> NotReached:
        with self.assertRaises(NotReached) as caught:
            self.get(service, path, **limits)
        return caught.exception

    def assert_fault(self, server: Server, expected: str, **values: Any) -> NotReached:
        """HERE in the expected sentence stands for the server's host and port."""
        fault = self.fault(self.open(server, **values))
        self.assertEqual(str(fault), expected.replace("HERE", server.name))
        return fault


class Answers(TransportCase):
    def test_any_status_is_an_answer(self) -> None:
        server = self.server(lambda request, connection: (
            int(request.target[-3:]), {"X-A": "1"}, b"" if "304" in request.target else b"body"))
        service = self.open(server)
        for status in (200, 201, 202, 302, 304, 401, 402, 403, 404, 407, 412, 413, 429, 500, 503):
            with self.subTest(status=status):
                answer = self.get(service, "/%d" % status)
                self.assertEqual((answer.status, answer.headers.get("x-a")), (status, "1"))
                self.assertEqual(answer.body, b"" if status == 304 else b"body")

    def test_the_request_says_who_asks_and_for_what(self) -> None:
        server = self.server()
        self.get(self.open(server), "/x?a=1", headers={"If-None-Match": '"7"'})
        request = server.requests[0]
        self.assertEqual((request.method, request.target), ("GET", "/r/insights/x?a=1"))
        self.assertRegex(request.headers.pop("user-agent"), r"^insights-client/[0-9.]+$")
        self.assertEqual(request.headers, {
            "host": server.name, "accept": "application/json", "accept-encoding": "identity",
            "connection": "close", "if-none-match": '"7"'})

    def test_urls_with_and_without_scheme(self) -> None:
        service = self.open(base_url="h:1/r/insights/")
        plain = self.open(base_url="h:1/r/insights", insecure_connection=True)
        for path, expected in (
            ("/v1/x", "https://h:1/r/insights/v1/x"),
            ("other:2/egg", "https://other:2/egg"),
            ("https://other/egg", "https://other/egg"),
            ("", "https://h:1/r/insights"),
        ):
            self.assertEqual(service.url(path), expected)
        self.assertEqual(plain.url("/v1"), "http://h:1/r/insights/v1")
        self.assertEqual(self.open(base_url="https://h/api").url("/v1"), "https://h/api/v1")

    def test_a_body_in_chunks_and_one_that_ends_with_the_connection(self) -> None:
        def answer(request: Request, connection: Any) -> Optional[Reply]:
            if request.target.endswith("chunks"):
                return 200, {"Transfer-Encoding": "chunked"}, [b"2\r\n[1\r\n",
                                                               b"1;x\r\n]\r\n0\r\n\r\n"]
            return 200, {}, [b"[", b"1]"]
        for certificate in ("", "server"):
            service = self.open(self.server(answer, certificate))
            self.assertEqual(self.get(service, "/chunks").json(), [1])
            self.assertEqual(self.get(service, "/end").json(), [1])

    def test_a_host_is_tried_at_all_its_addresses(self) -> None:
        server = self.server(certificate="" if missing() else "server")
        service = self.open(server, base_url="localhost:%d/r/insights" % server.port)
        self.assertEqual(self.get(service).status, 200)  # ::1 comes first where there is one

    def test_urls_are_taken_apart(self) -> None:
        for url, name, rest in (
            ("https://H.Example", "h.example:443", "/"),
            ("HTTPS://h:8443/a/b?c=d#e", "h:8443", "/a/b?c=d"),
            ("http://[FE80::1]/?", "[fe80::1]:80", "/"),
            ("https://[::1]:9/", "[::1]:9", "/"),
        ):
            place = parse_url(url, "")
            self.assertEqual((place.name, place.target), (name, rest))

    def test_head_and_json_and_its_failures(self) -> None:
        deep = b"[" * 200000
        server = self.server({"/": (200, {"Content-Type": "text/html; x"}, b"<html>"),
                              "/empty": (503, {}, b""), "/deep": (200, {}, deep)})
        service = self.open(server, base_url=server.name)
        self.assertEqual(service.request("HEAD", service.url("/"), 9, time.monotonic() + 9).body,
                         b"")
        for path, expected in (
            ("/", "no usable answer from HERE: status 200 with text/html that is not JSON"),
            ("/empty", "no usable answer from HERE: status 503 with something that is not JSON"),
            ("/deep", "no usable answer from HERE: status 200 with something that is not JSON"),
        ):
            with self.subTest(path), self.assertRaises(NotReached) as caught:
                self.get(service, path, most=10 ** 6).json()
            self.assertEqual(str(caught.exception), expected.replace("HERE", server.name) +
                             "; see what answers there in its place")


class Faults(TransportCase):
    """Over plain HTTP, where the server can misbehave byte by byte."""

    def test_a_name_that_does_not_resolve(self) -> None:
        for host in ("no-such-host.invalid", "a" * 70 + ".invalid", "a..b"):
            fault = self.fault(self.open(base_url=host))
            self.assertEqual((fault.step, fault.place), ("name", host + ":443"))
            self.assertRegex(str(fault), r"^cannot reach \S+:443: its name is not known here "
                             r"\(.+\); " + NETWORK + "$")

    def test_refused(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            place = "127.0.0.1:%d" % unused.getsockname()[1]
            fault = self.fault(self.open(base_url=place))
        self.assertEqual(str(fault), "cannot reach %s: Connection refused; %s" % (place, NETWORK))
        self.assertEqual(fault.step, "connect")

    def test_another_setting_than_base_url_is_not_blamed_on_it(self) -> None:
        service = self.open(base_url="127.0.0.1:2")
        with self.assertRaises(NotReached) as caught:
            service.get("127.0.0.1:1/egg", 9, time.monotonic() + 9)
        self.assertEqual(caught.exception.remedy, NETWORK.replace("base_url", "the URL"))

    def test_an_address_that_does_not_answer(self) -> None:
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            place = "127.0.0.1:%d" % full.getsockname()[1]
            for taker in (first, second):  # now its queue is full, and it drops what knocks
                taker.setblocking(False)
                taker.connect_ex(full.getsockname())
            time.sleep(0.05)
            started = time.monotonic()
            fault = self.fault(self.open(base_url=place, http_timeout=SHORT))
            late = self.fault(self.open(base_url=place), seconds=SHORT)
        self.assertEqual(late.why, "not done within 0 seconds")
        self.assertEqual(str(fault), "cannot reach %s: no connection within 0.4 seconds; %s" %
                         (place, NETWORK))
        self.assertLess(time.monotonic() - started, 5)

    def test_what_a_server_can_do_wrong(self) -> None:
        later = "; try again later"
        for name, written, expected in (
            ("nothing", b"", "it broke off the connection" + later),
            ("no HTTP", b"SSH-2.0-x\r\n", "what came is not HTTP; check base_url"),
            ("endless line", b"HTTP/1.1 200 " + b"x" * 70000,
             "what came is not HTTP; check base_url"),
            ("many headers", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200,
             "what came is not HTTP; check base_url"),
            ("cut headers", b"HTTP/1.1 200 OK\r\nContent-Le", "it broke off within the answer" +
             later),
            ("cut body", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
             "it broke off within the answer" + later),
            ("cut chunk", b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n7\r\n",
             "it broke off within the answer" + later),
            ("bad chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
             "it broke off within the answer" + later),
            ("announced too much", b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
             "more than the 1000 bytes that are expected; check base_url"),
            ("too much", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001,
             "more than the 1000 bytes that are expected; check base_url"),
        ):
            def misbehave(request: Request, connection: Any, written: bytes = written) -> None:
                connection.sendall(written)
            for certificate in ("", "server") if not missing() else ("",):
                if certificate and name == "cut chunk":
                    continue
                with self.subTest(name, certificate=certificate):
                    self.assert_fault(self.server(misbehave, certificate),
                                      "no usable answer from HERE: " + expected)

    def test_a_reset_before_and_within_the_answer(self) -> None:
        for written in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"):
            def misbehave(request: Request, connection: Any, written: bytes = written) -> None:
                connection.sendall(written)
                time.sleep(0.1)  # so that the reset does not overtake it
                reset(connection)
            self.assert_fault(self.server(misbehave), "no usable answer from HERE: "
                              "Connection reset by peer; try again later")

    def test_silence_before_and_within_the_answer(self) -> None:
        for written in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"):
            for certificate in ("", "server") if not missing() else ("",):
                def stall(request: Request, connection: Any, written: bytes = written) -> None:
                    connection.sendall(written)
                    connection.recv(1)  # until the client goes
                server = self.server(stall, certificate)
                self.assert_fault(server, "no usable answer from HERE: silence for 0.4 seconds; "
                                  "try again later, or raise http_timeout", http_timeout=SHORT)

    @unittest.skipIf(missing(), missing())
    def test_silence_within_the_handshake(self) -> None:
        raw = self.raw(lambda connection: connection.recv(9999) and connection.recv(1))
        fault = self.fault(self.open(base_url=raw.name, http_timeout=SHORT))
        self.assertEqual(str(fault), "no usable answer from %s: silence for 0.4 seconds; try again "
                         "later, or raise http_timeout" % raw.name)
        with self.assertRaises(NotReached) as caught:
            self.get(self.open(base_url=raw.name), seconds=SHORT)
        self.assertEqual(caught.exception.why, "not done within 0 seconds")
        raw = self.raw(lambda connection: connection.recv(9999))
        self.assertIn(self.fault(self.open(base_url=raw.name)).why,
                      ("it broke off the connection", "Connection reset by peer"))

    def test_a_drip_does_not_outlive_the_deadline(self) -> None:
        for head in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
                     b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"):
            def drip(request: Request, connection: Any, head: bytes = head) -> None:
                connection.sendall(head)
                for _ in range(300):
                    time.sleep(0.02)
                    connection.sendall(b"H")  # fails when the client goes
            server = self.server(drip)
            with self.subTest(head):
                started = time.monotonic()
                fault = self.fault(self.open(server), most=10 ** 6, seconds=0.6)
                self.assertLess(time.monotonic() - started, 3)
                self.assertEqual(str(fault), "no usable answer from %s: not done within 1 seconds; "
                                 "try again later" % server.name)

    def test_an_endless_answer_ends_at_the_ceiling(self) -> None:
        def forever(request: Request, connection: Any) -> Reply:
            return 200, {}, iter(lambda: b"x" * 65536, b"")
        server = self.server(forever)
        started = time.monotonic()
        fault = self.fault(self.open(server), most=10 ** 6)
        self.assertEqual(fault.why, "more than the 1000000 bytes that are expected")
        self.assertLess(time.monotonic() - started, 5)

    def test_settings_that_are_no_urls(self) -> None:
        for url in ("ftp://h/x", "https:///x", "https://h:99999/", "https://h:x/", "https://[::1/",
                    "h/a b", "h/\r\nX: y", "https://h/\xe9"):
            with self.subTest(url), self.assertRaises(NotReached) as caught:
                self.open(base_url=url)
            self.assertEqual(str(caught.exception), "base_url cannot be used: it is no URL such as "
                             "https://host:port/path; correct it; user and password have settings "
                             "of their own")
        with self.assertRaises(NotReached) as caught:
            self.open(base_url="kanzler:Geheim-42@h/x")
        self.assertNotIn("kanzler", str(caught.exception))

    def test_plain_http_needs_a_setting_of_its_own(self) -> None:
        with self.assertRaises(NotReached) as caught:
            self.open(base_url="http://h/x?token=sesam")
        self.assertEqual(str(caught.exception), "base_url cannot be used: plain HTTP can be "
                         "read and changed on its way; use https")
        self.open(base_url="h", insecure_connection=True)

    def test_a_header_cannot_smuggle_in_another(self) -> None:
        server = self.server()
        with self.assertRaises(NotReached) as caught:
            self.get(self.open(server), headers={"If-None-Match": "x\r\nHost: y"})
        self.assertEqual(str(caught.exception),
                         "the header If-None-Match cannot be used: it has control characters")
        self.assertEqual(server.requests, [])


class Redirects(TransportCase):
    def test_another_host_or_port_gets_no_credentials(self) -> None:
        target = self.server()
        server = self.server({"/r/insights/x": (302, {"Location": target.url("/r/insights/x")},
                                                b"moved" * 1000),
                              "/r/insights/y": (301, {"Location": "x"}, b"")})
        answer = self.get(self.open(server, username="kanzler", password="Geheim-42"), "/y")
        self.assertEqual((answer.status, answer.place), (200, target.name))
        self.assertEqual(["authorization" in r.headers for r in server.requests], [True, True])
        self.assertEqual(len(target.requests), 1)
        self.assertNotIn("authorization", target.requests[0].headers)

    def test_a_mirror_that_is_asked_directly_gets_no_credentials(self) -> None:
        server, mirror = self.server(), self.server()
        service = self.open(server, username="kanzler", password="Geheim-42")
        for asked in (mirror, server):
            service.get(asked.url("/r/insights/x"), 1000, time.monotonic() + 9)
        self.assertNotIn("authorization", mirror.requests[0].headers)
        self.assertIn("authorization", server.requests[0].headers)

    def test_those_that_are_not_followed(self) -> None:
        server = self.server(lambda request, connection: (
            307, {"Location": {"/loop": "/loop", "/bad": "ftp://h/", "/odd": "http://[::1",
                               "/post": "https://h/x?token=sesam"}[request.target]}, b""))
        service = self.open(server, base_url=server.name)
        for method, path, expected in (
            ("GET", "/loop", "more than 5 redirects; try again later"),
            ("GET", "/bad", "it redirects to what is no URL; try again later"),
            ("GET", "/odd", "it redirects to what is no URL; try again later"),
            ("POST", "/post", "it redirects a POST to h:443; if that is right, name it in the "
             "settings"),
        ):
            with self.subTest(path), self.assertRaises(NotReached) as caught:
                service.request(method, service.url(path), 9, time.monotonic() + 9)
            self.assertEqual(str(caught.exception),
                             "no usable answer from %s: %s" % (server.name, expected))
        self.assertEqual(len(server.requests), 6 + 3)

    def test_a_redirect_without_a_target_is_an_answer(self) -> None:
        server = self.server({"/r/insights/x": (302, {}, b"?")})
        self.assertEqual(self.get(self.open(server)).status, 302)


@unittest.skipIf(missing(), missing())
class Encrypted(TransportCase):
    def test_what_a_certificate_can_have_wrong(self) -> None:
        new = sys.version_info >= (3, 7)
        trusted = Certificates.path("ca.pem")
        old = ("its certificate is out of date, or from no authority in %s; check the clock of "
               "this host, and name a file with the authority in cert_verify" % trusted)
        for certificate, expected in (
            ("unknown", "its certificate is from no authority in %s (unable to get local issuer "
             "certificate); name a file with the authority in cert_verify" % trusted
             if new else old),
            ("expired", "its certificate is out of date (certificate has expired); check the clock "
             "of this host, else it must be renewed there" if new else old),
            ("other", "its certificate is for another host; check the host in base_url"),
        ):
            with self.subTest(certificate):
                server = self.server(certificate=certificate)
                fault = self.assert_fault(server, "no trusted connection to HERE: " + expected)
                self.assertEqual(fault.step, "tls")
                self.assertEqual(server.requests, [])

    def test_cert_verify_chooses_whom_to_trust(self) -> None:
        """FAULTS 51."""
        ca, stranger = Certificates.path("ca.pem"), Certificates.path("stranger.pem")
        bundle = "cert-api.access.redhat.com.pem"
        for setting, bundled, warned, expected in (
            (ca, "", 0, ""),
            (stranger, ca, 0, "authority in " + stranger),
            ("", ca, 0, ""),
            ("None", ca, 0, ""),
            ("", stranger, 0, "authority in " + self.path(bundle)),
            ("", "", 0, "authority in those of the system"),
            ("True", ca, 0, "authority in those of the system"),
            ("yes", ca, 0, "authority in those of the system"),
            ("False", stranger, 1, ""),
            ("no", "", 1, ""),
            ("/no/such/file", ca, 0, "cert_verify cannot be used: no certificates from "
             "/no/such/file (No such file or directory); name a file of certificates"),
            (Certificates.path("server", "key.pem"), ca, 0, "cert_verify cannot be used"),
        ):
            with self.subTest(setting=setting, bundled=bundled):
                if bundled:
                    with open(bundled, "rb") as file:
                        self.write(bundle, file.read())
                elif os.path.exists(self.path(bundle)):
                    os.unlink(self.path(bundle))
                self.log.lines = []
                service = self.open(self.server(certificate="server"), cert_verify=setting)
                self.get(service) if not expected else self.assertIn(
                    expected, str(self.fault(service)))
                self.assertEqual(len(find_dangers(Settings(cert_verify=setting))), warned)

    def test_a_server_without_tls_and_one_with_old_tls_only(self) -> None:
        for written, expected in (
            (b"HTTP/1.1 400 x\r\n\r\n", "what answers there does not speak TLS; check the port in "
             "base_url"),
            (b"\x15\x03\x01\x00\x02\x02\x46", "it does not speak TLS 1.2 or newer (tlsv1 alert "
             "protocol version); have that enabled there"),  # an alert as RFC 5246, 7.2, has it
        ):
            def refuse(connection: Any, written: bytes = written) -> None:
                connection.recv(9999)
                connection.sendall(written)
            raw = self.raw(refuse)
            fault = self.fault(self.open(base_url=raw.name))
            self.assertEqual(str(fault), "no trusted connection to %s: %s" % (raw.name, expected))

    def test_tls_before_1_2_is_not_offered(self) -> None:
        import ssl
        service = self.open(self.server(certificate="server"))
        self.get(service)
        context = next(iter(service.contexts.values()))
        if hasattr(context, "minimum_version"):
            self.assertGreaterEqual(context.minimum_version, ssl.TLSVersion.TLSv1_2)
        else:
            self.assertEqual(context.options & ssl.OP_NO_TLSv1_1, ssl.OP_NO_TLSv1_1)

    def test_a_client_certificate_where_one_is_demanded(self) -> None:
        self.write("rhsm.conf", "[rhsm]\nconsumerCertDir = %s\n" % Certificates.path("client"))
        for tls12 in (False, True):
            server = self.server(certificate="server", clients="ca", tls12=tls12)
            self.assertEqual(self.get(self.open(server, authmethod="CERT")).status, 200)
            self.assertEqual(server.requests[0].client, "client")
            with self.subTest(tls12=tls12):
                fault = self.fault(self.open(server, authmethod="BASIC"))
                self.assertRegex(str(fault), r"^no trusted connection to %s: it wants a client "
                                 r"certificate \(.+\); set authmethod=CERT$" % server.name)
        self.write("rhsm.conf", "[rhsm]\nconsumerCertDir = %s\n" % Certificates.path("impostor"))
        fault = self.fault(self.open(server, authmethod="CERT"))
        self.assertRegex(str(fault), r"^no trusted connection to %s: it refuses the client "
                         r"certificate in %s \(.+\); renew it with subscription-manager$" %
                         (server.name, Certificates.path("impostor")))

    def test_client_certificates_that_cannot_be_used(self) -> None:
        server = self.server(certificate="server")
        self.write("bad/cert.pem", "no certificate")
        os.mkdir(self.path("locked"))
        shutil.copy(Certificates.path("client", "cert.pem"), self.path("locked"))
        subprocess.run(["openssl", "ec", "-in", Certificates.path("client", "key.pem"), "-aes128",
                        "-passout", "pass:x", "-out", self.path("locked", "key.pem")], check=True,
                       stderr=subprocess.DEVNULL)
        for folder, why in ((self.path("none"), "No such file or directory"),
                            (self.path("bad"), ".+"), (self.path("locked"), ".+")):
            self.write("rhsm.conf", "[rhsm]\nconsumerCertDir = %s\n" % folder)
            fault = self.fault(self.open(server, authmethod="CERT"))
            self.assertRegex(str(fault), r"^authmethod=CERT cannot be used: no certificates from "
                             r"%s \(%s\); register with subscription-manager, or use BASIC$" %
                             (folder, why))
        self.write("rhsm.conf", "[rhsm]\nconsumerCertDir = /a\n[rhsm]\nconsumerCertDir = /b\n")
        self.assertEqual(self.open(server, authmethod="CERT").trust.consumer, "/b")
        for text in ("", "[x]\n", "no ini", "[rhsm]\nconsumerCertDir =\n"):
            self.write("rhsm.conf", text)
            self.assertEqual(self.open(server, authmethod="CERT").trust.consumer,
                             "/etc/pki/consumer")

    def test_another_host_sees_no_client_certificate(self) -> None:
        self.write("rhsm.conf", "[rhsm]\nconsumerCertDir = %s\n" % Certificates.path("client"))
        target = self.server(certificate="server", clients="ca")
        server = self.server({"/r/insights/x": (302, {"Location": target.url("/x")}, b"")},
                             "server")
        fault = self.fault(self.open(server, authmethod="CERT"))
        self.assertIn("no trusted connection to %s: it wants a client certificate" % target.name,
                      str(fault))
        self.assertEqual(target.requests, [])

    def test_no_redirect_from_https_to_http(self) -> None:
        target = self.server()
        server = self.server({"/r/insights/x": (302, {"Location": target.url("/x")}, b"")},
                             "server")
        for insecure in (False, True):
            fault = self.fault(self.open(server, base_url=server.url("/r/insights"),
                                         insecure_connection=insecure))
            self.assertEqual(str(fault), "no usable answer from %s: it redirects to plain HTTP at "
                             "%s; try again later" % (server.name, target.name))
        self.assertEqual(target.requests, [])

    def test_an_answer_that_tls_did_not_end_is_not_whole(self) -> None:
        def cut(request: Request, connection: Any) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nabc")  # and no end of TLS
        self.assert_fault(self.server(cut, "server"), "no usable answer from HERE: it broke off "
                          "within the answer; try again later")


class Proxies(TransportCase):
    def test_which_proxy_is_taken(self) -> None:
        for setting, environ, expected in (
            ("", {}, None),
            ("http://p:1", {"HTTPS_PROXY": "http://q:2"}, ("p", 1, "proxy")),
            ("p", {}, ("p", 80, "proxy")),
            ("p:3128/", {}, ("p", 3128, "proxy")),
            ("HTTP://[::1]:8", {}, ("::1", 8, "proxy")),
            ("", {"HTTPS_PROXY": "q:2", "https_proxy": "r:3"}, ("q", 2, "HTTPS_PROXY")),
            ("", {"HTTPS_PROXY": "", "https_proxy": "r:3"}, ("r", 3, "https_proxy")),
            ("", {"HTTP_PROXY": "x:1", "http_proxy": "x:1", "ALL_PROXY": "x:1"}, None),
        ):
            with self.subTest(setting=setting, environ=environ):
                proxy = find_proxy(Settings(proxy=setting), environ)
                self.assertEqual(proxy and (proxy.place.host, proxy.place.port, proxy.setting),
                                 expected)

    def test_proxies_that_cannot_be_used(self) -> None:
        for url in ("https://p:1", "socks5://kanzler:Geheim-42@p:1", "http://p:1/x",
                    "http://kanzler:Geheim-42@", "kanzler:Geheim-42@p:x", "http://p q:1"):
            with self.subTest(url), self.assertRaises(NotReached) as caught:
                self.open(proxy=url)
            self.assertTrue(str(caught.exception).startswith("proxy cannot be used: it is no URL "))
            for secret in SECRETS:
                self.assertNotIn(secret, str(caught.exception))

    def test_credentials_in_a_proxy_are_decoded(self) -> None:
        for login, expected in (("u:p", b"u:p"), ("u%40d:p%3A%2F", b"u@d:p:/"), ("u", b"u:"),
                                ("u:p/ss@w", b"u:p/ss@w"), ("u:12/3", b"u:12/3")):
            proxy = find_proxy(Settings(proxy="http://%s@p:1" % login), {})
            assert proxy is not None
            self.assertEqual(base64.b64decode(proxy.authorization[6:]), expected)
            self.assertEqual(proxy.place.name, "p:1")

    def test_who_is_reached_without_a_proxy(self) -> None:
        for no_proxy, direct, not_direct in (
            ("", [], ["a.example:443"]),
            ("*", ["a.example:443", "[::1]:1"], []),
            ("a.example", ["a.example:443", "A.Example:1"], ["b.a.example:443", "xa.example:443"]),
            (".a.example", ["b.a.example:443", "a.example:443"], ["xa.example:443"]),
            ("*.a.example", ["b.a.example:443", "c.b.a.example:1"], ["xa.example:443"]),
            (" x , A.EXAMPLE:443 ", ["a.example:443", "x:9"], ["a.example:444"]),
            ("::1,[fe80::1]:443", ["[::1]:443", "[fe80::1]:443"], ["[fe80::1]:80", "[::2]:1"]),
            ("[::1]", ["[::1]:443"], []),
            ("10.0.0.1", ["10.0.0.1:443"], ["10.0.0.11:443"]),
            (",,:,.", [], ["a.example:443"]),
        ):
            for hosts, expected in ((direct, True), (not_direct, False)):
                for host in hosts:
                    with self.subTest(no_proxy=no_proxy, host=host):
                        place = parse_url("https://%s/" % host, "")
                        self.assertIs(is_direct(place, no_proxy), expected)

    def test_no_proxy_of_settings_and_environment(self) -> None:
        """FAULTS 51."""
        server = self.server()
        for setting, environ, used in (
            ("", {}, 1), ("127.0.0.1", {}, 0), ("", {"NO_PROXY": "127.0.0.1"}, 0),
            ("", {"no_proxy": "127.0.0.1"}, 0), ("other", {"NO_PROXY": "127.0.0.1"}, 1),
        ):
            with self.subTest(setting=setting, environ=environ):
                proxy = self.proxy()
                self.environ = environ
                self.get(self.open(server, proxy=proxy.url(), no_proxy=setting))
                self.assertEqual(len(proxy.heads), used)

    @unittest.skipIf(missing(), missing())
    def test_credentials_go_to_the_proxy_and_never_to_the_service(self) -> None:
        server = self.server(certificate="server")
        proxy = self.proxy(login="kanzler:Geheim-42")
        service = self.open(server, proxy=proxy.url("kanzler:Geheim%2D42"), username="u",
                            password="w")
        self.assertEqual(self.get(service).status, 200)
        first, headers = proxy.heads[0]
        self.assertEqual(first, "CONNECT %s HTTP/1.1" % server.name)
        self.assertIn("proxy-authorization", headers)
        self.assertNotIn("authorization", headers)
        self.assertNotIn("proxy-authorization", server.requests[0].headers)
        self.assertEqual(server.requests[0].headers["authorization"], "Basic dTp3")

    def test_plain_http_goes_to_the_proxy_as_a_whole_url(self) -> None:
        server, proxy = self.server(), self.proxy()
        self.assertEqual(self.get(self.open(server, proxy=proxy.url("u:p"))).status, 200)
        first, headers = proxy.heads[0]
        self.assertEqual(first, "GET http://%s/r/insights/x HTTP/1.1" % server.name)
        self.assertEqual(headers["host"], server.name)
        self.assertNotIn("proxy-authorization", server.requests[0].headers)

    def test_the_host_header_leaves_the_usual_port_out(self) -> None:
        proxy = self.proxy(status=502)
        service = self.open(base_url="h", insecure_connection=True, proxy=proxy.url())
        for url, host in (("http://h/", "h"), ("http://h:80/", "h"), ("http://h:443/", "h:443"),
                          ("http://[::1]/", "[::1]"), ("http://[::1]:8/", "[::1]:8")):
            service.get(url, 9, time.monotonic() + 9)
            self.assertEqual(proxy.heads[-1][1]["host"], host)

    def test_what_a_proxy_can_do_wrong(self) -> None:
        place = "127.0.0.1:9"
        wants = ("no way through proxy HERE: it wants a user and password (407); add them to proxy "
                 "as in http://user:password@host:port")
        allow = "; have it allow that, or name the host in no_proxy"
        for name, options, login, insecure, expected in (
            ("wants", {"login": "a:b"}, "", False, wants),
            ("wants for HTTP", {"login": "a:b"}, "", True, wants),
            ("refuses login", {"login": "a:b"}, "kanzler:Geheim-42", False, "no way through proxy "
             "HERE: it refuses the user and password (407); correct them in proxy"),
            ("refuses", {"status": 403}, "", False,
             "no way through proxy HERE: it does not connect to %s (403)" % place + allow),
            ("cannot", {"status": 502}, "", False,
             "no way through proxy HERE: it does not connect to %s (502)" % place + allow),
            ("silent", {"silent": True}, "", False, "no usable answer from proxy HERE: silence for "
             "0.4 seconds; try again later, or raise http_timeout"),
            ("breaks off", {}, "", False, "no usable answer from proxy HERE: it broke off the "
             "connection; try again later"),
        ):
            with self.subTest(name):
                proxy = self.proxy(**options)
                service = self.open(base_url=place, proxy=proxy.url(login),
                                    insecure_connection=insecure,
                                    http_timeout=SHORT if name == "silent" else 10.0)
                self.assertEqual(str(self.fault(service)), expected.replace("HERE", proxy.name))

    def test_a_proxy_that_is_not_there(self) -> None:
        self.environ = {"HTTPS_PROXY": "http://u:p@127.0.0.1:1"}
        self.assertEqual(str(self.fault(self.open(base_url="h"))), "cannot reach proxy "
                         "127.0.0.1:1: Connection refused; check HTTPS_PROXY and the network")

    @unittest.skipIf(missing(), missing())
    def test_a_proxy_that_dies_within_the_answer(self) -> None:
        server = self.server({"/r/insights/x": (200, {}, b"x" * 50000)}, "server")
        proxy = self.proxy(dies_after=20000)
        fault = self.fault(self.open(server, proxy=proxy.url()), most=99999)
        self.assertRegex(str(fault), r"^no usable answer from %s through proxy %s: it broke off "
                         r"within the answer; try again later$" % (server.name, proxy.name))


class Secrets(TransportCase):
    def test_nothing_secret_shows_in_log_or_errors(self) -> None:
        target = self.server()
        server = self.server({
            "/r/insights/x?token=sesam": OK,
            "/r/insights/moved?token=sesam": (302, {"Location": target.url("/?token=sesam")}, b""),
            "/r/insights/html?token=sesam": (200, {}, b"<"),
        })
        texts = []
        proxy = self.proxy()
        for net_debug in (True, False):
            for path in ("/x", "/moved", "/html"):
                service = self.open(server, username="kanzler", password="Geheim-42",
                                    net_debug=net_debug, proxy=proxy.url("kanzler:Geheim-42"))
                answer = self.get(service, path + "?token=sesam")
                if path == "/html":
                    with self.assertRaises(NotReached) as caught:
                        answer.json()
                    texts.append(str(caught.exception))
            with self.assertRaises(NotReached) as caught:
                service.request("POST", service.url("/moved?token=sesam"), 9,
                                time.monotonic() + 9)
            texts.append(str(caught.exception))
        for secret in SECRETS:
            self.assertNotIn(secret, self.log.text + "\n".join(texts))
        self.assertEqual(len(self.log.of("info")), len(self.log.of("debug")))

    def test_net_debug_tells_method_url_status_time_and_sizes(self) -> None:
        server = self.server()
        self.get(self.open(server, net_debug=True))
        self.get(self.open(server, net_debug=True), "/none")
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            self.fault(self.open(base_url="127.0.0.1:%d" % port, net_debug=True))
        lines = self.log.of("info")
        self.assertRegex(lines[0], r"^GET http://%s/r/insights/x: 200, 0\.\d\d s, \d{3} bytes "
                         r"sent, \d+ received$" % server.name)
        self.assertRegex(lines[1], r": 404, ")
        self.assertRegex(lines[2], r"^GET https://127.0.0.1:%d/x: no answer, 0\.\d\d s, 0 bytes "
                         r"sent, 0 received$" % port)

    def test_basic_goes_along_only_with_a_username_and_authmethod(self) -> None:
        server = self.server()
        for values, sent in (
            ({"username": "u", "password": "p"}, True), ({"username": "u"}, True),
            ({"password": "p"}, False), ({}, False),
            ({"username": "u", "password": "p", "authmethod": "CERT"}, False),
        ):
            self.get(self.open(server, **values))
            self.assertIs("authorization" in server.requests[-1].headers, sent, values)


class Uploads(TransportCase):
    def post(self, service: Service, body: Any, seconds: float = 60) -> Answer:
        return service.request("POST", service.url("/x"), 1000, time.monotonic() + seconds,
                               {"Content-Type": "a/b"}, body)

    def blocks(self, count: int) -> Iterator[bytes]:
        block = b"insights" * 32768
        return (block for _ in range(count))

    def test_bytes_and_streams_arrive_whole(self) -> None:
        server = self.server()
        service = self.open(server)
        for body, expected in ((b"", b""), (b"abc", b"abc"), (Stream(0, []), b""),
                               (Stream(5, [b"ab", b"", b"cde"]), b"abcde")):
            self.assertEqual(self.post(service, body).status, 200)
            request = server.requests[-1]
            self.assertEqual((request.body, request.headers["content-length"]),
                             (expected, str(len(expected))))

    def test_a_body_of_another_length_than_announced_is_an_error(self) -> None:
        server = self.server()
        for blocks in ([b"abcd"], [b"ab"]):
            with self.assertRaises(Failure) as caught:
                self.post(self.open(server), Stream(3, blocks))
            self.assertEqual(str(caught.exception), "the upload cannot be sent: it changed its "
                             "size meanwhile; try again later")

    @unittest.skipIf(missing(), missing())
    def test_a_large_body_is_streamed_in_flat_memory(self) -> None:
        server = self.server(certificate="server")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = self.post(self.open(server), Stream(100 * 2 ** 20, self.blocks(400)))
        self.assertEqual(answer.status, 200)
        self.assertEqual(server.requests[0].length, 100 * 2 ** 20)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        self.assertLess(grown, 16 * 1024)

    def test_an_answer_before_all_is_sent_is_taken_if_it_is_a_refusal(self) -> None:
        for status, certificate in ((413, ""), (413, "server"), (200, "")):
            if certificate and missing():
                continue

            def refuse(request: Request, connection: Any, status: int = status) -> None:
                connection.sendall(b"HTTP/1.1 %d x\r\nContent-Length: 2\r\n\r\n{}" % status)
                time.sleep(0.1)
            server = self.server(refuse, certificate, early=True)
            with self.subTest(status=status, certificate=certificate):
                body = Stream(100 * 2 ** 20, self.blocks(400))
                if status == 413:
                    self.assertEqual(self.post(self.open(server), body).status, 413)
                    continue
                with self.assertRaises(NotReached) as caught:
                    self.post(self.open(server), body)
                self.assertRegex(str(caught.exception), "^no usable answer from %s: (Broken pipe|"
                                 "Connection reset by peer); try again later$" % server.name)

    @unittest.skipIf(missing(), missing())
    def test_a_missing_client_certificate_is_told_of_an_upload_too(self) -> None:
        server = self.server(certificate="server", clients="ca")
        with self.assertRaises(NotReached) as caught:
            self.post(self.open(server), Stream(100 * 2 ** 20, self.blocks(400)))
        self.assertEqual((caught.exception.step, caught.exception.remedy),
                         ("tls", "set authmethod=CERT"))

    def test_a_receiver_that_stops_reading_is_silence(self) -> None:
        server = self.raw(lambda connection: server.closing.wait(10))
        started = time.monotonic()
        with self.assertRaises(NotReached) as caught:
            self.post(self.open(base_url=server.name, insecure_connection=True,
                                http_timeout=SHORT), Stream(100 * 2 ** 20, self.blocks(400)))
        self.assertIn("silence for 0.4 seconds", str(caught.exception))
        self.assertLess(time.monotonic() - started, 5)


class Lateness(unittest.TestCase):
    def run_python(self, text: str) -> "subprocess.CompletedProcess[bytes]":
        environ = dict(os.environ, PYTHONPATH=os.path.join(TOP, "src"))
        return subprocess.run([sys.executable, "-c", text], env=environ, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=60)

    def test_importing_the_modules_imports_no_ssl_http_or_urllib(self) -> None:
        done = self.run_python(
            "import sys\nbefore = set(sys.modules)\nimport insights_mini.core.server.transport\n"
            "print(sorted({'ssl', '_ssl', 'http', 'urllib', 'email'} & "
            "(set(sys.modules) - before)))")
        self.assertEqual(done.stdout, b"[]\n")

    def test_a_python_without_ssl_says_so(self) -> None:
        done = self.run_python(
            "import os, sys, time\nsys.modules['ssl'] = sys.modules['_ssl'] = None\n"
            "from insights_mini.core.server.transport import open_service\n"
            "from insights_mini.paths import find_paths\n"
            "from insights_mini.settings import Settings\n"
            "from insights_mini.log import Console, Log\n"
            "service = open_service(Settings(), find_paths({}), {}, Log(Console(99)))\n"
            "try:\n    service.get('https://127.0.0.1:1', 1, time.monotonic() + 9)\n"
            "except Exception as error:\n    print(error)\n")
        self.assertEqual(done.stdout, b"HTTPS cannot be used: this Python has no ssl module; run "
                         b"with another Python, or add --offline\n")


