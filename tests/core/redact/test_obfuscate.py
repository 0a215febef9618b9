"""Marks and what becomes of them: the same whatever came first, and columns stay in their place."""
import os
import random
import subprocess
import sys
import threading
import unittest
from typing import List, Optional, Sequence

from insights_mini.core.redact.names import HostNames
from insights_mini.core.redact.obfuscate import KINDS, Obfuscator
from insights_mini.core.redact.replacements import Replacements
from tests.support import TOP

NAMES = HostNames(["db", "web1"], ["example.org"])
WORDS = [b"10.1.2.3", b"10.1.2.4:22", b"192.168.7.9", b"2001:db8::1", b"FE80::1%eth0",
         b"00:11:22:33:44:55", b"00-11-22-33-44-55", b"db", b"DB.example.org", b"web1.example.org",
         b"dbus", b"127.0.0.1", b"1.2.3.4.5", b"::1", b"text", b"\0\x02000001\x03", b"\0\x02",
         "é€".encode(), b"ip-10-1-2-3", b"10.230.230.1"]
NETSTAT = (
    b"Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Name\n",
    b"tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      1/sshd\n",
    b"tcp        0      0 10.1.2.3:22             192.168.107.209:51000   ESTABLISHED 2/sshd\n",
    b"tcp        0      0 192.168.100.200:65000   10.1.2.4:443            TIME_WAIT   -\n",
    b"tcp6       0      0 ::1:25                  :::*                    LISTEN      3/master\n",
    b"tcp6       0      0 2001:db8::1:22          2001:db8::2:51000       ESTABLISHED 4/x\n",
)
STALL = """
import sys
sys.path.insert(0, sys.argv[1])
from insights_mini.core.redact.names import HostNames
from insights_mini.core.redact.obfuscate import KINDS, Obfuscator
from insights_mini.core.redact.replacements import Replacements
obfuscator = Obfuscator(frozenset(KINDS), HostNames((), ()), Replacements(b"k", ()))
for line in (b"x" * 500000, b" " * 500000, b"x " * 250000, b"10.1.2.3 " * 50000,
             b"10.1.2.3," * 50000, b"\\0" * 500000, b"\\0\\2" * 250000):
    marked, _ = obfuscator.mark(b"10.1.2.3 x\\n" + line + b"\\n")
    obfuscator.resolve(marked, True)
"""


def make(kinds: Sequence[str] = KINDS, names: HostNames = NAMES,
         key: bytes = b"key") -> Obfuscator:
    return Obfuscator(frozenset(kinds), names, Replacements(key, names.domains))


def random_lines(chance: random.Random, words: Sequence[bytes]) -> List[bytes]:
    return [b" ".join(chance.choice(words) for _ in range(chance.randint(0, 6))) + b"\n"
            for _ in range(chance.randint(0, 8))]


def chunked(chance: random.Random, lines: List[bytes]) -> List[bytes]:
    chunks, done = [], 0
    while done < len(lines):
        end = chance.randint(done + 1, len(lines))
        chunks.append(b"".join(lines[done:end]))
        done = end
    return chunks


def hide(text: bytes, obfuscator: Optional[Obfuscator] = None) -> bytes:
    return (obfuscator or make()).hide(text)


class Marking(unittest.TestCase):
    def test_no_original_is_left_in_what_is_marked(self) -> None:
        """FAULTS 13, 15."""
        marked, count = make().mark(b"10.1.2.3 2001:db8::1 00:11:22:33:44:55 DB.example.org web1\n")
        self.assertEqual(count, 5)
        for original in (b"10.1", b"2001", b"00:11", b"DB", b"example", b"web1"):
            self.assertNotIn(original, marked)

    def test_only_the_kinds_that_are_wanted_are_hidden(self) -> None:
        text = b"10.1.2.3 2001:db8::1 00:11:22:33:44:55 db\n"
        words = text.split()
        for place, kind in enumerate(("ipv4", "ipv6", "mac", "hostname")):
            with self.subTest(kind=kind):
                left = hide(text, make([kind])).split()
                self.assertEqual([number for number in range(4) if left[number] != words[number]],
                                 [place])

    def test_the_order_and_the_division_in_which_members_are_marked_make_no_difference(
            self) -> None:
        """FAULTS 12."""
        chance = random.Random(12)
        words = [word for word in WORDS if not word.startswith(b"\0")]
        for _ in range(300):
            members = [random_lines(chance, words) for _ in range(4)]
            plain = make()
            expected = [plain.resolve(plain.mark(b"".join(lines))[0]) for lines in members]
            other = make()
            marked = {}
            for number in chance.sample(range(4), 4):
                marked[number] = b"".join(other.mark(chunk)[0]
                                          for chunk in chunked(chance, members[number]))
            resolved = [b"".join(other.resolve(chunk) for chunk in chunked(
                chance, marked[number].splitlines(True))) for number in range(4)]
            for number in range(4):
                self.assertEqual(resolved[number], expected[number], members)

    def test_addresses_are_numbered_in_the_order_in_which_members_are_written(self) -> None:
        obfuscator = make()
        late, _ = obfuscator.mark(b"10.1.1.1\n")
        early, _ = obfuscator.mark(b"10.2.2.2\n")
        self.assertEqual(obfuscator.resolve(early), b"10.230.230.1\n")
        self.assertEqual(obfuscator.resolve(late), b"10.230.230.2\n")

    def test_threads_that_mark_at_once_agree(self) -> None:
        obfuscator = make()
        text = b"".join(b"10.1.%d.%d db%d.example.org\n" % (i % 7, i % 250 + 1, i % 9)
                        for i in range(3000))
        marked: List[bytes] = []
        threads = [threading.Thread(target=lambda: marked.append(obfuscator.mark(text)[0]))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(marked), 8)
        self.assertEqual(len({obfuscator.resolve(one) for one in marked}), 1)
        self.assertEqual(obfuscator.resolve(marked[0]), make().hide(text))
        seen = list(obfuscator.seen())
        self.assertEqual(len(seen), len(set(seen)))

    def test_one_original_has_one_replacement_wherever_it_stands(self) -> None:
        obfuscator = make()
        self.assertEqual(hide(b"10.1.2.3", obfuscator), hide(b"10.1.2.3", obfuscator))
        short, whole = hide(b"db", obfuscator), hide(b"x@DB.example.org", obfuscator)
        self.assertEqual(whole, b"x@" + short + b".example.com")

    def test_a_real_address_among_the_replacements_is_replaced_in_the_same_pass(self) -> None:
        """FAULTS 16."""
        self.assertEqual(hide(b"10.1.2.3 10.230.230.1 10.230.230.2 10.1.2.3 10.230.230.1"),
                         b"10.230.230.1 10.230.230.2 10.230.230.3 10.230.230.1 10.230.230.2")

    def test_what_begins_first_and_is_longest_wins(self) -> None:
        obfuscator = make()
        for text, expected in ((b"::ffff:10.1.2.3", b"::ffff:10.230.230.1"),
                               (b"ip-10-1-2-3.db", b"ip-10-230-230-1." + hide(b"db", obfuscator))):
            with self.subTest(text=text):
                self.assertEqual(hide(text, obfuscator), expected)


class FalseMarks(unittest.TestCase):
    def test_text_that_looks_like_a_mark_shows_no_original(self) -> None:
        obfuscator = make()
        for text in (b"\0\x02000000\x03", b"\0\x02000001\x03 10.1.2.3", b"\0\x02ffffff\x03",
                     b"\0\x02", b"\0\x0200000\x03", b"\0\x0200000g\x03", b"\0\x02000000",
                     b"10.1.2.3\0\x02000000\x03db", b"\0\x02\0\x02000000\x03\x03"):
            with self.subTest(text=text):
                for columnar in (False, True):
                    shown = obfuscator.resolve(obfuscator.mark(text)[0], columnar)
                    self.assertNotIn(b"10.1.2.3", shown)
                    self.assertNotIn(b"db", shown)

    def test_text_that_looks_like_a_mark_does_not_join_what_it_parts(self) -> None:
        """What was cleaned before must not become a keyword or an address afterwards."""
        for text in (b"10.1.\0\x02ffffff\x032.3\n", b"sec\0\x02ffffff\x03ret\n",
                     b"pass\0\x02ffffff\x03word=hunter2\n"):
            for columnar in (False, True):
                obfuscator = make()
                shown = obfuscator.resolve(obfuscator.mark(text)[0], columnar)
                for joined in (b"10.1.2.3", b"secret", b"password"):
                    self.assertNotIn(joined, shown)


class Columns(unittest.TestCase):
    def test_columns_stay_where_they_were_as_far_as_there_are_blanks(self) -> None:
        """FAULTS 17."""
        obfuscator = make()
        text = b"".join(NETSTAT)
        lines = obfuscator.resolve(obfuscator.mark(text)[0], True).splitlines(True)
        self.assertEqual(len(lines), len(NETSTAT))
        for before, after in zip(NETSTAT, lines):
            with self.subTest(line=before):
                self.assertEqual(len(before.split()), len(after.split()))
                for word in (b"LISTEN", b"ESTABLISHED", b"TIME_WAIT", b"Foreign", b"State"):
                    if b"2001" not in before:
                        self.assertEqual(before.find(word), after.find(word))
                self.assertNotIn(b"192.168", after)

    def test_an_address_at_the_end_of_a_line_is_replaced_and_nothing_is_added(self) -> None:
        """FAULTS 17."""
        for text, expected in (
            (b"a 10.1.2.3\n", b"a 10.230.230.1\n"), (b"a 10.1.2.3", b"a 10.230.230.1"),
            (b"a 10.1.2.3\r\n", b"a 10.230.230.1\r\n"), (b"10.1.2.3:22\n", b"10.230.230.1:22\n"),
            (b"10.1.2.3\tx\n", b"10.230.230.1\tx\n"),
            (b"10.1.2.3\n10.1.2.3\n", b"10.230.230.1\n10.230.230.1\n"),
            (b"10.1.2.3       x\n", b"10.230.230.1   x\n"), (b"10.1.2.3 x\n", b"10.230.230.1 x\n"),
            (b"10.1.2.3    x\n", b"10.230.230.1 x\n"), (b"10.1.2.3     x\n", b"10.230.230.1 x\n"),
            (b"10.100.100.100  x\n", b"10.230.230.1    x\n"),
            (b"10.1.2.3->10.1.2.3       x\n", b"10.230.230.1->10.230.230.1 x\n"),
            (b"(10.1.2.3)      x\n", b"(10.230.230.1)  x\n"),
        ):
            with self.subTest(text=text):
                obfuscator = make()
                self.assertEqual(obfuscator.resolve(obfuscator.mark(text)[0], True), expected)

    def test_elsewhere_no_blank_is_touched(self) -> None:
        self.assertEqual(hide(b"10.1.2.3       x\n"), b"10.230.230.1       x\n")

    def test_words_are_the_same_with_and_without_columns(self) -> None:
        chance = random.Random(17)
        for _ in range(500):
            lines = random_lines(chance, WORDS)
            one, other = make(), make()
            text = b"".join(lines)
            with_columns = one.resolve(one.mark(text)[0], True)
            without = other.resolve(other.mark(text)[0])
            self.assertEqual(with_columns.split(), without.split(), text)

    def test_lines_made_to_stall_it_take_a_time_linear_in_their_length(self) -> None:
        subprocess.run([sys.executable, "-c", STALL, os.path.join(TOP, "src")], check=True,
                       timeout=20)
