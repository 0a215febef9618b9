"""Gives the headers in rpmdb.sqlite (https://www.sqlite.org/fileformat2.html), in order of number.

What a host wrote to the log, rpmdb.sqlite-wal, and did not carry over before it died, counts. The
journals of other modes, which rpm does not use, do not.
"""
import contextlib
import struct
from typing import Dict, Iterator, List, Optional, Tuple, Union

from insights_mini.core.collect.answers.rpmfile import LARGEST, Damaged, Source

TABLE = b"Packages"
LEAF, INTERIOR = 13, 5  # kinds of pages of a table
DEEPEST = 20            # levels of pages
MOST = 256 * 1024       # pages in a log
NUMBERS = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)  # bytes of a value, by its type
WORD = 0xffffffff

Value = Union[None, int, bytes, memoryview]


def list_headers(source: Source) -> Iterator[memoryview]:
    """Raises Unreadable, OSError, struct.error, IndexError."""
    with contextlib.ExitStack() as stack:
        log = source.path + b"-wal"
        pages = Pages(source, stack.enter_context(Source(source.means, log, 2))
                      if source.means.root.exists(log) else None)
        for record in pages.walk(1):
            kind, name, _, root = (read_record(record) + [None] * 4)[:4]
            if kind == b"table" and name == TABLE and isinstance(root, int):
                break
        else:
            raise Damaged("it has no table of packages")
        for record in pages.walk(root):
            values = read_record(record)
            if len(values) != 2 or not isinstance(values[1], memoryview):
                raise Damaged("a row is no package")
            yield values[1]


class Pages:
    """The pages of a database, those in its log before those in itself."""

    def __init__(self, source: Source, log: Optional[Source]) -> None:
        head = source.read(0, 100)
        size, = struct.unpack_from(">H", head, 16)
        self.size = 65536 if size == 1 else size
        if not head.startswith(b"SQLite format 3\0") or self.size < 512 or (
                self.size & (self.size - 1)):
            raise Damaged("it is not of SQLite")
        self.usable = self.size - head[20]
        if self.usable < 480:
            raise Damaged("its pages have no room")
        self.source = source
        self.log = log
        self.logged = read_log(log, self.size) if log else {}

    def read(self, number: int) -> bytes:
        if number < 1:
            raise Damaged("it names a page that cannot be")
        if self.log and number in self.logged:
            return self.log.read(self.logged[number], self.size)
        return self.source.read((number - 1) * self.size, self.size)

    def walk(self, number: int, depth: int = 0) -> Iterator[memoryview]:
        """Yield the records of the table that begins on a page."""
        page = self.read(number)
        start = 100 if number == 1 else 0
        kind, _, count = struct.unpack_from(">BHH", page, start)
        if kind not in (LEAF, INTERIOR) or depth > DEEPEST:
            raise Damaged("page %d is of no table" % number)
        head = start + (8 if kind == LEAF else 12)
        cells = struct.unpack_from(">%dH" % count, page, head)
        if kind == LEAF:
            room = self.usable
            for cell in cells:
                length, place = read_varint(page, cell)
                _, place = read_varint(page, place)
                local = self.find_local(length)
                room -= local  # so that cells do not share what is in them
                if room < 0 or place + local > self.usable or length > LARGEST:
                    raise Damaged("a row is too long")
                yield self.read_payload(page, place, local, length)
            return
        for cell in cells:
            yield from self.walk(struct.unpack_from(">I", page, cell)[0], depth + 1)
        yield from self.walk(struct.unpack_from(">I", page, start + 8)[0], depth + 1)

    def find_local(self, length: int) -> int:
        """Return how much of a row of this length is on its own page."""
        if length <= self.usable - 35:
            return length
        least = (self.usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (self.usable - 4)
        return local if local <= self.usable - 35 else least

    def read_payload(self, page: bytes, place: int, local: int, length: int) -> memoryview:
        payload = bytearray(page[place:place + local])
        if local < length:
            following, = struct.unpack_from(">I", page, place + local)
        while len(payload) < length:
            page = self.read(following)
            following, = struct.unpack_from(">I", page)
            payload += page[4:min(self.usable, 4 + length - len(payload))]
        return memoryview(payload)


def read_varint(content: Union[bytes, memoryview], place: int) -> Tuple[int, int]:
    """Return a number, and the place behind it."""
    number = 0
    for count in range(9):
        byte = content[place]
        place += 1
        if count == 8:
            return number << 8 | byte, place
        number = number << 7 | byte & 127
        if byte < 128:
            break
    return number, place


def read_record(record: memoryview) -> List[Value]:
    """Return the values of a row; a number that is no whole one is None."""
    end, place = read_varint(record, 0)
    values: List[Value] = []
    offset = end
    while place < end:
        kind, place = read_varint(record, place)
        size = (kind - 12) // 2 if kind > 11 else NUMBERS[kind]
        content = record[offset:offset + size]
        if len(content) < size:
            raise Damaged("a row is cut off")
        offset += size
        values.append(content if kind > 11 else kind - 8 if kind in (8, 9) else
                      None if kind in (0, 7) else int.from_bytes(content, "big", signed=True))
    return values


def read_log(log: Source, size: int) -> Dict[int, int]:
    """Return where in a log each page is that was committed; what is behind the last commit, or
    left from an earlier use of the log, is not."""
    committed: Dict[int, int] = {}
    if log.size < 32:
        return committed
    head = log.read(0, 32)
    magic, _, paged, _, salts, sums = struct.unpack(">IIII8s8s", head)
    order = ">" if magic & 1 else "<"
    state = add_up(head[:24], order, (0, 0))
    if magic | 1 != 0x377f0683 or paged != size or sums != struct.pack(">II", *state):
        return committed
    fresh: Dict[int, int] = {}
    for offset in range(32, log.size - size - 23, size + 24):
        frame = log.read(offset, 24 + size)
        number, commit, salted, sums = struct.unpack_from(">II8s8s", frame)
        state = add_up(frame[24:], order, add_up(frame[:8], order, state))
        if salted != salts or sums != struct.pack(">II", *state):
            break
        fresh[number] = offset + 24
        if len(fresh) + len(committed) > MOST:
            raise Damaged("its log is too long")
        if commit:
            committed.update(fresh)
            fresh.clear()
    return committed


def add_up(content: bytes, order: str, state: Tuple[int, int]) -> Tuple[int, int]:
    """Carry the sum of a log on over what follows."""
    first, second = state
    for one, other in struct.iter_unpack(order + "II", content):
        first = (first + one + second) & WORD
        second = (second + other + first) & WORD
    return first, second
