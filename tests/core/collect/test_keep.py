"""The keep filter against a slow plain one."""
import random
import unittest
from typing import List, Sequence

from insights_mini.core.collect.keep import keep_all, make_filter, simplify


def plain(content: bytes, patterns: Sequence[bytes]) -> bytes:
    """Keep as grep -F does: the lines with any of the strings; all for an empty string or none."""
    strings = [string for pattern in patterns for string in pattern.split(b"\n")]
    lines = content.split(b"\n")
    ends = [b"\n"] * (len(lines) - 1) + [b""]
    return b"".join(line + end for line, end in zip(lines, ends)
                    if not strings or ((line or end) and any(s in line for s in strings)))


class Random:
    """Seeded patterns and lines over few letters, so that they meet."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.letters = b"ab"

    def text(self, most: int) -> bytes:
        return bytes(self.chance.choice(self.letters)
                     for _ in range(self.chance.randint(0, most)))

    def patterns(self) -> List[bytes]:
        chance = self.chance
        self.letters = chance.choice((b"ab", b"abcdef", b".*[^$\\(+?", b"-e\n", b"\0\xff\xc3\xa9",
                                      b"a\r", b"Aa"))
        stem = self.text(6)
        made = [chance.choice((b"", stem, stem[:4])) + self.text(chance.choice((3, 6)))
                for _ in range(chance.randint(0, 8))]
        return made if chance.random() < 0.1 else [pattern for pattern in made if pattern]

    def lines(self, patterns: Sequence[bytes], most: int) -> bytes:
        chance = self.chance
        parts = []
        for _ in range(chance.randint(0, most)):
            parts += [self.text(10).replace(b"\n", b""),
                      chance.choice(list(patterns) + [b""]) if chance.random() < 0.3 else b"",
                      chance.choice((b"\n", b"\n", b"\r\n", b"xx\n", b"\0\n"))]
        return b"".join(parts)


class Keeping(unittest.TestCase):
    def test_2000_random_filters_keep_what_the_plain_one_keeps(self) -> None:
        made = Random(9)
        kept = dropped = 0
        for number in range(2000):
            patterns = made.patterns()
            keep = make_filter(patterns)
            for most in (3, 20, made.chance.choice((0, 0, 300))):
                block = made.lines(patterns, most)
                if made.chance.random() < 0.3:
                    block += made.text(8).replace(b"\n", b"")
                expected = plain(block, patterns)
                self.assertEqual(keep(block), expected, (number, patterns))
                kept += bool(expected)
                dropped += expected != block
        self.assertGreater(min(kept, dropped), 1000)

    def test_each_line_with_a_pattern_is_kept_once_and_in_its_place(self) -> None:
        for patterns, block, kept in (
            ([], b"a\nb\n", b"a\nb\n"),
            ([b""], b"a\nb\n", b"a\nb\n"),
            ([b"x", b""], b"a\n", b"a\n"),
            ([b"x"], b"", b""),
            ([b"x"], b"\n\n", b""),
            ([b"x"], b"a\nb\n", b""),
            ([b"x", b"y"], b"y x\nb\nx y\nxx", b"y x\nx y\nxx"),
            ([b"b", b"a"], b"a\nb\nc\n", b"a\nb\n"),
            ([b"a\nb"], b"a\nb\nab\nc\n", b"a\nb\nab\n"),
            ([b"a.c"], b"abc\na.c\n", b"a.c\n"),
            ([b"[a", b"(", b"\\", b"^$"], b"a\n[ab\n(\n\\\n^$\n", b"[ab\n(\n\\\n^$\n"),
            ([b"-e", b"--help"], b"a -e b\n--help\nx\n", b"a -e b\n--help\n"),
            ([b"\0", b"\xff"], b"a\0b\nx\xffy\nn\n", b"a\0b\nx\xffy\n"),
            ([b"a\r"], b"a\r\na\n", b"a\r\n"),
            ([b"Error"], b"error\nERROR\nError\n", b"Error\n"),
            ([b"kernel: a", b"kernel: b"], b"kernel: c\nkernel: b\nkernel: a", b"kernel: b\n"
                                                                              b"kernel: a"),
            ([b"kernel: a"], b"kernel: kernel: a\n", b"kernel: kernel: a\n"),
            ([b"aaaa1", b"aaaa2"], b"aaaaaaaa2\n", b"aaaaaaaa2\n"),
        ):
            with self.subTest(patterns=patterns, block=block):
                self.assertEqual(plain(block, patterns), kept)
                self.assertEqual(make_filter(patterns)(block), kept)

    def test_a_filter_that_has_learned_still_keeps_the_same(self) -> None:
        patterns = [b"common %d end" % number for number in range(20)]
        keep = make_filter(patterns)
        vain = b"common nothing\n" * 5000
        for block in (vain, b"common 7 end\n" + vain + b"common 19 end\n", b"common 3 end"):
            self.assertEqual(keep(block), plain(block, patterns))

    def test_no_pattern_means_every_line_without_a_look_at_it(self) -> None:
        for patterns in ([], [b""], [b"a\n"], [b"a", b"\n"]):
            self.assertIs(make_filter(patterns), keep_all)


class Simplifying(unittest.TestCase):
    def test_a_string_that_contains_another_one_adds_nothing(self) -> None:
        for patterns, left in (
            ([b"ab", b"b", b"abc"], {b"b"}), ([b"a", b"a"], {b"a"}),
            ([b"a\nb", b"ab"], {b"a", b"b"}), ([b"ab", b"ba"], {b"ab", b"ba"}),
            ([b"a", b""], set()), ([], set()),
        ):
            with self.subTest(patterns=patterns):
                self.assertEqual(set(simplify(patterns)), left)
                self.assertEqual(len(simplify(patterns)), len(left))
