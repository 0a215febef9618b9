"""tags.yaml becomes the list of tags that the archive holds, or is refused with its place."""
import os
from typing import Any, Dict, List, Tuple

from insights_mini.core.tags import NAMESPACE, load_tags, set_group
from insights_mini.exits import Failure
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from tests.support import HostCase, Scratch

REFUSED = (  # the text, where, and what is wrong
    ("owner\n", "line 1, column 1", "no mapping"),
    ("- owner\n", "line 1, column 1", "no mapping"),
    ("[]\n", "line 1, column 1", "no mapping"), ("''\n", "line 1, column 1", "no mapping"),
    ("a: 1\n", "line 1, column 4", ""), ("a: b\nc: yes\n", "line 2, column 4", ""),
    ("a: b\na: c\n", "line 2, column 1", ""), ("a:\n\tb: c\n", "line 2, column 1", "tab"),
    ("a: 'b\n", "line 1, column 4", "quote"), ("a: *b\n", "line 1, column 4", ""),
    ("a: b\n---\nc: d\n", "line 2, column 1", ""),
)
READ: Tuple[Tuple[str, List[Tuple[str, str]]], ...] = (
    ("", []), ("# nothing\n", []), ("{}\n", []), ("a: []\n", []), ("a: {}\n", []),
    ("owner: we\n", [("owner", "we")]), ("owner:\n", [("owner", "")]),
    ("owner: ''\n", [("owner", "")]),
    ("z: 1a\na: 2b\n", [("z", "1a"), ("a", "2b")]),
    ("site:\n  room: r1\n  rack:\n    row: r2\n", [("site:room", "r1"), ("site:rack:row", "r2")]),
    ("role:\n- web\n- db\n", [("role", "web"), ("role", "db")]),
    ("role: [web, [db, x]]\n", [("role", "web"), ("role", "db"), ("role", "x")]),
    ("a:\n- b: c\n  d: e\n- f\n", [("a:b", "c"), ("a:d", "e"), ("a", "f")]),
    ("'a: b': 'c, d'\n", [("a: b", "c, d")]), ("owner: Müller\n", [("owner", "Müller")]),
    ("\ufeffowner: we\r\nsite: x\r\n", [("owner", "we"), ("site", "x")]),
    ("text: |\n  one\n  two\n", [("text", "one\ntwo\n")]),
)

# file before, after the group a "b" was set; None: refused
GROUPS: Tuple[Tuple[Any, Any], ...] = (
    (None, 'group: "a \\"b\\""\n'), ("", 'group: "a \\"b\\""\n'),
    ("# note\nowner: we", '# note\nowner: we\ngroup: "a \\"b\\""\n'),
    ("---\ngroup: x # old\nowner: we # me\n", '---\ngroup: "a \\"b\\""\nowner: we # me\n'),
    ("owner:\n- we\ngroup:\nsite: {a: b}\n", 'owner:\n- we\ngroup: "a \\"b\\""\nsite: {a: b}\n'),
    ("text: |\n  group: x\n", 'text: |\n  group: x\ngroup: "a \\"b\\""\n'),
    ("group: 'a \"b\"'\n", "group: 'a \"b\"'\n"),
    ("text: |+\n  a\n\n", None),
    ("{owner: we}\n", None), ("{group: x}\n", None), ("owner: we\n...\n", None),
    ("group:\n- x\n", None), ("group: >\n  x\n  y\n", None), ("'group': x\n", None),
    ("  owner: we\n", None), ("- x\n", None), ("group: 1\n", None), ("a: 'b\n", None),
)


class Tags(Scratch):
    def load(self, **options: Any) -> List[Dict[str, str]]:
        folder = self.folder.encode()
        return load_tags(Settings()._replace(**options), Paths(folder, folder, folder, folder))

    def refuse(self, **options: Any) -> str:
        with self.assertRaises(Failure) as caught:
            self.load(**options)
        message = str(caught.exception)
        self.assertEqual(len(message.splitlines()), 1)
        self.assertTrue(caught.exception.remedy, message)
        return message

    def test_what_is_no_mapping_of_texts_is_refused_with_its_place(self) -> None:
        for text, place, problem in REFUSED:
            with self.subTest(text):
                path = self.write("tags.yaml", text)
                message = self.refuse()
                for part in (path, place, problem):
                    self.assertIn(part, message)

    def test_what_is_no_file_is_refused_and_named(self) -> None:
        path = self.path("tags.yaml")
        os.mkfifo(path)
        self.assertIn("a FIFO", self.refuse())
        os.unlink(path)
        os.mkdir(path)
        self.assertIn(path, self.refuse())

    def test_a_file_that_was_named_must_be_there(self) -> None:
        self.write("tags.yaml", "owner: we\n")
        self.assertIn(self.path("gone"), self.refuse(tags_file=self.path("gone")))

    def test_a_file_that_was_named_is_read_instead(self) -> None:
        self.write("tags.yaml", "owner: we\n")
        path = self.write("other.yaml", "owner: they\n")
        self.assertEqual(self.load(tags_file=path)[0]["value"], "they")

    def test_without_a_file_there_are_no_tags(self) -> None:
        self.assertEqual(self.load(), [])

    def test_nested_keys_are_joined_and_lists_repeat_their_key(self) -> None:
        for text, expected in READ:
            with self.subTest(text):
                self.write("tags.yaml", text)
                tags = self.load()
                self.assertEqual([(tag["key"], tag["value"]) for tag in tags], expected)
                self.assertEqual({tag["namespace"] for tag in tags} - {NAMESPACE}, set())
                self.assertTrue(all(len(tag) == 3 for tag in tags))

    def set(self, name: str = 'a "b"') -> None:
        folder = self.folder.encode()
        set_group(Settings(), Paths(folder, folder, folder, folder), name)

    def test_only_the_group_changes_and_what_is_not_plain_is_left_alone(self) -> None:
        path = self.path("tags.yaml")
        for before, after in GROUPS:
            with self.subTest(before):
                if before is not None:
                    self.write("tags.yaml", before)
                if after is None:
                    with self.assertRaises(Failure) as caught:
                        self.set()
                    self.assertRegex(str(caught.exception), "(cannot write the group into|the tags"
                                     ") %s[:,] .*; " % path)
                else:
                    self.set()
                    self.assertIn({"key": "group", "value": 'a "b"', "namespace": NAMESPACE},
                                  self.load())
                with open(path) as file:
                    self.assertEqual(file.read(), before if after is None else after)

    def test_each_name_that_yaml_can_hold_is_read_back_and_no_other_is_written(self) -> None:
        for name in ("x", "yes", "1", "a: b # c", "\\", "'", "M\u00fcller", "\U0001f600", "a\nb",
                     ""):
            self.set(name)
            self.assertEqual(self.load()[0]["value"], name)
        for name in ("\udc80", "\x7f"):
            with self.assertRaisesRegex(Failure, "; write 'group: NAME' into it yourself"):
                self.set(name)


class Runs(HostCase):
    def test_a_run_goes_on_without_tags_that_are_wrong_and_warns_once(self) -> None:
        path = self.write("etc/tags.yaml", "owner: we\nsite: [a\n")
        rules = self.write("rules.json", {"version": "1", "files": [
            {"file": path, "symbolic_name": "tags"}]})
        members = self.collect(rules)
        self.assertNotIn("tags.json", members)
        self.assertIn(path[1:], members)
        self.assertEqual(self.done.text.count(
            "WARNING: the archive has no tags: the tags %s, line 2, column 7: " % path), 1)
