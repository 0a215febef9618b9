"""A host whose owner forbids or hides something is not collected from, however it is said."""
import json
import os
import subprocess
import sys
from typing import List, Tuple

from insights_mini.core.exclusions import FILES, OPTIONS, refuse_exclusions
from insights_mini.exits import Failure
from insights_mini.paths import Paths
from tests.support import TOP, HostCase, Scratch

CHILD = """
import os, sys
sys.path.insert(0, sys.argv[1])
from insights_mini.core.exclusions import refuse_exclusions
from insights_mini.exits import Failure
from insights_mini.paths import Paths
os.setgid(65534)
os.setuid(65534)
folder = os.fsencode(sys.argv[2])
try:
    refuse_exclusions(Paths(folder, folder, folder, folder), ())
except Failure as failure:
    print("refused: %s" % failure)
"""


class Exclusions(Scratch):
    def refused(self, unknown: "tuple[Tuple[str, str, str], ...]" = ()) -> str:
        """Return why the run is refused; nothing when it is not."""
        folder = os.fsencode(self.folder)
        try:
            refuse_exclusions(Paths(folder, b"/nowhere", b"/nowhere", b"/nowhere"), unknown)
        except Failure as failure:
            return str(failure)
        return ""

    def test_each_exclusion_file_stops_the_run_whatever_it_is(self) -> None:
        self.assertEqual(len(FILES), 3)
        for name in ("remove.conf", "file-redaction.yaml", "file-content-redaction.yaml"):
            path = self.path(name)
            for kind in ("empty", "dangling link", "loop", "folder", "FIFO"):
                with self.subTest(name, kind=kind):
                    if kind == "empty":
                        self.write(name, b"")
                    elif kind == "folder":
                        os.mkdir(path)
                    elif kind == "FIFO":
                        os.mkfifo(path)
                    else:
                        os.symlink("nowhere" if kind == "dangling link" else name, path)
                    self.assertIn(path, self.refused())
                    self.assertIn("nothing was collected", self.refused())
                    if kind == "folder":
                        os.rmdir(path)
                    else:
                        os.unlink(path)
        self.assertEqual(self.refused(), "")

    def test_an_exclusion_file_that_cannot_be_looked_for_stops_the_run(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        os.chmod(self.folder, 0o755)
        os.mkdir(self.path("etc"), 0o700)
        self.write("etc/remove.conf", b"[remove]\nfiles=/etc/shadow\n")
        done = subprocess.run([sys.executable, "-c", CHILD, os.path.join(TOP, "src"),
                               self.path("etc")], stdout=subprocess.PIPE, check=True)
        self.assertIn(b"refused: nothing was collected", done.stdout)

    def test_each_option_that_asks_for_redaction_stops_the_run_and_its_false_does_not(self) -> None:
        self.assertEqual(len(OPTIONS), 6)
        cases: List[Tuple[str, str, bool]] = [
            (name, value, True) for name, value in (
                ("obfuscate", "True"), ("obfuscate", "yes"), ("obfuscate", "1"),
                ("obfuscate", "what?"), ("obfuscate_hostname", "on"), ("obfuscation_list", "ipv4"),
                ("remove_file", "/nowhere"), ("redaction_file", "x"),
                ("content_redaction_file", "x"))]
        cases += [(name, value, False) for name, value in (
            ("obfuscate", "False"), ("obfuscate", " no "), ("obfuscate", "OFF"), ("obfuscate", "0"),
            ("obfuscate_hostname", "false"), ("obfuscation_list", ""), ("remove_file", " "),
            ("auto_update", "True"), ("tags_file", "/etc/tags.yaml"))]
        for name, value, stops in cases:
            with self.subTest(name, value=value):
                message = self.refused((("authmethod", "CERT", "in x"), (name, value, "in place")))
                self.assertEqual(bool(message), stops, message)
                if stops:
                    self.assertIn("'%s'" % name, message)
                    self.assertIn("in place", message)


class Product(HostCase):
    def test_a_run_that_finds_an_exclusion_opens_and_runs_nothing(self) -> None:
        rules = self.rules(commands=["/bin/touch " + self.path("ran")])
        arguments = ("--offline", "--from-file", rules, "--output-dir", self.path("out"))
        self.write("etc/insights-client.conf", "[insights-client]\nOBFUSCATE = True\n")
        done = self.run_product(*arguments)
        self.assertEqual((done.status, done.out), (1, b""), done.text)
        self.assertIn(b"the option 'obfuscate' is set in ", done.err)
        os.unlink(self.path("etc", "insights-client.conf"))
        done = self.run_product(*arguments, INSIGHTS_REMOVE_FILE="/nowhere")
        self.assertEqual((done.status, done.out), (1, b""), done.text)
        self.write("etc/remove.conf", b"")
        done = self.run_product(*arguments)
        self.assertEqual((done.status, done.out), (1, b""), done.text)
        self.assertIn(b"remove.conf exists", done.err)
        self.assertFalse(os.path.exists(self.path("ran")))
        self.assertEqual(self.leftovers(), [])
        os.unlink(self.path("etc", "remove.conf"))
        done = self.run_product(*arguments, INSIGHTS_OBFUSCATE="false")
        self.assertEqual(done.status, 0, done.text)
        self.assertTrue(os.path.exists(self.path("ran")), json.dumps(done.text))
