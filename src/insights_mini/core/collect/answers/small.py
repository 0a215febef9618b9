"""Commands of which one file, or one look, tells all: hostname, mount, crontab, md5sum and such."""
import hashlib
import re
from typing import Callable, List, Optional, Sequence

from insights_mini.core.collect.instead import Instead, Means, Sink, copy
from insights_mini.core.roots import Root, read_small
from insights_mini.hostfiles import BLOCK, Unreadable

FSTAB = b"/etc/fstab"
CRONTABS = (b"/var/spool/cron/crontabs/", b"/var/spool/cron/", b"/var/spool/cron/tabs/")
ESCAPE = re.compile(rb"\\([0-7]{3})")
LARGEST = 1024 * 1024
LARGEST_SUMMED = 1024 ** 3
UNMOUNTED = (b"none", b"swap", b"ignore")


def find(words: Sequence[bytes], root: Root) -> Optional[Instead]:
    """Return the answer to one of these commands."""
    program = words[0].rpartition(b"/")[2]
    maker = MAKERS.get(program)
    return maker(words[0], list(words[1:]), root) if maker else None


def find_hostname(program: bytes, words: List[bytes], root: Root) -> Optional[Instead]:
    if words not in ([], [b"-s"], [b"-f"], [b"--fqdn"], [b"--short"]):
        return None

    def answer(means: Means, sink: Sink) -> None:
        host = means.host.encode("utf-8", "surrogateescape")
        short = words in ([b"-s"], [b"--short"])
        sink((host.partition(b".")[0] if short else host) + b"\n")

    return Instead(answer)


def find_mounts(program: bytes, words: List[bytes], root: Root) -> Optional[Instead]:
    """What fstab(5) has mounted when the host boots; it is in the form of mount(8)."""
    return Instead(list_mounts, FSTAB) if not words and root.exists(FSTAB) else None


def list_mounts(means: Means, sink: Sink) -> None:
    for line in read_small(means.root, FSTAB, LARGEST).split(b"\n"):
        fields = [ESCAPE.sub(lambda match: bytes([int(match.group(1), 8) & 255]), field)
                  for field in line.partition(b"#")[0].split()]
        fields += [b"defaults"] * (len(fields) == 3)
        if len(fields) < 4 or fields[1] in UNMOUNTED or fields[2] in UNMOUNTED or (
                b"noauto" in fields[3].split(b",")):
            continue
        options = fields[3].replace(b"defaults", b"rw")
        sink(b"%s on %s type %s (%s)\n" % (fields[0], fields[1], fields[2], options))


def find_crontab(program: bytes, words: List[bytes], root: Root) -> Optional[Instead]:
    if len(words) != 3 or words[:2] != [b"-l", b"-u"] or b"/" in words[2]:
        return None
    for folder in CRONTABS:
        if root.exists(folder + words[2]):
            return copy(folder + words[2])
    return None


def find_sums(program: bytes, words: List[bytes], root: Root) -> Optional[Instead]:
    """The sums of files; a brace is no more expanded than where the command is really run."""
    if not words or any(word.startswith(b"-") or b"\\" in word or b"\n" in word for word in words):
        return None

    def answer(means: Means, sink: Sink) -> None:
        for path in words:
            try:
                sink(b"%s  %s\n" % (add_up(path, means), path))
            except Unreadable as error:
                sink(b"%s: %s: %s\n" % (program, path, error.why.encode()))

    return Instead(answer, words[-1])


def add_up(path: bytes, means: Means) -> bytes:
    """Return the MD5 sum of a file; raise Unreadable."""
    try:
        digest = hashlib.md5()  # noqa: S324  # what md5sum prints is wanted
    except ValueError:  # this system allows only approved algorithms
        raise Unreadable("MD5 is not allowed here")
    opened = means.root.open(path, means.beat)
    with opened.file as file:
        if opened.size > LARGEST_SUMMED:  # one with holes would take the time of the run
            raise Unreadable("is too large to be added up")
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block or b"")
            means.beat()
    return digest.hexdigest().encode("ascii")


def find_link(program: bytes, words: List[bytes], root: Root) -> Optional[Instead]:
    """`readlink -e`: the path without links, of what exists."""
    if len(words) != 2 or words[0] != b"-e":
        return None

    def answer(means: Means, sink: Sink) -> None:
        means.root.status(words[1])
        sink(root.real(words[1]) + b"\n")

    return Instead(answer)


def find_user(program: bytes, words: List[bytes], root: Root) -> Optional[Instead]:
    """`id -u NAME`: the number of a user (passwd(5))."""
    if len(words) != 2 or words[0] != b"-u":
        return None

    def answer(means: Means, sink: Sink) -> None:
        for line in read_small(means.root, b"/etc/passwd", LARGEST).split(b"\n"):
            fields = line.split(b":")
            if fields[0] == words[1] and len(fields) > 2:
                sink(fields[2] + b"\n")
                return
        sink(b"%s: '%s': no such user\n" % (program, words[1]))

    return Instead(answer, b"/etc/passwd")


Maker = Callable[[bytes, List[bytes], Root], Optional[Instead]]
MAKERS = {b"hostname": find_hostname, b"mount": find_mounts, b"crontab": find_crontab,
          b"md5sum": find_sums, b"readlink": find_link, b"id": find_user}
