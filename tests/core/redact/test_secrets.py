"""Secrets beyond passwords: a table of cases, however the lines are divided, in linear time."""
import os
import random
import re
import time
import unittest
from typing import List, NamedTuple

from insights_mini.core.redact.keyblocks import LONGEST
from insights_mini.core.redact.masking import MASK
from insights_mini.core.redact.secrets import (
    RULES,
    SecretMasker,
)
from tests.support import HERE

TABLE = os.path.join(HERE, "data", "secrets.tsv")
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


class Case(NamedTuple):
    name: str
    given: bytes
    wanted: bytes


def read_cases() -> List[Case]:
    """Return the cases of the table: name, input, exact output; escapes \\n \\r \\t \\0 \\\\."""
    cases = []
    with open(TABLE, "rb") as file:
        for row in file.read().splitlines():
            name, given, wanted = row.split(b"\t")
            cases.append(Case(name.decode("ascii"), unescape(given), unescape(wanted)))
    return cases


def unescape(text: bytes) -> bytes:
    return re.sub(rb"\\(.)", lambda match: ESCAPES[match.group(1)], text)


CASES = read_cases()

# What the rules look for, and what stands around it.
PARTS = [
    b"token", b"secret", b"=", b":", b'"', b"'", b"\\", b" ", b"$6$", b"://", b"@", b"abc",
    b"\xff", b"\0", b"<", b">", b"pass", b"authorization", b"Bearer ", b"1", b"--", b"-", b"{",
    b"}", b",", b"api", b"access", b"_", b".", b"key", b"passwd", b"pwd", b"psk", b"PSK", b"PW",
    b"auth", b"user", b";", b"community ", b"com2sec ", b"trapsink ", b"informsink ",
    b"createUser ", b"rootpw ", b"&sig=", b"machine ", b"account ", b"identified by ", b"mysql ",
    b"mariadb ", b"curl ", b"sshpass ", b" -p", b"credential", b"key-data", b"master", b"{SSHA}",
    b"{nt}", b"abcdefgh01234567", b"ABCDEFGH01234567", b"AKIA", b"AIza", b"xoxb-", b"ghp_",
    b"glpat-", b"sk_live_", b"eyJ",
]


def mask(text: bytes) -> bytes:
    return SecretMasker()(text)


def mask_in_pieces(text: bytes, chooser: random.Random) -> bytes:
    """Mask a text that comes in blocks of whole lines, divided at random."""
    masker = SecretMasker()
    pieces = []
    block = b""
    for line in text.splitlines(True):
        block += line
        if block.endswith(b"\n") and chooser.random() < 0.4:
            pieces.append(masker(block))
            block = b""
    return b"".join(pieces) + masker(block)


class TableTest(unittest.TestCase):
    def test_the_table_is_not_empty_and_its_names_differ(self) -> None:
        self.assertGreaterEqual(len(CASES), 170)
        self.assertGreaterEqual(sum(case.given == case.wanted for case in CASES), 60)
        self.assertGreaterEqual(sum(case.given != case.wanted for case in CASES), 100)
        self.assertEqual(len({case.name for case in CASES}), len(CASES))

    def test_what_is_no_secret_stays(self) -> None:
        for case in CASES:
            if case.given == case.wanted:
                with self.subTest(case.name):
                    masker = SecretMasker()
                    self.assertEqual(masker(case.given), case.given)
                    self.assertEqual(masker.count, 0)

    def test_secrets_are_masked_and_counted(self) -> None:
        for case in CASES:
            if case.given != case.wanted:
                with self.subTest(case.name):
                    masker = SecretMasker()
                    self.assertEqual(masker(case.given), case.wanted)
                    self.assertEqual(masker.count,
                                     case.wanted.count(MASK) - case.given.count(MASK))

    def test_each_case_is_the_same_in_the_midst_of_other_lines(self) -> None:
        for case in CASES:
            with self.subTest(case.name):
                end = b"" if case.given.endswith(b"\n") else b"\n"
                self.assertEqual(mask(b"first line\n" + case.given + end + b"port: 80\n"),
                                 b"first line\n" + case.wanted + end + b"port: 80\n")

    def test_what_is_masked_is_not_masked_or_counted_again(self) -> None:
        for case in CASES:
            with self.subTest(case.name):
                masker = SecretMasker()
                self.assertEqual(masker(case.wanted), case.wanted)


class ChunkTest(unittest.TestCase):
    def test_the_division_into_blocks_makes_no_difference(self) -> None:
        chooser = random.Random(3)
        lines = [case.given.rstrip(b"\n") + b"\n" for case in CASES]
        for number in range(400):
            text = b"".join(chooser.choice(lines) for _ in range(chooser.randint(1, 12)))
            if number % 3 == 0:
                text = text[:-1]
            with self.subTest(number=number):
                self.assertEqual(mask_in_pieces(text, chooser), mask(text))

    def test_a_key_spans_blocks_of_one_line_each(self) -> None:
        text = (b"a: 1\n-----BEGIN PRIVATE KEY-----\n" + b"AbCd0123\n" * 50
                + b"-----END PRIVATE KEY-----\nb: 2\n")
        masker = SecretMasker()
        joined = b"".join(masker(line) for line in text.splitlines(True))
        self.assertEqual(joined, b"a: 1\n-----BEGIN PRIVATE KEY-----\n********\n"
                                 b"-----END PRIVATE KEY-----\nb: 2\n")
        self.assertEqual(masker.count, 1)

    def test_a_key_without_end_ends_after_a_number_of_lines(self) -> None:
        text = b"-----BEGIN PRIVATE KEY-----\n" + b"AbCd\n" * (LONGEST + 5)
        self.assertEqual(mask(text), b"-----BEGIN PRIVATE KEY-----\n********\n" + b"AbCd\n" * 5)

    def test_secrets_after_a_key_without_end_are_masked(self) -> None:
        self.assertEqual(mask(b"-----BEGIN PRIVATE KEY-----\nAbCd\ntoken: abc\n"),
                         b"-----BEGIN PRIVATE KEY-----\n********\ntoken: ********\n")

    def test_random_bytes_are_never_an_error_and_divide_anywhere(self) -> None:
        chooser = random.Random(4)
        parts = PARTS + [b"-----BEGIN PRIVATE KEY-----", b"-----END PRIVATE KEY-----", b"\n"]
        for number in range(3000):
            text = b"".join(chooser.choice(parts) for _ in range(chooser.randint(0, 40)))
            with self.subTest(number=number):
                self.assertEqual(mask_in_pieces(text, chooser), mask(text))


class TriggerTest(unittest.TestCase):
    """What the triggers leave out, no rule would have changed."""

    def compare(self, line: bytes) -> None:
        plain = line
        for rule in RULES:
            plain = rule(plain)[0]
        self.assertEqual(mask(line), plain)

    def test_each_case_is_the_same_when_every_rule_sees_every_line(self) -> None:
        for case in CASES:
            for line in case.given.splitlines(True):
                if b"-----" not in line:
                    with self.subTest(case.name, line=line):
                        self.compare(line)

    def test_words_of_the_cases_in_any_order_are_the_same_when_every_rule_sees_them(self) -> None:
        chooser = random.Random(5)
        words = [word for case in CASES for word in re.findall(rb"\w+|[^\w\n]+", case.given)
                 if b"--" not in word]
        for number in range(6000):
            line = b"".join(chooser.choice(words) for _ in range(chooser.randint(1, 12)))
            line = chooser.choice((line, line.upper(), line.lower()))
            with self.subTest(number=number, line=line):
                self.compare(line)

    def test_parts_that_rules_know_are_the_same_when_every_rule_sees_them(self) -> None:
        chooser = random.Random(6)
        for number in range(6000):
            line = b"".join(chooser.choice(PARTS) for _ in range(chooser.randint(1, 8)))
            with self.subTest(number=number, line=line):
                self.compare(line)


# Beginnings that an expression might try again and again in one long line.
HOSTILE = tuple(PARTS) + (
    b"a=", b"$1$", b"$6$", b'\\"', b"://", b"://a:", b"://a:b", b"a:", b"a:b@", b"token=",
    b"token: ", b"token='", b'token="', b"--token ", b"secret ", b'secret "', b"<token>",
    b"<token ", b'"token" ', b"api key", b"pass=", b"\0token=", b"=token=", b"authorization: ",
    b"authorization: digest ", b"-----BEGIN PRIVATE KEY-----", b"-----BEGIN ", b"-----END ",
    b"-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----", b"eyJaaaaaaaa.eyJ", b".eyJ",
    b"machine a account ", b"identified by ", b"mysql -p", b"curl -u a:", b"sshpass -p ",
    b": psk ", b"passwd: ", b"passwd: files ", b"com2sec ", b"rootpw --", b"a.", b"a1",
    b"token=a,", b"token=a;", b"token=a&", b"token = a ", b"$y$j9T$", b"grub.pbkdf2.",
    b"SCRAM-SHA-256$1:a$", b"\t", b"*:*:a:a:", b'auth": "', b"/a", b"token=/a", b"token=${",
    b"token={{", b"token=%(", b"LS0tLS1CRUdJTiBQUklWQVRF")


class TimeTest(unittest.TestCase):
    def test_long_hostile_lines_take_linear_time(self) -> None:
        for part in HOSTILE:
            line = part * (100000 // len(part))
            for text in (line, b"token=" + line):
                with self.subTest(part=part, start=text[:8]):
                    start = time.process_time()
                    mask(text)
                    self.assertLess(time.process_time() - start, 1)
