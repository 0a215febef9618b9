"""Obfuscation in two steps, so that its result does not depend on what is collected first.

1. mark(): while contents are collected, side by side, each original is taken out and a mark put in
   its place. The original stays in memory only; what waits on disk holds marks.
2. resolve(): when a member is written, in the order of the archive, each mark becomes its
   replacement, chosen at the first time it is met.

In the output of columnar tools the blanks behind a replaced field make up for its new width.
"""
import re
import threading
from typing import Dict, FrozenSet, Iterable, List, Match, Tuple

from insights_mini.core.redact import HOSTNAME, IPV4, IPV6, MAC
from insights_mini.core.redact.addresses import Found, find_ipv4, find_ipv6, find_mac
from insights_mini.core.redact.names import HostNames, NameFinder
from insights_mini.core.redact.replacements import Replacements

KINDS = (IPV4, IPV6, HOSTNAME, MAC)
MARK = re.compile(rb"\x00\x02([0-9a-f]{6})\x03")
FIELD = re.compile(rb"(?<!\S)([^\s\x00]*(?:\x00\x02[0-9a-f]{6}\x03[^\s\x00]*)+)( *)")
NEAR = rb"[^ \t\n:,;=@/()\[\]{}<>\"']"  # beside a name: it has to be looked at more closely


class Obfuscator:
    """Holds the originals of a run. mark() may be called from several threads."""

    def __init__(self, kinds: FrozenSet[str], names: HostNames, replacements: Replacements) -> None:
        self.kinds = kinds
        self.names = NameFinder(names)
        self.plain_names = {name: re.compile(b"%s(?<!%s%s)(?!%s)" % (
            re.escape(name), NEAR, re.escape(name), NEAR))
            for name in (self.names.short if HOSTNAME in kinds else [])}
        self.replacements = replacements
        self.lock = threading.Lock()
        self.marks: Dict[Tuple[str, bytes], bytes] = {}
        self.final: Dict[bytes, bytes] = {}  # what has been resolved
        self.originals: List[Tuple[str, bytes]] = []
        self.known: Dict[bytes, bool] = {}  # what looks like an address -> whether it is one

    def mark(self, block: bytes) -> Tuple[bytes, int]:
        """Return the text with marks for originals, and how many it holds."""
        count = 0
        for name, alone in self.plain_names.items():
            if name in block:  # as find() would, only faster: a log has its host in each line
                block, hits = alone.subn(self.mark_for((HOSTNAME, name)), block)
                count += hits
        found = self.find(block)
        if not found:
            return block, count
        pieces: List[bytes] = []
        done = 0
        for start, end, kind in found:
            original = (kind, block[start:end])
            pieces += [block[done:start], self.marks.get(original) or self.mark_for(original)]
            done = end
        pieces.append(block[done:])
        return b"".join(pieces), count + len(found)

    def find(self, block: bytes) -> List[Found]:
        """Return what has to be hidden, in order, without overlaps: what begins first wins."""
        found: List[Found] = []
        lowered = block.lower()
        if IPV6 in self.kinds:
            found += find_ipv6(block, self.known)
        if IPV4 in self.kinds:
            found += find_ipv4(block, lowered, self.known)
        if MAC in self.kinds:
            found += find_mac(block, lowered)
        if HOSTNAME in self.kinds:
            found += self.names.find(lowered)
        found.sort(key=lambda place: (place[0], -place[1]))
        chosen: List[Found] = []
        end = 0
        for place in found:
            if place[1] > end:  # of one that overlaps, what is left
                chosen.append((max(place[0], end), place[1], place[2]))
                end = place[1]
        return chosen

    def mark_for(self, original: Tuple[str, bytes]) -> bytes:
        """Return the mark of an original, a new one where it has none."""
        with self.lock:
            if original not in self.marks:
                self.marks[original] = b"\x00\x02%06x\x03" % len(self.originals)
                self.originals.append(original)
            return self.marks[original]

    def resolve(self, block: bytes, columnar: bool = False) -> bytes:
        """Return the text with replacements for marks."""
        if b"\x00\x02" not in block:
            return block
        if columnar:
            block = FIELD.sub(self.resolve_field, block)
        return MARK.sub(self.resolve_mark, block)

    def resolve_mark(self, match: Match[bytes]) -> bytes:
        known = self.final.get(match.group())
        if known is not None:
            return known
        number = int(match.group(1), 16)
        if number >= len(self.originals):
            return b"\x00"  # no mark of ours: the host's own text looked like one
        known = self.final[match.group()] = self.replacements.replace(*self.originals[number])
        return known

    def resolve_field(self, match: Match[bytes]) -> bytes:
        """Keep the next column where it was, as far as there are blanks to do so."""
        field, blanks = match.group(1), match.group(2)
        width = len(MARK.sub(self.original_of, field)) + len(blanks)
        new = MARK.sub(self.resolve_mark, field)
        if not blanks:
            return new
        return new + b" " * max(1, width - len(new))

    def original_of(self, match: Match[bytes]) -> bytes:
        number = int(match.group(1), 16)
        return self.originals[number][1] if number < len(self.originals) else b""

    def hide(self, text: bytes) -> bytes:
        """Return a short text, such as a name, with replacements."""
        return self.resolve(self.mark(text)[0])

    def seen(self) -> Iterable[bytes]:
        """Return every original that was taken out, as it stood in the text."""
        return [text for _, text in self.originals]
