"""The form of uploader.json: what is refused, how problems are told, and nothing else is raised."""
import json
import os
import random
import unittest
from typing import Any, Dict, List

from insights_mini.core.specs import COMMAND, FILE, GLOB, BadRules, Rules, Spec, parse_rules
from tests.support import SHARED


def rules(**changes: Any) -> Dict[str, Any]:
    """Return a value that is good in every place, with some of them changed."""
    data = {
        "version": "2019-07-03",
        "commands": [
            {"command": "/bin/ls -l /", "symbolic_name": "ls", "pattern": []},
            {"command": "/sbin/ethtool", "symbolic_name": "ethtool", "pattern": ["Speed", "-x"],
             "pre_command": "iface", "image": True},
        ],
        "files": [{"file": "/etc/rsyslog.d/.*conf", "symbolic_name": "rsyslog", "pattern": ["a"]},
                  {"file": "/etc/hosts", "symbolic_name": "hosts"}],
        "globs": [{"glob": "/etc/*.d/*.conf", "symbolic_name": "confs", "pattern": ["é", ""]}],
        "pre_commands": {"iface": "echo eth0"},
        "meta_specs": {"branch_info": {"archive_file_name": "/branch_info"}},
    }
    data.update(changes)
    return data


def one(kind: str, **changes: Any) -> Dict[str, Any]:
    """Return rules with one entry of a kind; a change to None takes a key away."""
    target = {COMMAND: "/bin/ls", FILE: "/etc/hosts", GLOB: "/etc/*.conf"}[kind]
    entry = {kind: target, "symbolic_name": "thing", "pattern": []}  # type: Dict[str, Any]
    entry.update(changes)
    entry = {key: value for key, value in entry.items() if value is not None}
    return {"version": "1", kind + "s": [entry]}


def problems_of(data: Any) -> List[str]:
    """Return what is said about a JSON value or a text; nothing when it is good."""
    text = data if isinstance(data, bytes) else json.dumps(data).encode("ascii")
    try:
        parse_rules(text)
    except BadRules as error:
        return error.problems
    return []


class Refused(unittest.TestCase):
    def test_a_wrong_shape_at_any_place_is_a_problem_that_names_the_place(self) -> None:
        for wrong, place in (
            ([], "object, not a list"), ("x", "object, not a string"), (None, "not null"),
            (7, "not a number"), (True, "not true or false"),
            (rules(version=None), "version"), (rules(version=""), "version"),
            (rules(version=1), "version"), (rules(version=["1"]), "version"), ({}, "version"),
            (rules(commands={}), "commands"), (rules(files="x"), "files"),
            (rules(globs=None), "globs"), (rules(pre_commands=[]), "pre_commands"),
            (rules(pre_commands={"iface": 1}), "pre_commands (iface)"),
            (rules(pre_commands={"iface": " "}), "pre_commands (iface)"),
            (rules(pre_commands={"iface": "a\0b"}), "pre_commands (iface)"),
            (rules(meta_specs=[]), "meta_specs"),
            (rules(commands=["ls"]), "commands[0]"), (rules(files=[None]), "files[0]"),
            (rules(globs=[[]]), "globs[0]"),
        ):
            with self.subTest(repr(wrong)[:60], place=place):
                self.assertIn(place, "\n".join(problems_of(wrong)))

    def test_a_wrong_entry_of_any_kind_is_named_by_list_place_and_symbolic_name(self) -> None:
        for kind in (COMMAND, FILE, GLOB):
            for key, value in (
                (kind, None), (kind, 1), (kind, []), (kind, ""), (kind, " \t"), (kind, "/a\0b"),
                ("symbolic_name", None), ("symbolic_name", ""), ("symbolic_name", 3),
                ("symbolic_name", "a\0b"),
                ("pattern", "x"), ("pattern", {}), ("pattern", [1]), ("pattern", ["a", None]),
                ("pattern", [["a"]]), ("image", 1), ("image", "yes"), ("typo", "x"),
            ):
                with self.subTest(kind=kind, key=key, value=value):
                    found = problems_of(one(kind, **{key: value}))
                    self.assertEqual(len(found), 1, found)
                    self.assertIn(key, found[0])
                    self.assertTrue(found[0].startswith(kind + "s[0]"), found)
                    if key != "symbolic_name":
                        self.assertIn("(thing)", found[0])

    def test_a_pre_command_that_is_no_string_is_a_problem(self) -> None:
        values: List[Any] = [1, True, 0, False, [], ["iface"], {}]
        for value in values:
            with self.subTest(value=value):
                self.assertIn("pre_command", "".join(problems_of(one(COMMAND, pre_command=value))))

    def test_a_pre_command_belongs_to_commands_only(self) -> None:
        for kind in (FILE, GLOB):
            self.assertIn("'pre_command'", "".join(problems_of(one(kind, pre_command="iface"))))

    def test_a_path_that_is_not_absolute_is_a_problem(self) -> None:
        for kind in (FILE, GLOB):
            for path in ("etc/hosts", "./hosts", "~/hosts", "*"):
                with self.subTest(kind=kind, path=path):
                    self.assertIn("absolute", "".join(problems_of(one(kind, **{kind: path}))))

    def test_an_unknown_key_is_a_problem_wherever_it_stands(self) -> None:
        self.assertEqual(problems_of(rules(comands=[])), ["unknown key 'comands'"])
        self.assertIn("'patern'", "".join(problems_of(one(FILE, patern=["x"]))))

    def test_an_expression_that_does_not_compile_is_a_problem_that_shows_it(self) -> None:
        for part in ("[a*", "(a*", "a**b", "*a", "(?P<n>a)(?P<n>b)*", "a{99999999999999999999}*",
                     "(" * 3000 + ")" * 3000 + "*", "(?u)a*", "(?aL)a*"):
            for path in ("/etc/" + part, "/etc/%s/.*" % part):
                with self.subTest(path=path[:40]):
                    found = problems_of(one(FILE, file=path))
                    self.assertTrue(found)
                    self.assertIn("files[0] (thing)", found[0])

    def test_what_is_no_expression_is_not_compiled(self) -> None:
        self.assertEqual(problems_of(one(FILE, file="/etc/[a(b")), [])
        self.assertEqual(problems_of(one(GLOB, glob="/etc/[a(*")), [])

    def test_a_lone_surrogate_is_a_problem_wherever_it_becomes_bytes(self) -> None:
        for data in (one(COMMAND, command="/bin/ls \ud800"), one(FILE, file="/etc/\udcff"),
                     one(GLOB, glob="/\udfff*"), one(FILE, symbolic_name="\ud800"),
                     one(COMMAND, pattern=["a", "\udc80"]),
                     rules(pre_commands={"iface": "\ud800"})):
            with self.subTest(data=repr(data)):
                self.assertEqual(len(problems_of(data)), 1)

    def test_a_text_that_is_no_json_is_one_problem(self) -> None:
        for text, word in (
            (b"", "JSON"), (b"{", "JSON"), (b"<html>", "JSON"), (b"{}{}", "JSON"),
            (b"\xff\xfe{\x00}\x00", "UTF-8"), (b'{"version": "\xe9"}', "UTF-8"),
            (b"[" * 100000, "deep"), (b'{"a":' * 100000, "deep"),
            (b"[" * 100000 + b"]" * 100000, "deep"),
        ):
            with self.subTest(text=text[:20]):
                found = problems_of(text)
                self.assertEqual(len(found), 1, found)
                self.assertIn(word, found[0])

    def test_every_problem_of_a_file_is_reported_at_once(self) -> None:
        found = problems_of({
            "version": 7, "extra": 1, "pre_commands": {"good": "echo", "bad": ""}, "meta_specs": 0,
            "commands": [{"command": "", "symbolic_name": "one", "pattern": "x"}, 7,
                         {"command": "ls", "symbolic_name": "fine"}],
            "files": [{"file": "etc", "symbolic_name": "two", "wrong": 1},
                      {"file": "/[*", "symbolic_name": "three"}],
            "globs": {},
        })
        for place in ("version", "'extra'", "(bad)", "meta_specs", "commands[0] (one): command",
                      "commands[0] (one): pattern", "commands[1]:", "files[0] (two): unknown key",
                      "files[0] (two): file", "files[1] (three): file", "globs"):
            with self.subTest(place):
                self.assertEqual(sum(place in problem for problem in found), 1, found)
        self.assertEqual(len(found), 11, found)


class Accepted(unittest.TestCase):
    def test_good_rules_become_specs_in_the_order_commands_files_globs(self) -> None:
        self.assertEqual(parse_rules(json.dumps(rules()).encode("utf-8")), Rules(
            "2019-07-03",
            (Spec("ls", COMMAND, b"/bin/ls -l /"),
             Spec("ethtool", COMMAND, b"/sbin/ethtool", (b"Speed", b"-x"), "iface"),
             Spec("rsyslog", FILE, b"/etc/rsyslog.d/.*conf", (b"a",)),
             Spec("hosts", FILE, b"/etc/hosts"),
             Spec("confs", GLOB, b"/etc/*.d/*.conf", ("é".encode(), b""))),
            {"iface": b"echo eth0"}))

    def test_a_byte_order_mark_is_no_part_of_the_text(self) -> None:
        text = json.dumps(rules()).encode("utf-8")
        self.assertEqual(parse_rules(b"\xef\xbb\xbf" + text), parse_rules(text))

    def test_everything_but_the_version_may_be_missing(self) -> None:
        self.assertEqual(parse_rules(b'{"version": "1"}'), Rules("1", (), {}))

    def test_an_unknown_alias_costs_its_spec_and_not_the_file(self) -> None:
        parsed = parse_rules(json.dumps(one(COMMAND, pre_command="nowhere")).encode("utf-8"))
        self.assertEqual(parsed.specs[0].pre_command, "nowhere")

    def test_the_real_rules_of_2019_make_481_specs(self) -> None:
        path = os.path.join(SHARED, "reference", "uploader-2019.json")
        if not os.path.exists(path):
            self.assertFalse(os.path.exists(SHARED))
            return
        with open(path, "rb") as file:
            parsed = parse_rules(file.read())
        self.assertEqual(len(parsed.specs), 481)
        self.assertEqual([sum(spec.kind == kind for spec in parsed.specs)
                          for kind in (COMMAND, FILE, GLOB)], [189, 280, 12])
        self.assertEqual(list(parsed.pre_commands), ["iface"])


class Fuzz(unittest.TestCase):
    """Whatever the input, the only exception is the documented one."""

    def survive(self, text: bytes) -> bool:
        try:
            parse_rules(text)
        except BadRules as error:
            self.assertTrue(error.problems)
            self.assertTrue(all(isinstance(problem, str) for problem in error.problems))
            return False
        return True

    def test_2000_texts_with_changed_bytes_raise_bad_rules_or_nothing(self) -> None:
        chance = random.Random(2000)
        good = json.dumps(rules()).encode("utf-8")
        bad = 0
        for _ in range(2000):
            text = bytearray(good)
            for _ in range(chance.randint(1, 4)):
                start = chance.randrange(len(text))
                piece = bytes(chance.choice(b'{}[]",:\\ux0*(?+\x00\xff\n e9') for _ in range(
                    chance.randint(0, 3)))
                text[start:start + chance.randint(0, 3)] = piece
            bad += not self.survive(bytes(text))
        self.assertGreater(bad, 500)

    def test_2000_values_with_changed_parts_raise_bad_rules_or_nothing(self) -> None:
        chance = random.Random(2001)
        odd: List[Any] = [None, True, False, 0, -1, 1e400, "", " ", "x", "\0", "\ud800", "/a*(",
                          "/*", [], {}, ["x"], [1], {"x": "y"}, [[]], "iface", "/a{2,1}*",
                          "(?<=a*)b*"]
        bad = 0
        for _ in range(2000):
            data = json.loads(json.dumps(rules()))
            for _ in range(chance.randint(1, 3)):
                place = data
                while True:
                    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
                    key = chance.choice(keys)
                    below = place[key]
                    if not isinstance(below, (dict, list)) or not below or chance.random() < 0.3:
                        break
                    place = below
                place[key] = json.loads(json.dumps(chance.choice(odd)))
            bad += not self.survive(json.dumps(data).encode("ascii"))
        self.assertGreater(bad, 500)
