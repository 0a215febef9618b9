"""The password rule against a table, random lines, and lines made to stall it."""
import os
import random
import re
import subprocess
import sys
import unittest
from typing import List, NamedTuple

from insights_mini.core.redact.masking import MASK
from insights_mini.core.redact.passwords import mask_passwords as mask_and_count
from tests.support import HERE, TOP

STALL = """
import sys
sys.path.insert(0, sys.argv[1])
from insights_mini.core.redact.passwords import mask_passwords
words = b"password" * 16384
for line in (words, words + b"=x", words + b" " * 100000, b"password" + b" " * 300000,
             b"password" + b"\\\\" * 300000, b"password --a " * 10000, b"password=" * 14000,
             b"password " + b"-a " * 100000, b"password " * 14000, b'password="' * 13000):
    mask_passwords(line + b"\\n")
"""


def mask_passwords(block: bytes) -> bytes:
    return mask_and_count(block)[0]


class Case(NamedTuple):
    name: str
    text: bytes
    expected: bytes


def unescape(text: str) -> bytes:
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


def read_table() -> List[Case]:
    with open(os.path.join(HERE, "data", "passwords.tsv"), encoding="ascii", newline="\n") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
    return [Case(name, unescape(text), unescape(expected)) for name, text, expected in rows]


class Table(unittest.TestCase):
    def test_the_table_is_not_empty_and_has_cases_of_both_kinds(self) -> None:
        table = read_table()
        self.assertGreaterEqual(len(table), 60)
        self.assertEqual(len({case.name for case in table}), len(table))
        kept = [case for case in table if case.name.startswith("kept")]
        self.assertGreater(len(kept), 15)
        for case in table:
            self.assertEqual(case.text == case.expected, case in kept, case.name)

    def test_every_case_comes_out_as_the_table_says(self) -> None:
        """FAULTS 8, 9."""
        for case in read_table():
            with self.subTest(case.name):
                self.assertEqual(mask_passwords(case.text), case.expected)

    def test_every_case_comes_out_the_same_between_other_lines(self) -> None:
        table = [case for case in read_table() if not case.text.endswith(b"\n")]
        self.assertEqual(mask_passwords(b"\n".join(case.text for case in table) + b"\n"),
                         b"\n".join(case.expected for case in table) + b"\n")

    def test_what_is_masked_stays_masked_and_is_not_masked_further(self) -> None:
        for case in read_table():
            with self.subTest(case.name):
                self.assertEqual(mask_passwords(case.expected), case.expected)


class Fuzz(unittest.TestCase):
    def test_no_secret_survives_in_3000_random_lines(self) -> None:
        chance = random.Random(8)
        around = (b"", b"x", b"user=x ", b"a b: ", b"# ", b'{"a": 1, ', b"\t", b"--host h --",
                  b"db_", b"\xc3\xa9", b"password ok=1 ", b"Password: ", b"grub> ", b"'", b"\\",
                  b"url?")
        words = (b"password", b"Password", b"PASSWORD", b"password2", b"password_of_db",
                 b"passwords")
        between = (b"=", b":", b" = ", b" : ", b": ", b"=\t", b" ", b"  ", b"\t", b" => ",
                   b" --md5 ", b" --encrypted ", b":=", b'="', b": '", b' "', b'": "', b"': '",
                   b" 7 ", b" 0 ")
        for number in range(3000):
            secret = b"S" + bytes(chance.choice(b"abcXYZ019!@#$%^&*()+/=.,;:-_~|<>{}[]")
                                  for _ in range(chance.randint(5, 20))) + b"T"
            separator = chance.choice(between)
            quote = separator.strip()[-1:]
            line = chance.choice(around) + chance.choice(words) + separator + secret
            line += (quote if quote in (b"'", b'"') else b"") + chance.choice(
                (b"", b"\n", b"\r\n", b" more\n", b"\nnext\n"))
            masked = mask_passwords(line)
            self.assertNotIn(secret, masked, (number, line))
            self.assertIn(MASK, masked, (number, line))
            self.assertEqual(masked.count(b"\n"), line.count(b"\n"), (number, line))

    def test_only_lines_with_the_word_are_changed_and_none_is_lost(self) -> None:
        chance = random.Random(9)
        pieces = (b"password", b"=", b":", b" ", b"x", b'"', b"'", b"\\", b"\t", b"\r", b"--md5",
                  b"\0")
        for number in range(2000):
            lines = [b"".join(chance.choice(pieces) for _ in range(chance.randint(0, 12)))
                     for _ in range(chance.randint(1, 6))]
            text = b"\n".join(lines)
            masked = mask_passwords(text).split(b"\n")
            self.assertEqual(len(masked), len(lines), (number, text))
            for line, out in zip(lines, masked):
                if not re.search(b"password", line):
                    self.assertEqual(out, line, (number, text))
                self.assertEqual(mask_passwords(line), out, (number, text))


class Time(unittest.TestCase):
    def test_no_line_stalls_the_run(self) -> None:
        """Matching holds the interpreter, so no clock and no signal could end it."""
        child = subprocess.Popen([sys.executable, "-c", STALL, os.path.join(TOP, "src")])
        try:
            self.assertEqual(child.wait(20), 0)
        except subprocess.TimeoutExpired:
            self.fail("a line takes more than 20 s")
        finally:
            child.kill()
            child.wait()
