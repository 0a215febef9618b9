"""remove.conf is read as its owner meant it, or not at all."""
import configparser
import json
import os
import random
import unittest
from typing import Any, Dict, List, NamedTuple, Tuple

from insights_mini.core.exclusions.removeconf import (
    KEYS,
    LISTS,
    RemoveConf,
    RemoveConfError,
    read_remove_conf,
)
from tests.support import HERE

DATA = os.path.join(HERE, "data", "removeconf.txt")
BYTES = ("patterns", "keywords")
HEAD = b"[remove]\n"


class Case(NamedTuple):
    name: str
    content: bytes
    result: str


def read_cases() -> List[Case]:
    with open(DATA, encoding="utf-8", newline="\n") as file:
        parts = file.read().split("\n=== ")[1:]
    cases = []
    for part in parts:
        name, _, rest = part.partition("\n")
        content, _, result = ("\n" + rest).partition("\n--- ")
        cases.append(Case(name, (content[1:] + "\n").encode("utf-8"), result.strip()))
    return cases


def expect(values: Dict[str, Any]) -> RemoveConf:
    made = {key: tuple(item.encode("utf-8") if key in BYTES else item for item in items)
            for key, items in values.items()}
    return RemoveConf(**made)


class Refused(unittest.TestCase):
    def refuse(self, content: bytes, line: int, problem: str) -> str:
        with self.assertRaises(RemoveConfError) as caught:
            read_remove_conf(content)
        self.assertEqual(caught.exception.line, line)
        self.assertIn(problem, caught.exception.problem)
        self.assertTrue(caught.exception.remedy)
        return str(caught.exception)

    def test_what_is_not_understood_is_refused_with_its_line_and_a_remedy(self) -> None:
        cases = [case for case in read_cases() if not case.result.startswith("{")]
        self.assertGreater(len(cases), 45)
        for case in cases:
            line, _, problem = case.result.partition(": ")
            with self.subTest(case.name):
                self.refuse(case.content, int(line), problem)
                self.refuse(case.content.replace(b"\n", b"\r\n"), int(line), problem)
                self.refuse(b"\xef\xbb\xbf" + case.content, int(line), problem)

    def test_no_message_shows_what_the_file_hides(self) -> None:
        """FAULTS 10."""
        for content, line in ((b"hunter2", 2), (b"hunter2 = x", 2), (b" hunter2", 2),
                              (b"keywords = a\n hunter2", 3), (b"keywords = hunter2\\x", 2),
                              (b"[hunter2]", 2), (b"regex = hunter2(", 2),
                              (b"regex = [[:hunter2:]]", 2), (b"regex = a{hunter2}", 2)):
            self.assertNotIn("hunter2", self.refuse(HEAD + content, line, ""))

    def test_bytes_that_are_not_utf_8_are_refused_where_they_are(self) -> None:
        for start in (b"", b"\xef\xbb\xbf"):
            self.refuse(start + HEAD + b"\n\nkeywords = a\n  , \xe9\n", 5, "not UTF-8")
            self.refuse(start + HEAD + b"\xff\n\n", 2, "not UTF-8")
        self.refuse("[remove]\n".encode("utf-16"), 1, "not UTF-8")
        self.refuse(HEAD + b"keywords = \xc3\n", 2, "not UTF-8")

    def test_control_characters_are_refused_where_they_are(self) -> None:
        for control in (b"\0", b"\x0b", b"\x0c", b"\x1b", b"\x1c", b"\x7f", b"\xc2\x85"):
            self.refuse(HEAD + b"\nkeywords = a" + control + b"b\n", 3, "control")
        self.refuse(HEAD + b"keywords = a\rfiles = b\n", 2, "control")
        self.refuse("[remove]\n".encode("utf-16-le"), 1, "control")

    def test_an_expression_that_ends_with_an_escaped_space_is_refused(self) -> None:
        self.refuse(HEAD + b"regex = a\\ \n", 2, "a backslash at the end")

    def test_a_second_byte_order_mark_is_no_byte_order_mark(self) -> None:
        self.refuse(b"\xef\xbb\xbf\xef\xbb\xbf" + HEAD, 1, "no section")

    def test_nothing_but_the_documented_error_comes_of_any_content(self) -> None:
        chance = random.Random(5)
        pieces = [b"[remove]\n", b"\n", b"files", b"keywords", b"regex", b" = ", b":", b"  ", b"\t",
                  b"\\", b"x41", b",", b"a", b"#", b";", b"\xc3\xa9", b"\xc3", b"\r\n", b"(", b"[",
                  b"\0"]
        understood = 0
        for _ in range(5000):
            content = HEAD * chance.randrange(2) + b"".join(
                chance.choice(pieces[:-1] if chance.random() < .95 else pieces)
                for _ in range(chance.randrange(12)))
            try:
                read_remove_conf(content)
                understood += 1
            except RemoveConfError as error:
                self.assertTrue(1 <= error.line <= content.count(b"\n") + 1, content)
        self.assertTrue(200 < understood < 4000, understood)


class Understood(unittest.TestCase):
    def test_every_file_means_what_it_says(self) -> None:
        cases = [case for case in read_cases() if case.result.startswith("{")]
        self.assertGreater(len(cases), 20)
        for case in cases:
            wanted = expect(json.loads(case.result))
            with self.subTest(case.name):
                self.assertEqual(read_remove_conf(case.content), wanted)

    def test_line_ends_and_a_byte_order_mark_make_no_difference(self) -> None:
        for case in read_cases():
            if case.result.startswith("{"):
                wanted = read_remove_conf(case.content)
                for content in (case.content.replace(b"\n", b"\r\n"), case.content[:-1],
                                b"\xef\xbb\xbf" + case.content):
                    with self.subTest(case.name):
                        self.assertEqual(read_remove_conf(content), wanted)

    def test_blanks_at_the_ends_of_lines_and_items_mean_nothing(self) -> None:
        """A no-break space too: with it a keyword would never be found."""
        for blank in (" ", "\t", "\u00a0", " \u3000 "):
            content = "[remove]{0}\nkeywords = a{0},{0}b{0}\n{0}\nregex ={0}c{0}\n".format(blank)
            self.assertEqual(read_remove_conf(content.encode("utf-8")),
                             RemoveConf(keywords=(b"a", b"b"), regex=("c",)), ascii(blank))

    def test_content_is_bytes_and_names_are_text(self) -> None:
        conf = read_remove_conf(HEAD + b"files=/a\ncommands=b\npatterns=c\nkeywords=d\nregex=e\n")
        self.assertEqual(conf, RemoveConf(("/a",), ("b",), (b"c",), (b"d",), ("e",)))

    def test_random_items_come_back(self) -> None:
        chance = random.Random(7)
        for _ in range(500):
            wanted = {key: make_items(chance) for key in LISTS}
            lines = []
            for key in chance.sample(LISTS, len(LISTS)):
                lines.append(key + chance.choice((" = ", "=", ":", " : ")))
                for item in wanted[key]:
                    lines.append(chance.choice(("  ", "\t")) + escape(item, chance) + ",")
                    lines.extend(chance.choice(([], [], [""], ["# x, y"])))
            content = "\n".join(["[remove]", *lines]).encode("utf-8")
            self.assertEqual(read_remove_conf(content), expect(wanted), content)

    def test_the_original_reads_the_same(self) -> None:
        """Where it reads a file at all: configparser, unicode_escape, split, strip.

        That decoding spoils characters beyond ASCII, so files with them are left out.
        """
        compared = 0
        for case in read_cases():
            if case.result.startswith("{") and max(case.content) < 128:
                ours = read_remove_conf(case.content)._asdict()
                for key, items in read_like_the_original(case.content).items():
                    with self.subTest(case.name, key=key):
                        self.assertEqual(expect({key: items}), RemoveConf(**{key: ours[key]}))
                        compared += 1
        self.assertGreater(compared, 25)


def read_like_the_original(content: bytes) -> Dict[str, Tuple[str, ...]]:
    """Return the comma lists of a file, without empty items."""
    parser = configparser.RawConfigParser()
    parser.read_string(content.decode("ascii"))
    values = {}
    for key, value in parser.items("remove"):
        assert key in KEYS
        if key in LISTS:
            items = value.encode("ascii").decode("unicode_escape").split(",")
            values[key] = tuple(item.strip() for item in items if item.strip())
    return values


def make_items(chance: random.Random) -> List[str]:
    items = []
    for _ in range(chance.randrange(4)):
        item = "".join(chance.choice("ab/.-=:#;%\\'\"[]é€😀 \t")
                       for _ in range(chance.randrange(9)))
        if item.strip():
            items.append(item.strip())
    return items


def escape(item: str, chance: random.Random) -> str:
    """Write an item so that it is read back: what must be escaped is, and sometimes more."""
    text = ""
    for character in item:
        code = ord(character)
        if character in "\\#;=:\t" or (code < 128 and chance.random() < .1):
            text += chance.choice(("\\x%02x", "\\%03o", "\\u%04x", "\\U%08x")) % code
        else:
            text += character
    return text
