"""Gives the headers in Packages.db, SUSE's database, in the order in which they lie in it.

Its format is that of rpm's backend `ndb`; all numbers are little-endian. As rpm does when it
queries, this looks at what frames a header, and not at its sum.
"""
import struct
from typing import Iterator

from insights_mini.core.collect.answers.rpmfile import LARGEST, Damaged, Source

PAGE = 4096
MOST = 1024  # pages of slots, with 256 packages each
HEAD = 32    # bytes before the first slot
BLOCK = 16   # bytes; places and lengths are counted in it
FRAME = 28   # bytes around a header


def list_headers(source: Source) -> Iterator[memoryview]:
    """Raises Unreadable, OSError, struct.error."""
    magic, version, _, pages = struct.unpack("<4sIII", source.read(0, 16))
    if (magic, version) != (b"RpmP", 0) or pages > MOST:
        raise Damaged("it is not of ndb")
    slots = []
    table = source.read(0, pages * PAGE)
    for magic, number, place, blocks in struct.iter_unpack("<4sIII", table[HEAD:]):
        if magic != b"Slot" or blocks * BLOCK > LARGEST:
            raise Damaged("a slot is none")
        if place:
            slots.append((place, blocks, number))
    end = pages * PAGE // BLOCK
    for place, blocks, number in sorted(slots):
        if place < end:
            raise Damaged("packages overlap")
        end = place + blocks
        blob = source.read(place * BLOCK, blocks * BLOCK)
        magic, owner, _, size = struct.unpack_from("<4sIII", blob)
        if (magic, owner, blob[-8:]) != (
                b"BlbS", number, struct.pack("<I4s", size, b"BlbE")) or (
                -(-(size + FRAME) // BLOCK) != blocks):
            raise Damaged("package %d is none" % number)
        yield memoryview(blob)[16:16 + size]
