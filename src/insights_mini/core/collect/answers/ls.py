"""`ls`, as GNU coreutils print it into a pipe with LC_ALL=C and TZ=UTC.

Nothing is opened: names, status and the targets of links tell it all. Of SELinux nothing is known.
"""
import os
import stat
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from insights_mini.core.collect.instead import Instead, Means, Sink
from insights_mini.core.roots import Root, Status, read_small
from insights_mini.hostfiles import Unreadable

OPTIONS = frozenset(b"alndRLZ1")
RECENT = 31556952 // 2  # seconds; of what is older the year is shown instead of the time
DIGITS = 10  # of the number of a user or a group
ACCOUNTS = 16 * 1024 * 1024

Entry = Tuple[bytes, Status, bytes]  # name as shown, status, target of a link
Names = Dict[int, bytes]             # of users or groups


class Form(NamedTuple):
    """What the options want, and what is needed for it."""

    program: bytes  # as the command line has it; messages begin with it
    options: bytes
    now: float
    users: Names
    groups: Names


def find(words: Sequence[bytes], root: Root) -> Optional[Instead]:
    """Return the answer to an `ls` whose options are known."""
    given = [word for word in words[1:] if word.startswith(b"-")]
    operands = [word for word in words[1:] if not word.startswith(b"-")] or [b"/"]
    options = bytes(sorted({letter for word in given for letter in word[1:]}))
    if words[0].rpartition(b"/")[2] != b"ls" or not OPTIONS.issuperset(options) or (
            b"L" in options and b"R" in options) or not all(
            operand.startswith(b"/") for operand in operands):
        return None

    def answer(means: Means, sink: Sink) -> None:
        numbers = b"n" in options or b"l" not in options
        form = Form(words[0], options, time.time(),
                    {} if numbers else read_names(means.root, b"/etc/passwd"),
                    {} if numbers else read_names(means.root, b"/etc/group"))
        Listing(means.root, form, sink, means.beat).list(operands)

    return Instead(answer)


def read_names(root: Root, path: bytes) -> Names:
    """Return the names by number that passwd(5) or group(5) has; the first one of each counts."""
    names: Names = {}
    try:
        lines = read_small(root, path, ACCOUNTS).split(b"\n")
    except Unreadable:
        return names
    for line in lines:
        name, _, rest = line.partition(b":")
        number = rest.split(b":")[1:2]
        if number and number[0].isdigit() and len(number[0]) <= DIGITS:
            names.setdefault(int(number[0]), name)
    return names


class Listing:
    def __init__(self, root: Root, form: Form, sink: Sink, beat: Callable[[], None]) -> None:
        self.root = root
        self.form = form
        self.sink = sink
        self.beat = beat
        self.wanted = True
        self.begun = False
        self.follows = b"L" in form.options
        self.long = b"l" in form.options or b"n" in form.options

    def put(self, text: bytes) -> None:
        self.wanted = self.wanted and self.sink(text)

    def complain(self, what: bytes, path: bytes, error: Unreadable) -> None:
        self.put(b"%s: cannot %s '%s': %s\n" % (
            self.form.program, what, path, error.why.encode()))

    def list(self, operands: List[bytes]) -> None:
        """Write what is missing, then what is no folder, then the folders."""
        files: List[Entry] = []
        folders: List[Entry] = []
        for operand in operands:  # as they were given: the errors come first
            try:
                entry = self.look(operand, operand, not self.long)
            except Unreadable as error:
                self.complain(b"access", operand, error)
                continue
            if entry[1].is_folder and b"d" not in self.form.options:
                folders.append(entry)
            else:
                files.append(entry)
        files.sort()
        folders.sort()
        if files:
            self.write(files, folders)
        headed = len(operands) > 1 or b"R" in self.form.options
        left = [path for path, _, _ in folders]
        while left and self.wanted:
            left[:0] = self.list_folder(left.pop(0), headed)
            self.beat()

    def look(self, path: bytes, name: bytes, follow: bool = False) -> Entry:
        """Return what stands for one path; a link that leads nowhere stands for itself."""
        if follow or self.follows:
            try:
                return name, self.root.status(path), b""
            except Unreadable:
                pass
        status = self.root.status(path, follow=False)
        return name, status, self.root.readlink(path) if status.is_link else b""

    def list_folder(self, folder: bytes, headed: bool) -> List[bytes]:
        """Write what is in a folder, and return the folders that are still to be listed."""
        try:
            found = self.root.entries(folder)
        except Unreadable as error:
            self.complain(b"open directory", folder, error)
            return []
        if headed:
            self.put(b"%s%s:\n" % (b"\n" if self.begun else b"", folder))
        self.begun = True
        entries = []
        if b"a" in self.form.options:
            entries = [self.look(os.path.join(folder, name), name) for name in (b".", b"..")]
        for name, status in found:
            if name.startswith(b".") and b"a" not in self.form.options:
                continue
            if status.is_link and (self.long or self.follows):
                entries.append(self.look(os.path.join(folder, name), name))
            else:
                entries.append((name, status, b""))
        entries.sort()
        if self.long:
            blocks = sum(status.blocks for _, status, _ in entries)
            self.put(b"total %d\n" % ((blocks + 1) // 2))
        self.write(entries)
        return [os.path.join(folder, name) for name, status, _ in entries
                if status.is_folder and name not in (b".", b"..")
                ] if b"R" in self.form.options else []

    def write(self, entries: List[Entry], others: Sequence[Entry] = ()) -> None:
        """Write the lines of some entries, in columns that would be wide enough for others too."""
        self.begun = True
        if not self.long:
            self.put(b"".join(name + b"\n" for name, _, _ in entries))
            return
        both = [status for _, status, _ in [*entries, *others]]
        minor = max([len(b"%d" % status.device[1]) for status in both if is_device(status)] or [0])
        rows = [self.make_row(status, minor) for status in both]
        widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
        for (name, status, target), row in zip(entries, rows):
            columns = [show_mode(status.mode)]
            for cell, width, left in zip(row, widths, (False, self.is_left(status.uid, "users"),
                                                       self.is_left(status.gid, "groups"), False)):
                columns.append(cell.ljust(width) if left else cell.rjust(width))
            if b"Z" in self.form.options:
                columns.insert(4, b"?")
            columns += [self.show_time(status.mtime), name]
            self.put(b" ".join(columns) + (b" -> " + target if status.is_link else b"") + b"\n")

    def is_left(self, number: int, kind: str) -> bool:
        return number in getattr(self.form, kind)

    def make_row(self, status: Status, minor: int) -> List[bytes]:
        """Return links, user, group and size, or the numbers of a device, the second this wide."""
        size = b"%d" % status.size
        if is_device(status):
            size = b"%d, %*d" % (status.device[0], minor, status.device[1])
        return [b"%d" % status.links, self.form.users.get(status.uid, b"%d" % status.uid),
                self.form.groups.get(status.gid, b"%d" % status.gid), size]

    def show_time(self, seconds: float) -> bytes:
        try:
            when = time.gmtime(seconds)
        except (OverflowError, OSError, ValueError):  # no calendar goes so far
            return b"?"
        day = b"%s %2d" % (MONTHS[when.tm_mon - 1], when.tm_mday)
        if self.form.now - RECENT < seconds <= self.form.now:
            return b"%s %02d:%02d" % (day, when.tm_hour, when.tm_min)
        return b"%s  %d" % (day, when.tm_year)


MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def is_device(status: Status) -> bool:
    return stat.S_ISCHR(status.mode) or stat.S_ISBLK(status.mode)


def show_mode(mode: int) -> bytes:
    return stat.filemode(mode).encode("ascii")
