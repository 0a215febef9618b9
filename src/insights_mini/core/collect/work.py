"""Collects one task: reads or runs it, keeps the lines that are wanted, cleans them, spools them.

Every source goes through the same intake, block by block: whole lines, keep filter, cleaning,
spool. Nothing uncleaned is written anywhere.
"""
import os
import time
from typing import Callable, FrozenSet, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from insights_mini import hostfiles, process
from insights_mini.core.binary import HEAD, find_obstacle
from insights_mini.core.collect import grep, instead, plan
from insights_mini.core.collect.keep import Filter, make_filter
from insights_mini.core.collect.lines import LONGEST, Lines
from insights_mini.core.roots import Guarded, Identity, Opened, Root
from insights_mini.core.specs import FILE
from insights_mini.core.spool import Spool, Store
from insights_mini.exits import Uncleaned, reason
from insights_mini.log import human

COLLECTED = "collected"
EMPTY = "nothing to keep"
UNCLEANED = "could not be cleaned"
UNREADABLE = "unreadable"
OUT_OF_TIME = "run time over"
STUCK = "stuck"

TIMED_OUT = "timed out"
LIMIT = "limit reached"

LARGE = 8 * 1024 * 1024  # bytes; from here on grep is worth its start
FEW = 60                 # strings that this holds for; with more of them grep is worth it sooner
SENT = 1024 * 1024       # bytes given to grep at a time


class Result(NamedTuple):
    """What came of a task. A note is a kind (TIMED_OUT or LIMIT) and what exactly happened."""

    outcome: str
    detail: str = ""
    spool: Optional[Spool] = None
    notes: Tuple[Tuple[str, str], ...] = ()
    counts: Mapping[str, int] = {}  # by rule, what was redacted


class Means(NamedTuple):
    """What the tasks of a run are collected with and within. Times are seconds, sizes bytes.

    A cleaner is for one member; it comes with the counts that it keeps, and may raise Uncleaned.
    """

    make_cleaner: Callable[[], Tuple[Filter, Mapping[str, int]]]
    forbidden: FrozenSet[Identity]  # files that are never read
    forbids: Callable[[bytes], str]  # path -> entry of the owner that forbids it, or nothing
    store: Store
    stop: process.Stop
    environ: Mapping[str, str]
    host: str                    # what the command of the spec `hostname` would print
    cmd_timeout: float
    deadline: float              # a time.monotonic() value, for the whole run
    max_member: int
    max_read: int
    root: Root
    find_grep: Callable[[], Optional[bytes]]


class Intake:
    """Takes the blocks of one source in and makes its spool.

    With `newest`, the newest lines are kept at the limit, else the first ones. A source that is
    `filtered` holds wanted lines only; just those that are shortened have to be looked at again.
    """

    def __init__(self, task: plan.Task, means: Means, keep: Filter, newest: bool,
                 filtered: bool = False) -> None:
        self.lines = Lines()
        self.keep = keep
        self.clean, self.counts = means.make_cleaner()
        self.spool = Spool(means.store, most_of(task, means))
        self.newest = newest
        self.filtered = filtered
        self.full = False
        self.begun = False

    def add(self, block: bytes) -> bool:
        """Take a block; False when no more is wanted. Raises Uncleaned."""
        if not self.begun:
            self.begun = True
            refuse(find_obstacle(block[:HEAD]))
        cut = self.lines.cut
        whole = self.lines.feed(block)
        self.take(whole, self.filtered and cut == self.lines.cut)
        return not self.full

    def finish(self) -> None:
        self.take(self.lines.finish(), False)
        self.spool.finish()

    def take(self, whole: bytes, wanted: bool) -> None:
        if not whole or self.full:
            return
        content = self.clean(whole if wanted else self.keep(whole))
        room = self.spool.most - self.spool.size
        if not self.newest and len(content) > room:
            self.full = True
            content = content[:content.rfind(b"\n", 0, room) + 1]
        if content:
            self.spool.write(content)

    def result(self, notes: List[Tuple[str, str]]) -> Result:
        """Return the result, with a note for each limit that was reached."""
        if self.spool.lost:
            notes.append((LIMIT, "only its newest %s are kept" % human(self.spool.most)))
        if self.full:
            notes.append((LIMIT, "only its first %s are kept" % human(self.spool.most)))
        if self.lines.cut:
            notes.append((LIMIT, "%d lines were shortened to %s" %
                          (self.lines.cut, human(self.lines.longest))))
        if not self.spool.size:
            return Result(EMPTY, notes=tuple(notes), counts=self.counts)
        return Result(COLLECTED, spool=self.spool, notes=tuple(notes), counts=self.counts)


def collect(task: plan.Task, means: Means, beat: Callable[[], None]) -> Result:
    """Collect one task; `beat` is called whenever it made progress."""
    if means.stop.is_set() or time.monotonic() > means.deadline:
        return Result(OUT_OF_TIME)
    try:
        if task.kind == FILE:
            return collect_file(task, means, beat)
        if task.kind == plan.ANSWER:
            return collect_answer(task, means)
        if task.kind == plan.INSTEAD:
            return collect_instead(task, means, beat)
        return collect_command(task, means)
    except Uncleaned as error:
        return Result(UNCLEANED, error.why)


def most_of(task: plan.Task, means: Means) -> int:
    """Return how many bytes of a task are kept."""
    return min(task.most or means.max_member, means.max_member)


def collect_answer(task: plan.Task, means: Means) -> Result:
    """Take what is known without running the command."""
    intake = Intake(task, means, make_filter(task.keep), False)
    intake.add(means.host.encode("utf-8", "surrogateescape") + b"\n")
    intake.finish()
    return intake.result([])


def collect_instead(task: plan.Task, means: Means, beat: Callable[[], None]) -> Result:
    """Take what answers a command in its place."""
    assert task.answer is not None
    intake = Intake(task, means, make_filter(task.keep), False)

    def take(block: bytes) -> bool:
        return intake.add(block) and not means.stop.is_set() and time.monotonic() < means.deadline

    try:
        task.answer(instead.Means(Guarded(means.root, means.forbidden, means.forbids), means.host,
                                  means.environ, means.deadline, means.stop, beat), take)
    except hostfiles.Unreadable as error:
        return Result(plan.ABSENT if error.absent else UNREADABLE, error.why)
    except OSError as error:
        return Result(UNREADABLE, reason(error))
    intake.finish()
    return intake.result([])


def collect_command(task: plan.Task, means: Means) -> Result:
    """Run a command and take its output."""
    intake = Intake(task, means, make_filter(task.keep), False)
    seconds = min(task.slow or means.cmd_timeout, means.cmd_timeout)
    deadline = min(time.monotonic() + seconds, means.deadline)
    try:
        ending = process.run(task.program, task.argv, means.environ, intake.add,
                             process.Limits(deadline, means.max_read), means.stop)
    except OSError as error:
        return Result(plan.FAILED, "cannot be run: %s" % reason(error))
    intake.finish()
    notes = []
    if ending.timed_out:
        notes.append((TIMED_OUT, "ended with the time of the run" if deadline == means.deadline
                      else "ended after %g s" % seconds))
    if ending.cut and not intake.full:
        notes.append((LIMIT, "ended after %s" % human(means.max_read)))
    if ending.status is None:
        notes.append((TIMED_OUT, "could not be killed and was abandoned"))
    result = intake.result(notes)
    if result.outcome == EMPTY and ending.timed_out:
        return result._replace(outcome=TIMED_OUT)
    return result


def collect_file(task: plan.Task, means: Means, beat: Callable[[], None]) -> Result:
    """Read a file and take its content."""
    try:
        opened = means.root.open(task.label, beat)
    except hostfiles.Unreadable as error:
        return Result(plan.ABSENT if error.absent else UNREADABLE, error.why)
    with opened.file:
        if opened.identity in means.forbidden:
            return Result(plan.EXCLUDED)
        try:
            return read_file(opened, task, means, beat)
        except OSError as error:
            return Result(UNREADABLE, reason(error))


def read_file(opened: Opened, task: plan.Task, means: Means,
              beat: Callable[[], None]) -> Result:
    most = means.max_read if task.keep else min(means.max_read, most_of(task, means))
    reader = Reader(opened, most, means, beat)
    refuse(find_obstacle(reader.head))  # wherever the window begins
    keep = make_filter(task.keep)
    if task.keep and reader.is_large(len(task.keep)):
        program = means.find_grep()
        result = read_through_grep(program, task, means, reader, keep) if program else None
        if result is not None:
            return result
    intake = Intake(task, means, keep, True)
    for block in reader.blocks():
        intake.add(block)
    intake.finish()
    return reader.judge(intake)


def read_through_grep(program: bytes, task: plan.Task, means: Means, reader: "Reader",
                      keep: Filter) -> Optional[Result]:
    """Let grep keep the lines; None when it did not work, so that our own filter has to."""
    words = grep.arguments(task.keep)
    rest = reader.last_line()
    if not words or rest is None:
        return None
    intake = Intake(task, means, keep, True, filtered=True)
    reader.length -= len(rest)
    worked = grep.run(program, words, means.environ, reader.send, intake.add,
                      means.deadline + 1.0, means.stop)
    reader.length += len(rest)
    if not worked:
        intake.spool.discard()
        return None
    if not reader.trouble:
        intake.add(keep(rest))
    intake.finish()
    return reader.judge(intake)


def refuse(obstacle: str) -> None:
    if obstacle:
        raise Uncleaned(obstacle)


class Reader:
    """Reads a window of a file, and remembers what went wrong with it."""

    def __init__(self, opened: Opened, most: int, means: Means, beat: Callable[[], None]) -> None:
        """Raises OSError."""
        self.file = opened.file
        self.opened = opened
        self.head = self.file.read(HEAD) or b""
        self.start, self.length = hostfiles.find_window(self.file, opened.size, most)
        self.means = means
        self.beat = beat
        self.trouble = ""
        self.taken = 0

    def is_large(self, strings: int) -> bool:
        """Tell whether it is worth a program that reads from the file's own descriptor."""
        size = min(self.length, self.opened.size)
        return self.opened.direct and size * max(strings, FEW) >= LARGE * FEW

    def blocks(self) -> Iterator[bytes]:
        """Yield the window from its start, as far as it can be read in the time of the run."""
        self.trouble = ""
        self.taken = 0
        try:
            self.file.seek(self.start)
            for block in hostfiles.read_window(self.file, self.start, self.length):
                self.beat()
                self.taken += len(block)
                yield block
                if self.is_late():
                    return
        except OSError as error:
            self.trouble = reason(error)

    def send(self, pipe: int) -> None:
        """Write the window to a pipe without the bytes passing through here; raise OSError."""
        self.trouble = ""
        offset, end = self.start, self.start + self.length
        while offset < end and not self.is_late():
            sent = os.sendfile(pipe, self.file.fileno(), offset, min(end - offset, SENT))
            if not sent:
                return  # the file was shortened meanwhile
            offset += sent
            self.beat()

    def last_line(self) -> Optional[bytes]:
        """Return what follows the last newline of the window; None when there is none near."""
        size = min(self.length, LONGEST)
        tail = os.pread(self.file.fileno(), size, self.start + self.length - size)
        newline = tail.rfind(b"\n")
        return tail[newline + 1:] if newline >= 0 and len(tail) == size else None

    def is_late(self) -> bool:
        """Tell, and remember, whether the run must end before the file does."""
        if self.means.stop.is_set() or time.monotonic() > self.means.deadline:
            self.trouble = OUT_OF_TIME
        return bool(self.trouble)

    def judge(self, intake: Intake) -> Result:
        """Return the result of what was read."""
        notes = []
        if self.start:
            notes.append((LIMIT, "only its newest %s were read" % human(self.length)))
        elif self.taken == self.length > self.opened.size:  # a file of /proc
            notes.append((LIMIT, "only its first %s were read" % human(self.length)))
        if self.trouble and intake.spool.size:
            notes.append((LIMIT, "could not be read to its end: " + self.trouble))
        elif self.trouble:
            return Result(UNREADABLE, self.trouble)
        return intake.result(notes)
