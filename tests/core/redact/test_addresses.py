"""Which parts of a text are addresses: a table, random ones, and lines made to stall the search."""
import ipaddress
import os
import random
import re
import subprocess
import sys
import unittest
from typing import Dict, Iterator, List, NamedTuple, Tuple

from insights_mini.core.redact import IPV4, IPV6, MAC
from insights_mini.core.redact.names import HostNames
from insights_mini.core.redact.obfuscate import Obfuscator
from insights_mini.core.redact.replacements import Replacements
from tests.support import HERE, TOP

LETTERS = {IPV4: b"4", IPV6: b"6", MAC: b"M"}
STALL = """
import sys
sys.path.insert(0, sys.argv[1])
from insights_mini.core.redact.addresses import find_ipv4, find_ipv6, find_mac
for part in (b"1.2.3.", b"1.", b"0", b"ip-1-", b"::", b"a:", b"1:2::", b"ab:", b"ab-", b"ab_",
             b"abcd.", b"mac ", b"mac", b"ether=", b" ", b"version ", b"1.2.3.4.", b"2001:db8::1 ",
             b"10.1.2.3 ", b"a-10.1.2.3"):
    text = part * (400000 // len(part)) + b"g\\n"
    for found in (find_ipv4(text, text, {}), find_ipv6(text, {}), find_mac(text, text)):
        for place in found:
            pass
"""


class Case(NamedTuple):
    text: bytes
    marked: bytes


def unescape(text: str) -> bytes:
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


def read_table() -> List[Case]:
    with open(os.path.join(HERE, "data", "addresses.tsv"), encoding="ascii") as file:
        lines = [line.rstrip("\n").split("\t") for line in file if not line.startswith("# ")]
    return [Case(unescape(text), unescape(marked)) for text, marked in lines]


def find(text: bytes) -> List[Tuple[int, int, str]]:
    """Return every address, in order: (start, end, kind)."""
    obfuscator = Obfuscator(frozenset(LETTERS), HostNames((), ()), Replacements(b"", ()))
    return [(start, end, kind) for start, end, kind in obfuscator.find(text)]


def mark(text: bytes) -> bytes:
    marked, done = b"", 0
    for start, end, kind in find(text):
        marked += text[done:start] + b"<%s:%s>" % (LETTERS[kind], text[start:end])
        done = end
    return marked + text[done:]


class Table(unittest.TestCase):
    def test_every_case_of_the_table_is_marked_as_it_says(self) -> None:
        """FAULTS 15, 19, 20, 21."""
        for case in read_table():
            with self.subTest(text=case.text):
                self.assertEqual(mark(case.text), case.marked)

    def test_the_same_holds_within_a_line_among_others(self) -> None:
        for case in read_table():
            with self.subTest(text=case.text):
                self.assertEqual(mark(b"\n%s\nx\n" % case.text), b"\n%s\nx\n" % case.marked)
                self.assertEqual(mark(b"x (%s) y" % case.text), b"x (%s) y" % case.marked)

    def test_the_table_says_the_same_text_twice_but_for_the_marks(self) -> None:
        cases = read_table()
        self.assertGreaterEqual(len(cases), 120)
        self.assertEqual(len({case.text for case in cases}), len(cases))
        for case in cases:
            with self.subTest(text=case.text):
                plain = re.sub(rb"<[46M]:([0-9A-Fa-f:._-]+)>", rb"\1", case.marked)
                self.assertEqual(plain, case.text)


def is_open(address: ipaddress.IPv4Address) -> bool:
    """Tell whether an address says nothing about a host: loopback, 0.x, netmasks, broadcast."""
    if address.is_loopback or int(address) >> 24 == 0:
        return True
    bits = format(int(address), "032b")
    mask = "01" not in bits
    return mask and (bits.startswith("1" * 8) or int(address) & 0xFFFFFF == 0)


def write_ipv4(chance: random.Random, plain: str) -> bytes:
    octets = plain.split(".")
    return chance.choice((
        plain, plain, ".".join(octet.zfill(3) for octet in octets), plain + ":8080", plain + "/24",
        "http://%s/x" % plain, "x=%s," % plain, "(%s)" % plain, "::ffff:" + plain,
        "ip-" + "-".join(octets), "Range: %s-198.51.100.1" % plain, "a@%s." % plain,
        '"%s"' % plain, "\t%s\r" % plain, "é %s" % plain)).encode()


def write_ipv6(chance: random.Random, address: ipaddress.IPv6Address) -> bytes:
    text = chance.choice((str(address), address.exploded, ":".join(
        "%x" % int(group, 16) for group in address.exploded.split(":"))))
    text = text.upper() if chance.random() < 0.3 else text
    return chance.choice((
        text, text, "[%s]:443" % text, "%s/64" % text, "%s%%eth0" % text, "%s:" % text,
        "from %s." % text, "https://[%s]/x" % text, "x=%s," % text, '"%s"' % text,
        "é %s\r" % text)).encode()


def random_ipv4(chance: random.Random) -> ipaddress.IPv4Address:
    if chance.random() < 0.2:
        return ipaddress.IPv4Address(chance.choice((
            (0xFFFFFFFF << chance.randint(0, 32)) & 0xFFFFFFFF,
            chance.randint(0x7F000000, 0x7FFFFFFF), chance.randint(0, 0xFFFFFF))))
    return ipaddress.IPv4Address(chance.getrandbits(32))


def random_ipv6(chance: random.Random) -> ipaddress.IPv6Address:
    groups = [chance.choice((0, 0, chance.getrandbits(16), chance.getrandbits(4)))
              for _ in range(7)]
    first = chance.choice((0xFE80, 0xFD00, chance.randint(0x2000, 0x3FFF)))
    return ipaddress.IPv6Address(":".join("%x" % group for group in [first, *groups]))


def texts(found: List[Tuple[int, int, str]], text: bytes, kind: str) -> Iterator[bytes]:
    for start, end, this in found:
        if this == kind:
            yield text[start:end]


class Chance(unittest.TestCase):
    def test_random_ipv4_addresses_of_hosts_and_no_others_are_found(self) -> None:
        """FAULTS 21."""
        chance = random.Random(21)
        for _ in range(2500):
            address = random_ipv4(chance)
            text = write_ipv4(chance, str(address))
            if is_open(address) and b"ip-" in text:
                continue  # a name, whatever its numbers
            expected = [] if is_open(address) else [str(address)]
            seen = [".".join(str(int(part)) for part in re.split(rb"[.-]", found))
                    for found in texts(find(text), text, IPV4)]
            if b"Range" in text:
                expected.append("198.51.100.1")
            self.assertEqual(seen, expected, text)

    def test_random_ipv6_addresses_are_found_in_every_notation(self) -> None:
        """FAULTS 20."""
        chance = random.Random(20)
        for _ in range(2500):
            address = random_ipv6(chance)
            text = write_ipv6(chance, address)
            seen = [ipaddress.IPv6Address(found.decode())
                    for found in texts(find(text), text, IPV6)]
            self.assertEqual(seen, [address], text)

    def test_nothing_is_found_that_ipaddress_does_not_know_and_nothing_twice(self) -> None:
        """FAULTS 20."""
        chance = random.Random(22)
        alphabet = (b"1", b"25", b"0", b"a", b"fe80", b":", b"::", b".", b".", b"-", b" ", b"/",
                    b"ip-", b"mac ", b"v", b"_", b"\n", b"aa:bb", b"10.2.3")
        known: Dict[str, type] = {IPV6: ipaddress.IPv6Address}
        for _ in range(5000):
            text = b"".join(chance.choice(alphabet) for _ in range(chance.randint(1, 24)))
            done = 0
            for start, end, kind in find(text):
                self.assertGreaterEqual(start, done, text)
                done = end
                if kind in known:
                    known[kind](text[start:end].decode())
                elif kind == IPV4:
                    octets = re.split(rb"[.-]", text[start:end])
                    self.assertEqual(len(octets), 4, text)
                    self.assertTrue(all(int(octet) < 256 for octet in octets), text)
                else:
                    digits = re.sub(rb"[^0-9A-Fa-f]", b"", text[start:end])
                    self.assertEqual(len(digits), 12, text)

    def test_random_hardware_addresses_are_found_in_every_notation(self) -> None:
        """FAULTS 19."""
        chance = random.Random(19)
        for _ in range(2500):
            pairs = ["%02x" % chance.getrandbits(8) for _ in range(6)]
            digits = "".join(pairs)
            words = [":".join(pairs), "-".join(pairs), "_".join(pairs), "mac " + digits,
                     "mac:" + ":".join(pairs), "01:" + ":".join(pairs), "ether " + digits,
                     "lladdr=" + digits, "(%s)" % ":".join(pairs), "x=%s," % "-".join(pairs)]
            if not digits.isdigit():
                words.append(".".join((digits[:4], digits[4:8], digits[8:])))
            word = chance.choice(words)
            text = (word.upper() if chance.random() < 0.3 else word).encode()
            seen = [re.sub(rb"[^0-9a-f]", b"", found.lower()).decode()
                    for found in texts(find(text), text, MAC)]
            self.assertEqual(seen, [digits], text)


class Stalling(unittest.TestCase):
    def test_lines_made_to_stall_the_search_take_a_time_linear_in_their_length(self) -> None:
        subprocess.run([sys.executable, "-c", STALL, os.path.join(TOP, "src")], check=True,
                       timeout=30)
