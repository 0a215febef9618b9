"""Where requests go: the parts of a URL, the proxy in between, and who is reached without one."""
import re
from typing import Mapping, NamedTuple, Optional

from insights_mini.core.server.faults import NotReached
from insights_mini.settings import Settings

PORTS = {"http": 80, "https": 443}
URL = re.compile(r"[!-~]+")  # RFC 3986 knows printable ASCII only; no line can be smuggled in


class Place(NamedTuple):
    """A URL in parts. `host` is in lower case and without brackets, `target` path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def name(self) -> str:
        """Host and port as CONNECT and messages have them."""
        return ("[%s]:%d" if ":" in self.host else "%s:%d") % (self.host, self.port)

    @property
    def url(self) -> str:
        return "%s://%s%s" % (self.scheme, self.name, self.target)


class Proxy(NamedTuple):
    """An HTTP proxy, its Proxy-Authorization (or ""), and the name of the setting it is from."""

    place: Place
    authorization: str
    setting: str

    @property
    def name(self) -> str:
        return "proxy " + self.place.name


def parse_url(url: str, setting: str) -> Place:
    """Take an absolute http or https URL apart; raise NotReached that names the setting only."""
    from urllib.parse import urlsplit
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        port = 0
    if not port or not parts.hostname or "@" in parts.netloc or not URL.fullmatch(url):
        raise NotReached("settings", setting, "it is no URL such as https://host:port/path",
                         "correct it; user and password have settings of their own")
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    return Place(parts.scheme, parts.hostname, port, target)


def basic(user: str, password: str) -> str:
    """Return the value of an Authorization header (RFC 7617)."""
    from base64 import b64encode
    login = ("%s:%s" % (user, password)).encode("utf-8", "surrogateescape")
    return "Basic " + b64encode(login).decode("ascii")


def find_proxy(settings: Settings, environ: Mapping[str, str]) -> Optional[Proxy]:
    """Return the proxy of the settings, else of the environment, or None; raise NotReached."""
    for setting, url in (("proxy", settings.proxy),
                         *((name, environ.get(name)) for name in ("HTTPS_PROXY", "https_proxy"))):
        if url:
            return parse_proxy(url, setting)
    return None


def parse_proxy(url: str, setting: str) -> Proxy:
    """Take [http://][user:password@]host[:port] apart; what is in it never shows in an error."""
    from urllib.parse import unquote
    scheme, slashes, rest = url.partition("://")
    login, at, where = (rest if slashes else url).rpartition("@")
    if (slashes and scheme.lower() != "http") or "/" in where.rstrip("/"):
        raise NotReached("settings", setting, "it is no URL such as "
                         "http://user:password@host:port", "name an HTTP proxy; HTTPS goes through")
    user, _, password = login.partition(":")
    return Proxy(parse_url("http://" + where, setting),
                 basic(unquote(user), unquote(password)) if at else "", setting)


def is_direct(place: Place, no_proxy: str) -> bool:
    """Tell whether a comma list has the place: `*`, host, host:port, .domain or *.domain.

    A domain stands for itself and all below it, as with curl.
    """
    names = place.host, "[%s]" % place.host, place.name
    for entry in no_proxy.lower().replace(",", " ").split():
        domain = entry[1:] if entry.startswith("*.") else entry
        if entry in ("*", *names) or (
                domain[0] == "." and any(("." + name).endswith(domain) for name in names)):
            return True
    return False
