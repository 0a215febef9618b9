"""Replaces keywords by `keyword<N>`, N being their position in the owner's list, from 0.

Of keywords that overlap, the one that begins first is replaced, of those that begin together the
longest; so a keyword that is part of another one does not spoil it. The mask of a secret is left.
"""
from typing import Dict, List, Sequence

from insights_mini.core.multifind import Finder
from insights_mini.core.redact.masking import MASK


class KeywordMasker:
    def __init__(self, keywords: Sequence[bytes]) -> None:
        self.names: Dict[bytes, bytes] = {}
        for number, keyword in enumerate(keywords):
            self.names.setdefault(keyword, b"keyword%d" % number)
        self.longest_first = sorted(self.names, key=len, reverse=True)
        self.finder = Finder(self.names)
        self.starred = any(MASK[:1] in keyword for keyword in self.names)

    def mask(self, block: bytes, counts: Dict[str, int]) -> bytes:
        """Return the text without keywords; count each by its name."""
        if self.starred:
            return MASK.join([self.mask_part(part, counts) for part in block.split(MASK)])
        return self.mask_part(block, counts)

    def mask_part(self, block: bytes, counts: Dict[str, int]) -> bytes:
        places = sorted(self.finder.places(block, False))
        if not places:
            return block
        pieces: List[bytes] = []
        done = 0
        for start in places:
            if start >= done:
                keyword = next(word for word in self.longest_first if block.startswith(word, start))
                name = self.names[keyword]
                pieces += [block[done:start], name]
                done = start + len(keyword)
                add(counts, name.decode("ascii"), 1)
        pieces.append(block[done:])
        return b"".join(pieces)


def add(counts: Dict[str, int], rule: str, number: int) -> None:
    if number:
        counts[rule] = counts.get(rule, 0) + number
