"""Gives the headers in Packages, a Berkeley DB of the kind hash, in the order of its buckets.

Of the format, that of dbinc/db_page.h, rpm uses little: a key is the number of a package, its value
the header, mostly on pages of its own. Logs and regions of an environment (`__db.*`) are not read.
"""
import struct
from typing import Iterator, Tuple

from insights_mini.core.collect.answers.rpmfile import LARGEST, Damaged, Source

MAGIC = 0x61561
VERSIONS = (8, 9, 10)
MOST = 256 * 1024                      # buckets; each has room for some packages
HEAD = 26                              # bytes before what is on a page
UNUSED, UNSORTED, OVERFLOW, HASH = 0, 2, 7, 13  # kinds of pages
ON_PAGE, OFF_PAGE = 1, 3               # kinds of items


def list_headers(source: Source) -> Iterator[memoryview]:
    """Raises Unreadable, OSError, struct.error, IndexError."""
    pages = Pages(source)
    for bucket in range(pages.buckets):
        number = bucket + pages.spares[bucket.bit_length()]
        while number:
            kind, following, page = pages.read(number)
            if kind not in (UNUSED, UNSORTED, HASH):
                raise Damaged("page %d is of no bucket" % number)
            items = pages.list_items(page)
            for key, value in zip(items, items):
                if key[0] != ON_PAGE or len(key) != 5:
                    raise Damaged("a key is no number")
                if any(key[1:]):  # the value of 0 is the number that was given last
                    yield pages.read_item(value)
            number = following


class Pages:
    def __init__(self, source: Source) -> None:
        head = source.read(0, 512)
        self.order = "<" if head[12:16] == struct.pack("<I", MAGIC) else ">"
        magic, version, self.size, encrypted, _, flags = struct.unpack_from(
            self.order + "IIIBBB", head, 12)
        if magic != MAGIC or version not in VERSIONS or encrypted or flags:
            raise Damaged("it is no plain hash of Berkeley DB")
        if not 512 <= self.size <= 65536:
            raise Damaged("its pages have no such size")
        self.buckets = 1 + struct.unpack_from(self.order + "I", head, 72)[0]
        if self.buckets > MOST:
            raise Damaged("it has more buckets than packages can fill")
        self.spares = struct.unpack_from(self.order + "32I", head, 96)
        self.source = source

    def read(self, number: int) -> Tuple[int, int, bytes]:
        """Return the kind of a page, the number of the one that follows, and the page."""
        page = self.source.read(number * self.size, self.size)
        own, _, following = struct.unpack_from(self.order + "III", page, 8)
        kind = page[25]
        if own != number and kind != UNUSED:
            raise Damaged("page %d is another one" % number)
        return kind, following, page

    def list_items(self, page: bytes) -> Iterator[bytes]:
        """Yield the items of a page, which fill it from its end."""
        count, = struct.unpack_from(self.order + "H", page, 20)
        end = self.size
        for start in struct.unpack_from("%s%dH" % (self.order, count), page, HEAD):
            if not HEAD + 2 * count <= start < end:
                raise Damaged("what is on a page overlaps")
            yield page[start:end]
            end = start

    def read_item(self, item: bytes) -> memoryview:
        if item[0] == ON_PAGE:
            return memoryview(item)[1:]
        following, size = struct.unpack(self.order + "4xII", item)
        if item[0] != OFF_PAGE or size > LARGEST:
            raise Damaged("a value is none")
        content = bytearray()
        while len(content) < size:
            kind, after, page = self.read(following)
            length, = struct.unpack_from(self.order + "H", page, 22)
            if kind != OVERFLOW or HEAD + length > self.size:
                raise Damaged("page %d is no part of a value" % following)
            content += page[HEAD:HEAD + length]
            following = after
        if len(content) > size:
            raise Damaged("a value is too long")
        return memoryview(content)
