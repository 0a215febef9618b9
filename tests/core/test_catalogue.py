"""The bundled catalogue: complete, well formed, and fit to be run on anybody's host."""
import json
import os
import re
import unittest
from typing import Any, Dict, Iterator, Set, Tuple

from insights_mini.core.catalogue import load_catalogue
from insights_mini.core.collect import commandline
from insights_mini.core.specs import COMMAND, FILE, GLOB
from tests.support import SHARED, TOP

FOLDER = os.path.join(TOP, "conf", "specs")
SPEC_KEYS = {"name", "for", COMMAND, FILE, GLOB, "keep", "pre_command"}
Row = Tuple[str, str, str, str]  # name, kind, target, alias of the pre-command


def read(name: str) -> Dict[str, Any]:
    with open(os.path.join(FOLDER, name + ".json"), encoding="utf-8") as file:
        value = json.load(file)
    assert isinstance(value, dict), name
    return value


def areas() -> Iterator[Tuple[str, Dict[str, Any]]]:
    for area in read("catalogue")["areas"]:
        yield area, read(area)


def read_facts() -> Set[Row]:
    """Return the rows of the reference that the catalogue has to hold."""
    rows: Set[Row] = set()
    path = os.path.join(SHARED, "reference", "spec-facts.tsv")
    if not os.path.exists(path):
        assert not os.path.exists(SHARED)
        return rows
    with open(path, encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                name, kind, target, alias, era, _ = line.rstrip("\n").split("\t")
                if era in ("2019", "both"):
                    rows.add((name, kind, target.replace("<LF>", "\n"), alias.replace("-", "")))
    assert len(rows) > 400
    return rows


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

    def test_every_row_of_2019_is_in_it_letter_for_letter(self) -> None:
        rules = load_catalogue()
        held = {(spec.name, spec.kind, spec.target.decode("utf-8"), spec.pre_command)
                for spec in rules.specs}
        self.assertEqual(sorted(read_facts() - held), [])

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

    def test_every_file_of_an_area_has_the_agreed_form(self) -> None:
        for area, data in areas():
            with self.subTest(area):
                self.assertEqual(set(data), {"area", "about", "specs"})
                self.assertEqual(data["area"], area)
                self.assertTrue(data["about"].strip())
                self.assertTrue(data["specs"])
            for spec in data["specs"]:
                with self.subTest(area, name=spec.get("name")):
                    self.assertLessEqual(set(spec), SPEC_KEYS)
                    self.assertTrue(re.match(r"\A[\w-]+\Z", spec["name"]))
                    self.assertEqual(len({COMMAND, FILE, GLOB} & set(spec)), 1)
                    self.assertTrue(all(spec.get("keep", ["x"])))

    def test_the_manifest_names_every_file_of_the_folder_and_no_other(self) -> None:
        manifest = read("catalogue")
        self.assertEqual(set(manifest), {"version", "areas", "pre_commands", "meta_specs"})
        files = sorted(name[:-5] for name in os.listdir(FOLDER) if name != "catalogue.json")
        self.assertEqual(sorted(manifest["areas"]), files)
