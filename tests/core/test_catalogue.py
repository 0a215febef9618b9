"""The bundled catalogue: complete, well formed, and fit to be run on anybody's host."""
import json
import os
import unittest
from typing import Any, Dict, Iterator, Tuple

from insights_mini.core.catalogue import load_catalogue
from insights_mini.core.collect import commandline
from insights_mini.core.specs import COMMAND, FILE, GLOB, Spec
from tests.core import coverage
from tests.support import SHARED, TOP

FOLDER = os.path.join(TOP, "conf", "specs")


def read(name: str) -> Dict[str, Any]:
    with open(os.path.join(FOLDER, name + ".json"), encoding="utf-8") as file:
        value = json.load(file)
    assert isinstance(value, dict), name
    return value


def areas() -> Iterator[Tuple[str, Dict[str, Any]]]:
    for area in read("catalogue")["areas"]:
        yield area, read(area)


def find_reference(name: str) -> str:
    """Return the path of a file of the reference; nothing where none of it is at hand."""
    path = os.path.join(SHARED, "reference", name)
    if os.path.exists(path):
        return path
    assert not os.path.exists(SHARED)
    return ""


class Catalogue(unittest.TestCase):
    def test_no_command_or_pre_command_holds_a_word_that_is_never_run(self) -> None:
        rules = load_catalogue()
        lines = [spec.target for spec in rules.specs if spec.kind == COMMAND]
        self.assertGreater(len(lines), 100)
        for line in lines + list(rules.pre_commands.values()):
            self.assertEqual(commandline.find_forbidden(line), b"", line)

    def test_every_command_splits_into_words_and_has_a_name_in_the_archive(self) -> None:
        for spec in load_catalogue().specs:
            if spec.kind == COMMAND:
                self.assertTrue(commandline.split_words(spec.target), spec)
                self.assertTrue(commandline.mangle(spec.target), spec)

    def test_every_fact_is_covered_or_left_out_with_a_reason(self) -> None:
        path = find_reference("spec-facts.tsv")
        if not path:
            return
        facts = coverage.read_facts(path)
        self.assertGreater(len(facts), 700)
        self.assertEqual(coverage.check_coverage(FOLDER, facts), [])
        for wrong in (("x", "file", "/none", ""), ("x", "command", "/bin/none -x", "")):
            self.assertEqual(len(coverage.check_coverage(FOLDER, [*facts, wrong])), 1)

    def test_lines_that_the_rules_of_2019_keep_are_kept(self) -> None:
        path = find_reference("uploader-2019.json")
        if not path:
            return
        with open(path, encoding="utf-8") as file:
            rules = json.load(file)
        self.assertEqual(coverage.check_kept(FOLDER, rules), [])
        rules["files"].append({"file": "/var/log/messages", "symbolic_name": "messages",
                               "pattern": ["a line that nobody writes"]})
        self.assertEqual(len(coverage.check_kept(FOLDER, rules)), 1)

    def test_every_pre_command_that_a_spec_names_is_there(self) -> None:
        rules = load_catalogue()
        named = {spec.pre_command for spec in rules.specs if spec.pre_command}
        self.assertEqual(named, set(rules.pre_commands))

    def test_nothing_is_named_twice(self) -> None:
        rows = [(spec.name, spec.kind, spec.target, spec.pre_command)
                for spec in load_catalogue().specs]
        self.assertEqual(sorted(row for row in set(rows) if rows.count(row) > 1), [])

    def test_every_spec_says_in_one_line_what_it_is_for(self) -> None:
        for spec in load_catalogue().specs:
            self.assertRegex(spec.purpose, r"\A\S.{5,}\S\Z", spec.name)

    def test_large_logs_are_never_kept_whole(self) -> None:
        kept = {spec.target: spec.keep for spec in load_catalogue().specs}
        for path in (b"/var/log/messages", b"/var/log/secure", b"/var/log/yum.log"):
            with self.subTest(path=path):
                self.assertTrue(kept.get(path, (b"absent",)))

    def test_each_spec_is_loaded_with_all_that_its_file_says(self) -> None:
        """An own reading of the files; their form is the matter of test_catalogue_source.py."""
        groups = {"@" + name: group["strings"]
                  for name, group in read("catalogue")["keeps"].items()}
        self.assertTrue(groups)
        expected = []
        for area, data in areas():
            for spec in data["specs"]:
                kind = next(kind for kind in (COMMAND, FILE, GLOB) if kind in spec)
                keep = [string for item in spec.get("keep", [])
                        for string in groups.get(item, [item])]
                most = spec.get("most", "0K")
                size = int(most[:-1]) * {"K": 1024, "M": 1024 * 1024}[most[-1]]
                targets = spec[kind] if isinstance(spec[kind], list) else [spec[kind]]
                expected += [Spec(
                    spec["name"], kind, target.encode(), tuple(string.encode() for string in keep),
                    spec.get("pre_command", ""), size, spec.get("slow", 0.0), area,
                    spec.get("preset", "default"), spec["for"]) for target in targets]
        loaded = load_catalogue()
        self.assertEqual(sorted(loaded.specs), sorted(expected))
        self.assertEqual(list(loaded.areas), read("catalogue")["areas"])
        for field in ("most", "slow", "pre_command", "keep"):
            self.assertTrue(any(getattr(spec, field) for spec in loaded.specs), field)

    def test_the_order_is_that_of_areas_and_within_a_kind_that_of_the_file(self) -> None:
        for kind in (COMMAND, FILE, GLOB):
            self.assertEqual(
                [spec.name for spec in load_catalogue().specs if spec.kind == kind],
                [spec["name"] for _, data in areas() for spec in data["specs"] if kind in spec
                 for _ in ([0] if isinstance(spec[kind], str) else spec[kind])])
