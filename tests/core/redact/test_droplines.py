"""Lines that are dropped for a pattern or an expression: the whole line, and no other."""
import random
import re
import unittest
from typing import Dict, List, Sequence, Tuple

from insights_mini.core.exclusions.expressions import translate
from insights_mini.core.redact.droplines import PatternDropper, drop_expressions

Numbers = Dict[int, int]
Case = Tuple[str, List[str], str, str, Numbers]
PATTERNS: Tuple[Case, ...] = (  # what it shows, patterns, text, what is left, counts
    ("no pattern", [], "a\nb\n", "a\nb\n", {}),
    ("not found", ["xyz"], "a\nb\n", "a\nb\n", {}),
    ("another case", ["ABC"], "abc\n", "abc\n", {}),
    ("an empty text", ["abc"], "", "", {}),
    ("across a line end", ["ab"], "a\nb\n", "a\nb\n", {}),
    ("first line", ["abc"], "x abc\nb\n", "b\n", {0: 1}),
    ("last line", ["abc"], "a\nx abc y\n", "a\n", {0: 1}),
    ("last line without newline", ["abc"], "a\nabc", "a\n", {0: 1}),
    ("only line without newline", ["abc"], "abc", "", {0: 1}),
    ("next to one without newline", ["abc"], "abc\nb", "b", {0: 1}),
    ("middle", ["abc"], "a\nabc\nb\n", "a\nb\n", {0: 1}),
    ("lines in a row", ["abc"], "abc\nabc\nabcabc\nb\nabc", "b\n", {0: 4}),
    ("empty lines stay", ["abc"], "\n\nabc\n\n", "\n\n\n", {0: 1}),
    ("twice in a line counts once", ["abc"], "abc abc\n", "", {0: 1}),
    ("the first rule counts", ["b", "a"], "ab\na\nb\n", "", {0: 2, 1: 1}),
    ("the first rule counts, wherever it stands", ["zz", "aa"], "aa zz\n", "", {0: 1}),
    ("everything", ["a", "b"], "a\nb\nab\n", "", {0: 2, 1: 1}),
    ("CRLF", ["abc"], "a\r\nabc\r\nb\r\n", "a\r\nb\r\n", {0: 1}),
    ("a carriage return ends no line", ["abc"], "a\rabc\rb\nc\n", "c\n", {0: 1}),
    ("NUL bytes", ["abc"], "a\0\nx\0abc\0y\nb\0\n", "a\0\nb\0\n", {0: 1}),
    ("a pattern with NUL", ["a\0b"], "a\0b\nab\n", "ab\n", {0: 1}),
    ("many bytes", ["Müller", "日"], "Mueller\nMüller\n日本\n", "Mueller\n", {0: 1, 1: 1}),
    ("characters of expressions are themselves", [".*", "[a]"], "abc\n.*\n[a]\na\n", "abc\na\n",
     {0: 1, 1: 1}),
    ("blanks", [" "], "ab\na b\n\tc\n", "ab\n\tc\n", {0: 1}),
    ("a vertical tab, form feed or line separator ends no line", ["abc"],
     "a\x0babc\nb\x0cabc\nc\u2028abc\nd\n", "d\n", {0: 3}),
    ("ones that begin alike", ["abcdef1", "abcdef2", "abcdef33"],
     "abcdef3\nabcdef2\nabcdef33\nabcdef\n", "abcdef3\nabcdef\n", {1: 1, 2: 1}),
)
EXPRESSIONS: Tuple[Case, ...] = (
    ("none", [], "a\n", "a\n", {}),
    ("not found", ["x+"], "a\nb\n", "a\nb\n", {}),
    ("an empty text", ["^"], "", "", {}),
    ("beginning of a line", ["^a"], "a\nba\nab\n", "ba\n", {0: 2}),
    ("beginning of the last line without newline", ["^a"], "b\na", "b\n", {0: 1}),
    ("end of a line", ["a$"], "a\nab\nba\n", "ab\n", {0: 2}),
    ("end of the last line without newline", ["a$"], "b\nba", "b\n", {0: 1}),
    ("a whole line", ["^a$"], "a\naa\na\n", "aa\n", {0: 2}),
    ("empty lines", ["^$"], "\na\n\nb\n\n", "a\nb\n", {0: 3}),
    ("empty lines, none after the last newline", ["^$"], "a\nb\n", "a\nb\n", {}),
    ("one that matches the empty string drops every line", ["x*"], "a\n\nb\n", "", {0: 3}),
    ("the same without a final newline", ["x*"], "a\n\nb", "", {0: 3}),
    ("one that is empty", [""], "a\nb\n", "", {0: 2}),
    ("everything", [".*"], "a\n\nb\n", "", {0: 3}),
    ("only an end", ["$"], "a\nb", "", {0: 2}),
    ("the first rule counts", ["b", "a"], "ab\na\nb\n", "", {0: 2, 1: 1}),
    ("NUL bytes", ["a.b"], "a\0b\nab\n", "ab\n", {0: 1}),
    ("CRLF", ["^a"], "a\r\nb\r\n", "b\r\n", {0: 1}),
    ("lines in a row", ["[0-9]{3}"], "123\n1234\n12\n12345", "12\n", {0: 3}),
    ("many bytes", ["M(ü|ue)ller"], "Müller\nMueller\nMller\n", "Mller\n", {0: 2}),
)


def compiled(expressions: Sequence[str]) -> List["re.Pattern[bytes]"]:
    return [re.compile(expression.encode(), re.MULTILINE) for expression in expressions]


def drop(block: bytes, expressions: Sequence[str]) -> Tuple[bytes, Numbers]:
    return drop_expressions(block, compiled(expressions), lambda number: None)


class Patterns(unittest.TestCase):
    def test_lines_with_a_pattern_are_dropped_whole_and_counted_by_the_first_that_is_in_them(
            self) -> None:
        """FAULTS 1."""
        for name, patterns, text, left, counts in PATTERNS:
            with self.subTest(name=name):
                dropper = PatternDropper([pattern.encode() for pattern in patterns])
                self.assertEqual(dropper.drop(text.encode()), (left.encode(), counts))

    def test_random_lines_are_dropped_as_the_plain_way_does(self) -> None:
        chance = random.Random(1)
        for _ in range(3000):
            patterns = [bytes(chance.choice(b"ab\r\0\xc3") for _ in range(chance.randint(1, 6)))
                        for _ in range(chance.randint(0, 5))]
            text = bytes(chance.choice(b"aabb\r\0\xc3\n\n") for _ in range(chance.randint(0, 60)))
            lines = re.findall(rb"[^\n]*\n|[^\n]+", text)
            firsts = [next((number for number, pattern in enumerate(patterns) if pattern in line),
                           -1) for line in lines]
            left = b"".join(line for line, first in zip(lines, firsts) if first < 0)
            counts = {number: firsts.count(number) for number in set(firsts) if number >= 0}
            self.assertEqual(PatternDropper(patterns).drop(text), (left, counts), (patterns, text))


class Expressions(unittest.TestCase):
    def test_lines_that_match_are_dropped_whole_and_counted_by_the_first_that_matches(
            self) -> None:
        """FAULTS 1."""
        for name, expressions, text, left, counts in EXPRESSIONS:
            with self.subTest(name=name):
                self.assertEqual(drop(text.encode(), expressions), (left.encode(), counts))

    def test_what_is_tried_is_told_by_its_number_before(self) -> None:
        told: List[int] = []
        drop_expressions(b"xa\nb\n", compiled(["x", "a", "b"]), told.append)
        self.assertEqual(told, [0, 1, 2])

    def test_random_lines_are_dropped_as_one_by_one(self) -> None:
        chance = random.Random(3)
        for _ in range(1500):
            chosen = [random_expression(chance, 3) for _ in range(chance.randint(1, 3))]
            text = bytes(chance.choice(b"aabb.[\n\n") for _ in range(chance.randint(0, 12)))
            lines = re.findall(rb"[^\n]*\n|[^\n]+", text)
            alone = [re.compile(translate(expression)) for expression in chosen]
            left = b"".join(line for line in lines if not any(
                expression.search(line.rstrip(b"\n")) for expression in alone))
            together = [re.compile(translate(expression), re.MULTILINE) for expression in chosen]
            self.assertEqual(drop_expressions(text, together, lambda number: None)[0], left,
                             (chosen, text))


def random_expression(chance: random.Random, depth: int) -> str:
    """Return a POSIX extended expression over a few letters."""
    parts = []
    for _ in range(chance.randint(1, 3)):
        part = chance.choice(("a", "b", "ab", ".", "[ab]", "[^b]", "\\.", "\\[", "[[:alpha:]]"))
        if depth and chance.random() < 0.3:
            part = "(%s)" % random_expression(chance, depth - 1)
        parts.append(part + chance.choice(("", "", "", "*", "?", "+", "{2}", "{0,1}")))
    if depth == 3 and chance.random() < 0.15:
        parts.insert(0, "^")
    if depth == 3 and chance.random() < 0.15:
        parts.append("$")
    if depth and chance.random() < 0.15:
        parts.append("|" + random_expression(chance, 0))
    return "".join(parts)
