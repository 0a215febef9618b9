"""Expressions mean what `grep -E` makes of them, or are refused."""
import json
import os
import random
import re
import subprocess
import unittest
import warnings
from typing import Any, List, NamedTuple, Optional, Pattern, Set, Tuple

from insights_mini.core.exclusions.expressions import DEEPEST, BadExpression, translate
from tests.support import HERE

DATA = os.path.join(HERE, "data", "expressions.tsv")
GREP_ENVIRON = dict(os.environ, LC_ALL="C.UTF-8")
ESCAPED = re.compile(rb"\\.", re.DOTALL)
QUANTIFIED_TWICE = re.compile(rb"[*+?}][*+?{]")

# An expression, a line with a character beyond ASCII, whether the line is found. What depends on
# the locale counts both ways; what does not has one answer.
BEYOND_ASCII = (
    ("^[[:alpha:]]+$", "José", True), ("^[^[:alpha:]]+$", "€é", True),
    ("^[[:alpha:]]+$", "é1", False),
    ("^[[:alpha:]]{2}$", "éé", True), ("^[[:alpha:]]{2}$", "é", False),
    ("^[^[:alpha:]]{2}$", "é", False), ("[[:punct:]]", "€", True), ("^[[:print:]]$", "é", True),
    ("[[:digit:]]", "\u0663", False), ("[^[:digit:]]", "\u0663", True),
    ("[[:xdigit:]]", "é", False),
    ("^[é[:alpha:]]$", "é", True), ("^[^é[:alpha:]]$", "é", False), ("^[^é[:alpha:]]$", "ж", True),
    ("a[[:space:]]b", "a\u2003b", True), ("a[^[:space:]]b", "a\u2003b", True),
    (r"^\w\W\s\S$", "éééé", True), (r"^\w$", "éé", False),
    (r"\<José\>", "a José b", True), (r"\bJosé\b", "José", True), (r"\<é", "é", True),
    (r"\bfoo\b", "—foo—", True), (r"\Bfoo\B", "éfooé", True), (r"\<foo\>", "éfooé", True),
    (r"^a.*\B.*b$", "aéb", True), (r"^a\bé\bb$", "aéb", True), (r"é\>x", "éx", False),
    (r"a\>-é", "a-é", True), (r"a\<b", "éabé", False),
)


class Row(NamedTuple):
    expression: str
    name: str
    found: List[str]
    others: List[str]
    position: int
    problem: str


def read_rows() -> List[Row]:
    rows = []
    with open(DATA, encoding="utf-8", newline="\n") as file:
        for line in file.read().split("\n")[1:-1]:
            expression, name, found, others = line.split("\t")
            if found == "error":
                position, _, problem = others.partition(": ")
                rows.append(Row(expression, name, [], [], int(position), problem))
            else:
                rows.append(Row(expression, name, json.loads(found), json.loads(others), -1, ""))
    return rows


def compile_strictly(expression: str) -> Pattern[bytes]:
    """Return the translation compiled; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return re.compile(translate(expression))


def find_lines(pattern: Pattern[bytes], lines: List[str]) -> List[str]:
    """Return the lines that match when they are searched as one block."""
    block = "".join(line + "\n" for line in lines).encode("utf-8")
    numbers = []
    at = 0
    while at < len(block):
        match = pattern.search(block, at)
        if not match or match.start() == len(block):
            break
        assert b"\n" not in match.group()
        numbers.append(block.count(b"\n", 0, match.start()))
        at = block.index(b"\n", match.start()) + 1
    return [lines[number] for number in numbers]


def grep_lines(expression: str, lines: List[str]) -> List[str]:
    done = subprocess.run(["grep", "-a", "-E", "-e", expression], env=GREP_ENVIRON,
                          input="".join(line + "\n" for line in lines).encode("utf-8"),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode > 1:
        raise AssertionError(done.stderr)
    return done.stdout.decode("utf-8").split("\n")[:-1]


def has_grep() -> bool:
    """Tell whether there is a GNU grep that knows the UTF-8 locale."""
    try:
        version = subprocess.check_output(["grep", "--version"], stderr=subprocess.DEVNULL)
        return b"GNU grep" in version and grep_lines("^.$", ["\u20ac"]) == ["\u20ac"]
    except (OSError, subprocess.SubprocessError, AssertionError):
        return False


class Refused(unittest.TestCase):
    def refuse(self, expression: str, position: int, problem: str) -> None:
        with self.assertRaises(BadExpression) as caught:
            translate(expression)
        self.assertEqual(caught.exception.position, position)
        self.assertIn(problem, caught.exception.problem)
        self.assertTrue(caught.exception.remedy)

    def test_what_cannot_be_translated_is_refused_with_its_place_and_a_remedy(self) -> None:
        rows = [row for row in read_rows() if row.problem]
        self.assertGreater(len(rows), 70)
        for row in rows:
            with self.subTest(row.name, expression=row.expression):
                self.refuse(row.expression, row.position, row.problem)

    def test_characters_that_no_line_holds_are_refused(self) -> None:
        for character in "\n\0\ud800\udfff":
            self.refuse("ab" + character + "c", 2, "a")
            self.refuse("[" + character + "]", 1, "a")

    def test_groups_too_deep_for_a_recursive_reader_are_refused(self) -> None:
        compile_strictly("(" * DEEPEST + "a" + "{2})" * DEEPEST)
        self.refuse("(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1), DEEPEST, "groups within")
        self.refuse("(" * 100000, DEEPEST, "groups within")

    def test_a_number_too_long_to_read_is_refused(self) -> None:
        self.refuse("a{" + "1" * 100000 + "}", 1, "no interval")

    def test_the_message_counts_characters_from_1(self) -> None:
        with self.assertRaises(BadExpression) as caught:
            translate("é(a")
        self.assertEqual(str(caught.exception), "character 2: a ( without its ); write \\( for the "
                                                "character itself")

    def test_nothing_but_the_documented_error_comes_of_any_text(self) -> None:
        chance = random.Random(11)
        refused = 0
        for _ in range(2000):
            text = "".join(chance.choice(r"a[]()\{}*+?|^$.,:=-1wd2é")
                           for _ in range(chance.randrange(12)))
            try:
                compile_strictly(text)
            except BadExpression as error:
                refused += 1
                self.assertTrue(0 <= error.position < len(text), text)
        self.assertTrue(800 < refused < 1950, refused)


class Translated(unittest.TestCase):
    def test_every_expression_finds_its_lines_and_no_others(self) -> None:
        rows = [row for row in read_rows() if not row.problem]
        self.assertGreater(len(rows), 140)
        self.assertGreater(sum(bool(row.found and row.others) for row in rows), 130)
        for row in rows:
            with self.subTest(row.name, expression=row.expression):
                pattern = compile_strictly(row.expression)
                for line in row.found + row.others:
                    self.assertEqual(bool(pattern.search(line.encode("utf-8"))), line in row.found,
                                     (line, pattern.pattern))
                self.assertEqual(find_lines(pattern, row.found + row.others), row.found)
                self.assertEqual(find_lines(pattern, row.others + row.found), row.found)

    @unittest.skipUnless(has_grep(), "there is no GNU grep with a UTF-8 locale")
    def test_the_grep_of_this_host_finds_the_same_lines(self) -> None:
        for row in read_rows():
            if not row.problem:
                with self.subTest(row.name, expression=row.expression):
                    self.assertEqual(grep_lines(row.expression, row.found + row.others), row.found)

    def test_what_depends_on_the_locale_counts_both_ways(self) -> None:
        for expression, line, found in BEYOND_ASCII:
            with self.subTest(expression, line=line):
                pattern = compile_strictly(expression)
                self.assertEqual(bool(pattern.search(line.encode("utf-8"))), found)

    @unittest.skipUnless(has_grep(), "there is no GNU grep with a UTF-8 locale")
    def test_no_line_is_missed_that_the_grep_of_this_host_finds(self) -> None:
        for expression, line, found in BEYOND_ASCII:
            if not found:
                self.assertEqual(grep_lines(expression, [line]), [], expression)

    def test_no_expression_holds_groups_or_a_quantifier_behind_another(self) -> None:
        for row in read_rows():
            if not row.problem:
                pattern = compile_strictly(row.expression)
                self.assertEqual(pattern.groups, 0)
                bare = ESCAPED.sub(b"_", pattern.pattern)
                self.assertIsNone(QUANTIFIED_TWICE.search(bare), pattern.pattern)

    def test_translations_can_be_joined(self) -> None:
        joined = re.compile(translate("^a|b") + translate("c$|d"))
        self.assertTrue(joined.search(b"ac"))
        self.assertFalse(joined.search(b"a"))

    def test_repetitions_of_repetitions_become_one(self) -> None:
        self.assertEqual(translate("^(a*)*?b"), b"(?m:^)a*b")
        self.assertEqual(translate("^((a)+)+b"), b"(?m:^)a+b")

    def test_repetitions_at_the_ends_are_cut_down(self) -> None:
        self.assertEqual(translate(".*x*secret+.?|ab{2,}"), b"(?:secret|ab{2})")


class Node(NamedTuple):
    """A part of a random expression: its text, and what the slow plain matcher needs of it."""

    text: str
    kind: str
    value: Any = None


class Maker:
    """Makes random expressions whose parts are known, so that nothing needs to be parsed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def alternatives(self, depth: int) -> Node:
        branches = [self.sequence(depth) for _ in range(self.chance.choice((1, 1, 2, 3)))]
        return Node("|".join(branch.text for branch in branches), "or", branches)

    def sequence(self, depth: int) -> Node:
        parts = [self.repeated(depth) for _ in range(self.chance.randrange(5))]
        return Node("".join(part.text for part in parts), "and", parts)

    def repeated(self, depth: int) -> Node:
        node = self.atom(depth)
        if holds_place(node):
            return node
        low, high = sorted((self.chance.randrange(4), self.chance.randrange(4)))
        choices: List[List[Tuple[str, int, Optional[int]]]] = [
            [], [], [("*", 0, None)], [("+", 1, None)], [("?", 0, 1)], [("{%d}" % low, low, low)],
            [("{%d,}" % low, low, None)], [("{%d,%d}" % (low, high), low, high)],
            [("*", 0, None), ("+", 1, None)], [("+", 1, None), ("?", 0, 1)]]
        for sign, least, most in self.chance.choice(choices):
            node = Node(node.text + sign, "repeat", (node, least, most))
        return node

    def atom(self, depth: int) -> Node:
        kind = self.chance.randrange(12 if depth else 10)
        if kind < 5:
            character = self.chance.choice("aabbé€")
            return Node(character, "one of", {character})
        if kind == 5:
            return Node("\\.", "one of", {"."})
        if kind == 6:
            return Node(".", "none of", set())
        if kind < 9:
            members = "".join(self.chance.sample("abé€.", 2))
            negated = self.chance.random() < .5
            return Node("[%s%s]" % ("^" * negated, members), "none of" if negated else "one of",
                        set(members))
        if kind == 9:
            return self.chance.choice((Node("^", "start"), Node("$", "end")))
        inner = self.alternatives(depth - 1)
        return Node("(%s)" % inner.text, inner.kind, inner.value)


def holds_place(node: Node) -> bool:
    """Tell whether a start or end of line is in it, so that it must not be repeated."""
    inner = node.value[:1] if node.kind == "repeat" else node.value
    return (node.kind in ("start", "end")
            or (node.kind in ("or", "and", "repeat") and any(map(holds_place, inner))))


def ends(node: Node, line: str, at: int) -> Set[int]:
    """Return everywhere a match of a part can end that begins at a place."""
    if node.kind == "or":
        return {end for branch in node.value for end in ends(branch, line, at)}
    if node.kind == "and":
        places = {at}
        for part in node.value:
            places = {end for place in places for end in ends(part, line, place)}
        return places
    if node.kind == "repeat":
        return repeated_ends(node.value, line, at)
    if node.kind in ("start", "end"):
        return {at} if at == (0 if node.kind == "start" else len(line)) else set()
    fits = at < len(line) and (line[at] in node.value) == (node.kind == "one of")
    return {at + 1} if fits else set()


def repeated_ends(value: Tuple[Node, int, Optional[int]], line: str, at: int) -> Set[int]:
    node, least, most = value
    places, found = {at}, {at} if least == 0 else set()
    for count in range(1, (least + len(line) + 1 if most is None else most) + 1):
        places = {end for place in places for end in ends(node, line, place)}
        if count >= least:
            found |= places
    return found


class Compared(unittest.TestCase):
    def test_random_expressions_find_what_a_slow_plain_matcher_finds(self) -> None:
        maker = Maker(2023)
        found = 0
        for _ in range(1200):
            node = maker.alternatives(2)
            pattern = compile_strictly(node.text)
            for _ in range(6):
                line = "".join(maker.chance.choice("aabbé€.")
                               for _ in range(maker.chance.randrange(7)))
                expected = any(ends(node, line, at) for at in range(len(line) + 1))
                self.assertEqual(bool(pattern.search(line.encode("utf-8"))), expected,
                                 (node.text, line))
                found += expected
        self.assertTrue(1500 < found < 6000, found)
