"""--validate says in plain words what a run would do with the owner's files, or what is wrong."""
import os
import time
from typing import Any, Dict, Tuple

from insights_mini import log
from insights_mini.core.validation import validate
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from tests.support import Scratch

FILES, CONTENTS = "file-redaction.yaml", "file-content-redaction.yaml"
COMPONENT = "insights.specs.default.DefaultSpecs."


class Validation(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.write("tree/a.conf", "a\n")
        self.write("tree/b.conf", "b\n")
        self.rules({"files": [{"file": self.path("tree", "a.conf"), "symbolic_name": "plain"},
                              {"file": self.path("tree", "b.*"), "symbolic_name": "several"}],
                    "globs": [{"glob": self.path("tree", "*.conf"), "symbolic_name": "globbed"}],
                    "commands": [{"command": "/bin/ls -l /", "symbolic_name": "list"},
                                 {"command": "/bin/sh -c '/bin/cat /dev/null'",
                                  "symbolic_name": "shell"}]})

    def rules(self, data: Dict[str, Any]) -> None:
        self.write("rules.json", dict(data, version="1"))

    def validate(self, **options: Any) -> Tuple[bool, str]:
        folder = self.folder.encode()
        settings = Settings(from_file=self.path("rules.json"))._replace(**options)
        return validate(settings, Paths(folder, folder + b"/state", folder, folder),
                        log.Log(log.Console(log.NOTHING)))

    def assert_fault(self, *words: str) -> str:
        valid, text = self.validate()
        self.assertFalse(valid, text)
        faults = [line for line in text.splitlines() if line.startswith("ERROR: ")]
        self.assertEqual(len(faults), 1, text)
        for word in words:
            self.assertIn(word, faults[0])
        self.assertEqual(text.splitlines()[-1], "Something has to be mended.")
        return text

    def test_a_wrong_exclusion_file_is_an_error_with_its_place(self) -> None:
        path = self.write(FILES, "files:\n- /a\n- 5\n")
        self.assert_fault(path, "line 3, column 3")

    def test_an_exclusion_file_that_cannot_be_read_is_an_error(self) -> None:
        os.symlink("gone", self.path(FILES))
        self.assert_fault(self.path(FILES), "No such file")

    def test_an_expression_that_does_not_compile_is_an_error(self) -> None:
        path = self.write("remove.conf", "[remove]\nregex=a(\n")
        self.assert_fault(path, "line 2")

    def test_a_mode_other_than_0600_is_an_error(self) -> None:
        for mode in (0o644, 0o640, 0o400):
            with self.subTest(oct(mode)):
                path = self.write("remove.conf", "[remove]\nfiles=plain\n", mode)
                text = self.assert_fault(path, "%04o" % mode, "0600")
                self.assertEqual(text.count("has mode"), 1)

    def test_a_wrong_tags_file_is_an_error(self) -> None:
        path = self.write("tags.yaml", "a: 1\n")
        self.assert_fault(path, "line 1, column 4")

    def test_every_wrong_file_is_told_in_one_go(self) -> None:
        paths = [self.write("tags.yaml", "a: 1\n"), self.write(FILES, "files: 5\n")]
        valid, text = self.validate()
        self.assertFalse(valid)
        for path in paths:
            self.assertIn(path, text)
        self.assertEqual(text.count("ERROR: "), 2)

    def test_a_value_cannot_forge_a_line_of_the_answer(self) -> None:
        self.write(CONTENTS, "keywords:\n- \"a\\x1b[2JEverything\"\n")
        valid, text = self.validate()
        self.assertTrue(valid)
        self.assertNotIn("\x1b", text)

    def test_without_exclusion_files_it_says_that_all_is_collected(self) -> None:
        valid, text = self.validate()
        self.assertTrue(valid)
        self.assertIn("No exclusion file", text)
        self.assertEqual(text.splitlines()[-1], "Everything is understood.")

    def test_every_entry_is_told_with_what_it_does(self) -> None:
        self.write(FILES, "files:\n- %s\ncommands:\n- /bin/ls -l /\ncomponents:\n- %sshell\n" % (
            self.path("tree", "a.conf"), COMPONENT))
        self.write(CONTENTS, "patterns:\n- top secret\nkeywords:\n- zebra\n- Müller\n")
        self.write("tags.yaml", "role: [web, db]\nowner: we\n")
        valid, text = self.validate()
        self.assertTrue(valid, text)
        for expected in (
            self.path(FILES), self.path(CONTENTS),
            "Never opened or run (files): " + self.path("tree", "a.conf"),
            "Never opened or run (commands): /bin/ls -l /",
            "Never opened or run (components): shell",
            "Lines left out that contain: top secret",
            "Replaced by keyword0: zebra", "Replaced by keyword1: Müller", "Tags: 3",
        ):
            self.assertIn(expected, text)
        self.assertNotIn("NOTE", text)

    def test_expressions_are_told_as_the_owner_wrote_them(self) -> None:
        self.write(CONTENTS, "patterns:\n  regex:\n  - '[[:digit:]]{3}'\n")
        self.assertIn("match the expression: [[:digit:]]{3}", self.validate()[1])

    def test_an_entry_that_matches_nothing_is_noted_and_is_no_error(self) -> None:
        self.write(FILES, "files:\n- /no/such/file\n- plain\ncommands:\n- /bin/nothing\n"
                          "components:\n- %snothing\n- %slist\n" % (COMPONENT, COMPONENT))
        valid, text = self.validate()
        self.assertTrue(valid)
        notes = [line for line in text.splitlines() if line.startswith("NOTE: ")]
        self.assertEqual([note.partition("): ")[2] for note in notes],
                         ["/no/such/file", "/bin/nothing", "nothing"])

    def test_an_entry_that_blocks_something_in_a_run_is_not_noted(self) -> None:
        for entry in (self.path("tree", "a.conf"), self.path("tree", "b.conf"),
                      self.path("tree", "*.conf"), self.path("tree"), "plain", "several",
                      "globbed", "list", "/bin/ls", "/bin/ls -l /", "/bin/ls  -l", "/bin/cat",
                      "/bin/cat /dev/null", self.path("tree", "..", "tree", "a.conf"),
                      self.path("tree", "*")):
            with self.subTest(entry):
                self.write(FILES, {"files": [entry]})
                self.assertNotIn("NOTE", self.validate()[1])

    def test_an_entry_for_a_command_with_quotes_or_what_it_runs_is_not_noted(self) -> None:
        for entry in ("/bin/sh -c '/bin/cat /dev/null'", '/usr/bin/sh -c "/bin/cat /dev/null"',
                      "sh -c '/bin/cat /dev/null'", "cat /dev/null", "/dev/null"):
            with self.subTest(entry):
                self.write(FILES, {"commands": [entry]})
                self.assertNotIn("NOTE", self.validate()[1])

    def test_an_entry_for_what_a_pre_command_might_print_is_not_noted_and_nothing_runs(
            self) -> None:
        self.rules({"commands": [{"command": "/sbin/ethtool -i", "symbolic_name": "driver",
                                  "pre_command": "list"}],
                    "pre_commands": {"list": "/bin/touch " + self.path("ran")}})
        for entry, noted in (("/sbin/ethtool -i eth7", False), ("ethtool -i 'eth 7'", False),
                             ("/sbin/ethtool", False), ("touch " + self.path("ran"), False),
                             ("/sbin/ethtool -S eth7", True), ("/sbin/ethtool2 -i eth7", True),
                             ("ethtool eth7 -i", True)):
            with self.subTest(entry):
                self.write(FILES, {"commands": [entry]})
                valid, text = self.validate()
                self.assertTrue(valid)
                self.assertEqual("NOTE" in text, noted, text)
        self.assertFalse(os.path.exists(self.path("ran")))

    def test_an_entry_is_compared_with_all_rules_whatever_the_run_is_limited_to(self) -> None:
        self.write(FILES, {"files": ["plain"]})
        self.assertNotIn("NOTE", self.validate(run_these=("list",))[1])

    def test_many_entries_and_specs_are_compared_in_little_time(self) -> None:
        self.rules({"files": [{"file": "/a/%d" % number, "symbolic_name": "f%d" % number}
                              for number in range(300)],
                    "commands": [{"command": "/bin/ls -l '/b %d'" % number,
                                  "symbolic_name": "c%d" % number} for number in range(300)]})
        self.write(FILES, {"files": ["/x/%d" % number for number in range(300)] + ["/a/3"]})
        before = time.process_time()
        text = self.validate()[1]
        self.assertLess(time.process_time() - before, 3)
        self.assertEqual(text.count("NOTE: "), 300)

    def test_remove_conf_beside_yaml_is_noted_and_is_no_error(self) -> None:
        path = self.write("remove.conf", "nonsense", 0o644)
        self.write(FILES, {"files": ["plain"]})
        valid, text = self.validate()
        self.assertTrue(valid, text)
        self.assertIn("NOTE: %s is not read" % path, text)
        os.chmod(self.path(FILES), 0o644)
        text = self.assert_fault(self.path(FILES), "0644")
        self.assertIn("NOTE: %s is not read" % path, text)

    def test_an_entry_that_only_a_glob_or_an_expression_finds_is_not_noted(self) -> None:
        self.rules({"files": [{"file": self.path("tree", "b.*"), "symbolic_name": "several"}],
                    "globs": [{"glob": self.path("tree", "a*"), "symbolic_name": "globbed"}]})
        for name in ("a.conf", "b.conf"):
            with self.subTest(name):
                self.write(FILES, {"files": [self.path("tree", name)]})
                self.assertNotIn("NOTE", self.validate()[1])

    def test_it_reads_the_files_that_the_settings_name(self) -> None:
        path = self.write("elsewhere", "[remove]\nkeywords=zebra\n")
        valid, text = self.validate(remove_file=path)
        self.assertTrue(valid)
        self.assertIn("Replaced by keyword0: zebra", text)
