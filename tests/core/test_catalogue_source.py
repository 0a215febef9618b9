"""The check of the catalogue: each fault is told with its file and its spec, and is told alone."""
import copy
import os
import unittest
from typing import Any, Dict, List, Tuple

from insights_mini.core import catalogue_source
from tests.support import TOP, Scratch

MANIFEST: Dict[str, Any] = {
    "version": "1", "areas": ["a", "b"], "meta_specs": {},
    "pre_commands": {"each": "ls /sys"}, "keeps": {"oom": {"why": "It is so.", "strings": ["x"]}}}
SPEC: Dict[str, Any] = {"name": "one", "file": "/etc/one", "for": "what it tells"}
COMMAND: Dict[str, Any] = {"name": "two", "command": "/bin/two -x", "for": "what it tells"}
USED = dict(COMMAND, name="used", command="/bin/used", keep=["@oom"], pre_command="each")
ABSENT = object()

SPECS: Tuple[Tuple[Any, str, str], ...] = (  # spec, what it is called, what is said of it
    ("x", "specs[0]", "must be an object with one of command, file, glob"),
    ({"name": "one", "for": "x"}, "one", "must be an object with one of"),
    (dict(SPEC, glob="/x"), "one", "must be an object with one of"),
    (dict(SPEC, patern=[]), "one", "unknown key 'patern'"),
    (dict(SPEC, symbolic_name="x"), "one", "unknown key 'symbolic_name'"),
    (dict(SPEC, name=""), "specs[0]", "name: a word"),
    (dict(SPEC, name=7), "specs[0]", "name: a word"),
    (dict(SPEC, name="two words"), "two words", "name: a word"),
    (dict(SPEC, **{"for": ABSENT}), "one", "for: a line"),
    (dict(SPEC, **{"for": " "}), "one", "for: a line"),
    (dict(SPEC, **{"for": "two\nlines"}), "one", "for: a line"),
    (dict(SPEC, **{"for": " blank before"}), "one", "for: a line"),
    (dict(SPEC, **{"for": "x" * 71}), "one", "for: has 71 characters, more than 70"),
    (dict(SPEC, keep=[]), "one", "keep: must be a list that is not empty"),
    (dict(SPEC, keep="x"), "one", "keep: must be a list that is not empty"),
    (dict(SPEC, keep=["x", ""]), "one", "keep: strings of one line"),
    (dict(SPEC, keep=["x\ny"]), "one", "keep: strings of one line"),
    (dict(SPEC, keep=[7]), "one", "keep: strings of one line"),
    (dict(SPEC, keep=["x", "x"]), "one", "keep: something is in it twice"),
    (dict(SPEC, keep=["@oo"]), "one", "keep: unknown group @oo"),
    (dict(SPEC, preset="tiny"), "one", "preset: must be minimal or full"),
    (dict(SPEC, preset="default"), "one", "preset: must be minimal or full"),
    (dict(SPEC, most="4"), "one", "most: must be a size"),
    (dict(SPEC, most="0M"), "one", "most: must be a size"),
    (dict(SPEC, most="4MB"), "one", "most: must be a size"),
    (dict(SPEC, most=4), "one", "most: must be a size"),
    (dict(SPEC, slow=5), "one", "slow: only a command can have it"),
    (dict(SPEC, pre_command="each"), "one", "pre_command: only a command can have it"),
    (dict(COMMAND, slow=0), "two", "slow: must be a number of seconds above 0"),
    (dict(COMMAND, slow=-1), "two", "slow: must be a number"),
    (dict(COMMAND, slow="5"), "two", "slow: must be a number"),
    (dict(COMMAND, slow=True), "two", "slow: must be a number"),
    (dict(COMMAND, slow=float("nan")), "two", "slow: must be a number"),
    (dict(COMMAND, pre_command="all"), "two", "pre_command: unknown pre-command all"),
    (dict(COMMAND, pre_command=[]), "two", "pre_command: unknown pre-command"),
    (dict(SPEC, file="etc/one"), "one", "file: must be an absolute path"),
    (dict(SPEC, file=["/etc/one", "etc/two"]), "one", "file: must be an absolute path"),
    (dict(SPEC, file=""), "one", "file: a non-empty string"),
    (dict(SPEC, file=[]), "one", "file: must be a string, or a list"),
    (dict(SPEC, file=["/etc/one", "/etc/one"]), "one", "file: must be a string, or a list"),
    (dict(SPEC, file=7), "one", "file: a non-empty string"),
    (dict(SPEC, file="/etc/(*"), "one", "file: '(*' is no regular expression"),
    ({"name": "one", "glob": "*.conf", "for": "x"}, "one", "glob: must be an absolute path"),
    (dict(COMMAND, command="/bin/sh -c 'kill 1'"), "two", "command: kill is never run"),
    (dict(COMMAND, command="/bin/echo 'x"), "two", "command: a quote is not closed"),
    (dict(COMMAND, command="/bin/[ ]"), "two", "command: has no name in the archive"),
)
PAIRS: Tuple[Tuple[Dict[str, Any], Dict[str, Any], str], ...] = (  # in area a, in area b
    (SPEC, dict(SPEC, file="/etc/two"), "one: the name is used with another area or preset, in a"),
    (COMMAND, dict(COMMAND, name="three", command="/usr/sbin/two  -x"),
     "three: has the same name in the archive: /usr/sbin/two  -x and /bin/two -x"),
)
AREAS: Tuple[Tuple[Any, str], ...] = (
    ([], "must be an object of area, about and specs"),
    ({"area": "b", "specs": [COMMAND]}, "must be an object of area, about and specs"),
    ({"area": "a", "about": "x", "specs": [COMMAND]}, "area: must be the name of the file"),
    ({"area": "b", "about": "", "specs": [COMMAND]}, "about: a line"),
    ({"area": "b", "about": "x", "specs": []}, "specs: must be a list"),
    ({"area": "b", "about": "x", "specs": {}}, "specs: must be a list"),
)
MANIFESTS: Tuple[Tuple[str, Any, str], ...] = (
    ("keeps", ABSENT, "must be an object of version, areas, pre_commands, keeps, meta_specs"),
    ("more", {}, "must be an object of version"),
    ("version", 1, "version: a string is required"),
    ("areas", ["a"], "areas: must be a list with each file of the folder once: a, b"),
    ("areas", ["a", "b", "c"], "areas: must be a list"),
    ("areas", ["a", "b", "b"], "areas: must be a list"),
    ("areas", "ab", "areas: must be a list"),
    ("pre_commands", [], "pre_commands: must be an object"),
    ("pre_commands", {"each": ""}, "pre_commands, each: a shell line is required"),
    ("pre_commands", {"each": "pkill x; kill 1"}, "pre_commands, each: kill is never run"),
    ("pre_commands", {"each": "ls", "all": "ls"}, "pre_commands, all: no spec has a use for it"),
    ("meta_specs", [], "meta_specs: must be an object"),
    ("keeps", [], "keeps: must be an object"),
    ("keeps", {"oom": ["x"]}, "keeps, oom: must be an object of why and strings"),
    ("keeps", {"oom": {"why": " ", "strings": ["x"]}}, "keeps, oom: why: the reason is required"),
    ("keeps", {"oom": {"why": "x", "strings": []}}, "keeps, oom: strings: must be a list"),
    ("keeps", {"oom": {"why": "x", "strings": [""]}}, "keeps, oom: strings: strings of one line"),
    ("keeps", {"oom": {"why": "x", "strings": ["@oom"]}}, "strings: unknown group @oom"),
    ("keeps", dict(MANIFEST["keeps"], io=MANIFEST["keeps"]["oom"]),
     "keeps, io: no spec has a use for it"),
)


def present(data: Dict[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in data.items() if value is not ABSENT}


def make_files(*specs: Any) -> Dict[str, Any]:
    """Return two areas, the second of which has no fault."""
    return {"a": {"area": "a", "about": "A", "specs": list(specs)},
            "b": {"area": "b", "about": "B", "specs": [USED]}}


class Faults(unittest.TestCase):
    def find(self, files: Dict[str, Any], manifest: Any = None) -> List[str]:
        found: List[str] = catalogue_source.find_faults(
            copy.deepcopy(MANIFEST if manifest is None else manifest), files)
        return found

    def assert_one(self, found: List[str], where: str, what: str) -> None:
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(where), found)
        self.assertIn(what, found[0])

    def test_what_is_wrong_with_a_spec_is_told_with_its_file_and_name(self) -> None:
        for spec, name, what in SPECS:
            with self.subTest(what, spec=spec):
                files = make_files(present(spec) if isinstance(spec, dict) else spec)
                self.assert_one(self.find(files), "conf/specs/a.json, %s: " % name, what)

    def test_one_name_and_one_member_of_the_archive_stand_for_one_thing(self) -> None:
        for one, other, what in PAIRS:
            with self.subTest(what):
                files = make_files(one)
                files["b"]["specs"] += [other]
                self.assert_one(self.find(files), "conf/specs/b.json, ", what)
        twice = make_files(SPEC, dict(SPEC, **{"for": "another purpose"}))
        self.assert_one(self.find(twice), "conf/specs/a.json, one: ", "is there twice: /etc/one")
        self.assert_one(self.find(make_files(SPEC, dict(SPEC, file="/etc/two", preset="full"))),
                        "conf/specs/a.json, one: ", "with another area or preset, in a")

    def test_what_is_wrong_with_the_file_of_an_area_is_told_with_its_name(self) -> None:
        for data, what in AREAS:
            with self.subTest(what, data=data):
                files = make_files(USED)
                files["b"] = data
                self.assert_one(self.find(files), "conf/specs/b.json: ", what)

    def test_what_is_wrong_with_the_manifest_is_told(self) -> None:
        for key, value, what in MANIFESTS:
            with self.subTest(what, value=value):
                manifest = present(dict(MANIFEST, **{key: value}))
                self.assert_one(self.find(make_files(SPEC), manifest),
                                "conf/specs/catalogue.json: ", what)
        self.assert_one(self.find(make_files(SPEC), []), "conf/specs/catalogue.json: ", "an object")

    def test_every_fault_is_told_at_once(self) -> None:
        found = self.find(make_files(dict(SPEC, most=1, preset="x"),
                                     dict(COMMAND, command="/bin/echo '")))
        self.assertEqual([line.partition(": ")[0].rpartition(" ")[2] for line in found],
                         ["one", "one", "two"])

    def test_what_is_right_has_no_fault(self) -> None:
        self.assertEqual(self.find(make_files(
            dict(SPEC, keep=["x@", "@oom"], preset="minimal", most="512K"),
            {"name": "one", "glob": "/etc/o*", "for": "x" * 70, "preset": "minimal"},
            dict(COMMAND, slow=0.5, most="4M", preset="full"),
            {"name": "same", "command": "/bin/two -x", "for": "the same under another name"},
            {"name": "files", "file": ["/etc/a", "/etc/()*b"], "for": "more than one"})), [])

    def test_the_catalogue_has_no_fault(self) -> None:
        manifest, files = catalogue_source.load(os.path.join(TOP, "conf", "specs"))
        self.assertEqual(catalogue_source.find_faults(manifest, files), [])
        self.assertGreater(len(files), 20)


class Files(Scratch):
    def test_a_file_that_is_no_json_or_has_a_key_twice_is_named(self) -> None:
        for content, what in (("{", "is not JSON"), (b"\xff", "is not JSON"), ("", "is not"),
                              ('{"x": {"for": 1, "file": 2, "for": 3}}', "'for' is twice")):
            with self.subTest(content=content):
                self.write("bad.json", content)
                with self.assertRaises(ValueError) as caught:
                    catalogue_source.load(self.folder)
                self.assertTrue(str(caught.exception).startswith("conf/specs/bad.json: "))
                self.assertIn(what, str(caught.exception))

    def test_the_manifest_and_what_is_left_out_are_no_areas(self) -> None:
        for name in ("catalogue.json", "left-out.json", "a.json", "notes.txt"):
            self.write(name, {"name": name})
        manifest, files = catalogue_source.load(self.folder)
        self.assertEqual(manifest, {"name": "catalogue.json"})
        self.assertEqual(sorted(files), ["a"])
