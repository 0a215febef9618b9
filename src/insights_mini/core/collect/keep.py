"""Keeps the lines of a block that contain any of some fixed strings, as grep -F does."""
from typing import Callable, Dict, Iterable, List, Tuple

from insights_mini.core.multifind import Finder

Filter = Callable[[bytes], bytes]


def make_filter(patterns: Iterable[bytes]) -> Filter:
    """Return the function that keeps what the patterns name; it wants blocks of whole lines.

    The function is for one source: it learns which searches pay off there.
    """
    wanted = simplify(patterns)
    return Keeper(wanted) if wanted else keep_all


def keep_all(block: bytes) -> bytes:
    return block


def simplify(patterns: Iterable[bytes]) -> Tuple[bytes, ...]:
    """Return the strings to look for; none when every line is kept.

    A newline separates two strings, as in grep. A string that contains another one adds nothing.
    """
    strings = sorted({part for pattern in patterns for part in pattern.split(b"\n")}, key=len)
    chosen: List[bytes] = []
    for string in strings:
        if not string:
            return ()
        if not any(shorter in string for shorter in chosen):
            chosen.append(string)
    return tuple(chosen)


class Keeper:
    def __init__(self, wanted: Iterable[bytes]) -> None:
        self.finder = Finder(wanted)

    def __call__(self, block: bytes) -> bytes:
        """Return the lines of the block that contain one of the strings, in their order."""
        lines: Dict[int, int] = {}  # start -> end
        for place in self.finder.places(block, True):
            end = block.find(b"\n", place) + 1 or len(block)
            lines[block.rfind(b"\n", 0, place) + 1] = end
        return b"".join([block[start:lines[start]] for start in sorted(lines)])
