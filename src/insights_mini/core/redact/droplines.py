"""Drops the lines in which the owner's patterns or expressions are found, and counts them by rule.

A line counts for the first rule that finds it. Wants blocks of whole lines.
"""
import re
from functools import lru_cache
from typing import Callable, Dict, List, Pattern, Sequence, Tuple

from insights_mini.core.multifind import Finder

Lines = Dict[int, Tuple[int, int]]  # start of a line -> its end, number of the rule


class PatternDropper:
    """Drops the lines with one of some fixed strings."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self.patterns = patterns
        self.finder = Finder(patterns)

    def drop(self, block: bytes) -> Tuple[bytes, Dict[int, int]]:
        """Return the rest of the block, and counts by the number of the string."""
        lines: Lines = {}
        for place in self.finder.places(block, True):
            start, end = line_at(block, place)
            if start not in lines:
                line = block[start:end]
                lines[start] = (end, next(number for number, pattern in enumerate(self.patterns)
                                          if pattern in line))
        return cut(block, lines)

    def spans(self, text: bytes) -> List[Tuple[int, int]]:
        """Return where the strings stand in a text, joined where they overlap."""
        found: List[Tuple[int, int]] = []
        for start in sorted(self.finder.places(text, False)):
            end = max(start + len(pattern) for pattern in self.patterns
                      if text.startswith(pattern, start))
            if found and start <= found[-1][1]:
                found[-1] = (found[-1][0], max(end, found[-1][1]))
            else:
                found.append((start, end))
        return found


def drop_expressions(block: bytes, expressions: Sequence[Pattern[bytes]],
                     begin: Callable[[int], None]) -> Tuple[bytes, Dict[int, int]]:
    """Drop the lines that match; `begin` is told the number of each expression that is tried."""
    lines: Lines = {}
    for number, expression in enumerate(expressions if block else ()):
        text = required(expression.pattern)
        if text not in block:
            continue  # as good as always, and much faster than the expression
        begin(number)
        last = len(block) - block.endswith(b"\n")  # the end of the last line
        match = expression.search(block)
        while match and match.start() <= last:
            start, end = line_at(block, match.start())
            lines.setdefault(start, (end, number))
            match = expression.search(block, end) if end < len(block) else None
    return cut(block, lines)


TOKEN = re.compile(rb"\\x..|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{[^}]*\}|.", re.DOTALL)


@lru_cache(maxsize=None)
def required(pattern: bytes) -> bytes:
    """Return a text that is in whatever a pattern finds, the longest that is easily seen; or none.

    Only what stands outside parentheses and is not repeated or optional counts.
    """
    runs = [b""]
    depth = 0
    for token in TOKEN.findall(pattern):
        if token in (b"(", b")"):
            depth += 1 if token == b"(" else -1
            runs.append(b"")
        elif depth:
            continue
        elif token == b"|":
            return b""
        elif token in (b"*", b"?") or (token[:1] == b"{" and len(token) > 1):
            runs[-1] = runs[-1][:-1]
            runs.append(b"")
        elif len(token) == 2 and token[:1] == b"\\" and not token.isalnum() and \
                not token[1:].isalnum():
            runs[-1] += token[1:]
        elif len(token) == 1 and token not in b"+.^$":
            runs[-1] += token
        else:
            runs.append(b"")
    return max(runs, key=len)


def line_at(block: bytes, place: int) -> Tuple[int, int]:
    """Return where the line that has a place begins and ends."""
    return block.rfind(b"\n", 0, place) + 1, block.find(b"\n", place) + 1 or len(block)


def cut(block: bytes, lines: Lines) -> Tuple[bytes, Dict[int, int]]:
    if not lines:
        return block, {}
    counts: Dict[int, int] = {}
    kept = []
    done = 0
    for start in sorted(lines):
        end, number = lines[start]
        kept.append(block[done:start])
        done = end
        counts[number] = counts.get(number, 0) + 1
    kept.append(block[done:])
    return b"".join(kept), counts
