"""Uploads an archive and, once the service has it, remembers that and removes it.

Whatever keeps it from being accepted, the archive stays where it is, and the one line that says so
has the command that sends it later.
"""
import contextlib
import os
import shlex
import time
from typing import Callable, Mapping

from insights_mini.core import registration
from insights_mini.core.collection import Collected
from insights_mini.core.machineid import ensure_machine_id
from insights_mini.core.server.api import Unregistered, is_platform
from insights_mini.core.server.transport import open_service
from insights_mini.core.server.upload import COLLECTION, Parcel, send
from insights_mini.exits import Failure, Stopped, reason
from insights_mini.log import INFO, Log, show, write_all
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from insights_mini.statefiles import write_private


def deliver(collected: Collected, settings: Settings, paths: Paths, environ: Mapping[str, str],
            log: Log) -> None:
    """Upload what was collected; raise Failure."""
    parcel = Parcel(collected.path, COLLECTION, collected.seconds, collected.facts)
    try:
        upload(parcel, settings, paths, environ, log, ensure_machine_id)
    except Unregistered:
        registration.note_unregistered(paths, log)
        raise
    registration.note_registered(paths, log)
    log.info("Successfully uploaded report for %s." % collected.host)
    if settings.keep_archive:
        log.console.line(INFO, "Archive saved at %s" % show(collected.path))
    else:
        discard(collected.path, log)


def deliver_payload(settings: Settings, paths: Paths, environ: Mapping[str, str],
                    log: Log) -> None:
    """Upload an archive that was made elsewhere, which stays; raise Failure.

    It may be another host's, so what becomes of it says nothing about this one.
    """
    path = os.path.abspath(os.fsencode(settings.payload))
    upload(Parcel(path, settings.content_type), settings, paths, environ, log,
           (lambda paths: "") if is_platform(settings) else ensure_machine_id)
    log.info("Successfully uploaded %s." % show(path))


def upload(parcel: Parcel, settings: Settings, paths: Paths, environ: Mapping[str, str],
           log: Log, find_machine_id: Callable[[Paths], str]) -> None:
    """Upload an archive and note it; raise Failure, or Unregistered, that names the archive."""
    conf = settings.conf or os.fsdecode(paths.configuration)
    later = "it is kept; to send it later: " + describe(parcel, settings, environ)
    try:
        service = open_service(settings, paths, environ, log)
        answer = send(parcel, find_machine_id(paths), settings, conf, service, log)
    except Stopped as stopped:
        raise Failure("stopped by %s while uploading" % stopped.name, remedy=later)
    except Failure as failure:
        kind = Unregistered if isinstance(failure, Unregistered) else Failure
        raise kind("the archive was not uploaded", str(failure), later)
    remember(answer, settings, paths, log)


def describe(parcel: Parcel, settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the command that uploads an archive."""
    words = ["python3", environ.get("INSIGHTS_CLIENT_FILE", "insights-mini.pyz"), "--payload",
             os.fsdecode(parcel.path), "--content-type", parcel.content_type]
    words += ["--conf", os.path.abspath(settings.conf)] if settings.conf else []
    return " ".join(shlex.quote(word) for word in words)


def remember(answer: bytes, settings: Settings, paths: Paths, log: Log) -> None:
    """Note the successful upload, and print the answer where it is wanted."""
    try:
        write_private(paths.last_upload, time.strftime("%Y-%m-%dT%H:%M:%S+00:00",
                                                       time.gmtime()).encode("ascii"))
        write_private(paths.last_results, answer)
    except OSError as error:
        log.warning("cannot note the upload in %s: %s" % (show(paths.conf_dir), reason(error)))
    if settings.to_json:
        try:
            write_all(1, answer.strip() + b"\n")
        except OSError as error:
            log.warning("cannot print the answer of the service: %s" % reason(error))


def discard(path: bytes, log: Log) -> None:
    """Remove an archive that the service has, and its folder, unless there is more in that."""
    try:
        os.unlink(path)
    except OSError as error:
        log.warning("cannot remove the uploaded archive %s: %s" % (show(path), reason(error)))
    with contextlib.suppress(OSError):  # the owner's report of what was redacted stays there
        os.rmdir(os.path.dirname(path))
