"""Takes what the owner did not set from rhsm.conf, the host's subscription (CONTRACT.md section 7).

A host registered with RHSM logs in with its certificate; where it is subscribed at a Satellite,
that is its service. Nothing is taken that weakens the checks of TLS, and what is wrong in rhsm.conf
is a warning. Its form is that of rhsm.conf(5): values refer to others as in `%(ca_cert_dir)s`.
"""
import configparser
import os
import re
from typing import Dict, List, Mapping, Tuple

from insights_mini import hostfiles
from insights_mini.core.server.faults import NotReached
from insights_mini.core.server.places import parse_proxy
from insights_mini.log import Log, show
from insights_mini.paths import Paths
from insights_mini.settings import FALSE, Settings

LARGEST = 1024 * 1024
RED_HAT = re.compile(r"(?:subscription\.(?:stage\.)?rh(?:sm|n)\.(?:stage\.)?redhat\.com)?", re.I)
ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*:0*[1-9][0-9]{0,4}")


class Rhsm:
    """What rhsm.conf says; `faults` are sentences on what of it cannot be used.

    Nothing is said by a file that is absent or cannot be understood as a whole.
    """

    def __init__(self, path: bytes) -> None:
        self.name = show(path)
        self.faults: List[str] = []
        self.parser = configparser.ConfigParser({"ca_cert_dir": "/etc/rhsm/ca/"}, strict=False)
        try:
            self.parser.read_string(
                hostfiles.read_small(path, LARGEST).decode("utf-8-sig", "replace"))
        except hostfiles.Unreadable as error:
            if not error.absent:
                self.faults.append("cannot read %s: %s" % (self.name, error.why))
        except configparser.Error as error:  # which has the line itself, perhaps a password
            self.parser.clear()
            number = getattr(error, "lineno", 0) or getattr(error, "errors", [[1]])[0][0]
            self.faults.append("line %d of %s is not understood" % (number, self.name))

    def refuse(self, name: str, why: str) -> None:
        self.faults.append("%s in %s %s" % (name, self.name, why))

    def get(self, section: str, name: str, default: str = "") -> str:
        try:
            return self.parser.get(section, name, fallback="").strip() or default
        except configparser.Error:  # a percent sign that is one, as in passwords
            return self.parser.get(section, name, raw=True).strip()

    @property
    def consumer(self) -> str:
        """The folder with cert.pem and key.pem of this host."""
        return self.get("rhsm", "consumerCertDir", "/etc/pki/consumer")


def configure(settings: Settings, paths: Paths) -> Tuple[Settings, List[str]]:
    """Return the settings to work with, and sentences on what was not understood, without secrets.

    Filled in are authmethod, base_url, cert_verify, proxy and no_proxy. Who has a username logs in
    with it, so the first three are left to him; a base_url of his own keeps its own cert_verify.
    """
    default = Settings()
    if settings.offline or not settings.auto_config:
        return settings, []
    rhsm = Rhsm(paths.rhsm_conf)
    found: Dict[str, str] = {}
    if rhsm.parser.sections() and all(os.path.exists(os.path.join(rhsm.consumer, name))
                                      for name in ("cert.pem", "key.pem")):
        if not settings.username:
            found["authmethod"] = "CERT"
            if settings.base_url == default.base_url:
                found.update(find_satellite(rhsm))
        if not settings.proxy:
            found.update(find_proxy(rhsm))
    found = {name: value for name, value in found.items()
             if value and getattr(settings, name) == getattr(default, name)}
    return settings._replace(**found), rhsm.faults  # type: ignore[arg-type]  # all are texts


def find_satellite(rhsm: Rhsm) -> Mapping[str, str]:
    """Return base_url and cert_verify of a Satellite, or nothing for Red Hat's own service."""
    host, port = rhsm.get("server", "hostname"), rhsm.get("server", "port", "443")
    authorities = rhsm.get("rhsm", "repo_ca_cert")
    address = "%s:%s" % (host, port)
    if RED_HAT.fullmatch(host):
        return {}
    if not ADDRESS.fullmatch(address) or int(port) > 65535:
        rhsm.refuse("hostname", "and port are no address of a service")
        return {}
    if authorities and not os.path.exists(authorities):
        rhsm.refuse("repo_ca_cert", "names a file that is not there")
        authorities = ""
    if rhsm.get("server", "insecure", "0").lower() not in FALSE:
        rhsm.refuse("insecure", "is not followed: certificates are checked as cert_verify says")
    return {"base_url": address + "/redhat_access/r/insights", "cert_verify": authorities}


def find_proxy(rhsm: Rhsm) -> Mapping[str, str]:
    from urllib.parse import quote
    host, user, password, port, scheme = (
        rhsm.get("server", "proxy_" + name, usual) for name, usual in (
            ("hostname", ""), ("user", ""), ("password", ""), ("port", "3128"),
            ("scheme", "http")))
    if not host:
        return {}
    login = "%s:%s@" % (quote(user, ""), quote(password, "")) if user else ""
    url = "%s://%s%s:%s" % (scheme, login, host, port)
    try:
        parse_proxy(url, "proxy")
    except NotReached as error:
        rhsm.refuse("proxy_hostname", "and what belongs to it make no proxy: " + error.why)
        return {}
    return {"proxy": url, "no_proxy": rhsm.get("server", "no_proxy")}


def apply(settings: Settings, paths: Paths, log: Log) -> Settings:
    """Return the configured settings, and warn of what was not understood."""
    settings, faults = configure(settings, paths)
    for fault in faults:
        log.warning(fault)
    return settings


def has_service(settings: Settings) -> bool:
    """Tell whether configured settings lead to a service that this host can log in to."""
    return bool(settings.username or settings.authmethod == "CERT" or
                settings.base_url != Settings().base_url)
