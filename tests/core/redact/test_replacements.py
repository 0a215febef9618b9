"""Replacements: one for one, in the shape of the original, and of no use to who guesses."""
import hashlib
import ipaddress
import random
import re
import unittest
from typing import Dict, List

from insights_mini.core.redact import HOSTNAME, IPV4, IPV6, MAC
from insights_mini.core.redact.replacements import Replacements

DOMAINS = ["eu.example.org", "example.org"]
ORIGINALS = ((IPV6, "2001:db8::5"), (MAC, "00:11:22:33:44:55"), (HOSTNAME, "db"),
             (HOSTNAME, "db.example.org"), (HOSTNAME, "db.eu.example.org"))


def make(key: bytes = b"key") -> Replacements:
    return Replacements(key, DOMAINS)


def replace(replacements: Replacements, kind: str, text: str) -> str:
    return replacements.replace(kind, text.encode()).decode()


class OneToOne(unittest.TestCase):
    def test_no_two_originals_get_the_same_replacement_and_one_always_gets_its_own(self) -> None:
        """FAULTS 16, 18."""
        chance = random.Random(16)
        pools: Dict[str, List[str]] = {
            IPV4: [str(ipaddress.IPv4Address(chance.getrandbits(32))) for _ in range(3000)] +
                  ["10.230.230.%d" % i for i in range(256)],
            IPV6: [str(ipaddress.IPv6Address(chance.getrandbits(128))) for _ in range(2000)] +
                  ["fe80::%x" % i for i in range(1, 1000)],
            MAC: ["%012x" % chance.getrandbits(48) for _ in range(3000)],
            HOSTNAME: ["host%d" % i for i in range(1500)] +
                      ["a%d.%s" % (i, domain) for i in range(500) for domain in DOMAINS],
        }
        replacements = make()
        for kind, texts in pools.items():
            with self.subTest(kind=kind):
                pool = sorted(set(texts))
                chance.shuffle(pool)
                first = [replace(replacements, kind, text) for text in pool]
                self.assertEqual(len(set(first)), len(pool))
                self.assertEqual([replace(replacements, kind, text) for text in pool], first)

    def test_a_real_address_among_the_replacements_never_merges_with_one(self) -> None:
        """FAULTS 16."""
        replacements = make()
        texts = ["192.0.2.1", "10.230.230.1", "10.230.230.2", "192.0.2.2", "10.230.230.3"]
        self.assertEqual([replace(replacements, IPV4, text) for text in texts],
                         ["10.230.230.%d" % i for i in range(1, 6)])

    def test_ipv4_addresses_are_numbered_in_order_without_net_and_broadcast(self) -> None:
        replacements = make()
        given = [replace(replacements, IPV4, str(ipaddress.IPv4Address(0x0B000000 + i)))
                 for i in range(600)]
        self.assertEqual(given[0], "10.230.230.1")
        self.assertEqual(given[253:256], ["10.230.230.254", "10.230.231.1", "10.230.231.2"])
        self.assertEqual([text for text in given if text.endswith((".0", ".255"))], [])
        numbers = [int(ipaddress.IPv4Address(text)) for text in given]
        self.assertEqual(numbers, sorted(numbers))


class Keyed(unittest.TestCase):
    def test_another_key_gives_other_replacements_and_the_same_key_the_same(self) -> None:
        """FAULTS 18."""
        for kind, text in ORIGINALS:
            with self.subTest(text=text):
                given = [replace(make(b"key %d" % i), kind, text) for i in range(50)]
                self.assertEqual(len(set(given)), 50)
                self.assertEqual(given, [replace(make(b"key %d" % i), kind, text)
                                         for i in range(50)])

    def test_a_replacement_is_no_plain_hash_of_the_original_or_of_a_part(self) -> None:
        """FAULTS 18."""
        for kind, text in ORIGINALS:
            with self.subTest(text=text):
                new = re.sub("[^0-9a-f]", "", replace(make(), kind, text).lower())[-8:]
                for part in [text, *re.split("[:.]", text)]:
                    for name in ("md5", "sha1", "sha256", "sha512"):
                        digest = hashlib.new(name, part.encode()).hexdigest()
                        self.assertNotIn(new, digest)

    def test_originals_that_differ_in_one_part_share_no_part_of_their_replacements(self) -> None:
        """FAULTS 18."""
        replacements = make()
        for kind, one, other, shared in (
            (MAC, "00:11:22:33:44:55", "00:11:22:33:44:56", 1),
            (IPV6, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:7", 2),
        ):
            with self.subTest(kind=kind):
                pairs = zip(replace(replacements, kind, one).split(":"),
                            replace(replacements, kind, other).split(":"))
                self.assertLessEqual(sum(a == b for a, b in pairs), shared + 1)


class Shapes(unittest.TestCase):
    def test_each_form_of_an_original_keeps_its_form_and_means_the_same(self) -> None:
        """FAULTS 19, 20."""
        replacements = make()
        for plain, form in (("10.1.2.3", "010.001.002.003"), ("10.1.2.3", "10-1-2-3")):
            new = replace(replacements, IPV4, plain)
            self.assertEqual(replace(replacements, IPV4, form).replace("-", "."), new)
        self.assertEqual(replace(replacements, IPV4, "10-1-2-3"), "10-230-230-1")
        new = replace(replacements, MAC, "00:1a:22:33:44:55")
        self.assertRegex(new, r"\A02(:[0-9a-f]{2}){5}\Z")
        for form in ("00-1a-22-33-44-55", "00_1a_22_33_44_55", "001a.2233.4455", "001a22334455",
                     "00:1A:22:33:44:55", "00-1A-22-33-44-55"):
            with self.subTest(form=form):
                given = replace(replacements, MAC, form)
                self.assertEqual(re.sub("[-_.:]", "", given.lower()), new.replace(":", ""))
                self.assertEqual(re.sub("[0-9A-Fa-f]", "x", given),
                                 re.sub("[0-9A-Fa-f]", "x", form))
                self.assertEqual(given.upper() == given, form.upper() == form)
        known = ipaddress.IPv6Address(replace(replacements, IPV6, "2001:db8::abcd"))
        self.assertTrue(known in ipaddress.IPv6Network("2001:db8::/32"))
        for form in ("2001:DB8::ABCD", "2001:db8:0:0:0:0:0:abcd", "2001:db8:0::0:abcd",
                     "2001:0db8:0000:0000:0000:0000:0000:abcd"):
            with self.subTest(form=form):
                given = replace(replacements, IPV6, form)
                self.assertEqual(ipaddress.IPv6Address(given), known)
                self.assertEqual(given.upper() == given, form.upper() == form)

    def test_a_link_local_address_stays_one(self) -> None:
        new = ipaddress.IPv6Address(replace(make(), IPV6, "fe80::5054:ff:fe12:3456"))
        self.assertTrue(new.is_link_local)

    def test_a_name_is_the_same_with_and_without_its_domain_and_in_any_case(self) -> None:
        """FAULTS 13."""
        replacements = make()
        short = replace(replacements, HOSTNAME, "db")
        self.assertNotIn("db", short[:4])
        self.assertNotIn(".", short)
        for text in ("DB", "Db"):
            self.assertEqual(replace(replacements, HOSTNAME, text), short)
        for text in ("db.example.org", "DB.Example.Org"):
            self.assertEqual(replace(replacements, HOSTNAME, text), short + ".example.com")
        below = replace(replacements, HOSTNAME, "db.eu.example.org")
        self.assertTrue(below.startswith(short + "."))
        self.assertTrue(below.endswith(".example.com"))
        self.assertEqual(below.count("."), 3)
        self.assertEqual(replace(replacements, HOSTNAME, "eu.example.org"), below[len(short) + 1:])
        self.assertEqual(replace(replacements, HOSTNAME, "example.org"), "example.com")
        three = replace(replacements, HOSTNAME, "a.db.example.org").split(".")
        self.assertEqual(three[1:], [short, "example", "com"])


class Kept(unittest.TestCase):
    def test_what_was_kept_serves_the_next_run_and_new_ones_never_merge_with_it(self) -> None:
        first = make()
        texts = [(IPV4, "192.0.2.%d" % i) for i in range(1, 20)] + [
            (kind, text) for kind, text in ORIGINALS]
        given = [replace(first, kind, text) for kind, text in texts]
        second = make()
        second.restore(first.pairs())
        new = [replace(second, IPV4, "198.51.100.%d" % i) for i in range(1, 20)]
        self.assertEqual(set(new) & set(given), set())
        self.assertEqual([replace(second, kind, text) for kind, text in reversed(texts)],
                         given[::-1])
        self.assertEqual(set(first.pairs()) - set(second.pairs()), set())
