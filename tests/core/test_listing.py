"""The list of --list-specs, as text and as JSON."""
import json
import os
import re
from typing import Any, Dict, List

from insights_mini.core.catalogue import load_catalogue
from insights_mini.core.collect import instead
from insights_mini.core.listing import HEADINGS, IDEAL, NOWHERE, is_on_disk, list_specs, write_size
from insights_mini.core.specs import COMMAND, FILE, GLOB, Spec
from insights_mini.exits import Failure
from insights_mini.log import NOTHING, Console, Log
from insights_mini.paths import Paths
from insights_mini.settings import Settings, parse_size
from tests.support import Scratch


class Listing(Scratch):
    def list(self, **settings: Any) -> str:
        folder = os.fsencode(self.folder)
        return list_specs(Settings(list_specs=True, **settings),
                          Paths(folder, folder, folder, folder), Log(Console(NOTHING)))

    def objects(self, **settings: Any) -> List[Dict[str, Any]]:
        objects: List[Dict[str, Any]] = json.loads(self.list(json=True, **settings))
        return objects


class Text(Listing):
    def test_a_name_from_the_rules_can_neither_forge_a_line_nor_drive_a_terminal(self) -> None:
        path = self.write("rules", {"version": "1", "commands": [
            {"command": "/bin/ls\n\x1b[2J\r", "symbolic_name": "a\nb\x9b", "pre_command": "p\n"}],
            "pre_commands": {"p\n": "ls"}})
        text = self.list(from_file=path)
        self.assertEqual(text.count("\n"), 7)
        self.assertTrue(text.replace("\n", "").isprintable())
        self.assertIn(r"a\nb\x9b", text)

    def test_a_wrong_area_is_refused(self) -> None:
        with self.assertRaises(Failure):
            self.list(areas=("none",))

    def test_each_spec_has_its_purpose_kind_preset_limits_and_whole_target(self) -> None:
        specs = load_catalogue().specs
        small = next(spec for spec in specs if spec.preset == "minimal")
        slow, cut = next(spec for spec in specs if spec.slow), next(
            spec for spec in specs if spec.most)
        long = "/very/long/" + "x" * 100
        path = self.write("rules", {
            "version": "1", "pre_commands": {"iface": "ls"},
            "commands": [{"command": "/bin/uname -a", "symbolic_name": small.name},
                         {"command": "/bin/x", "symbolic_name": "new", "pre_command": "iface"}],
            "files": [{"file": long, "symbolic_name": "new"}]})
        text = self.list(from_file=path)
        self.assertEqual(tuple(text.splitlines()[1].split()), HEADINGS)
        self.assertTrue(text.endswith(
            "\n%s\n  %s: %s\n"
            "      command  minimal                      /bin/uname -a\n"
            "\n%s\n  new\n"
            "      command                               /bin/x <iface>\n"
            "      file              disk                %s\n" % (
                small.area, small.name, small.purpose, NOWHERE, long)), text)
        for spec, limit in ((slow, "%g s" % slow.slow), (cut, write_size(cut.most))):
            row = r"      %s +%s .* %s  .*%s$" % (
                spec.kind, spec.preset, limit, re.escape(spec.target.decode()))
            self.assertRegex(self.list(), r"(?m)^  %s: %s\n(      .*\n)*" % (
                spec.name, re.escape(spec.purpose)) + row)

    def test_it_is_by_area_and_few_of_its_lines_are_wider_than_a_screen(self) -> None:
        lines = self.list().splitlines()
        headings = [line for line in lines[3:] if line and not line.startswith(" ")]
        self.assertEqual(headings, list(load_catalogue().areas))
        purposes = [line for line in lines if re.match(r"  \S", line)]
        self.assertLess(max(map(len, purposes)), 120)
        rows = [line for line in lines[3:] if line.startswith("      ")]
        self.assertGreater(sum(len(line) <= 100 for line in rows), len(rows) * 0.85)
        self.assertEqual([line for line in lines if line != line.rstrip()], [])

    def test_a_size_is_written_as_an_option_takes_it(self) -> None:
        for size, text in ((0, ""), (512 * 1024, "512K"), (1536 * 1024, "1536K"),
                           (4 << 20, "4M"), (1 << 30, "1024M")):
            self.assertEqual(write_size(size), text)
            if size:
                self.assertEqual(parse_size(text), size)


class Json(Listing):
    def test_nothing_of_the_rules_needs_more_than_ascii(self) -> None:
        path = self.write("rules", {"version": "1", "files": [
            {"file": "/etc/\x9b\u00e9\"\n", "symbolic_name": "x\x1b", "pattern": ["\u00fc\n"]}]})
        text = self.list(json=True, from_file=path)
        self.assertTrue(text.replace("\n", "").isprintable() and max(text) < "\x7f", text)
        self.assertEqual(text.count("\n"), 3)
        spec, = json.loads(text)
        self.assertEqual((spec["name"], spec["target"], spec["keep"]),
                         ("x\x1b", "/etc/\x9b\u00e9\"\n", ["\u00fc\n"]))

    def test_what_is_not_known_and_not_limited_is_null(self) -> None:
        path = self.write("rules", {"version": "1", "files": [
            {"file": "/proc/x", "symbolic_name": "unheard_of"}]})
        self.assertEqual(self.objects(from_file=path), [
            {"area": None, "name": "unheard_of", "kind": "file", "target": "/proc/x", "keep": [],
             "pre_command": None, "preset": None, "most": None, "slow": None, "disk": False,
             "for": None}])

    def test_it_holds_all_that_the_catalogue_says(self) -> None:
        catalogue = load_catalogue()
        objects = self.objects()
        self.assertEqual(
            sorted(Spec(one["name"], one["kind"], one["target"].encode(),
                        tuple(string.encode() for string in one["keep"]), one["pre_command"] or "",
                        one["most"] or 0, one["slow"] or 0.0, one["area"], one["preset"],
                        one["for"]) for one in objects), sorted(catalogue.specs))
        self.assertEqual(list(dict.fromkeys(one["area"] for one in objects)),
                         list(catalogue.areas))

    def test_empty_rules_are_an_empty_list(self) -> None:
        self.assertEqual(self.objects(from_file=self.write("rules", {"version": "1"})), [])


class Scope(Listing):
    def names(self, **settings: Any) -> List[str]:
        return [one["name"] for one in self.objects(**settings)]

    def test_every_preset_is_listed_unless_one_is_asked_for(self) -> None:
        everything = self.names()
        self.assertEqual(self.names(preset="full"), everything)
        presets = {one["preset"] for one in self.objects()}
        self.assertEqual(presets, {"minimal", "default", "full"})
        self.assertEqual({one["preset"] for one in self.objects(preset="minimal")}, {"minimal"})

    def test_run_these_and_areas_shorten_the_list(self) -> None:
        self.assertEqual(self.names(run_these=("hosts", "fstab")), ["fstab", "hosts"])
        self.assertEqual({one["area"] for one in self.objects(areas=("time", "boot"))},
                         {"time", "boot"})
        self.assertNotIn("time", {one["area"] for one in self.objects(not_areas=("time",))})


def answer_x(words: Any, root: Any) -> Any:
    """Answer one command, where the root has what that takes."""
    found = words == [b"/bin/x", b"a b"] and root.exists(b"/var/x") and root.is_folder(b"/var")
    return instead.copy(b"/var/x") if found else None


class Disk(Scratch):
    def test_files_of_a_disk_can_be_had_from_it_and_those_of_a_kernel_not(self) -> None:
        for kind in (FILE, GLOB):
            for path, there in ((b"/etc/fstab", True), (b"/processes", True), (b"/proc/x", False),
                                (b"/sys/.*", False), (b"//dev/x", False), (b"/run/x*", False),
                                (b"/var/run/x", True)):
                self.assertEqual(is_on_disk(Spec("x", kind, path)), there, path)

    def test_a_command_can_be_had_where_something_answers_it(self) -> None:
        for line, name, pre_command, there in (
                (b"/bin/x 'a b'", "x", "", True), (b"/bin/x 'a b'", "x", "each", False),
                (b"/bin/x a b", "x", "", False), (b"/bin/x 'a b", "x", "", False),
                (b"/bin/hostname -f", "hostname", "", True), (b"/bin/hostname -f", "x", "", False)):
            with self.subTest(str(line), name=name, pre_command=pre_command):
                self.assertEqual(is_on_disk(Spec(name, COMMAND, line, (), pre_command),
                                            answer_x), there)
        self.assertEqual(IDEAL.names(b"/var"), [])
