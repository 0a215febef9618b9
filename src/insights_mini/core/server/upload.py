"""Brings an archive to the service: streamed from the disk, tried again where that makes sense.

Which answer means what: CONTRACT.md section 7. Only an answer that says so is a success; whatever
else happens, the caller still has the archive.
"""
import io
import json
import os
import tarfile
import time
from typing import Any, Callable, Iterator, List, Mapping, NamedTuple

from insights_mini import hostfiles
from insights_mini.core.server.api import is_platform, refuse
from insights_mini.core.server.faults import NotReached
from insights_mini.core.server.transport import Answer, Service, Stream
from insights_mini.exits import Failure
from insights_mini.log import Log, human, show
from insights_mini.settings import UPLOAD_SECONDS, Settings

COLLECTION = "application/vnd.redhat.advisor.collection+tgz"
BLOCK = 256 * 1024
LARGEST_ANSWER = 1024 * 1024
NAMED = 5  # of the largest members when an archive is too large
MOST_WAIT = 3600.0  # seconds, whatever the service asks for


class Parcel(NamedTuple):
    """An archive to be sent. For one that was not collected in this run, which may be another
    host's, there are no facts, and no `seconds` that collecting took. Facts are clean."""

    path: bytes
    content_type: str
    seconds: float = 0.0
    facts: Mapping[str, Any] = {}


def send(parcel: Parcel, machine_id: str, settings: Settings, conf: str, service: Service, log: Log,
         sleep: Callable[[float], None] = time.sleep) -> bytes:
    """Upload until it is accepted, and return the JSON of the answer; raise Failure.

    `machine_id` is a part of the classic API's URL; `conf` is the file that holds the credentials,
    for messages.
    """
    for left in range(settings.retry - 1, -1, -1):
        wait = settings.retry_wait
        try:
            answer = post(parcel, machine_id, settings, service)
            if answer.status in (200, 201, 202):
                check(answer)
                return answer.body
            fault = judge(answer, parcel, settings, conf)
            passing = answer.status == 429 or answer.status >= 500
            wait = read_wait(answer, wait)
        except NotReached as error:
            fault, passing = error, error.step in ("name", "connect", "answer")
        if not (passing and left):
            raise fault
        log.warning("%s; trying again in %g s (%d more)" % (fault, wait, left))
        sleep(wait)
    raise AssertionError("retry is at least 1")


def post(parcel: Parcel, machine_id: str, settings: Settings, service: Service) -> Answer:
    """Make the one request of an upload; raise NotReached or Failure."""
    boundary = os.urandom(16).hex()
    path = settings.upload_url or ("/ingress/v1/upload" if is_platform(settings) else
                                   "/uploads/" + machine_id)
    headers = {"Content-Type": "multipart/form-data; boundary=" + boundary}
    if parcel.seconds:
        headers["x-rh-collection-time"] = "%.3f" % parcel.seconds
    try:
        descriptor = hostfiles.open_regular(parcel.path)
    except hostfiles.Unreadable as error:
        raise Failure("cannot read the archive %s" % show(parcel.path), error.why)
    with open(descriptor, "rb", buffering=0) as file:
        body = make_body(parcel, file, boundary.encode("ascii"))
        return service.request("POST", service.url(path), LARGEST_ANSWER,
                               time.monotonic() + UPLOAD_SECONDS, headers, body)


def make_body(parcel: Parcel, file: io.FileIO, boundary: bytes) -> Stream:
    """Return the form with the file and, with facts, the metadata (RFC 7578)."""
    name = os.path.basename(parcel.path).replace(b'"', b"_").replace(b"\r", b"_").replace(
        b"\n", b"_")
    head = (b'--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n'
            b"Content-Type: %s\r\n\r\n" % (boundary, name, parcel.content_type.encode("utf-8")))
    tail = b"\r\n--%s--\r\n" % boundary
    if parcel.facts:
        tail = (b'\r\n--%s\r\nContent-Disposition: form-data; name="metadata"\r\n'
                b"Content-Type: application/json\r\n\r\n%s" % (
                    boundary, json.dumps(parcel.facts).encode("utf-8")) + tail)
    size = os.fstat(file.fileno()).st_size

    def blocks() -> Iterator[bytes]:
        yield head
        yield from hostfiles.read_window(file, 0, size)
        yield tail

    return Stream(len(head) + size + len(tail), blocks())


def check(answer: Answer) -> None:
    """Raise Failure for a success that is none, such as a page of a proxy; once is enough then."""
    try:
        answer.json()
    except NotReached as error:
        raise Failure(error.what, error.why, error.remedy)


def judge(answer: Answer, parcel: Parcel, settings: Settings, conf: str) -> Failure:
    """Return what an answer that is no success means, and what mends it."""
    what = "the service does not take it"
    if answer.status == 413:
        largest = ", ".join(list_largest(parcel.path))
        return Failure(what, "it is too large (413)%s%s" % (
            largest and "; the largest members are ", largest),
            "leave some out, or lower max_member or max_size")
    if answer.status == 415:
        return Failure(what, "it does not know the type %s (415)" % parcel.content_type,
                       "correct --content-type")
    return refuse(what, answer, settings, conf)


def read_wait(answer: Answer, usual: float) -> float:
    """Return how many seconds the service wants us to wait (RFC 7231, 7.1.3: seconds or a date)."""
    text = (answer.headers.get("Retry-After") or "").strip()
    if text.isdecimal():
        return min(float(text), MOST_WAIT)
    if text:
        from email.utils import mktime_tz, parsedate_tz
        when = parsedate_tz(text)
        if when:
            return min(max(0.0, mktime_tz(when) - time.time()), MOST_WAIT)
    return usual


def list_largest(path: bytes) -> List[str]:
    """Return the names and sizes of the largest members of an archive, if it is a tar."""
    try:
        with tarfile.open(os.fsdecode(path)) as tar:
            sizes = sorted(((member.size, member.name.partition("/")[2]) for member in tar),
                           reverse=True)
    except (tarfile.TarError, OSError, EOFError):
        return []
    return ["%s (%s)" % (name, human(size)) for size, name in sizes[:NAMED]]
