"""The second look: every kind of leak planted by hand is found, and nothing else is."""
import random
import unittest
from typing import List, Optional, Sequence, Tuple

from insights_mini.core.proof import Hit, Proof
from insights_mini.core.redact.addresses import is_version
from insights_mini.core.redact.cleaner import Policy
from insights_mini.core.redact.droplines import PatternDropper
from insights_mini.core.redact.keywords import KeywordMasker
from insights_mini.core.redact.names import HostNames
from insights_mini.core.redact.obfuscate import KINDS, Obfuscator
from insights_mini.core.redact.replacements import Replacements

STRINGS = [("keyword0", b"zebra"), ("keyword1", "Müller".encode()), ("pattern 0", b"top secret")]
NAMES = [b"example.org", b"db"]
SEEN = [b"10.1.2.3", b"10-1-2-3", b"2001:db8::5", b"2001:DB8::ABCD", b"fe80::5054:ff:fe12:3456",
        b"2001:db8:1:2:3:4:5:6", b"00:11:22:33:44:55", b"00-11-22-33-44-56", b"00_11_22_33_44_57",
        b"0011.22aa.4455"]
LEAKS = (  # the rule that finds it, a line with it
    ("keyword0", b"a zebra\n"), ("keyword0", b"zebra"), ("keyword0", b"azebras\n"),
    ("keyword0", b"keyword0 zebra\n"), ("keyword0", b"******** zebra"),
    ("keyword0", b"\0zebra\xff"),
    ("keyword0", b"keywordzebra\n"), ("keyword0", b"zebra10.230.230.1\n"),
    ("keyword1", "Herr Müller\n".encode()), ("pattern 0", b"a top secret line\n"),
    ("hostname", b"host db\n"), ("hostname", b"DB:22\n"), ("hostname", b"root@Db"),
    ("hostname", b"dbus and db\n"), ("hostname", b"www.Example.ORG\n"), ("hostname", b"/db/\n"),
    ("hostname", b"db.example.com\n"),
    ("obfuscation", b"10.1.2.3\n"), ("obfuscation", b"from 10.1.2.3:22\n"),
    ("obfuscation", b"http://10.1.2.3/\n"), ("obfuscation", b"(10.1.2.3)"),
    ("obfuscation", b"10.1.2.3."), ("obfuscation", b"addr:10.1.2.3\n"),
    ("obfuscation", b"node:10.1.2.3\n"), ("obfuscation", b"interface:10.1.2.3\n"),
    ("obfuscation", b"::ffff:10.1.2.3\n"), ("obfuscation", b"8:10.1.2.3\n"),
    ("obfuscation", b"x-10.1.2.3\n"), ("obfuscation", b"=10.1.2.3,"),
    ("obfuscation", b"10.1.2.3-10.1.2.9\n"), ("obfuscation", b"10.1.2.9-10.1.2.3\n"),
    ("obfuscation", b"10.1.2.3/24\n"), ("obfuscation", b"\t10.1.2.3\r\n"),
    ("obfuscation", b"ip-10-1-2-3.internal\n"), ("obfuscation", b"ip-10-1-2-3\n"),
    ("obfuscation", b"inet6 2001:db8::5/64\n"), ("obfuscation", b"[2001:db8::5]:443\n"),
    ("obfuscation", b"2001:db8::5: packet\n"), ("obfuscation", b"2001:DB8::ABCD\n"),
    ("obfuscation", b"fe80::5054:ff:fe12:3456%eth0\n"), ("obfuscation", b"2001:db8:1:2:3:4:5:6\n"),
    ("obfuscation", b"ether 00:11:22:33:44:55 x\n"), ("obfuscation", b"01:00:11:22:33:44:55\n"),
    ("obfuscation", b"mac:00:11:22:33:44:55\n"), ("obfuscation", b"00-11-22-33-44-56\n"),
    ("obfuscation", b"00_11_22_33_44_57\n"), ("obfuscation", b"0011.22aa.4455\n"),
)
CLEAN = (
    b"", b"\n", b"nothing\n", b"keyword0 keyword1 keyword10 ********\n", b"Zebra ZEBRA zebr a\n",
    b"dbus mydb db1 db-1 x_db\n", b"example.organic notexample.org\n",
    b"version 10.1.2.3\n", b"foo-10.1.2.3-1.el7.x86_64\n", b"Chrome/10.1.2.3\n", b"v10.1.2.3\n",
    b"10.1.2.30 110.1.2.3 10.1.2.3.4 9.10.1.2.3\n", b"10.1.2.4 10.230.230.1 127.0.0.1\n",
    b"2001:db8::55 2001:db8::6 ::1 :: 00:11:22:33:44:56\n", b"10:11:12 2026-11-24\n",
    b"ip-10-1-2-33 ip-110-1-2-3\n", b"\xff\xfe\0\n",
)


def make(strings: Sequence[Tuple[str, bytes]] = STRINGS, names: Sequence[bytes] = NAMES,
         addresses: bool = True) -> Proof:
    return Proof(strings, names, is_version if addresses else None)


def verdict(member: bytes, text: bytes) -> Optional[Hit]:
    proof = make()
    proof.read(b"other", b"harmless\n")
    proof.read(member, text)
    return proof.verdict(SEEN, [b"10.230.230.1"])


class Leaks(unittest.TestCase):
    def test_every_kind_of_leak_in_a_member_is_found_and_told_by_member_and_rule(self) -> None:
        for rule, text in LEAKS:
            with self.subTest(text=text):
                self.assertEqual(verdict(b"var/log/x", text), Hit(b"var/log/x", rule))
                self.assertEqual(verdict(b"var/log/x", b"a\n" * 9 + text), Hit(b"var/log/x", rule))

    def test_every_kind_of_leak_in_the_name_of_a_member_is_found(self) -> None:
        """FAULTS 6."""
        for rule, text in LEAKS:
            name = b"etc/" + text.strip()
            with self.subTest(name=name):
                self.assertEqual(verdict(name, name), Hit(name, rule))

    def test_each_of_several_strings_with_a_part_in_common_is_found(self) -> None:
        words = [b"acme-one", b"x-acme-two", b"acm", b"ac", b"cme-three", b"other", b"acme-one"]
        strings = [("pattern %d" % i, word) for i, word in enumerate(words)]
        for _, word in strings:
            with self.subTest(word=word):
                proof = make(strings, [], False)
                proof.read(b"x", b"a\n" + word + b"\n")
                found = {hit.rule for hit, _, _ in proof.suspects}
                self.assertEqual(found, {name for name, other in strings if other in word})

    def test_an_address_that_only_a_later_member_gave_away_is_found_in_an_earlier_one(self) -> None:
        proof = make()
        proof.read(b"first", b"from 10.9.8.7\n")
        proof.read(b"second", b"from 10.9.8.7\n")
        self.assertIsNone(proof.verdict([], []))
        self.assertEqual(proof.verdict([b"10.9.8.7"], []), Hit(b"first", "obfuscation"))

    def test_a_leak_after_thousands_of_harmless_suspects_is_found(self) -> None:
        proof = make([("keyword0", b"word0")], [], False)
        for _ in range(30):
            proof.read(b"x", b"keyword0 keyword0\n" * 1000)
        self.assertIsNone(proof.verdict([], []))
        proof.read(b"x", b"keyword0 word0\n")
        self.assertEqual(proof.verdict([], []), Hit(b"x", "keyword0"))


class FalseAlarms(unittest.TestCase):
    def test_what_only_looks_like_a_leak_is_none(self) -> None:
        """FAULTS 21."""
        for text in CLEAN:
            with self.subTest(text=text):
                self.assertIsNone(verdict(b"x", text))

    def test_the_words_that_redaction_writes_are_no_leak_whatever_the_owner_forbids(self) -> None:
        text = b"keyword0 keyword12 ******** x******** src=10.230.230.1 ip-10-230-230-1\n"
        own = [b"10.230.230.1", b"10.230.230.12", b"10-230-230-1"]
        for forbidden in (b"key", b"keyword", b"word0", b"0", b"12", b"10", b"10.", b"230", b"*",
                          b"**", b"d1", b"10.230.230.1", b"src=10", b"src=10.", b"=10.2", b"ip-10",
                          b"-230-"):
            with self.subTest(forbidden=forbidden):
                proof = make([("pattern 0", forbidden)], [])
                proof.read(b"x", text)
                self.assertIsNone(proof.verdict([b"10.1.2.3"], own))

    def test_the_same_words_are_a_leak_where_they_stand_beside_those_of_redaction(self) -> None:
        for forbidden, text in ((b"key", b"keyword0 key\n"), (b"word0", b"keyword0 word0\n"),
                                (b"10", b"10.230.230.1 10\n"), (b"*", b"******** *\n"),
                                (b"230", b"10.230.230.1 x230\n")):
            with self.subTest(forbidden=forbidden):
                proof = make([("keyword0", forbidden)], [])
                proof.read(b"x", text)
                self.assertEqual(proof.verdict([], [b"10.230.230.1"]), Hit(b"x", "keyword0"))

    def test_a_real_address_that_also_stands_in_for_another_is_no_leak(self) -> None:
        """FAULTS 16."""
        proof = make()
        proof.read(b"x", b"10.230.230.1 10.230.230.2\n")
        self.assertIsNone(proof.verdict([b"10.230.230.1", b"10.1.2.3"],
                                        [b"10.230.230.1", b"10.230.230.2"]))

    def test_an_address_is_no_leak_where_obfuscation_is_off(self) -> None:
        proof = make(addresses=False)
        proof.read(b"x", b"10.1.2.3\n")
        self.assertIsNone(proof.verdict([], []))

    def test_what_the_cleaner_returns_never_raises_an_alarm(self) -> None:
        chance = random.Random(6)
        for _ in range(1500):
            words = [bytes(word) for word in chance.sample(FORBIDDEN, chance.randint(0, 5))]
            keywords, patterns = words[:3], words[3:]
            obfuscator = Obfuscator(frozenset(KINDS), HOST, Replacements(b"k", HOST.domains))
            policy = Policy(PatternDropper(patterns), lambda block: (block, {}),
                            KeywordMasker(keywords), True, obfuscator)
            text = b"".join(random_line(chance) for _ in range(chance.randint(0, 12)))
            final = obfuscator.resolve(policy.make_cleaner()(text), chance.random() < 0.5)
            proof = make([("keyword%d" % i, word) for i, word in enumerate(keywords)] +
                         [("pattern %d" % i, word) for i, word in enumerate(patterns)],
                         [name.encode() for name in [*HOST.domains, *HOST.short]])
            proof.read(b"x", final)
            own = sorted(obfuscator.replacements.words)
            self.assertIsNone(proof.verdict(obfuscator.seen(), own), (words, text, final))

    def test_a_host_in_the_domain_that_stands_in_for_others_can_be_collected(self) -> None:
        host = HostNames(["db"], ["example.com"])
        obfuscator = Obfuscator(frozenset(KINDS), host, Replacements(b"k", host.domains))
        proof = make([], [b"example.com", b"db"])
        proof.read(b"x", obfuscator.hide(b"db.example.com is up\n"))
        self.assertIsNone(proof.verdict(obfuscator.seen(),
                                        sorted(obfuscator.replacements.words)))

    def test_a_keyword_that_is_part_of_the_domain_of_replacements_raises_no_alarm(self) -> None:
        for keyword in (b"example", b"com", b"example.com", b".com", b"host", b"ost", b"02",
                        b"2001", b"db8"):
            with self.subTest(keyword=keyword):
                obfuscator = Obfuscator(frozenset(KINDS), HOST, Replacements(b"k", HOST.domains))
                final = obfuscator.hide(KeywordMasker([keyword]).mask(
                    b"db.corp.net 10.1.2.3 00:11:22:33:44:55 fd00::1:5\n", {}))
                proof = make([("keyword0", keyword)], [b"corp.net", b"db"])
                proof.read(b"x", final)
                self.assertIsNone(proof.verdict(obfuscator.seen(),
                                                sorted(obfuscator.replacements.words)), final)


HOST = HostNames(["db", "web1"], ["corp.net"])
FORBIDDEN: List[bytes] = [b"key", b"word0", b"keyword", b"10", b"*", b"secret", b"10.1",
                          b"db", b"corp", "é".encode(), b"pass", b"host", b"=10.", b"from 10."]
TOKENS = [b"10.1.2.3", b"10.230.230.1", b"192.168.1.1:22", b"2001:db8::5", b"fe80::1%eth0", b"::1",
          b"00:11:22:33:44:55", b"db", b"DB.corp.net", b"web1.corp.net", b"dbus", b"key", b"word0",
          b"keyword0", b"secret", b"********", b"*", b"version 10.1.2.3", b"foo-10.1.2.3-1.el7",
          b"password=hunter2", b"token: abcdef12345", b"from", "é".encode(), b"127.0.0.1",
          b"1.2.3.4.5", b"ip-10-1-2-3", b"src=10.1.2.3", b"node:10.1.2.3", b"host", b"10"]


def random_line(chance: random.Random) -> bytes:
    line = chance.choice((b" ", b" ", b" ", b",", b"")).join(
        chance.choice(TOKENS) for _ in range(chance.randint(0, 6)))
    return line + b"\n"
