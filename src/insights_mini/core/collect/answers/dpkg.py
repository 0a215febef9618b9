"""`dpkg -l`, told from /var/lib/dpkg/status as dpkg-query(1) writes it into a pipe."""
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

from insights_mini.core.collect.instead import Instead, Means, Sink
from insights_mini.core.roots import Root, read_small

STATUS = b"/var/lib/dpkg/status"
LARGEST = 64 * 1024 * 1024
LISTS = ([b"dpkg", b"-l"], [b"dpkg", b"--list"], [b"dpkg-query", b"-l"], [b"dpkg-query", b"--list"])
WANT = {b"unknown": b"u", b"install": b"i", b"hold": b"h", b"deinstall": b"r", b"purge": b"p"}
STATE = {b"config-files": b"c", b"half-installed": b"H", b"unpacked": b"U",
         b"half-configured": b"F", b"triggers-awaited": b"W", b"triggers-pending": b"t",
         b"installed": b"i"}
ERROR = {b"ok": b" ", b"reinstreq": b"R"}
HEAD = b"""\
Desired=Unknown/Install/Remove/Purge/Hold
| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend
|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)
"""
TITLES = (b"Name", b"Version", b"Architecture", b"Description")
NARROWEST = (14, 12, 12, 33)  # columns


class Package(NamedTuple):
    flags: bytes
    columns: List[bytes]


def find(words: Sequence[bytes], root: Root) -> Optional[Instead]:
    """Return the answer to a list of all packages."""
    if [words[0].rpartition(b"/")[2], *words[1:]] not in LISTS or not root.exists(STATUS):
        return None
    return Instead(answer, STATUS)


def answer(means: Means, sink: Sink) -> None:
    packages = sorted(list_packages(read_small(means.root, STATUS, LARGEST)),
                      key=lambda package: (package.columns[0].partition(b":")[0],
                                           package.columns[2]))
    widths = [max([least, *(len(package.columns[number]) for package in packages)])
              for number, least in enumerate(NARROWEST)]
    rows = [HEAD + b"||/ " + make_row(TITLES, widths),
            b"+++-" + b"-".join(b"=" * width for width in widths) + b"\n"]
    rows += [package.flags + b" " + make_row(package.columns, widths) for package in packages]
    sink(b"".join(rows))


def make_row(columns: Sequence[bytes], widths: Sequence[int]) -> bytes:
    """Return the columns, the last one without blanks behind it."""
    padded = [column.ljust(width) for column, width in zip(columns[:3], widths)]
    return b" ".join([*padded, columns[3]]) + b"\n"


def list_packages(text: bytes) -> Iterator[Package]:
    """Give the packages of which something is on the host (deb822(5), dpkg(1))."""
    for paragraph in text.split(b"\n\n"):
        fields = read_fields(paragraph)
        status = fields.get(b"status", b"").split()
        if len(status) != 3 or status[2] not in STATE or b"package" not in fields:
            continue
        flags = (WANT.get(status[0], b"?") + STATE[status[2]] + ERROR.get(status[1], b"?"))
        architecture = fields.get(b"architecture", b"")
        name = fields[b"package"]
        if fields.get(b"multi-arch") == b"same":
            name += b":" + architecture
        summary = fields.get(b"description", b"(no description available)"
                             if status[2] == b"half-installed" else b"")
        yield Package(flags, [name, fields.get(b"version", b""), architecture, summary])


def read_fields(paragraph: bytes) -> Dict[bytes, bytes]:
    """Return the first line of each field, by its name in lower case."""
    fields = {}
    for line in paragraph.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and not line.startswith((b" ", b"\t")):
            fields[name.lower()] = value.lstrip()
    return fields
