"""--dry-run tells what would be opened and run, and what not by which rule, and does none of it."""
import os
from typing import Any, Dict, List

from insights_mini import log
from insights_mini.core.dryrun import describe_run
from insights_mini.exits import Failure
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from tests.support import Scratch


class DryRun(Scratch):
    def setUp(self) -> None:
        super().setUp()
        for name in ("a.conf", "b.conf", "c.txt"):
            self.write("tree/" + name, "%s\n" % name)
        self.rules({
            "files": [{"file": self.path("tree", "c.txt"), "symbolic_name": "plain"},
                      {"file": self.path("tree", "gone"), "symbolic_name": "missing"}],
            "globs": [{"glob": self.path("tree", "*.conf"), "symbolic_name": "globbed"}],
            "commands": [
                {"command": "/bin/sh -c 'echo > %s'" % self.path("trace"),
                 "symbolic_name": "trace"},
                {"command": "/bin/ls -l", "symbolic_name": "each", "pre_command": "pre"},
                {"command": "/no/such/program", "symbolic_name": "uninstalled"}],
            "pre_commands": {"pre": "echo x > %s" % self.path("trace")}})

    def rules(self, data: Dict[str, Any]) -> None:
        self.write("rules.json", dict(data, version="1"))

    def describe(self, root: str = "") -> List[str]:
        folder = self.folder.encode()
        text = describe_run(Settings(from_file=self.path("rules.json"), analyze_mountpoint=root),
                            Paths(folder, folder + b"/state", folder, folder), {},
                            log.Log(log.Console(log.NOTHING)))
        self.assertTrue(text.endswith("\n"))
        return text.splitlines()

    def test_wrong_exclusion_files_end_it_as_they_would_end_a_run(self) -> None:
        path = self.write("remove.conf", "nonsense\n")
        with self.assertRaises(Failure) as caught:
            self.describe()
        self.assertIn(path + ", line 1", str(caught.exception))

    def test_nothing_is_run_and_nothing_is_written(self) -> None:
        before = sorted(os.listdir(self.folder))
        self.describe()
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_everything_that_would_be_opened_or_run_is_told_with_its_spec(self) -> None:
        lines = self.describe()
        for kind, label, name in (
            ("open", self.path("tree", "c.txt"), "plain"),
            ("open", self.path("tree", "a.conf"), "globbed"),
            ("open", self.path("tree", "b.conf"), "globbed"),
            ("run", "/bin/sh -c 'echo > %s'" % self.path("trace"), "trace"),
            ("run", "/bin/ls -l <each line that the pre-command prints>", "each"),
        ):
            with self.subTest(label):
                self.assertEqual(len([line for line in lines if line.split()[0] == kind
                                      and label in line and line.endswith("(%s)" % name)]), 1)
        self.assertEqual(lines[-1], "5 to open or run, 0 excluded, 2 absent or not installed")
        self.assertNotIn("gone", "\n".join(lines))

    def test_what_is_excluded_is_told_with_the_rule_that_says_so(self) -> None:
        for entry, spec, opened, excluded in (
            ("plain", "plain", 4, 1), ("trace", "trace", 4, 1), ("/bin/ls -l", "each", 4, 1),
            (self.path("tree", "c.txt"), "plain", 4, 1), (self.path("tree"), "plain", 2, 3),
            (self.path("tree", "a.conf"), "globbed", 4, 1),
            # A shell is what runs a pre-command.
            ("/bin/sh", "trace", 3, 2), ("/bin/sh", "each", 3, 2),
        ):
            with self.subTest(entry):
                self.write("remove.conf", "[remove]\nfiles=%s\n" % entry)
                lines = self.describe()
                self.assertTrue([line for line in lines if line.startswith("not ")
                                 and "(%s)" % spec in line
                                 and line.endswith("excluded by: " + entry)], lines)
                self.assertTrue(lines[-1].startswith("%d to open" % opened), lines[-1])
                self.assertIn("%d excluded" % excluded, lines[-1])

    def test_a_component_is_told_as_the_rule(self) -> None:
        self.write("file-redaction.yaml",
                   "components:\n- insights.specs.default.DefaultSpecs.plain\n")
        self.assertTrue([line for line in self.describe() if line.startswith("not ")
                         and line.endswith("excluded by: components: plain")])

    def test_a_name_on_the_host_cannot_forge_a_line(self) -> None:
        self.write("tree/x\nopen  forged.conf", "x")
        lines = self.describe()
        self.assertFalse([line for line in lines if line.startswith("open  forged")])
        self.assertTrue([line for line in lines if "x\\nopen  forged" in line])

    def test_of_a_root_that_does_not_run_it_tells_what_would_be_read(self) -> None:
        self.write("root/etc/a.conf", "x")
        self.rules({
            "files": [{"file": "/etc/.*conf", "symbolic_name": "conf"},
                      {"file": "/proc/cpuinfo", "symbolic_name": "cpuinfo"}],
            "commands": [{"command": "/bin/hostname -f", "symbolic_name": "hostname"},
                         {"command": "/bin/ps aux", "symbolic_name": "ps"}]})
        self.assertEqual(self.describe(self.path("root")), [
            "open  /etc/a.conf  (conf)", "read  /bin/hostname -f  (hostname)",
            "2 to open or run, 0 excluded, 2 absent or not to be had from disk"])
