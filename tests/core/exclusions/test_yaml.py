"""The strict YAML reader.

tests/data/yaml/valid holds files with the value that PyYAML 6 gives them, tests/data/yaml/invalid
files with the place and a part of the refusal, and whether PyYAML accepts them: where it does, the
file is outside our subset or no YAML all the same. not_text.json holds plain scalars by the type
that YAML 1.1 gives them.
"""
import json
import os
import random
import time
import unittest
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from insights_mini.core.exclusions.yaml import Items, Mapping, Value, YamlError, read_yaml
from tests.support import TOP

DATA = os.path.join(TOP, "tests", "data", "yaml")


class Case(NamedTuple):
    name: str
    content: bytes
    expected: Any


def read_json(*names: str) -> Any:
    with open(os.path.join(DATA, *names), encoding="utf-8") as file:
        return json.load(file)


def read_cases(kind: str) -> List[Case]:
    """Return the files of one folder with what is expected of them; every file has its pair."""
    names = sorted(os.listdir(os.path.join(DATA, kind)))
    cases = []
    for name in [name[:-5] for name in names if name.endswith(".yaml")]:
        with open(os.path.join(DATA, kind, name + ".yaml"), "rb") as file:
            cases.append(Case(name, file.read(), read_json(kind, name + ".json")))
    assert len(cases) * 2 == len(names), "a file without its pair in " + kind
    return cases


VALID = read_cases("valid")
INVALID = read_cases("invalid")


def refusal(content: bytes) -> Optional[YamlError]:
    try:
        read_yaml(content)
    except YamlError as error:
        return error
    return None


class Data(unittest.TestCase):
    def test_the_folders_of_cases_are_not_empty(self) -> None:
        self.assertGreaterEqual(len(VALID), 140)
        self.assertGreaterEqual(len(INVALID), 170)
        self.assertGreaterEqual(sum(map(len, read_json("not_text.json").values())), 50)


class Refused(unittest.TestCase):
    def test_each_invalid_file_is_refused_at_its_line_and_column(self) -> None:
        for case in INVALID:
            with self.subTest(case.name):
                error = refusal(case.content)
                assert error is not None, "accepted"
                self.assertEqual((error.line, error.column),
                                 (case.expected["line"], case.expected["column"]), error)
                self.assertIn(case.expected["message"], error.problem)

    def test_each_refusal_says_what_to_do_about_it(self) -> None:
        for case in INVALID:
            error = refusal(case.content)
            with self.subTest(case.name):
                assert error is not None, "accepted"
                self.assertTrue(error.remedy)
                self.assertEqual(str(error), "line %d, column %d: %s; %s" % (
                    error.line, error.column, error.problem, error.remedy))

    def test_what_yaml_takes_for_another_type_is_refused_wherever_text_is_needed(self) -> None:
        for kind, words in read_json("not_text.json").items():
            for word in words:
                for form, column in (("%s\n", 1), ("- %s\n", 3), ("a:  %s # b\n", 5), ("[a,%s]", 4),
                                     ("{a: %s}", 5), ("%s: a\n", 1), ("{%s: a}", 2), ("--- %s", 5)):
                    with self.subTest(word=word, form=form):
                        error = refusal((form % word).encode("utf-8"))
                        assert error is not None, "accepted"
                        self.assertEqual((error.problem, error.line, error.column),
                                         (kind + " where text is needed", 1, column))

    def test_the_same_words_in_quotes_or_as_block_text_are_text(self) -> None:
        for words in read_json("not_text.json").values():
            for word in words:
                for form in ("'%s'\n", '"%s"\n', "|-\n  %s\n", ">-\n %s\n", "x%s\n", "%s x\n"):
                    with self.subTest(word=word, form=form):
                        text = read_yaml((form % word).encode("utf-8"))
                        self.assertIn(text, (word, "x" + word, word + " x"))

    def test_a_message_never_repeats_what_stands_in_the_file(self) -> None:
        """It may be a keyword that must not be shown."""
        secret = "qzxj"
        for case in INVALID + VALID:
            words = case.content.replace(b"a", secret.encode("ascii"))
            error = refusal(words)
            if error is not None:
                self.assertNotIn(secret, str(error), case.name)


class Accepted(unittest.TestCase):
    def test_each_valid_file_has_the_value_that_pyyaml_gives_it(self) -> None:
        for case in VALID:
            with self.subTest(case.name):
                self.assertEqual(read_yaml(case.content), case.expected)

    def test_the_line_breaks_of_other_systems_do_not_change_a_value(self) -> None:
        for case in VALID:
            if b"\r" not in case.content:
                for line_break in (b"\r\n", b"\r"):
                    with self.subTest(case.name, line_break=line_break):
                        content = case.content.replace(b"\n", line_break)
                        self.assertEqual(read_yaml(content), case.expected)

    def test_a_byte_order_mark_does_not_change_a_value(self) -> None:
        for case in VALID:
            if not case.content.startswith(b"\xef\xbb\xbf"):
                with self.subTest(case.name):
                    self.assertEqual(read_yaml(b"\xef\xbb\xbf" + case.content), case.expected)

    def test_json_is_read_as_json_does(self) -> None:
        chance = random.Random(3)
        for _ in range(500):
            value = make_value(chance, 3)
            for ascii_only in (False, True):
                content = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8")
                if b"\\ud8" in content or (not ascii_only and set(content.decode()) & ODD_BREAKS):
                    continue  # JSON that is outside the subset
                self.assertEqual(read_yaml(content), value, content)


ODD_BREAKS = set("\u2028\x85")
LETTERS = "ab:#-?,[]{}&*!|>'\"%@`\\ /.=~0é\u2028\x85\x1b\t\n\U0001f600"


def make_text(chance: random.Random) -> str:
    return "".join(chance.choice(LETTERS) for _ in range(chance.randrange(7)))


def make_value(chance: random.Random, depth: int) -> Value:
    kind = chance.randrange(3) if depth else 0
    size = chance.randrange(4)
    if kind == 1:
        return [make_value(chance, depth - 1) for _ in range(size)]
    if kind == 2:
        return {make_text(chance): make_value(chance, depth - 1) for _ in range(size)}
    return make_text(chance)


class Writer:
    """Writes values as YAML in a style drawn anew for each of them; the reader's counterpart."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def text(self, value: str) -> str:
        """Return a text in quotes."""
        if self.chance.random() < 0.5 and not set(value) & set("\n\u2028\x85\x1b"):
            return "'%s'" % value.replace("'", "''")
        return '"%s"' % "".join(map(self.character, value))

    def character(self, character: str) -> str:
        if character in '"\\':
            return "\\" + character
        if character < " " or character in "\x85\u2028" or self.chance.random() < 0.2:
            return self.chance.choice(["\\u%04x", "\\U%08X"][ord(character) > 0xffff:]) \
                % ord(character)
        return character

    def block_text(self, value: str, column: int) -> str:
        """Return the lines of a literal text that stands right of a column."""
        body = value.rstrip("\n")
        ends = len(value) - len(body)
        width = self.chance.randint(1, 4)
        indent = " " * (max(column, 0) + width)
        lines = "".join(indent + line + "\n" for line in body.split("\n")) if body else ""
        return "|%d%s\n%s%s" % (width, "-" if not ends else "+", lines,
                                "\n" * (ends - 1 if body else ends))

    def gap(self) -> str:
        return self.chance.choice(["\n", "\n", " \n", "\n\n", "  # c\n", "\n      # c: 'd\n"])

    def flow(self, value: Value) -> str:
        comma = self.chance.choice([", ", ",", " ,\n", ", # c\n  "])
        if isinstance(value, list):
            return "[%s]" % comma.join(map(self.flow, value))
        if isinstance(value, dict):
            return "{%s}" % comma.join(self.text(key) + self.chance.choice([": ", " :", ":\n"])
                                       + self.flow(value[key]) for key in value)
        assert value is not None
        return self.text(value)

    def after(self, value: Value, column: int, dash: bool) -> str:
        """Return what follows a dash or a key's colon that belongs to a column."""
        if isinstance(value, str) and not set(value) & set("\u2028\x85\x1b\t") \
                and self.chance.random() < 0.3:
            return " " + self.block_text(value, column)
        if not value or isinstance(value, str) or self.chance.random() < 0.3:
            return self.chance.choice([" ", "\n" + " " * (column + 1)]) + self.flow(value) \
                + self.gap()
        if dash and self.chance.random() < 0.5:
            wide = self.chance.randint(1, 4)
            return " " * wide + self.block(value, column + 1 + wide).lstrip(" ")
        same = isinstance(value, list) and not dash and self.chance.random() < 0.5
        return self.gap() + self.block(value, column if same
                                       else column + self.chance.randint(1, 4))

    def block(self, value: Value, column: int) -> str:
        """Return a list or mapping that is not empty as lines at a column."""
        indent = " " * column
        if isinstance(value, list):
            return "".join(indent + "-" + self.after(item, column, True) for item in value)
        assert isinstance(value, dict)
        return "".join(indent + self.text(key) + self.chance.choice([":", " :"])
                       + self.after(value[key], column, False) for key in value)

    def document(self, value: Value) -> str:
        if value and not isinstance(value, str) and self.chance.random() < 0.8:
            lines = self.block(value, self.chance.choice([0, 0, 3]))
        else:
            lines = self.flow(value) + "\n"
        start = self.chance.choice(["", "---\n", "# c\n\n", "%YAML 1.1\n---  # c\n"])
        return start + lines + self.chance.choice(["", "...\n"])


class Properties(unittest.TestCase):
    def test_what_is_written_in_any_style_is_read_back(self) -> None:
        chance = random.Random(11)
        writer = Writer(chance)
        for _ in range(4000):
            value = make_value(chance, 4)
            document = writer.document(value)
            self.assertEqual(read_yaml(document.encode("utf-8")), value, document)

    def test_random_bytes_give_a_value_or_the_one_error(self) -> None:
        chance = random.Random(5)
        for _ in range(4000):
            self.check(bytes(chance.randrange(256) for _ in range(chance.randrange(60))))

    def test_random_yaml_like_text_gives_a_value_or_the_one_error(self) -> None:
        chance = random.Random(6)
        pieces = ["a", "- ", ": ", ":", "\n", " ", "  ", "'", '"', "\\", "[", "]", "{", "}", ",",
                  "#", " #", "|", ">", "|2-\n", "---", "...", "\t", "? ", "&a", "*a", "!", "%",
                  "\r", "é", "---\n", "...\n", "\ufeff", "\\x41", "\\u00e9", "<<", "~", "1"]
        for _ in range(20000):
            text = "".join(chance.choice(pieces) for _ in range(chance.randrange(16)))
            self.check(text.encode("utf-8"))

    def test_damaged_files_give_a_value_or_the_one_error(self) -> None:
        chance = random.Random(7)
        for case in VALID + INVALID:
            for _ in range(20):
                content = bytearray(case.content[:2000])
                for _ in range(chance.randint(1, 4)):
                    place = chance.randint(0, len(content))
                    content[place:place + chance.randrange(3)] = \
                        chance.choice([b"", b"\n", b" ", b"'", b'"', b"[", b":", b"- ", b"\xff"])
                self.check(bytes(content))

    def check(self, content: bytes) -> None:
        """Read a file; what is refused is refused at a place that the file has."""
        error = refusal(content)
        if error is not None:
            lines = content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
            self.assertTrue(1 <= error.line <= lines.count("\n") + 1, (content, error))
            line = lines.split("\n")[error.line - 1]
            self.assertTrue(1 <= error.column <= len(line) + 1, (content, error))


PLACES = (  # a text, its lists' and mappings' places of items and keys, from the outermost on
    ("- a\n-  'b'\n-\n- # c\n  d\n", [2, 7, 11, 21]),
    ("- - a\n  -  b\n-   c: d\n", [2, 17, 4, 11, 17]),
    ("-\n  a: b\n-\n", [4, 9, 4]),
    ("- |\n a\n- >-\n\n  b\n", [2, 9]),
    ("# c\na: b\n'c' :\n- d\n", [4, 9, 17]),
    ("a:\n  b:\n    - c\n", [0, 5, 14]),
    ("[a,  'b', [c], {d: e, 'f': }]\n", [1, 5, 10, 15, 11, 16, 22]),
    ("--- {a: [\n b]}\n", [5, 11]),
)


def list_places(value: Value) -> List[int]:
    """Return the places of a value's items or keys, then those of what is in it."""
    if isinstance(value, Items):
        return value.places + [place for item in value for place in list_places(item)]
    if isinstance(value, Mapping):
        return [*value.places.values(), *(place for item in value.values()
                                          for place in list_places(item))]
    return []


class Places(unittest.TestCase):
    def test_lists_and_mappings_know_where_their_items_and_keys_begin(self) -> None:
        for text, places in PLACES:
            with self.subTest(text):
                self.assertEqual(list_places(read_yaml(text.encode("utf-8"))), places)


class Effort(unittest.TestCase):
    def test_the_time_grows_with_the_size_whatever_is_in_a_file(self) -> None:
        """In a sixteenth of the largest file; for a quarter of that it should take a quarter."""
        for name, content in monsters(1 << 16):
            with self.subTest(name):
                spent = measure(content)
                self.assertLess(spent, 1)
                self.assertLess(spent, 0.2 + 9 * measure(content[:1 << 14]))

    def test_nesting_is_limited_before_python_gives_up(self) -> None:
        nested: Dict[str, bytes] = {
            "brackets": b"[" * 100000, "braces": b"{a: " * 100000, "dashes": b"- " * 100000,
            "keys": b"".join(b" " * n + b"k:\n" for n in range(1000)),
        }
        for name, content in nested.items():
            with self.subTest(name):
                error = refusal(content)
                assert error is not None, "accepted"
                self.assertIn("nested deeper than 20", error.problem)


def measure(content: bytes) -> float:
    before = time.process_time()
    refusal(content)
    return time.process_time() - before


def monsters(size: int) -> Iterator[Tuple[str, bytes]]:
    """Yield contents that are slow to read for a reader that looks at things twice."""
    pieces = (b" ", b"\n", b" \n", b"a", b"a ", b"a\n", b"a: b", b"a:", b"'", b'"', b"'\n", b'\\"',
              b"- a\n", b"-\n", b"[a],", b"a, ", b"# ", b"#\n", b" #", b"\\\n", b"\t", b"\r",
              b"...\n", b"|\n", b"1", b"1:1", b"1_", b"\xc3\xa9")
    starts = (b"", b"- ", b"[", b"- [", b"{a: ", b'"', b"'", b"- |\n ", b"k: >+\n", b"--- ")
    pairs = [(start, piece) for start in starts for piece in pieces]
    for start, piece in random.Random(8).sample(pairs, 30):
        yield "%r and much of %r" % (start, piece), (start + piece * size)[:size]
    yield "many items", b"- a\n" * (size // 4)
    yield "many keys", b"".join(b"k%d: v\n" % n for n in range(size // 12))
    yield "many braces in one line", b"[" + b"{a: b}, " * (size // 8) + b"]"
    yield "ever more spaces", b"|\n" + b"".join(b" " * n + b"a\n" for n in range(1, 360))


if __name__ == "__main__":
    unittest.main()
