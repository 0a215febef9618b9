"""Whom TLS trusts: what certificates are checked against, our own one, and why one is refused.

TLS 1.2 is the least. Certificates and host names are always checked, unless cert_verify=False.
"""
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from insights_mini.core.server.autoconfig import Rhsm
from insights_mini.core.server.faults import LATER, NotReached
from insights_mini.paths import Paths
from insights_mini.settings import FALSE, TRUE, Settings

if TYPE_CHECKING:
    import ssl

# What OpenSSL says (for the first two, of our own certificate and without one), what it means, and
# what mends it. Python 3.6 does not pass on why a certificate was not verified.
OWN = "alert.*(certificate|unknown ca|handshake failure|access denied)"
MEANINGS = (
    ("^own .*" + OWN, "it refuses the client certificate in %(consumer)s (%(why)s)",
     "renew it with subscription-manager"),
    (OWN, "it wants a client certificate (%(why)s)", "set authmethod=CERT"),
    ("expired|not yet valid", "its certificate is out of date (%(why)s)",
     "check the clock of this host, else it must be renewed there"),
    ("mismatch|doesn't match", "its certificate is for another host",
     "check the host in %(setting)s"),
    ("verify failed$", "its certificate is out of date, or from no authority in %(known)s",
     "check the clock of this host, and name a file with the authority in cert_verify"),
    ("verify failed", "its certificate is from no authority in %(known)s (%(why)s)",
     "name a file with the authority in cert_verify"),
    ("protocol", "it does not speak TLS 1.2 or newer (%(why)s)", "have that enabled there"),
    ("wrong version|http request|record|packet length", "what answers there does not speak TLS",
     "check the port in %(setting)s"),
    ("", "TLS failed (%(why)s)", LATER),
)


class Trust(NamedTuple):
    """`verify`: check at all; `authorities`: a file, or "" for the system's; `consumer`: a folder.

    The consumer's folder holds cert.pem and key.pem; it is "" where no client certificate is used.
    """

    verify: bool
    authorities: str
    consumer: str


def find_trust(settings: Settings, paths: Paths) -> Trust:
    wanted, bundle = settings.cert_verify, os.fsdecode(paths.ca_bundle)
    if wanted.lower() in ("", "none"):
        wanted = bundle if os.path.exists(bundle) else "true"
    return Trust(wanted.lower() not in FALSE, "" if wanted.lower() in TRUE + FALSE else wanted,
                 Rhsm(paths.rhsm_conf).consumer if settings.authmethod == "CERT" else "")


def make_context(trust: Trust) -> "ssl.SSLContext":
    """Return what makes connections as trusted as that; raise NotReached for unusable files."""
    try:
        import ssl
    except ImportError:
        raise NotReached("settings", "HTTPS", "this Python has no ssl module",
                         "run with another Python, or add --offline")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # Python 3.8 and 3.9 set it
    if hasattr(context, "minimum_version"):
        context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    else:  # Python 3.6
        context.options |= ssl.OP_NO_SSLv3 | ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1
    if not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        setting, mend = "cert_verify", "name a file of certificates"
        if trust.authorities:
            context.load_verify_locations(trust.authorities)
        elif trust.verify:
            context.load_default_certs()
        setting, mend = "authmethod=CERT", "register with subscription-manager, or use BASIC"
        if trust.consumer:
            context.load_cert_chain(os.path.join(trust.consumer, "cert.pem"),
                                    os.path.join(trust.consumer, "key.pem"),
                                    password="")  # never ask a terminal
    except OSError as error:
        file = trust.authorities if setting == "cert_verify" else trust.consumer
        raise NotReached("settings", setting, "no certificates from %s (%s)" %
                         (file, word(error)), mend)
    return context


def word(error: Exception) -> str:
    """Return OpenSSL's or the system's word for an error, without the place in Python's source.

    It is surer than `reason`: an old Python has names for the numbers of an old OpenSSL.
    """
    return re.sub(r"^\[.*?\] | \(_ssl.*", "", str(getattr(error, "strerror", None) or error))


def describe(secured: Any) -> str:
    """Return the protocol of a connection, and of its certificate, if checked, the main parts."""
    found = secured.getpeercert()
    if not found:
        return "%s; the certificate is not checked" % secured.version()
    return "%s; the certificate is for %s, by %s, from %s to %s" % (
        secured.version(), ", ".join(value for _, value in found.get("subjectAltName", ())),
        ", ".join(value for part in found["issuer"] for _, value in part),
        found["notBefore"], found["notAfter"])


def is_cut(error: Exception) -> bool:
    """Tell whether the other side ended a TLS connection without saying so."""
    return getattr(error, "errno", 1) == 0 or "eof " in str(error).lower()  # 0: of Python 3.6


def explain(error: Exception, trust: Trust, place: str, setting: str) -> NotReached:
    """Turn an error of TLS into ours: which certificate, why, and which setting mends it."""
    why = word(error)
    said = ("own " if trust.consumer else "") + why.lower()
    meaning, mend = next(row[1:] for row in MEANINGS if re.search(row[0], said))
    words = {"why": why.rpartition("verify failed: ")[2], "setting": setting,
             "consumer": trust.consumer, "known": trust.authorities or "those of the system"}
    return NotReached("answer" if mend == LATER else "tls", place, meaning % words, mend % words)
