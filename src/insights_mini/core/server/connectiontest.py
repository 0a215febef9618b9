"""--test-connection: goes the way to the service step by step, and says where it ends and why.

It asks as every other request does, only aloud, and writes nothing. No line holds a secret.
"""
import time
from typing import Callable, Mapping

from insights_mini.core.server.api import LARGEST, is_platform
from insights_mini.core.server.autoconfig import configure
from insights_mini.core.server.faults import LATER
from insights_mini.core.server.places import is_direct, parse_url
from insights_mini.core.server.tls import make_context
from insights_mini.core.server.transport import Answer, Service, open_service
from insights_mini.exits import Failure
from insights_mini.log import Log, printable, show
from insights_mini.paths import Paths
from insights_mini.settings import Settings

# The steps of the way, as NotReached and Service.watch call them, and those that follow.
TITLES = {"settings": "settings", "name": "name resolution", "connect": "TCP connection",
          "proxy": "proxy", "tls": "TLS", "answer": "HTTP", "api": "API", "upload": "upload"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SHARE = 0.9  # of the phase's time
Say = Callable[[str], object]


class Course:
    """Says each step of the way once, in order; `left` are those to come."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.left = list(TITLES)

    def passed(self, step: str, detail: str) -> None:
        if step in self.left:  # else it is gone once more, as after a redirect
            self.end("ok, " + detail)

    def failed(self, why: str) -> None:
        self.end("FAILED: " + why)
        while self.left:
            self.end("not tried")

    def end(self, how: str) -> None:
        self.say("%s: %s" % (TITLES[self.left.pop(0)], printable(how)))


def test_connection(settings: Settings, paths: Paths, environ: Mapping[str, str], log: Log,
                    say: Say) -> bool:
    """Say a line for each step, and return whether all went well."""
    course = Course(say)
    deadline = time.monotonic() + SHARE * settings.phase_timeout
    settings, faults = configure(settings, paths)
    conf = settings.conf or show(paths.configuration)
    for fault in faults:
        say("warning: " + printable(fault))
    try:
        service = open_service(settings, paths, environ, log)
        platform = is_platform(settings)
        upload = service.url(settings.upload_url or (
            "/ingress/v1/upload" if platform else "/uploads"))
        if not platform:
            course.left.remove("upload")
        prepare(service, upload, course)
        service.watch = course.passed
        url = service.url("/apicast-tests/ping" if platform else "/")
        answer = service.get(url, LARGEST, deadline)
        course.passed("answer", "status %d" % answer.status)
        judge(answer, conf)
        course.passed("api", url)
        if platform:
            judge(service.request("POST", upload, LARGEST, deadline, FORM, b"test=test"), conf)
            course.passed("upload", upload.partition("?")[0])
    except Failure as failure:
        course.failed(str(failure))
        return False
    return True


def prepare(service: Service, upload: str, course: Course) -> None:
    """Try all that can be tried without the network; raise NotReached."""
    place, trust = parse_url(service.url(""), "base_url"), service.trust
    parse_url(upload, "upload_url")
    proxy = None if is_direct(place, service.no_proxy) else service.proxy
    secure = place.scheme == "https"
    if secure:
        make_context(trust)
    else:
        course.left.remove("tls")
    if not (secure and proxy):
        course.left.remove("proxy")
    course.passed("settings", "%s; uploads to %s; %s %s; %s; certificates are %s" % (
        service.url(""), upload.partition("?")[0], service.settings.authmethod,
        trust.consumer or ("as a user" if service.settings.username else "without a username"),
        "proxy %s from %s" % (proxy.place.name, proxy.setting) if proxy else "no proxy",
        "checked against " + (trust.authorities or "those of the system") if trust.verify else
        "not checked"))


def judge(answer: Answer, conf: str) -> None:
    """Raise Failure unless the service answers as it does where all is well."""
    if not 200 <= answer.status < 300:
        raise Failure("%s answers with status %d" % (answer.place, answer.status), "",
                      LATER if answer.status >= 500 else
                      "check username and password in %s, or the host's subscription" % conf
                      if answer.status in (401, 402, 403) else "check the URLs in " + conf)
