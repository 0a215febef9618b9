"""Sets of characters, and how they are written as `re` patterns for lines of valid UTF-8.

A pattern written here begins at the first byte of a character or does not match. The set of byte
values in it never holds the newline, so no match leaves its line.

One character that may be any of the non-ASCII ones is a first byte and then "any number of further
bytes", which is shorter and faster than the lengths UTF-8 allows. It may thus end inside a
character, but nothing written here goes on from there except a run of such characters, and that run
ends where it could have ended anyway. So the same lines match.
"""
from typing import AbstractSet, FrozenSet, List, NamedTuple, Set, Tuple

NEWLINE = 10
LEADING = frozenset(range(0xC0, 0x100))   # the first byte of a non-ASCII character
FURTHER = frozenset(range(0x80, 0xC0))    # its other bytes
FURTHER_ANY = rb"[\x80-\xbf]*"


class Characters(NamedTuple):
    """A set of characters.

    `ascii` holds code points under 128. Of the others it holds those in `listed` or, where `others`
    is true, all but those in `listed`; each is given as its UTF-8 bytes.
    """

    ascii: FrozenSet[int]
    others: bool = False
    listed: FrozenSet[bytes] = frozenset()


def codes(text: str) -> FrozenSet[int]:
    return frozenset(map(ord, text))


ASCII = frozenset(range(128))
UPPER = codes("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
LOWER = codes("abcdefghijklmnopqrstuvwxyz")
DIGIT = codes("0123456789")
CNTRL = frozenset(range(32)) | {127}
ALNUM = UPPER | LOWER | DIGIT
WORD = ALNUM | {ord("_")}
SPACE = codes(" \t\n\v\f\r")
PUNCT = ASCII - ALNUM - CNTRL - {32}

# POSIX, "LC_CTYPE" in the POSIX locale. The digits are ASCII in every locale; which characters
# beyond ASCII belong to another class depends on it.
CLASSES = {
    "digit": Characters(DIGIT),
    "xdigit": Characters(DIGIT | codes("ABCDEFabcdef")),
    "alnum": Characters(ALNUM, others=True),
    "alpha": Characters(UPPER | LOWER, others=True),
    "blank": Characters(codes(" \t"), others=True),
    "cntrl": Characters(CNTRL, others=True),
    "graph": Characters(ALNUM | PUNCT, others=True),
    "lower": Characters(LOWER, others=True),
    "print": Characters(ALNUM | PUNCT | {32}, others=True),
    "punct": Characters(PUNCT, others=True),
    "space": Characters(SPACE, others=True),
    "upper": Characters(UPPER, others=True),
}
ANY = Characters(ASCII, others=True)


def make_literal(character: str) -> Characters:
    """Return the set of one character."""
    if ord(character) < 128:
        return Characters(codes(character))
    return Characters(frozenset(), listed=frozenset([character.encode("utf-8")]))


def is_one_byte(characters: Characters) -> bool:
    return not characters.others and not characters.listed


def write_one(characters: Characters) -> bytes:
    """Return the pattern for one of the characters, fit to be followed by a quantifier."""
    if is_one_byte(characters):
        return write_bytes(characters.ascii)
    listed = [write_literal(character) for character in sorted(characters.listed)]
    if characters.others:
        exceptions = b"(?!%s)" % b"|".join(listed) if listed else b""
        return b"(?:%s%s%s)" % (exceptions, write_bytes(characters.ascii | LEADING), FURTHER_ANY)
    if characters.ascii:
        listed.insert(0, write_bytes(characters.ascii))
    return b"(?:%s)" % b"|".join(listed)


def write_run(characters: Characters) -> bytes:
    """Return the pattern for any number of the characters where it is simpler, else nothing."""
    if characters.others and not characters.listed:
        return write_bytes(characters.ascii | LEADING | FURTHER) + b"*"
    return b""


def write_bytes(members: AbstractSet[int]) -> bytes:
    """Return the pattern for one byte of a set; the newline is left out of it."""
    wanted = set(members) - {NEWLINE}
    if len(wanted) == 1:
        return write_literal(bytes(wanted))
    inside = list_ranges(wanted)
    outside = list_ranges(set(range(256)) - wanted)
    if len(inside) <= len(outside):
        return b"[%s]" % b"".join(map(write_range, inside))
    return b"[^%s]" % b"".join(map(write_range, outside))


def list_ranges(members: Set[int]) -> List[Tuple[int, int]]:
    """Return the (first, last) of each row of neighbours.

    >>> list_ranges({1, 2, 3, 7})
    [(1, 3), (7, 7)]
    """
    ranges: List[Tuple[int, int]] = []
    for value in sorted(members):
        if ranges and ranges[-1][1] == value - 1:
            ranges[-1] = (ranges[-1][0], value)
        else:
            ranges.append((value, value))
    return ranges


def write_range(ends: Tuple[int, int]) -> bytes:
    first, last = (write_literal(bytes([end])) for end in ends)
    if ends[0] == ends[1]:
        return first
    return first + (b"-" if ends[1] - ends[0] > 1 else b"") + last


def write_literal(text: bytes) -> bytes:
    """Return the pattern for a text; all but letters and digits are escaped, in sets too."""
    return b"".join(bytes([value]) if value in ALNUM
                    else b"\\%c" % value if value in PUNCT or value == 32
                    else b"\\x%02x" % value for value in text)
