"""Requests to the service: redirects, credentials, the proxy, answers within limits.

http.client parses the answers; the rest is done here and not by urllib.request, whose requests have
no deadline as a whole. Any HTTP status is an answer; judging it is the caller's. One connection
serves one request. No password goes into a log.
"""
import time
from typing import TYPE_CHECKING, Any, Dict, Iterable, Mapping, NamedTuple, Optional, Union

from insights_mini.core.server.faults import LATER, NotReached
from insights_mini.core.server.places import (
    PORTS,
    Place,
    Proxy,
    basic,
    find_proxy,
    is_direct,
    parse_url,
)
from insights_mini.core.server.tls import Trust, find_trust, make_context
from insights_mini.core.server.wire import BROKEN, Watch, Wire
from insights_mini.exits import Failure
from insights_mini.log import Log
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from insights_mini.version import VERSION

if TYPE_CHECKING:
    from email.message import Message
    from http.client import HTTPResponse

TORN = "it broke off within the answer"
BLOCK = 64 * 1024
REDIRECTS = 5
MOVED = (301, 302, 303, 307, 308)
AGENT = "insights-client/" + VERSION
AFTERWARDS = 5.0  # seconds for an answer that came before all was sent


class Stream(NamedTuple):
    """A body that is not in memory: its length in bytes, and its blocks, which serve once."""

    length: int
    blocks: Iterable[bytes]


Texts = Mapping[str, str]
Body = Union[None, bytes, Stream]


class Answer(NamedTuple):
    """What the service answered. `headers.get` takes a name in any case."""

    status: int
    headers: "Message"
    body: bytes
    place: str

    def json(self) -> Any:
        """Return the value in the body; raise NotReached if it is no JSON."""
        import json
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            kind = (self.headers.get("Content-Type") or "something").partition(";")[0][:50]
            raise NotReached("answer", self.place, "status %d with %s that is not JSON" %
                             (self.status, kind), "see what answers there in its place")


def open_service(settings: Settings, paths: Paths, environ: Texts, log: Log) -> "Service":
    """Return the service as the settings have it; raise NotReached where they are wrong."""
    return Service(settings, paths, environ, log)


class Service:
    """Makes requests. Its methods raise NotReached for all that keeps an answer from being had."""

    def __init__(self, settings: Settings, paths: Paths, environ: Texts, log: Log) -> None:
        self.settings = settings
        self.trust = find_trust(settings, paths)
        self.proxy = find_proxy(settings, environ)
        self.no_proxy = (settings.no_proxy or environ.get("NO_PROXY") or
                         environ.get("no_proxy") or "")
        self.log = log
        self.contexts: Dict[Trust, Any] = {}
        self.watch: Watch = lambda step, detail: None
        self.base = self.parse("", "base_url")
        self.homes = {self.base[:3], *(self.parse(url, name)[:3] for name, url in (
            ("upload_url", settings.upload_url), ("branch_info_url", settings.branch_info_url))
            if url)}

    def url(self, path: str) -> str:
        """Return the URL of a path of the service; a URL without a scheme gets ours."""
        if not path or path.startswith("/"):
            path = self.settings.base_url.rstrip("/") + path
        return path if "://" in path else "http%s://%s" % (
            "" if self.settings.insecure_connection else "s", path)

    def parse(self, url: str, setting: str) -> Place:
        place = parse_url(self.url(url), setting)
        if place.scheme == "http" and not self.settings.insecure_connection:
            raise NotReached("settings", setting, "plain HTTP can be read and changed on its way",
                             "use https")
        return place

    def get(self, url: str, most: int, deadline: float, headers: Optional[Texts] = None
            ) -> Answer:
        """Do a GET; see request()."""
        return self.request("GET", url, most, deadline, headers)

    def request(self, method: str, url: str, most: int, deadline: float,
                headers: Optional[Texts] = None, body: Body = None) -> Answer:
        """Return the answer, with `most` bytes of body at most, by `deadline` of time.monotonic().

        At most 5 redirects are followed, of GET and HEAD only, never from https to http. Another
        host, port or scheme than those of the service, such as a mirror that updates come from,
        sees no credentials and no client certificate.
        A Stream of another length than it said is a Failure.
        """
        first = place = self.parse(url, "the URL")
        for _ in range(REDIRECTS + 1):
            ask = Ask(method, place, place[:3] in self.homes, most, headers or {}, body)
            answer = self.exchange(ask, deadline)
            target = answer.headers.get("Location")
            if answer.status not in MOVED or not target:
                return answer
            place = find_target(ask, target)
        raise NotReached("answer", first.name, "more than %d redirects" % REDIRECTS)

    def exchange(self, ask: "Ask", deadline: float) -> Answer:
        """Make one request without following redirects, and log how it went."""
        status: object = "no answer"
        wire = Wire(self.settings.http_timeout, deadline, self.watch)
        try:
            answer = self.converse(wire, ask)
            status = answer.status
            return answer
        finally:
            wire.close()
            tell = self.log.info if self.settings.net_debug else self.log.debug
            tell("%s %s: %s, %.2f s, %d bytes sent, %d received" % (
                ask.method, ask.place.url.partition("?")[0], status,
                time.monotonic() - wire.started, wire.sent, wire.received))

    def converse(self, wire: Wire, ask: "Ask") -> Answer:
        place = ask.place
        proxy = None if is_direct(place, self.no_proxy) else self.proxy
        self.connect(wire, ask, proxy)
        plain = place.scheme == "http" and proxy
        head = make_head(ask.method, place.url if plain else place.target, self.headers(ask))
        try:
            wire.send(head)
            send_body(wire, ask.stream)
        except NotReached as fault:
            return read_early(wire, ask, fault)
        answer = read_answer(wire, ask)
        if plain and answer.status == 407:
            raise refusal(plain, place, 407)
        return answer

    def connect(self, wire: Wire, ask: "Ask", proxy: Optional[Proxy]) -> None:
        """Connect, through the proxy if there is one, with TLS for https."""
        place, secure = ask.place, ask.place.scheme == "https"
        trust = self.trust if ask.own else self.trust._replace(consumer="")
        if secure and trust not in self.contexts:
            self.contexts[trust] = make_context(trust)
        wire.name = place.name
        wire.setting = "base_url" if place[:3] == self.base[:3] else "the URL"
        if not proxy:
            wire.connect(place, ", or set proxy if this host needs one")
        else:
            ours = "%s through %s" % (place.name, proxy.name), wire.setting
            wire.name, wire.setting = proxy.name, proxy.setting
            wire.connect(proxy.place, "")
            if secure:
                open_tunnel(wire, place, proxy)
                self.watch("proxy", place.name)
            wire.name, wire.setting = ours
        if secure:
            wire.secure(self.contexts[trust], trust, place.host)

    def headers(self, ask: "Ask") -> Dict[str, str]:
        place, settings = ask.place, self.settings
        default = place.port == PORTS[place.scheme]
        headers = {"Host": place.name.rpartition(":")[0] if default else place.name,
                   "User-Agent": AGENT, "Accept": "application/json",
                   "Accept-Encoding": "identity", "Connection": "close"}
        if settings.username and ask.own and settings.authmethod == "BASIC":
            headers["Authorization"] = basic(settings.username, settings.password)
        if ask.body is not None:
            headers["Content-Length"] = str(ask.stream.length)
        headers.update(ask.headers)
        return headers


class Ask(NamedTuple):
    """A request. `own`: it goes to the service itself, so credentials go along."""

    method: str
    place: Place
    own: bool
    most: int
    headers: Texts
    body: Body

    @property
    def stream(self) -> Stream:
        body = self.body or b""
        return body if isinstance(body, Stream) else Stream(len(body), (body,))


def find_target(ask: Ask, location: str) -> Place:
    """Return where a redirect leads to, or raise NotReached if it is not to be followed."""
    from urllib.parse import urljoin
    place = ask.place
    why, mend = "it redirects to what is no URL", LATER
    try:
        target = parse_url(urljoin(place.url, location), "")
        if ask.method not in ("GET", "HEAD"):
            why = "it redirects a %s to %s" % (ask.method, target.name)
            mend = "if that is right, name it in the settings"
        elif place.scheme == "https" and target.scheme == "http":
            why = "it redirects to plain HTTP at " + target.name
        else:
            return target
    except (ValueError, NotReached):
        pass  # as said above
    raise NotReached("answer", place.name, why, mend)


def make_head(method: str, target: str, headers: Texts) -> bytes:
    """Return request line and headers (RFC 7230, 3)."""
    lines = ["%s %s HTTP/1.1" % (method, target)]
    for name, value in headers.items():
        if not value.isprintable():
            raise NotReached("settings", "the header " + name, "it has control characters", "")
        lines.append("%s: %s" % (name, value))
    return "\r\n".join(lines + ["", ""]).encode("utf-8")


def send_body(wire: Wire, body: Stream) -> None:
    left = body.length
    for block in body.blocks:
        left -= len(block)
        if left < 0:
            break
        wire.send(block)
    if left:
        raise Failure("the upload cannot be sent", "it changed its size meanwhile", LATER)


def open_tunnel(wire: Wire, place: Place, proxy: Proxy) -> None:
    """Have the proxy connect us with the place (RFC 7231, 4.3.6)."""
    headers = {"Host": place.name, "User-Agent": AGENT}
    if proxy.authorization:
        headers["Proxy-Authorization"] = proxy.authorization
    wire.send(make_head("CONNECT", place.name, headers))
    status = begin(wire, "CONNECT").status
    if not 200 <= status < 300:
        raise refusal(proxy, place, status)


def refusal(proxy: Proxy, place: Place, status: int) -> NotReached:
    why = "it does not connect to %s (%d)" % (place.name, status)
    mend = "have it allow that, or name the host in no_proxy"
    if status == 407 and proxy.authorization:
        why, mend = "it refuses the user and password (407)", "correct them in " + proxy.setting
    elif status == 407:
        why = "it wants a user and password (407)"
        mend = "add them to %s as in http://user:password@host:port" % proxy.setting
    return NotReached("proxy", proxy.name, why, mend)


def read_early(wire: Wire, ask: Ask, fault: NotReached) -> Answer:
    """Return the answer of a server that would not wait for the whole request, or raise the fault.

    Such an answer tells why; only it cannot be a success.
    """
    wire.deadline = min(wire.deadline, time.monotonic() + AFTERWARDS)
    try:
        answer = read_answer(wire, ask)
    except NotReached as second:
        raise second if second.step == "tls" else fault
    if answer.status < 400:
        raise fault
    return answer


def begin(wire: Wire, method: str) -> "HTTPResponse":
    """Return the answer with its status and headers read."""
    from http.client import HTTPException, HTTPResponse, RemoteDisconnected
    response = HTTPResponse(wire, method=method)  # type: ignore[arg-type]  # it uses makefile only
    try:
        response.begin()
    except RemoteDisconnected:
        raise wire.fault(BROKEN)
    except HTTPException:
        raise wire.fault("what came is not HTTP", "check " + wire.setting)
    if wire.ended:  # http.client takes the end for the blank line that ends the headers
        raise wire.fault(TORN)
    return response


def read_answer(wire: Wire, ask: Ask) -> Answer:
    with begin(wire, ask.method) as response:
        moved = response.status in MOVED and response.headers.get("Location")
        body = b"" if moved else read_body(wire, response, ask.most)
        return Answer(response.status, response.headers, body, wire.name)


def read_body(wire: Wire, response: "HTTPResponse", most: int) -> bytes:
    from http.client import IncompleteRead
    body, block, announced = bytearray(), b"-", response.length or 0
    while block and max(len(body), announced) <= most:
        try:
            block = response.read(BLOCK)
        except IncompleteRead:
            raise wire.fault(TORN)
        body += block
    if max(len(body), announced) > most:
        raise wire.fault("more than the %d bytes that are expected" % most,
                         "check " + wire.setting)
    if response.length or wire.cut:
        raise wire.fault(TORN)
    return bytes(body)
