"""--enable-schedule and --disable-schedule: a collection once a day, by systemd, or else by cron.

Written are two units or one script, and taken back are exactly these: a file without our mark is
neither replaced nor removed. What runs every day, as root, is the client file that the user has
started, so both it and its Python must lie where only root can change them.
"""
import os
import re
import sys
import time
from typing import List, Mapping, NamedTuple, Tuple

from insights_mini import bundle, eggs, hostfiles, process
from insights_mini.core import signals
from insights_mini.core.collect.commandline import PATH, SYSTEM_FOLDERS
from insights_mini.exits import Failure, reason
from insights_mini.log import Log, show
from insights_mini.paths import RESERVED, Paths
from insights_mini.settings import Settings
from insights_mini.statefiles import write_private

BOOTED = b"/run/systemd/system"  # sd_booted(3)
UNITS = b"/etc/systemd/system/"
PACKAGED = b"/usr/lib/systemd/system/"
TIMER = b"insights-client.timer"
NAMES = (TIMER, b"insights-client.service")
CRON = b"/etc/cron.daily/insights-client"
FILES = (UNITS + TIMER, UNITS + NAMES[1], CRON)
MARK = b"# Written by insights-mini --enable-schedule; --disable-schedule removes it.\n"
SCRIPT = b"""\
#!/bin/sh
%s# The delay was drawn once, so that hosts differ. Other jobs need not wait for it.
(sleep %d; test -e "$0" && exec nice -n 10 %s) </dev/null >/dev/null 2>&1 &
"""
DELAY = 4 * 3600  # seconds at most, as in the timer
PASSING = (b"/tmp/", b"/var/tmp/", b"/media/", b"/run/", b"/dev/", b"/proc/")
MOVED = re.compile("INSIGHTS_(CONF|STATE|LOG)_DIR")
PLAIN = re.compile(rb"[A-Za-z0-9_./:,+@=-]+")  # needs no quotes, neither in a unit nor in sh
MOST = 64 * 1024  # bytes of a file that may be ours, and of systemctl's output


class Host(NamedTuple):
    """Where this module's paths begin, where systemctl is looked for, which Python runs daily."""

    root: bytes = b""
    folders: Tuple[bytes, ...] = SYSTEM_FOLDERS
    python: bytes = os.fsencode(sys.executable or "")
    seconds: float = 60.0  # longest time for one run of systemctl

    def is_ours(self, path: bytes) -> bool:
        """Tell whether there is a file, and we wrote it; Failure if it is somebody else's."""
        try:
            content = hostfiles.read_small(self.root + path, MOST, follow=False)
            if content.startswith((MARK, b"#!/bin/sh\n" + MARK)):
                return True
            why = "was not written by --enable-schedule"
        except hostfiles.Unreadable as error:
            if error.absent:
                return False
            why = error.why
        raise Failure(show(path) + " stays as it is", "it " + why, "move it away and try again")

    def change(self, path: bytes, content: bytes = b"", mode: int = 0o644) -> None:
        """Write a file, or remove it for want of a content; raise Failure."""
        try:
            if content:
                write_private(self.root + path, content, mode=mode)
            else:
                os.unlink(self.root + path)
        except OSError as error:
            raise Failure("cannot change " + show(path), reason(error))

    def systemctl(self, *words: bytes) -> None:
        """Run systemctl; raise Failure with the first line of its output."""
        output = bytearray()

        def take(chunk: bytes) -> bool:
            output.extend(chunk)
            return True

        try:
            program = process.find_program(b"systemctl", self.folders) or b"/bin/systemctl"
            ending = process.run(
                program, (program, *words), {"LC_ALL": "C", "PATH": PATH}, take,
                process.Limits(time.monotonic() + self.seconds, MOST), process.Stop())
            if ending.status == 0:
                return
            line = show(bytes(output).strip().partition(b"\n")[0])
            why = "it hangs" if ending.timed_out else line or "status %s" % ending.status
        except OSError as error:
            why = reason(error)
        raise Failure("systemctl %s failed" % show(b" ".join(words)), why, "mend it and try again")


def enable(settings: Settings, paths: Paths, environ: Mapping[str, str], host: Host,
           log: Log) -> None:
    """Write what starts a collection every day, and have it started; raise Failure."""
    signals.raise_stopped()
    line = b" ".join(choose_words(settings, paths, environ, host))
    ours = [path for path in FILES if host.is_ours(path)]
    if os.path.isdir(host.root + BOOTED):
        start_timer(line, host, log)
        if CRON in ours:
            host.change(CRON)
        when = "between 0:00 and 4:00"
    elif os.path.isdir(host.root + os.path.dirname(CRON)):
        delay = int.from_bytes(os.urandom(4), "big") % DELAY
        host.change(CRON, SCRIPT % (MARK, delay, line), 0o755)
        when = "%d minutes after cron's next daily jobs" % (delay // 60)
    else:
        raise Failure("cannot schedule", "systemd does not run, and there is no /etc/cron.daily",
                      "install cron, or have this run daily: " + show(line))
    unknown = [name for name in environ if name.startswith("INSIGHTS_") and name not in RESERVED]
    if unknown:
        log.warning("the daily run does not know %s of this environment; set it in %s" % (
            ", ".join(sorted(unknown)), show(paths.configuration)))
    if not (settings.no_upload or os.path.exists(paths.registered)):
        log.info("This host is not registered, so archives stay here; after --register, use "
                 "--enable-schedule again")
    log.info("Once a day from now on: %s; next run: %s" % (show(line), when))


def start_timer(line: bytes, host: Host, log: Log) -> None:
    """Write and start the units; raise Failure."""
    for name in NAMES:
        unit = bundle.read("systemd/" + show(name))
        host.change(UNITS + name, MARK + re.sub(rb"(?m)^(ExecStart=).*", rb"\1" + line, unit))
    if os.path.lexists(host.root + PACKAGED + TIMER):
        log.info("The units in %s stand for those in %s now" % (show(UNITS), show(PACKAGED)))
    host.systemctl(b"daemon-reload")
    host.systemctl(b"--force", b"enable", TIMER)  # replaces a link to a packaged unit
    host.systemctl(b"start", TIMER)  # enable --now is younger than systemd 219


def choose_words(settings: Settings, paths: Paths, environ: Mapping[str, str],
                 host: Host) -> List[bytes]:
    """Return the command line of the daily run; raise Failure if root should not run it."""
    client = os.fsencode(environ.get("INSIGHTS_CLIENT_FILE", ""))
    words = [os.fsencode("%s=%s" % (name, os.path.abspath(environ[name])))
             for name in sorted(environ) if MOVED.fullmatch(name) and environ[name]]
    words = [*([b"/usr/bin/env"] if words else []), *words, host.python, client, b"--quiet"]
    if settings.conf:
        words += [b"--conf", os.path.abspath(os.fsencode(settings.conf))]
    if settings.no_upload and not settings.offline:
        words.append(b"--no-upload")
    elif settings.offline or not os.path.exists(paths.registered):
        words.append(b"--offline")  # without a registration an upload would fail every day
    try:
        for path in (host.python, client):
            check_place(path, host)
        if not eggs.looks_like_zip(hostfiles.read_small(host.root + client, eggs.LARGEST)):
            raise hostfiles.Unreadable("is not the file of the client")
        for path in words:
            if not PLAIN.fullmatch(path):
                raise hostfiles.Unreadable("has other characters than A-Z a-z 0-9 _./:,+@=-")
    except hostfiles.Unreadable as error:
        raise Failure("root cannot run %s every day" % (show(path) or "this"), error.why,
                      "copy the client to /usr/local/bin, start it there with the host's python3")
    return words


def check_place(path: bytes, host: Host) -> None:
    """Raise Unreadable unless a file lies where it stays, and where only root can change it."""
    here = host.root + path
    for name in (here, os.path.realpath(here)):
        if name.startswith(tuple(host.root + folder for folder in PASSING)):
            raise hostfiles.Unreadable("it would not stay there")
    hostfiles.check_guarded(here)


def disable(host: Host, log: Log) -> None:
    """Take back what enable has written, by whichever means; raise Failure."""
    signals.raise_stopped()
    ours, foreign = [], None
    for path in FILES:
        try:
            if host.is_ours(path):
                ours.append(path)
        except Failure as failure:
            foreign = failure
    booted = os.path.isdir(host.root + BOOTED)
    if booted and UNITS + TIMER in ours:
        host.systemctl(b"daemon-reload")  # else one that was not loaded yet could not be stopped
        host.systemctl(b"stop", TIMER)
        host.systemctl(b"disable", TIMER)
    for path in ours:
        host.change(path)
    if booted and ours:
        host.systemctl(b"daemon-reload")
    if foreign:
        raise foreign
    log.info("No daily run any more; removed: " + " ".join(map(show, ours)) if ours else
             "--enable-schedule has set up no daily run here")
