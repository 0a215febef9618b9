"""Keywords: all of them, the longest first, wherever they stand."""
import random
import re
import unittest
from typing import Dict, List, Tuple

from insights_mini.core.redact.keywords import KeywordMasker

Case = Tuple[str, List[str], str, str, Dict[str, int]]  # ... keywords, text, result, counts
CASES: Tuple[Case, ...] = (
    ("nothing to find", ["abc"], "ab c\n", "ab c\n", {}),
    ("no keywords", [], "abc\n", "abc\n", {}),
    ("another case is another word", ["Abc"], "abc ABC\n", "abc ABC\n", {}),
    ("an empty text", ["abc"], "", "", {}),
    ("one", ["abc"], "x abc y\n", "x keyword0 y\n", {"keyword0": 1}),
    ("all in a line", ["a"], "a.a.a", "keyword0.keyword0.keyword0", {"keyword0": 3}),
    ("in every line", ["ab"], "ab\nab\n\nab", "keyword0\nkeyword0\n\nkeyword0", {"keyword0": 3}),
    ("side by side", ["ab"], "abab", "keyword0keyword0", {"keyword0": 2}),
    ("within a word", ["ab"], "cabbage", "ckeyword0bage", {"keyword0": 1}),
    ("by position", ["x", "abc", "y"], "abc y", "keyword1 keyword2",
     {"keyword1": 1, "keyword2": 1}),
    ("given twice", ["abc", "abc"], "abc", "keyword0", {"keyword0": 1}),
    ("characters of expressions", ["a.c", "(x|y)*", "[0-9]", "\\d", "^$"],
     "abc a.c x (x|y)* 5 [0-9] \\d ^$", "abc keyword0 x keyword1 5 keyword2 keyword3 keyword4",
     {"keyword%d" % i: 1 for i in range(5)}),
    ("one contains another, short first", ["ab", "abcd"], "abcd ab abc",
     "keyword1 keyword0 keyword0c", {"keyword0": 2, "keyword1": 1}),
    ("one contains another, long first", ["abcd", "ab"], "abcd ab abc",
     "keyword0 keyword1 keyword1c", {"keyword0": 1, "keyword1": 2}),
    ("one is the end of another", ["bcd", "abcd"], "abcd bcd", "keyword1 keyword0",
     {"keyword0": 1, "keyword1": 1}),
    ("one is within another", ["bc", "abcd"], "abcd abc", "keyword1 akeyword0",
     {"keyword0": 1, "keyword1": 1}),
    ("overlapping ones: the first place", ["abc", "cde"], "abcde", "keyword0de", {"keyword0": 1}),
    ("overlapping ones: the last listed begins first", ["cde", "abc"], "abcde", "keyword1de",
     {"keyword1": 1}),
    ("one overlaps itself", ["aba"], "ababa", "keyword0ba", {"keyword0": 1}),
    ("the rest of an overlap is a keyword too", ["abc", "cde", "de"], "abcde",
     "keyword0keyword2", {"keyword0": 1, "keyword2": 1}),
    ("many bytes", ["Müller", "日本", "😀"], "Müller日本😀", "keyword0keyword1keyword2",
     {"keyword0": 1, "keyword1": 1, "keyword2": 1}),
    ("the word that replaces", ["keyword0", "abc"], "keyword0 abc keyword1",
     "keyword0 keyword1 keyword1", {"keyword0": 1, "keyword1": 1}),
    ("part of the word that replaces", ["x", "word", "key"], "x keyword",
     "keyword0 keyword2keyword1", {"keyword0": 1, "keyword1": 1, "keyword2": 1}),
    ("the word that replaces another", ["abc", "keyword0"], "abc keyword0", "keyword0 keyword1",
     {"keyword0": 1, "keyword1": 1}),
    ("a number", ["10"], "10 110 keyword10", "keyword0 1keyword0 keywordkeyword0",
     {"keyword0": 3}),
    ("blanks and control characters", ["a b", "\t\t", "\0"], "a b\t\t\0a  b",
     "keyword0keyword1keyword2a  b", {"keyword0": 1, "keyword1": 1, "keyword2": 1}),
    ("only the keyword", ["abc"], "abc", "keyword0", {"keyword0": 1}),
    ("at both ends", ["ab"], "ab x ab", "keyword0 x keyword0", {"keyword0": 2}),
    ("before CRLF", ["ab"], "ab\r\nab\r\n", "keyword0\r\nkeyword0\r\n", {"keyword0": 2}),
    ("ones that begin alike", ["abcdef1", "abcdef2", "abcdef"], "abcdef2 abcdef1 abcdef3 abcde",
     "keyword1 keyword0 keyword23 abcde", {"keyword0": 1, "keyword1": 1, "keyword2": 1}),
)


def plain(keywords: List[bytes], text: bytes) -> bytes:
    """The same in the slow and obvious way: at each place the longest keyword."""
    longest = sorted(set(keywords), key=len, reverse=True)
    return re.sub(b"|".join(map(re.escape, longest)),
                  lambda match: b"keyword%d" % keywords.index(match.group()), text)


class Keywords(unittest.TestCase):
    def test_keywords_are_all_replaced_and_counted_the_longest_first(self) -> None:
        """FAULTS 22."""
        for name, keywords, text, expected, expected_counts in CASES:
            with self.subTest(name=name):
                counts: Dict[str, int] = {}
                masker = KeywordMasker([word.encode() for word in keywords])
                self.assertEqual(masker.mask(text.encode(), counts), expected.encode())
                self.assertEqual(counts, expected_counts)

    def test_counts_go_on_from_block_to_block(self) -> None:
        masker = KeywordMasker([b"ab", b"c"])
        counts: Dict[str, int] = {}
        for _ in range(3):
            masker.mask(b"ab ab c\n", counts)
        self.assertEqual(counts, {"keyword0": 6, "keyword1": 3})

    def test_one_keyword_found_often_does_not_hide_another_that_begins_alike(self) -> None:
        """FAULTS 22."""
        masker = KeywordMasker([b"server-one", b"server-two"])
        counts: Dict[str, int] = {}
        block = b"server-x " * 5000 + b"server-two server-one\n"
        for _ in range(3):
            self.assertTrue(masker.mask(block, counts).endswith(b"server-x keyword1 keyword0\n"))
        self.assertEqual(counts, {"keyword0": 3, "keyword1": 3})

    def test_random_keywords_are_replaced_as_the_plain_way_does(self) -> None:
        chance = random.Random(22)
        for _ in range(3000):
            keywords = [bytes(chance.choice(b"ab.\xc3\xa9k0") for _ in range(chance.randint(1, 6)))
                        for _ in range(chance.randint(1, 6))]
            text = bytes(chance.choice(b"aabb.\xc3\xa9k0 \n") for _ in range(chance.randint(0, 60)))
            masker = KeywordMasker(keywords)
            counts: Dict[str, int] = {}
            masked = masker.mask(text, counts)
            self.assertEqual(masked, plain(keywords, text), (keywords, text))
