"""What a run tells: the log file, and the console with its one live progress line.

Information goes to standard output, warnings and errors to standard error, so that readers of
standard output get nothing else. Collected content never comes here; names do, with their control
characters escaped. A console or log that cannot be written never costs the run.
"""
import os
import stat
import time
from typing import Callable, Optional

from insights_mini.exits import reason
from insights_mini.paths import Paths, make_private_folder
from insights_mini.settings import Settings

DEBUG, INFO, WARNING, ERROR, NOTHING = 10, 20, 30, 40, 99
NAMES = {DEBUG: "DEBUG", INFO: "INFO", WARNING: "WARNING", ERROR: "ERROR"}
LARGEST = 1024 * 1024  # a log file beyond this is rotated when a run starts
KEPT = 3


class Console:
    """Standard output and error, from a level up; a status line only where a terminal shows it.

    `out` is the descriptor for information: 1, or 2 where standard output carries the archive.
    """

    def __init__(self, level: int, live: bool = False, out: int = 1) -> None:
        self.level = level
        self.live = live
        self.out = out
        self.status_shown = False

    def line(self, level: int, text: str) -> None:
        if level < self.level:
            return
        self.status("")
        prefix = NAMES[level] + ": " if level >= WARNING else ""
        write(self.out if level == INFO else 2, prefix + printable(text) + "\n")

    def status(self, text: str) -> None:
        """Show the progress line, or take it away with an empty text."""
        if not self.live or not (text or self.status_shown):
            return
        width = terminal_width()
        write(2, "\r\x1b[K" + printable(text)[:width - 1])
        self.status_shown = bool(text)


class Log:
    """Console and log file together; `file` is a descriptor, or None without a log file.

    Every text goes through `clean` first: what the owner hides must not show in a message either.
    """

    def __init__(self, console: Console, file: Optional[int] = None, level: int = DEBUG) -> None:
        self.clean: Callable[[str], str] = str
        self.console = console
        self.file = file
        self.level = level

    def debug(self, text: str) -> None:
        self.say(DEBUG, text)

    def info(self, text: str) -> None:
        self.say(INFO, text)

    def warning(self, text: str) -> None:
        self.say(WARNING, text)

    def error(self, text: str) -> None:
        self.say(ERROR, text)

    def status(self, text: str) -> None:
        """Show the progress line, or take it away with an empty text."""
        if self.console.live:
            self.console.status(self.clean(text) if text else "")

    def say(self, level: int, text: str) -> None:
        text = self.clean(text)
        self.console.line(level, text)
        self.write(level, text)

    def note(self, level: int, text: str) -> None:
        """Write to the log file only."""
        self.write(level, self.clean(text))

    def write(self, level: int, text: str) -> None:
        if self.file is None or level < self.level:
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        line = "%s,%03d %-7s %d %s\n" % (stamp, now % 1 * 1000, NAMES[level], os.getpid(),
                                         printable(text))
        write(self.file, line)

    def trace(self, error: BaseException) -> None:
        """Note where an unexpected error arose; its message could hold content, so it stays out."""
        import traceback  # late: seldom needed
        tell = self.error if self.file is None else self.note_error
        tell("internal error: %s" % type(error).__name__)
        for frame in traceback.extract_tb(error.__traceback__):
            tell("  %s:%s in %s" % (frame.filename, frame.lineno, frame.name))

    def note_error(self, text: str) -> None:
        self.note(ERROR, text)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of it; raise OSError."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view):]


def write(descriptor: int, text: str) -> None:
    try:
        write_all(descriptor, text.encode("utf-8"))
    except OSError:
        pass  # nobody is listening, and the run matters more than its messages


def printable(text: str) -> str:
    """Escape control characters, so that a name can neither forge a line nor drive a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii")
                   for c in text)


def show(path: bytes) -> str:
    """Return a path, command or name as text for a message."""
    return path.decode("utf-8", "backslashreplace")


def human(size: float) -> str:
    """Return a number of bytes as people say it."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return "%d %s" % (size, unit) if unit == "bytes" else "%.1f %s" % (size, unit)
        size /= 1000
    return "%.1f GB" % size


def terminal_width() -> int:
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80


def open_file(path: bytes, rotate: bool) -> int:
    """Open the log file for appending, 0600 in a folder made 0700, rotated first; raise OSError."""
    make_private_folder(os.path.dirname(path))
    if rotate:
        rotate_file(path)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    descriptor = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, 0o600)
    return descriptor


def rotate_file(path: bytes) -> None:
    """Move a large log to .1, the one before to .2 and so on; the oldest goes."""
    try:
        status = os.lstat(path)
        if status.st_size < LARGEST or not stat.S_ISREG(status.st_mode):
            return
    except FileNotFoundError:
        return
    names = [path] + [path + b".%d" % number for number in range(1, KEPT + 1)]
    for older, newer in reversed(list(zip(names[1:], names))):
        if os.path.lexists(newer):
            os.replace(newer, older)


def try_open_file(path: bytes, rotate: bool, console: Console) -> Optional[int]:
    """Open the log file, or warn and go on without: a read-only root must not cost the run."""
    try:
        return open_file(path, rotate)
    except OSError as error:
        console.line(WARNING, "no log is written: cannot open %s: %s; choose another place with "
                     "--logging-file or INSIGHTS_LOG_DIR" % (show(path), reason(error)))
        return None


def console_level(settings: Settings) -> int:
    if settings.silent:
        return NOTHING
    if settings.verbose:
        return DEBUG
    return WARNING if settings.quiet else INFO


def file_level(settings: Settings) -> int:
    return {name: level for level, name in NAMES.items()}[settings.loglevel]


def choose_file(settings: Settings, paths: Paths) -> bytes:
    if settings.logging_file:
        return os.path.abspath(os.fsencode(settings.logging_file))
    return paths.log_file
