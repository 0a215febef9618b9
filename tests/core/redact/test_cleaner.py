"""What every block goes through: in which order, and what is left of it."""
import json
import os
import random
import re
import unittest
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from insights_mini.core.exclusions.expressions import translate
from insights_mini.core.redact.cleaner import HIDDEN, Cleaner, Policy, drop_undecodable
from insights_mini.core.redact.droplines import PatternDropper, drop_expressions
from insights_mini.core.redact.keywords import KeywordMasker
from insights_mini.core.redact.names import HostNames
from insights_mini.core.redact.obfuscate import KINDS, Obfuscator
from insights_mini.core.redact.passwords import mask_passwords
from insights_mini.core.redact.replacements import Replacements
from insights_mini.core.redact.secrets import SecretMasker
from insights_mini.exits import Uncleaned
from tests.support import HERE

NAMES = HostNames(["db"], ["example.org"])


class Rules(NamedTuple):
    """What the owner forbids, for one case."""

    patterns: Sequence[str] = ()
    regex: Sequence[str] = ()
    keywords: Sequence[str] = ()
    secrets: bool = True
    obfuscate: bool = False


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def make_obfuscator() -> Obfuscator:
    return Obfuscator(frozenset(KINDS), NAMES, Replacements(b"key", NAMES.domains))


def make_policy(rules: Rules) -> Policy:
    compiled = [re.compile(translate(text), re.MULTILINE) for text in rules.regex]
    return Policy(PatternDropper([encode(text) for text in rules.patterns]),
                  lambda block: drop_expressions(block, compiled, lambda number: None),
                  KeywordMasker([encode(text) for text in rules.keywords]), rules.secrets,
                  make_obfuscator() if rules.obfuscate else None)


POLICY = make_policy(Rules())


def clean(block: bytes) -> bytes:
    return POLICY.make_cleaner()(block)


class Cleaning(unittest.TestCase):
    def test_a_byte_that_is_no_utf_8_cannot_hide_a_password(self) -> None:
        """FAULTS 2."""
        for text in (b"pass\xffword=hunter2\n", b"password\xff=hunter2\n",
                     b"password=\xffhunter2\n",
                     b"p\x80a\xc3s\xe2\x82sword: hunter2\n", b"pass\xed\xa0\x80word hunter2\n",
                     b"password\xfe \xfe--md5\xfe hunter2\n", b"password=\xc3\"hunter2 more\"\n",
                     b"\xffpassword=hunter2\xff\n", b"pass\xf4\x90\x80\x80word=hunter2\n"):
            with self.subTest(text=text):
                cleaned = clean(text)
                self.assertNotIn(b"hunter2", cleaned)
                self.assertIn(b"********", cleaned)
                cleaned.decode("utf-8")

    def test_text_in_utf_16_without_a_mark_is_refused_wherever_it_stands(self) -> None:
        """FAULTS 2."""
        for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
            with self.subTest(encoding), self.assertRaises(Uncleaned):
                clean(b"plain\n" + "password=hunter2\n".encode(encoding))
        environ = b"A=1\0B=2\0HOME=/\0\0\0\0x\0-a\0-b\n"
        self.assertEqual(clean(environ), environ)

    def test_no_secret_survives_whatever_bytes_are_strewn_into_the_line(self) -> None:
        chance = random.Random(2)
        odd = (b"\xff", b"\xfe", b"\xc0", b"\xf5", b"\xed\xa0\x80")  # never part of a character
        for _ in range(2000):
            separator = chance.choice((b"=", b": ", b" ", b" --md5 "))
            line = bytearray(b"x password" + separator + b"hunter2")
            for _ in range(chance.randint(0, 6)):
                place = chance.randint(0, len(line))
                line[place:place] = chance.choice(odd)
            self.assertNotIn(b"hunter2", clean(bytes(line) + b"\n"), bytes(line))

    def test_only_the_bytes_that_are_no_utf_8_are_dropped(self) -> None:
        """FAULTS 46."""
        for text, left in (
            (b"", b""), (b"plain\n", b"plain\n"), (b"\0\x01\x7f\x1b\r\n", b"\0\x01\x7f\x1b\r\n"),
            ("é€😀\n".encode(), "é€😀\n".encode()), (b"caf\xe9\n", b"caf\n"),
            (b"\xed\xa0\x80x", b"x"), (b"\xc0\xafx", b"x"), (b"\xf4\x90\x80\x80x", b"x"),
            (b"a\xe2\x82\nb", b"a\nb"), (b"\xef\xbb\xbfx", b"\xef\xbb\xbfx"),
            (b"\xff" * 1000, b""), (b"\xc3\xc3\xa9", b"\xc3\xa9"),
        ):
            with self.subTest(text=text[:20]):
                self.assertEqual(drop_undecodable(text), left)
                self.assertEqual(clean(text), left)

    def test_any_bytes_come_out_as_utf_8_with_all_their_newlines(self) -> None:
        chance = random.Random(46)
        for _ in range(1000):
            text = bytes(chance.choice(b"\n\rap=: \x80\xc3\xa9\xe2\x82\xac\xf0\x9f\xed\xff")
                         for _ in range(chance.randint(0, 60)))
            cleaned = clean(text)
            cleaned.decode("utf-8")
            self.assertEqual(cleaned.count(b"\n"), text.count(b"\n"))


def finish(policy: Policy, marked: bytes) -> bytes:
    return policy.obfuscator.resolve(marked) if policy.obfuscator else marked


def clean_in_parts(cleaner: Cleaner, lines: Sequence[bytes], chance: random.Random) -> bytes:
    """Clean some lines, so many at a time as chance wants."""
    cleaned, done = [], 0
    while done < len(lines):
        end = chance.randint(done + 1, len(lines))
        cleaned.append(cleaner(b"".join(lines[done:end])))
        done = end
    return b"".join(cleaned)


def read_cases() -> List[Dict[str, Any]]:
    with open(os.path.join(HERE, "data", "cleaner.json"), encoding="utf-8") as file:
        cases: List[Dict[str, Any]] = json.load(file)
    return cases


class Table(unittest.TestCase):
    def test_every_case_of_the_table_comes_out_as_it_says_in_one_block_and_line_by_line(
            self) -> None:
        for case in read_cases():
            with self.subTest(name=case["name"]):
                text = encode(case["input"])
                policy = make_policy(Rules(**case["rules"]))
                self.assertEqual(finish(policy, policy.make_cleaner()(text)),
                                 encode(case["output"]))
                policy = make_policy(Rules(**case["rules"]))
                cleaner = policy.make_cleaner()
                lines = b"".join(cleaner(line) for line in split(text))
                self.assertEqual(finish(policy, lines), encode(case["output"]))

    def test_the_table_has_a_name_for_each_case(self) -> None:
        cases = read_cases()
        self.assertGreaterEqual(len(cases), 60)
        self.assertEqual(len({case["name"] for case in cases}), len(cases))


def split(text: bytes) -> List[bytes]:
    return re.findall(rb"[^\n]*\n|[^\n]+", text)


def slow_clean(rules: Rules, text: bytes) -> Tuple[bytes, Dict[str, int]]:
    """Clean in the plain way: a line, a rule and a step at a time, over the whole text."""
    counts: Dict[str, int] = {}

    def count(rule: str, number: int = 1) -> None:
        if number:
            counts[rule] = counts.get(rule, 0) + number

    text = text.decode("utf-8", "ignore").encode("utf-8")
    left = []
    for line in split(text):
        hits = ["pattern %d" % number for number, pattern in enumerate(rules.patterns)
                if encode(pattern) in line]
        hits += ["regex %d" % number for number, expression in enumerate(rules.regex)
                 if re.search(translate(expression), line.rstrip(b"\n"))]
        if hits:
            count(hits[0])
        else:
            left.append(line)
    text = b"".join(left)
    text, masked = mask_passwords(text)
    count("password", masked)
    if rules.secrets:
        masker = SecretMasker()
        text = masker(text)
        count("secret", masker.count)
    words = [encode(word) for word in rules.keywords]
    if words:
        longest = sorted(words, key=len, reverse=True)

        def name(match: "re.Match[bytes]") -> bytes:
            word = b"keyword%d" % words.index(match.group())
            count(word.decode())
            return word

        text = re.sub(b"|".join(map(re.escape, longest)), name, text)
    if rules.obfuscate:
        obfuscator = make_obfuscator()
        marked, found = obfuscator.mark(text)
        count("obfuscated", found)
        text = obfuscator.resolve(marked)
    return text, counts


PATTERNS = ("drop", "secret l", "é", "10.1.2.9", "\0", "key", " ")
REGEX = ("^id [0-9]+", "x$", "^$", "dro+p", "[[:digit:]]{5}", "a.c", "^\\.")
KEYWORDS = ("abc", "abcd", "bcd", "Müller", "hunter", "key", "word0", "a.c", "(x)", "db", "10", " ")
PIECES = (b"drop", b"secret line", "é€".encode(), "Müller".encode(), b"abcd", b"abc", b"xbcd",
          b"a.c", b"(x)", b"x", b"id 12", b"12345", b"10.1.2.3", b"10.1.2.9:22", b"2001:db8::5",
          b"00:11:22:33:44:55", b"db", b"DB.example.org", b"dbus", b"password=hunter2",
          b"password: ", b"token=Zx81kQ9fLm20", b"http://bob:s3cret9@10.1.2.3/", b"\xff", b"\xc3",
          b"\0", b"\r", b"keyword0", b"key", b"", b"version 1.2.3.4", b"\t")
KEY = (b"-----BEGIN RSA PRIVATE KEY-----\n", b"MIIEowIBAAKCAQEAabcd\n", b"AAAABBBBCCCCDDDD\n",
       b"-----END RSA PRIVATE KEY-----\n")


def random_rules(chance: random.Random) -> Rules:
    return Rules(chance.sample(PATTERNS, chance.choice((0, 0, 1, 2))),
                 chance.sample(REGEX, chance.choice((0, 0, 1, 2))),
                 chance.sample(KEYWORDS, chance.choice((0, 1, 2, 4))),
                 chance.random() < 0.7, chance.random() < 0.5)


def random_lines(chance: random.Random) -> List[bytes]:
    lines: List[bytes] = []
    for _ in range(chance.randint(0, 6)):
        if chance.random() < 0.05:
            lines.extend(KEY)
        line = chance.choice((b" ", b" ", b"", b",")).join(
            chance.choice(PIECES) for _ in range(chance.randint(0, 5)))
        lines.append(line + b"\n")
    if lines and chance.random() < 0.3 and lines[-1] != b"\n":
        lines[-1] = lines[-1][:-1]
    return lines


class AgainstThePlainWay(unittest.TestCase):
    def test_ten_thousand_random_texts_in_random_parts_come_out_as_in_the_plain_way(self) -> None:
        """FAULTS 12, 22."""
        chance = random.Random(10000)
        for _ in range(500):
            rules = random_rules(chance)
            for _ in range(20):
                lines = random_lines(chance)
                policy = make_policy(rules)
                cleaner = policy.make_cleaner()
                cleaned = finish(policy, clean_in_parts(cleaner, lines, chance))
                expected, counts = slow_clean(rules, b"".join(lines))
                self.assertEqual(cleaned, expected, (rules, lines))
                self.assertEqual(cleaner.counts, counts, (rules, lines))


class Names(unittest.TestCase):
    def test_a_keyword_in_the_name_of_a_member_is_replaced(self) -> None:
        """FAULTS 6."""
        policy = make_policy(Rules(keywords=["abc", "Müller"]))
        self.assertEqual(policy.clean_name("home/Müller/abc.log".encode()),
                         b"home/keyword1/keyword0.log")

    def test_a_member_whose_name_has_a_pattern_or_matches_an_expression_is_forbidden(self) -> None:
        policy = make_policy(Rules(patterns=["secret"], regex=["^etc/x", "y$"]))
        for name, forbidden in ((b"a/secret/b", True), (b"etc/xy/z", True), (b"a/etc/x", False),
                                (b"a/y", True), (b"a/yz", False), (b"a\nb/y", True)):
            with self.subTest(name=name):
                self.assertEqual(policy.clean_name(name) is None, forbidden)

    def test_addresses_and_names_of_the_host_never_stand_in_a_name_or_a_message(self) -> None:
        """FAULTS 6, 10."""
        policy = make_policy(Rules(obfuscate=True))
        for text in ("var/log/db.example.org/10.1.2.3.log", "ping_-c_1_DB.example.org",
                     "etc/ifcfg-00:11:22:33:44:55", "Starting to collect data for db.example.org"):
            for shown in (policy.clean_text(text), str(policy.clean_name(text.encode()))):
                with self.subTest(text=text):
                    for original in ("db.example", "example.org", "10.1.2.3", "00:11", "DB"):
                        self.assertNotIn(original, shown)

    def test_a_message_is_shown_without_what_is_hidden_and_the_rest_of_it_can_be_read(self) -> None:
        """FAULTS 10."""
        policy = make_policy(Rules(["secret", "ret no"], ["^id[0-9]+$", "top .* bottom"], ["abc"]))
        for text, shown in (
            ("a secret file", "a [...] file"), ("a secret note", "a [...]te"),
            ("secretsecret", "[...]"), ("abc \udcff é", "keyword0 \udcff é"),
            ("read id12 now", "read id12 now"), ("id12", "[...]"), ("", ""),
            ("the top to bottom", "[...]"),
        ):
            with self.subTest(text):
                self.assertEqual(policy.clean_text(text), shown)

    def test_an_expression_that_matches_one_word_hides_that_word_of_a_message(self) -> None:
        policy = make_policy(Rules(regex=["[0-9]{4}"]))
        self.assertEqual(policy.clean_text("saved at /x-2026.tar in 3 s"), "saved at [...] in 3 s")

    def test_a_keyword_within_the_words_of_other_rules_uncovers_no_secret(self) -> None:
        for keyword, text in (
            ("pass", b"password=hunter2\n"), ("=", b"password=hunter2\n"),
            ("token", b"token: hunter2abcdef\n"), ("://", b"http://bob:hunter2@h/\n"),
            ("PRIVATE", b"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"),
        ):
            with self.subTest(keyword):
                cleaned = make_policy(Rules(keywords=[keyword])).make_cleaner()(text)
                self.assertNotIn(b"hunter2", cleaned)
                self.assertNotIn(keyword.encode(), cleaned)

    def test_a_keyword_of_stars_leaves_the_mask_of_a_secret_whole(self) -> None:
        cleaner = make_policy(Rules(keywords=["*", "x*"])).make_cleaner()
        self.assertEqual(cleaner(b"* password=hunter2 x*\n"),
                         b"keyword0 password=******** keyword1\n")

    def test_a_message_that_cannot_be_cleaned_is_not_shown(self) -> None:
        """FAULTS 2."""
        def refuse(block: bytes) -> Tuple[bytes, Dict[int, int]]:
            raise Uncleaned("took too long")

        policy = make_policy(Rules())._replace(drop_expressions=refuse)
        self.assertEqual(policy.clean_text("any"), HIDDEN.decode())
        with self.assertRaises(Uncleaned):
            policy.make_cleaner()(b"any\n")


class Counting(unittest.TestCase):
    def test_counts_say_by_rule_what_went(self) -> None:
        policy = make_policy(Rules(["drop", "x"], ["^id", "z$"], ["abc", "de"], True, True))
        cleaner = policy.make_cleaner()
        for block in (b"drop\ndrop x\nx\n", b"id z\nz\n", b"abc abc de\n",
                      b"password=a1b2\nhttp://bob:s3cret9@h/\n", b"10.1.2.3 10.1.2.3 db\n"):
            cleaner(block)
        self.assertEqual(cleaner.counts, {
            "pattern 0": 2, "pattern 1": 1, "regex 0": 1, "regex 1": 1, "keyword0": 2,
            "keyword1": 1, "password": 1, "secret": 1, "obfuscated": 3})

    def test_nothing_is_counted_where_nothing_went(self) -> None:
        cleaner = make_policy(Rules(["drop"], ["^id"], ["abc"], True, True)).make_cleaner()
        cleaner(b"harmless\n")
        self.assertEqual(cleaner.counts, {})
