"""Whole lines out of any blocks, against a slow plain version."""
import random
import unittest
from typing import Iterable, List, Tuple

from insights_mini.core.collect.lines import Lines


def plain(content: bytes, longest: int) -> Tuple[bytes, int]:
    """Return the content with each line cut at the limit, and how many were cut."""
    lines = content.split(b"\n")
    return (b"\n".join(line[:longest] for line in lines),
            sum(len(line) > longest for line in lines))


def split(content: bytes, chance: random.Random, most: int) -> List[bytes]:
    blocks = []
    while content:
        size = chance.randint(0, most)
        blocks.append(content[:size])
        content = content[size:]
    return blocks


class Cutting(unittest.TestCase):
    def feed(self, lines: Lines, blocks: Iterable[bytes]) -> bytes:
        """Return what came out, having looked at each piece."""
        whole = []
        for block in blocks:
            out = lines.feed(block)
            self.assertTrue(not out or out.endswith(b"\n"), "a line was torn")
            self.assertLessEqual(len(lines.rest), lines.longest)
            whole.append(out)
        return b"".join(whole) + lines.finish()

    def test_2000_contents_in_random_blocks_come_out_as_from_the_plain_version(self) -> None:
        chance = random.Random(45)
        cut = 0
        for number in range(2000):
            longest = chance.choice((1, 2, 3, 5, 8, 20))
            weights = b"ab\r\0\xff" * chance.randint(1, 4) + b"\n" * chance.randint(0, 6)
            content = bytes(chance.choice(weights) for _ in range(chance.randint(0, 80)))
            lines = Lines(longest)
            blocks = split(content, chance, chance.choice((1, 3, 10, 100)))
            self.assertEqual((self.feed(lines, blocks), lines.cut), plain(content, longest),
                             (number, longest, blocks))
            cut += lines.cut
        self.assertGreater(cut, 2000)

    def test_a_line_exactly_at_the_limit_is_whole_and_one_byte_more_is_cut(self) -> None:
        for content, cut in ((b"abcd\n", 0), (b"abcde\n", 1), (b"abcd", 0), (b"abcde", 1),
                             (b"\nabcd\nabcde\n", 1), (b"abcdefgh\n" * 3, 3)):
            for size in (1, 2, 4, 5, 6, 100):
                with self.subTest(content=content, size=size):
                    lines = Lines(4)
                    out = self.feed(lines, [content[i:i + size]
                                            for i in range(0, len(content), size)])
                    self.assertEqual((out, lines.cut), (plain(content, 4)[0], cut))

    def test_a_stream_without_newlines_needs_no_more_than_the_limit(self) -> None:
        """FAULTS 45."""
        lines = Lines(1000)
        for _ in range(10000):
            self.assertEqual(lines.feed(b"x" * 1000), b"")
            self.assertLessEqual(len(lines.rest), 1000)
        self.assertEqual(lines.feed(b"yy\nz"), b"x" * 1000 + b"\n")
        self.assertEqual((lines.finish(), lines.cut), (b"z", 1))
        self.assertEqual(lines.finish(), b"")
