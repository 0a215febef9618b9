"""Which API the service has, classic or platform, and how it is asked (CONTRACT.md section 7).

Requests of one kind have a module of their own; here is what they share, such as what a refusal
means.
"""
import time
from typing import Any, Dict, Mapping, Optional

from insights_mini.core.server.faults import LATER, NotReached
from insights_mini.core.server.transport import Answer, Body, Service
from insights_mini.exits import Failure
from insights_mini.settings import Settings

LARGEST = 16 * 1024 * 1024  # bytes of an answer
TIME = 300.0                # seconds for one request that sends and gets little


class Unregistered(Failure):
    """The service says that this host was taken out of it (412)."""


def is_platform(settings: Settings) -> bool:
    """Tell whether base_url is that of the platform API; else it is the classic one's."""
    return settings.base_url.rstrip("/").endswith(("/platform", "/api"))


def ask(service: Service, method: str, path: str, body: Body = None,
        headers: Optional[Mapping[str, str]] = None) -> Answer:
    """Make a small request to a path below base_url, or to a URL; raise NotReached."""
    return service.request(method, service.url(path), LARGEST, time.monotonic() + TIME, headers,
                           body)


def refuse(what: str, answer: Answer, settings: Settings, file: str) -> Failure:
    """Return the error that an answer stands for.

    `what` says what cannot be done, `file` is the one with the credentials.
    """
    code, said = answer.status, quoted(answer)
    known = {
        401: ("the service refuses the username and password", "correct them in " + file),
        402: ("this host is not entitled to it", "see to its subscription"),
        403: ("the service does not allow it",
              "see to the rights of the account, or to base_url in " + file),
        412: ("the service has this host as unregistered", "register it with --register"),
    }
    if settings.authmethod == "CERT":
        known[401] = ("the service refuses the certificate of the subscription",
                      "renew it with subscription-manager")
    if "/redhat_access/" in settings.base_url:
        known[403] = "Insights is not enabled on the Satellite", "have it enabled there"
    if code in known:
        kind = Unregistered if code == 412 else Failure
        return kind(what, "%s (%d)%s" % (known[code][0], code, said), known[code][1])
    return NotReached("answer", answer.place, "%s, it answers %d%s" % (what, code, said),
                      LATER if code == 429 or code >= 500 else "check base_url in " + file)


def need(answer: Answer) -> Dict[str, Any]:
    """Return the JSON object of an answer; raise NotReached."""
    data = answer.json()
    if not isinstance(data, dict):
        raise strange(answer)
    return data


def strange(answer: Answer) -> NotReached:
    return NotReached("answer", answer.place, "status %d with JSON that was not asked for" %
                      answer.status, "see what answers there in its place")


def quoted(answer: Answer) -> str:
    """Return what the service says about an answer, as the end of a sentence, or ""."""
    try:
        data = need(answer)
        text = data.get("message") or data.get("detail")
    except NotReached:
        text = answer.headers.get("x-rh-message")
    return ", it says: %s" % str(text)[:300] if text else ""
