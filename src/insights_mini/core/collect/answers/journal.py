"""`journalctl` and `dmesg`, told from the journal of a root by the journalctl of this system.

The program gets the files as open descriptors, never a path of the root, and only options that do
nothing but read. Which boot was the last one is looked up in the files, since to an old journalctl
`-b` is the boot that runs here. Times are in UTC, whatever the zone of this system.
"""
import contextlib
import json
import re
import sys
import time
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from insights_mini import process
from insights_mini.core.collect.commandline import SYSTEM_FOLDERS
from insights_mini.core.collect.instead import Instead, Means, Sink, copy
from insights_mini.core.roots import Root, read_small
from insights_mini.hostfiles import Unreadable

FOLDER = b"/var/log/journal/"
LOG = b"/var/log/dmesg"   # written by some hosts when they have booted
MOST = 16                 # files; journalctl opens each of them once more
LONGEST = 1024 * 1024     # bytes of one entry, and of all headers
SECONDS = 60.0            # that the program may take, whatever is in the files
JOURNAL = re.compile(rb"[\w@.-]+\.journal~?")
VALUED = rb"priority|identifier|unit|output|since|until|grep"
FLAG = re.compile(
    rb"--(no-pager|no-hostname|header|utc|quiet|reverse|all|list-boots|disk-usage)|-[qra]|"
    rb"(-n|--lines=)\d+|(-[ptuogSU]|--(" + VALUED + rb")=).+|[A-Z_][A-Z\d_]*=.*", re.DOTALL)
APART = re.compile(rb"-[nptuogSU]|--(lines|" + VALUED + rb")")
LAST = {b"-b": [], b"--boot": [], b"-k": [b"_TRANSPORT=kernel"], b"--dmesg": [b"_TRANSPORT=kernel"]}
BOOT = re.compile(rb'"_BOOT_ID" ?: ?"([0-9a-f]{32})"')  # text of an entry would have \" there
MICROSECONDS = re.compile(r"[0-9]{1,17}")
UNPRINTABLE = re.compile(rb"[^ -~\s]")

Entry = Dict[str, Any]


def find(words: Sequence[bytes], root: Root) -> Optional[Instead]:
    """Return the answer to one of the two, if there is something to read."""
    program = words[0].rpartition(b"/")[2]
    if program == b"dmesg" and len(words) == 1 and (find_files(root) or root.exists(LOG)):
        return Instead(tell_kernel, LOG)
    asked = translate(words[1:]) if program == b"journalctl" and find_files(root) else None
    if asked is None:
        return None
    options, of_last_boot = asked

    def answer(means: Means, sink: Sink) -> None:
        with open_files(means) as files:
            last = [find_last_boot(means, files)] if of_last_boot else []
            if b"--header" not in options:
                return run(means, files, [*options, *last], sink)
            text = take_all(means, files, options)
            for number, path in files.items():
                text = text.replace(b"File path: /proc/self/fd/%d\n" % number,
                                    b"File path: %s\n" % path)
            sink(text)

    return Instead(answer)


def translate(words: Sequence[bytes]) -> Optional[Tuple[List[bytes], bool]]:
    """Return the options for the program, and whether the last boot is meant, or None.

    A value in a word of its own must not be one that the program could take for an option.
    """
    options: List[bytes] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if APART.fullmatch(word) and rest and not rest[0].startswith(b"-"):
            word += (b"=" if word.startswith(b"--") else b"") + rest.pop(0)
        if word not in LAST and not FLAG.fullmatch(word):
            return None
        options += LAST.get(word, [word])
    return options, not LAST.keys().isdisjoint(words)


def find_files(root: Root) -> List[bytes]:
    """Return the paths of a root's newest journal files."""
    if process.find_program(b"journalctl", SYSTEM_FOLDERS) is None:
        return []
    try:
        folder = FOLDER + read_small(root, b"/etc/machine-id", 64).strip() + b"/"
        found = sorted((status.mtime, name) for name, status in root.entries(folder)
                       if JOURNAL.fullmatch(name))
    except Unreadable:
        return []
    return [folder + name for _, name in found[:-MOST - 1:-1]]


@contextlib.contextmanager
def open_files(means: Means) -> Iterator[Dict[int, bytes]]:
    """Open the files of the journal; their paths by descriptor. Raises Unreadable if none can be.
    """
    files: Dict[int, bytes] = {}
    with contextlib.ExitStack() as stack:
        for path in find_files(means.root):
            with contextlib.suppress(Unreadable):
                opened = means.root.open(path, means.beat)
                stack.enter_context(opened.file)
                if opened.direct:
                    files[opened.file.fileno()] = path
        if not files:
            raise Unreadable("there is no journal that can be opened", absent=True)
        yield files


def run(means: Means, files: Dict[int, bytes], options: Sequence[bytes], sink: Sink) -> None:
    """Hand on what journalctl prints; raise Unreadable where it does not do well, or OSError."""
    def take(block: bytes) -> bool:
        means.beat()
        return sink(block)

    program = process.find_program(b"journalctl", SYSTEM_FOLDERS) or b"/bin/journalctl"
    ending = process.run(
        program, [b"journalctl", *(b"--file=/proc/self/fd/%d" % number for number in files),
                  *options],
        dict(means.environ, TZ="UTC"), take,
        process.Limits(min(means.deadline, time.monotonic() + SECONDS), sys.maxsize), means.stop,
        descriptors=list(files))
    if ending.timed_out or ending.status is None:
        raise Unreadable("journalctl took too long")
    if ending.status and not ending.cut:
        raise Unreadable("journalctl ended with status %d" % ending.status)


def take_all(means: Means, files: Dict[int, bytes], options: Sequence[bytes]) -> bytes:
    """Return what journalctl prints, which is expected to be little."""
    text = bytearray()

    def take(block: bytes) -> bool:
        text.extend(block)
        return len(text) < LONGEST

    run(means, files, options, take)
    return bytes(text)


def find_last_boot(means: Means, files: Dict[int, bytes]) -> bytes:
    """Return what selects the entries of the boot that the newest entry is of."""
    found = BOOT.search(take_all(means, files, [b"-n1", b"-ojson"]))
    if found is None:
        raise Unreadable("the journal does not tell which boot was the last", absent=True)
    return b"_BOOT_ID=" + found.group(1)


def read_entry(line: bytes) -> Entry:
    """Return the fields of an entry in journalctl's JSON; none of what is no entry."""
    try:
        entry = json.loads(line.decode("utf-8", "replace"))
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def tell_kernel(means: Means, sink: Sink) -> None:
    """Write the kernel's messages of the last boot as dmesg(1) does, or the log of them."""
    begun = False
    rest = b""

    def take(block: bytes) -> bool:
        nonlocal begun, rest
        *lines, rest = (rest + block).split(b"\n")
        text = b"".join(show_message(read_entry(line)) for line in lines)
        begun = begun or bool(text)
        return len(rest) < LONGEST and sink(text)

    with contextlib.suppress(Unreadable), open_files(means) as files:
        run(means, files, [find_last_boot(means, files), b"_TRANSPORT=kernel", b"-ojson"], take)
    if not begun:
        copy(LOG).answer(means, sink)


def show_message(entry: Entry) -> bytes:
    """Return one message, or nothing of an entry that has none (systemd.journal-fields(7))."""
    stamp = entry.get("_SOURCE_MONOTONIC_TIMESTAMP", entry.get("__MONOTONIC_TIMESTAMP"))
    text = entry.get("MESSAGE")
    if isinstance(text, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in text):
        message = bytes(text)  # it is no UTF-8
    elif isinstance(text, str):
        message = text.encode("utf-8", "replace")
    else:
        return b""
    if not isinstance(stamp, str) or not MICROSECONDS.fullmatch(stamp):
        return b""
    origin = entry.get("SYSLOG_IDENTIFIER", "kernel")
    if isinstance(origin, str) and origin != "kernel":  # a program that wrote to /dev/kmsg
        number = entry.get("SYSLOG_PID")
        origin += "[%s]" % number if isinstance(number, str) else ""
        message = origin.encode("utf-8", "replace") + b": " + message
    head = b"[%5d.%06d] " % divmod(int(stamp), 1000000)
    message = UNPRINTABLE.sub(lambda match: b"\\x%02x" % match.group()[0], message)
    return head + message.replace(b"\n", b"\n" + b" " * len(head)) + b"\n"
