"""POSIX extended regular expressions, as `grep -E` reads them, translated for Python's `re`.

The translation is a bytes pattern that finds, with `re.search`, the lines grep would print. It is
for content of valid UTF-8, for a line alone or for a block of lines: it needs no flags, holds no
groups that capture, and no match reaches over a newline. Where it can match nothing at all it also
matches behind the last newline of a block, where there is no line.

How it differs from what Python would make of the same text:
- `.` and `[^...]` stand for one character of UTF-8, not for one byte.
- A second quantifier repeats what the first one made: `a*?` is `(a*)?`, never a lazy `a*`.
- Only which lines match is kept, not how far a match reaches: repetition at either end of an
  alternative is cut down to what it needs (`.*x+` becomes `x`), which saves much time.

Classes, \\w, \\s and the word edges \\b \\B \\< \\> have their ASCII meaning. Whether a character
beyond ASCII is a letter, a space or punctuation depends on the locale, so it counts as both: it
matches [[:alpha:]] and [^[:alpha:]], and a word may begin or end beside it. So a line with such a
character may be found that grep would not print, but none is missed that grep prints in a UTF-8
locale. [[:digit:]] and [[:xdigit:]] hold no such character.

Refused, each with the place and what to write instead:
- back-references, \\` and \\', a backslash before any other letter or digit, or at the end;
- a quantifier after ^, $, a word edge or a group with one, which GNU itself gets wrong;
- what POSIX leaves undefined: a quantifier with nothing before it, an interval beside another
  quantifier (`a{2}?`), an unmatched `)`, `{}`, `{,}` and any other `{` that begins no interval
  (GNU takes some as plain characters and skips others);
- [[.x.]], [[=x=]], unknown classes, [:space:] with single brackets, ranges with an end that is a
  class or beyond ASCII or that run backwards;
- more than 50 nested groups, intervals over 32767, newline, NUL and what UTF-8 cannot hold.

Source: POSIX.1-2017 Base Definitions, chapter 9.4; the GNU grep manual, "Regular Expressions".
What it does not do: it does not stop an expression from taking exponential time.
"""
import re
from typing import List, NamedTuple, Optional, Tuple

from insights_mini.core.exclusions.characters import (
    ANY,
    ASCII,
    CLASSES,
    PUNCT,
    SPACE,
    WORD,
    Characters,
    codes,
    make_literal,
    write_one,
    write_run,
)

DEEPEST = 50   # `re` and this module call themselves for each group in a group
MOST = 32767   # RE_DUP_MAX of GNU
INTERVAL = re.compile(r"\{([0-9]{0,9})(,?)([0-9]{0,9})\}")
QUANTIFIERS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
SIMPLE = tuple(QUANTIFIERS.values())

# Before and after a place: what may be a word character there, and what may be none. A character
# beyond ASCII may be either; a place inside it is no place.
WORD_BEFORE, OTHER_BEFORE = rb"(?<=[0-9A-Z_a-z\x80-\xff])", rb"(?<![0-9A-Z_a-z])"
WORD_AFTER, OTHER_AFTER = rb"(?=[0-9A-Z_a-z\xc0-\xff])", rb"(?![0-9A-Z_a-z\x80-\xbf])"
START, END = OTHER_BEFORE + WORD_AFTER, WORD_BEFORE + OTHER_AFTER
EDGES = {
    "<": START,
    ">": END,
    "b": b"(?:%s|%s)" % (START, END),
    "B": b"(?:%s|%s)" % (WORD_BEFORE + WORD_AFTER, OTHER_BEFORE + OTHER_AFTER),
}
ESCAPED_SETS = {
    "w": Characters(WORD, others=True),
    "W": Characters(ASCII - WORD, others=True),
    "s": Characters(SPACE, others=True),
    "S": Characters(ASCII - SPACE, others=True),
}
ANCHORS = {"^": b"(?m:^)", "$": b"(?m:$)"}
INSTEAD = {"d": "[[:digit:]]", "D": "[^[:digit:]]", "t": "a tab or [[:blank:]]", "A": "^",
           "h": "[[:blank:]]", "Z": "$", "z": "$", "`": "^", "'": "$"}


class BadExpression(Exception):
    """An expression that is not translated: why, at which character (from 0), and what to do."""

    def __init__(self, problem: str, position: int, remedy: str) -> None:
        super().__init__(problem, position, remedy)
        self.problem = problem
        self.position = position
        self.remedy = remedy
        self.inside = "the expression has, at its character %d, %s" % (position + 1, problem)

    def __str__(self) -> str:
        return "character %d: %s; %s" % (self.position + 1, self.problem, self.remedy)


class Piece(NamedTuple):
    """Something and how often it follows itself; `most` is None where there is no limit."""

    once: bytes                # its pattern, fit to be followed by a quantifier
    run: bytes = b""           # the pattern for any number of it, if there is a simpler one
    least: int = 1
    most: Optional[int] = 1
    placed: bool = False       # it is or holds ^, $ or a word edge


Branch = List[Piece]


def translate(expression: str) -> bytes:
    """Return the `re` pattern that finds the lines `grep -E` prints; raise BadExpression."""
    check_characters(expression)
    at, branches = read_branches(expression, 0, 0)
    if at < len(expression):
        raise BadExpression("a ) without its (", at, "write \\) for the character itself")
    return write_branches([trim(branch) for branch in branches])


def check_characters(expression: str) -> None:
    for at, character in enumerate(expression):
        if character in "\n\0":
            raise BadExpression("a newline or NUL, which no line holds", at, "remove it")
        if "\ud800" <= character <= "\udfff":
            raise BadExpression("half a character (a surrogate)", at, "write it in UTF-8")


def read_branches(source: str, at: int, depth: int) -> Tuple[int, List[Branch]]:
    """Read alternatives up to the end or to a closing parenthesis."""
    branches: List[Branch] = [[]]
    while at < len(source) and source[at] != ")":
        if source[at] == "|":
            branches.append([])
            at += 1
        else:
            at, piece = read_piece(source, at, depth)
            branches[-1].append(piece)
    return at, branches


def read_piece(source: str, at: int, depth: int) -> Tuple[int, Piece]:
    """Read one thing and all quantifiers behind it."""
    at, piece = read_atom(source, at, depth)
    signs = ""
    while True:
        end, least, most = read_quantifier(source, at)
        if end == at:
            return at, piece
        if piece.placed:
            raise BadExpression("a quantifier after ^, $, a word edge or a group with one", at,
                                "repeat less, or write \\ before what is meant as a character")
        signs += source[at]
        if len(signs) > 1 and "{" in signs:
            raise BadExpression("an interval beside another quantifier", at,
                                "put parentheses around what it repeats")
        at, piece = end, repeat(piece, least, most)


def read_quantifier(source: str, at: int) -> Tuple[int, int, Optional[int]]:
    """Return (end, least, most); `end` is `at` where there is no quantifier."""
    if source[at:at + 1] in QUANTIFIERS:
        least, most = QUANTIFIERS[source[at]]
        return at + 1, least, most
    if not source.startswith("{", at):
        return at, 1, 1
    match = INTERVAL.match(source, at)
    if not match or match.group() in ("{}", "{,}"):
        raise BadExpression("a { that begins no interval", at,
                            "write {2}, {2,}, {,5} or {2,5}, or \\{ for the character itself")
    low, comma, high = match.groups()
    least = int(low or 0)
    most = int(high) if high else None if comma else least
    if max(least, most or 0) > MOST:
        raise BadExpression("an interval over %d" % MOST, at, "repeat the group instead")
    if most is not None and most < least:
        raise BadExpression("an interval that runs backwards", at, "put the smaller number first")
    return match.end(), least, most


def repeat(piece: Piece, least: int, most: Optional[int]) -> Piece:
    """Return the piece repeated; repetitions of repetitions are joined where that is exact."""
    if (piece.least, piece.most) == (1, 1):
        return piece._replace(least=least, most=most)
    if (piece.least, piece.most) in SIMPLE and (least, most) in SIMPLE:
        endless = piece.most is None or most is None
        return piece._replace(least=piece.least * least, most=None if endless else 1)
    return Piece(b"(?:%s)" % write_piece(piece), b"", least, most)


def read_atom(source: str, at: int, depth: int) -> Tuple[int, Piece]:
    character = source[at]
    if character == "(":
        return read_group(source, at, depth)
    if character == "[":
        end, characters = read_bracket(source, at)
        return end, make_piece(characters)
    if character == "\\":
        return read_escape(source, at)
    if character in ANCHORS:
        return at + 1, Piece(ANCHORS[character], placed=True)
    if character == ".":
        return at + 1, make_piece(ANY)
    if character in QUANTIFIERS or character == "{":
        raise BadExpression("a quantifier with nothing before it", at, "write \\%s for the "
                            "character itself" % character)
    return at + 1, make_piece(make_literal(character))


def make_piece(characters: Characters) -> Piece:
    return Piece(write_one(characters), write_run(characters))


def read_group(source: str, at: int, depth: int) -> Tuple[int, Piece]:
    if source.startswith("(?", at):
        raise BadExpression("(?...), which POSIX does not have", at,
                            "write a plain group, or \\? for the character itself")
    if depth >= DEEPEST:
        raise BadExpression("more than %d groups within each other" % DEEPEST, at, "simplify it")
    end, branches = read_branches(source, at + 1, depth + 1)
    if end >= len(source):
        raise BadExpression("a ( without its )", at, "write \\( for the character itself")
    if len(branches) == 1 and len(branches[0]) == 1:
        return end + 1, branches[0][0]
    text = write_branches(branches)
    placed = any(piece.placed for branch in branches for piece in branch)
    return end + 1, Piece(text if len(branches) > 1 else b"(?:%s)" % text, placed=placed)


def read_escape(source: str, at: int) -> Tuple[int, Piece]:
    character = source[at + 1:at + 2]
    if not character:
        raise BadExpression("a backslash at the end", at, "write \\\\ for the character itself")
    if character in EDGES:
        return at + 2, Piece(EDGES[character], placed=True)
    if character in ESCAPED_SETS:
        return at + 2, make_piece(ESCAPED_SETS[character])
    if character in INSTEAD:
        raise BadExpression("\\%s, which POSIX does not have" % character, at,
                            "write %s" % INSTEAD[character])
    if character in "123456789":
        raise BadExpression("a back-reference, which is not supported", at,
                            "write out what may be there")
    if ord(character) not in PUNCT and character != " ":
        raise BadExpression("a backslash before a character that needs none", at,
                            "remove the backslash, or write \\\\ if it is meant")
    return at + 2, make_piece(make_literal(character))


def read_bracket(source: str, start: int) -> Tuple[int, Characters]:
    """Read a bracket expression, from its [ to behind its ]."""
    at = start + 1
    negated = source.startswith("^", at)
    at += negated
    first = at
    found: List[Characters] = []
    while not source.startswith("]", at) or at == first:
        if at >= len(source):
            raise BadExpression("a [ without its ]", start, "write \\[ for the character itself")
        at, characters = read_element(source, at)
        found.append(characters)
    if at > first + 2 and source[first] == source[at - 1] == ":":
        raise BadExpression("a class with single brackets", start, "write [[:space:]]")
    return at + 1, join(found, negated)


def join(found: List[Characters], negated: bool) -> Characters:
    """Return the set of all that was found between brackets or, if negated, of all the rest.

    A character that a class may hold or not is in both; one that is named is not.
    """
    plain = frozenset().union(*(characters.ascii for characters in found))
    listed = frozenset().union(*(characters.listed for characters in found))
    if negated:
        return Characters(ASCII - plain, True, listed)
    if any(characters.others for characters in found):
        return Characters(plain, True)
    return Characters(plain, False, listed)


def read_element(source: str, at: int) -> Tuple[int, Characters]:
    """Read a class, a range or a character of a bracket expression."""
    opening = source[at:at + 2]
    if opening in ("[.", "[="):
        raise BadExpression("%s...%s], which depends on the locale" % (opening, opening[1]), at,
                            "write the characters themselves")
    if opening == "[:":
        end = source.find(":]", at + 2)
        characters = CLASSES.get(source[at + 2:end]) if end >= 0 else None
        if characters is None:
            raise BadExpression("an unknown or unfinished class", at,
                                "write one of [:%s:]" % ":] [:".join(sorted(CLASSES)))
        at = end + 2
        if is_range(source, at):
            raise BadExpression("a range that begins with a class", at, "put the - last")
        return at, characters
    if not is_range(source, at + 1):
        return at + 1, make_literal(source[at])
    return read_range(source, at)


def is_range(source: str, at: int) -> bool:
    """Tell whether a - makes a range: it is not the last character in the brackets."""
    return source.startswith("-", at) and source[at + 1:at + 2] not in ("]", "")


def read_range(source: str, at: int) -> Tuple[int, Characters]:
    first, last = source[at], source[at + 2]
    if source[at + 2:at + 4] in ("[:", "[.", "[="):
        raise BadExpression("a range that ends with a class", at, "put the - last")
    if max(first, last) > "\x7f":
        raise BadExpression("a range with an end beyond ASCII", at, "list the characters")
    if first > last:
        raise BadExpression("a range that runs backwards", at,
                            "exchange its ends, or put the - last")
    if is_range(source, at + 3):
        raise BadExpression("a range that begins with the end of another", at, "put the - last")
    return at + 3, Characters(codes("".join(map(chr, range(ord(first), ord(last) + 1)))))


def trim(branch: Branch) -> Branch:
    """Cut down repetitions at both ends, beyond which a search need not look."""
    pieces = list(branch)
    for end in (0, -1):
        while pieces and pieces[end].least == 0:
            del pieces[end]
        if pieces:
            pieces[end] = pieces[end]._replace(most=pieces[end].least)
    return pieces


def write_branches(branches: List[Branch]) -> bytes:
    text = b"|".join(b"".join(map(write_piece, branch)) for branch in branches)
    return b"(?:%s)" % text if len(branches) > 1 else text


def write_piece(piece: Piece) -> bytes:
    least, most = piece.least, piece.most
    if most is None and piece.run:
        return write_piece(piece._replace(most=least)) + piece.run
    if most == 0:
        return b""
    if (least, most) == (1, 1):
        return piece.once
    for sign, bounds in QUANTIFIERS.items():
        if bounds == (least, most):
            return piece.once + sign.encode("ascii")
    if least == most:
        return piece.once + b"{%d}" % least
    return piece.once + b"{%d,%s}" % (least, b"" if most is None else b"%d" % most)
