"""`rpm -qa`, told from the database of a root as rpm 4.18 prints it with LC_ALL=C and TZ=UTC.

The rescue system's rpm is not asked: it would follow links out of the root, and write to it. The
packages come in the order of the database, as with rpm. What is known of the query language are
literals, escapes, and %{TAG}, %-9{TAG} or %{TAG:format} with the tags and formats below. Neither
the sums nor the signatures of packages are verified.
"""
import binascii
import re
import struct
from typing import Any, Callable, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

from insights_mini.core.collect.answers import rpmbdb, rpmndb, rpmsqlite
from insights_mini.core.collect.answers.rpmfile import Damaged, Source
from insights_mini.core.collect.answers.rpmsig import describe, show_time
from insights_mini.core.collect.instead import Answer, Instead, Means, Sink
from insights_mini.core.roots import Root
from insights_mini.hostfiles import BLOCK

FOLDERS = (b"/var/lib/rpm/", b"/usr/lib/sysimage/rpm/", b"/usr/share/rpm/")
LONGEST = 64 * 1024  # bytes of a value

NUMBER, STRING, BINARY = 4, 6, 7  # types of values in a header
TAGS = {b"NAME": (1000, STRING), b"VERSION": (1001, STRING), b"RELEASE": (1002, STRING),
        b"EPOCH": (1003, NUMBER), b"BUILDTIME": (1006, NUMBER), b"BUILDHOST": (1007, STRING),
        b"INSTALLTIME": (1008, NUMBER), b"SIZE": (1009, NUMBER), b"VENDOR": (1011, STRING),
        b"LICENSE": (1014, STRING), b"PACKAGER": (1015, STRING), b"URL": (1020, STRING),
        b"OS": (1021, STRING), b"ARCH": (1022, STRING), b"SOURCERPM": (1044, STRING),
        b"SIGPGP": (259, BINARY), b"SIGGPG": (262, BINARY), b"DSAHEADER": (267, BINARY),
        b"RSAHEADER": (268, BINARY)}
TYPES = dict(TAGS.values())
ABSENT = b"(none)"
PART = re.compile(rb"%(-?[1-9]\d{,2})?\{(\w+)(?::(\w+))?\}|\\(.)|(%)%|([^%\\\[\]{}]+)",
                  re.DOTALL)
ESCAPES = dict(zip((b"a", b"b", b"f", b"n", b"r", b"t", b"v"),
                   (b"\a", b"\b", b"\f", b"\n", b"\r", b"\t", b"\v")))

Values = Dict[int, Any]  # a number or bytes, by tag


class Part(NamedTuple):
    """A piece of what is printed of each package: what a tag says, or a text where it is absent."""

    text: bytes
    tag: int = -1  # which no header has
    show: Callable[[Any], bytes] = bytes
    width: int = 0  # bytes that it takes at least; below 0, the room is behind it


def find(words: Sequence[bytes], root: Root) -> Optional[Instead]:
    """Return the answer to a query for all packages of the root itself."""
    parts = read_query(words)
    if parts is None:
        return None
    for path in (folder + name for folder in FOLDERS for name in READERS):
        if root.exists(path):
            return Instead(make_answer(path, parts), path)
    return None


def read_query(words: Sequence[bytes]) -> Optional[Sequence[Part]]:
    """Return what a command line wants printed of each package, or None if that is not known."""
    if words[0].rpartition(b"/")[2] != b"rpm":
        return None
    query, asks = None, []
    left = list(words[:0:-1])
    while left:
        name, equals, value = left.pop().partition(b"=")
        if name in (b"--qf", b"--queryformat", b"--root"):
            if not equals and not left:
                return None
            value = value if equals else left.pop()
            if name == b"--root" and value.strip(b"/"):
                return None
            query = query if name == b"--root" else (query or b"") + value  # as rpm does
        elif equals:
            return None
        else:
            asks.append(name)
    if asks not in ([b"-qa"], [b"-q", b"-a"], [b"-q", b"--all"], [b"--query", b"--all"]):
        return None
    return parse(query) if query is not None else PLAIN


def parse(query: bytes) -> Optional[List[Part]]:
    """Return the parts of a query, or None if one of them is not known."""
    parts = []
    place = 0
    while place < len(query):
        match = PART.match(query, place)
        if not match:
            return None
        place = match.end()
        width, name, form, escaped, percent, literal = match.groups()
        if not name:
            text = ESCAPES.get(escaped, escaped) if escaped else percent or literal
            parts.append(Part(text))
            continue
        tag, kind = TAGS.get(name.upper(), (0, 0))
        show = SHOWN.get((kind, form or b"string"))
        if show is None:
            return None
        parts.append(Part(ABSENT, tag, show, int(width or 0)))
    return parts


SHOWN: Dict[Tuple[int, bytes], Callable[[Any], bytes]] = {
    (STRING, b"string"): bytes, (NUMBER, b"string"): b"%d".__mod__,
    (BINARY, b"string"): binascii.hexlify, (NUMBER, b"date"): show_time,
    (BINARY, b"pgpsig"): describe}
PLAIN = [Part(ABSENT, TAGS[b"NAME"][0]), Part(b"-"), Part(ABSENT, TAGS[b"VERSION"][0]), Part(b"-"),
         Part(ABSENT, TAGS[b"RELEASE"][0]), Part(b"", TAGS[b"ARCH"][0], b".".__add__), Part(b"\n")]
READERS = {b"rpmdb.sqlite": rpmsqlite.list_headers, b"Packages.db": rpmndb.list_headers,
           b"Packages": rpmbdb.list_headers}


def make_answer(path: bytes, parts: Sequence[Part]) -> Answer:
    wanted = frozenset(part.tag for part in parts)

    def answer(means: Means, sink: Sink) -> None:
        block = bytearray()
        with Source(means, path) as source:
            try:
                for header in READERS[path.rpartition(b"/")[2]](source):
                    values = read_header(header, wanted)
                    for part in parts:
                        piece = part.show(values[part.tag]) if part.tag in values else part.text
                        block += b"%*s" % (part.width, piece)
                    if len(block) >= BLOCK:
                        if not sink(bytes(block)):
                            return
                        block.clear()
            except (struct.error, IndexError):
                raise Damaged("it is cut off")
        sink(bytes(block))

    return answer


def read_header(header: memoryview, wanted: FrozenSet[int]) -> Values:
    """Return the wanted values that a header has; raise Damaged, struct.error.

    A header is a table of tags and the data that they lead to. Of two entries of one tag the last
    one counts: what was added when the package was installed comes behind what was built.
    """
    count, size = struct.unpack_from(">II", header)
    start = 8 + 16 * count
    if start + size != len(header):
        raise Damaged("a header has the wrong size")
    values: Values = {}
    for tag, kind, offset, length in struct.iter_unpack(">IIII", header[8:start]):
        if tag in wanted:
            if kind != TYPES[tag] or offset >= size or not length:
                raise Damaged("a header is none of rpm")
            values[tag] = read_value(header, start + offset, kind, length)
    return values


def read_value(header: memoryview, place: int, kind: int, length: int) -> Any:
    if kind == NUMBER:
        return struct.unpack_from(">I", header, place)[0]
    content = bytes(header[place:place + (LONGEST if kind == STRING else min(length, LONGEST))])
    if kind == STRING:  # it is counted as one, and ends with a zero
        content, whole, _ = content.partition(b"\0")
        length = len(content) if whole and length == 1 else -1
    if len(content) != length:
        raise Damaged("a value of a header has no end")
    return content
