"""The first lines to run: old Pythons, closed standard streams, odd places, one phase alone."""
import ast
import glob
import os
import re
import shutil
import subprocess
import sys
import unittest
from typing import Dict, List, Optional, Sequence

from insights_mini.version import VERSION
from tests.support import TOP, Done, HostCase, Product, read_archive

FIRST_FILE = os.path.join(TOP, "src", "insights_mini", "__main__.py")
VERSIONS = ("Client: %s\nCore: %s\n" % (VERSION, VERSION)).encode("ascii")


def run(argv: Sequence[str], environ: Dict[str, str], cwd: str) -> Done:
    done = subprocess.run(list(argv), env=environ, cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def find_old_python() -> Optional[str]:
    """Return a Python 2.7 that really runs, if there is one."""
    folder = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    candidates = [shutil.which("python2.7"), shutil.which("python2"),
                  *sorted(glob.glob(os.path.join(folder, "versions", "2.7*", "bin", "python")))]
    for candidate in candidates:
        if candidate and subprocess.call([candidate, "-c", "pass"], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL) == 0:
            return candidate
    return None


class OldPython(HostCase):
    CODE = ("import runpy, sys\n"
            "sys.version_info = %r\n"
            "runpy.run_path(sys.argv.pop(1), run_name='__main__')\n")

    def assert_one_clear_line(self, done: Done, version: str) -> None:
        self.assertEqual(done.status, 1, done.text)
        self.assertEqual(done.out, b"")
        self.assertEqual(done.err.count(b"\n"), 1, done.text)
        for part in ("needs Python 3.6", "this is Python %s." % version):
            self.assertIn(part, done.text)

    def test_an_old_python_gets_one_clear_line_and_nothing_is_written(self) -> None:
        for version in ((2, 7, 18, "final", 0), (3, 5, 10, "final", 0), (2, 6), (3, 0)):
            with self.subTest(str(version)):
                done = run([sys.executable, "-c", self.CODE % (version,), Product.build(),
                            "--offline"], self.environ, self.folder)
                self.assert_one_clear_line(done, "%d.%d" % version[:2])
        self.assertEqual(self.leftovers(), [])
        self.assertFalse(os.path.exists(self.path("log")))

    def test_the_oldest_supported_python_is_not_refused(self) -> None:
        done = run([sys.executable, "-c", self.CODE % ((3, 6, 0, "final", 0),), Product.build(),
                    "--version"], self.environ, self.folder)
        self.assertEqual(done, Done(0, VERSIONS, b""))

    def test_a_real_python_2_gets_the_line_too_where_there_is_one(self) -> None:
        old = find_old_python()
        if old is not None:
            done = run([old, Product.build(), "--offline"], self.environ, self.folder)
            self.assert_one_clear_line(done, "2.7")

    def test_the_first_file_has_no_syntax_that_python_2_cannot_parse(self) -> None:
        with open(FIRST_FILE, "rb") as file:
            text = file.read().decode("ascii")  # without a coding line Python 2 takes ASCII only
        newer = (ast.AnnAssign, ast.AsyncFunctionDef, ast.Await, ast.JoinedStr, ast.Nonlocal,
                 ast.Starred, ast.YieldFrom)
        for node in ast.walk(ast.parse(text)):
            self.assertNotIsInstance(node, newer)
            if isinstance(node, ast.FunctionDef):
                self.assertIsNone(node.returns)
                self.assertEqual(node.args.kwonlyargs, [])
                self.assertEqual([a for a in node.args.args if a.annotation], [])
            if isinstance(node, ast.Raise):
                self.assertIsNone(node.cause)
            if isinstance(node, ast.ClassDef):
                self.assertEqual(node.keywords, [])


class StandardStreams(HostCase):
    def closed(self, redirections: str, *arguments: str) -> Done:
        """Run the product from a shell that closes or redirects its streams."""
        return run(["/bin/sh", "-c", 'exec "$@" ' + redirections, "sh", *self.argv(*arguments)],
                   self.environ, self.folder)

    def test_a_run_with_closed_streams_collects_and_harms_no_file(self) -> None:
        source = self.write("source", "content\n")
        rules = self.rules(["/bin/echo x"], [source])
        self.write("etc/insights-client.conf", "[insights-client]\nunheard_of = x\n")
        for number, redirections in enumerate(("<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">&- 2>&-")):
            with self.subTest(redirections):
                folder = self.path("out", str(number))
                done = self.closed(redirections, "--offline", "--from-file", rules,
                                   "--output-dir", folder)
                self.assertEqual(done.status, 0, done.text)
                self.assertNotIn("Traceback", done.text)
                self.assertEqual(len(os.listdir(folder)), 1)
                members = read_archive(os.path.join(folder, os.listdir(folder)[0]))
                self.assertEqual(members["insights_commands/echo_x"], b"x\n")
                self.assertEqual(members[source[1:]], b"content\n")
        with open(self.path("etc", "insights-client.conf"), "rb") as file:
            self.assertEqual(file.read(), b"[insights-client]\nunheard_of = x\n")
        with open(self.path("log", "insights-client.log"), encoding="utf-8") as log:
            for line in log:
                self.assertTrue(re.match(r"\d{4}-\d\d-\d\d ", line), line)

    def test_an_error_with_closed_streams_still_gives_its_exit_status(self) -> None:
        for redirections in ("2>&-", "<&- >&- 2>&-"):
            with self.subTest(redirections):
                self.assertEqual(self.closed(redirections, "--no-such-flag").status, 2)

    def test_an_answer_that_cannot_be_written_is_one_line_and_exit_status_1(self) -> None:
        for arguments in (["--version"], ["--list-specs"], ["--version", "--quiet"]):
            with self.subTest(" ".join(arguments)):
                done = self.closed(">/dev/full", *arguments)
                self.assertEqual(done.status, 1, done.text)
                self.assertEqual(done.err.count(b"\n"), 1, done.text)
                self.assertIn("standard output", done.text)

    def test_an_answer_whose_reader_has_gone_is_no_error(self) -> None:
        for arguments in (["--version"], ["--list-specs"], ["--help"]):
            with self.subTest(" ".join(arguments)):
                reader, writer = os.pipe()
                os.close(reader)
                try:
                    done = subprocess.run(self.argv(*arguments), env=self.environ, check=False,
                                          stdin=subprocess.DEVNULL, stdout=writer,
                                          stderr=subprocess.PIPE, timeout=60)
                finally:
                    os.close(writer)
                self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_a_full_standard_output_does_not_cost_a_collection(self) -> None:
        done = self.closed(">/dev/full", "--offline", "--from-file", self.rules(["/bin/echo x"]),
                           "--output-dir", self.path("out"))
        self.assertEqual(done.status, 0, done.text)
        self.assertEqual(len(os.listdir(self.path("out"))), 1)


class Places(HostCase):
    def test_it_runs_from_any_place_in_any_surroundings(self) -> None:
        odd = self.path("a folder with blanks", "caf\u00e9 \u65e5")
        os.makedirs(odd)
        copy = os.path.join(odd, "insights mini.pyz")
        shutil.copy(Product.build(), copy)
        os.chmod(odd, 0o555)
        self.addCleanup(os.chmod, odd, 0o755)
        homeless = {name: text for name, text in self.environ.items() if name != "HOME"}
        plain = dict(self.environ, LC_ALL="C")
        for label, argv, environ, cwd in (
                ("odd name", [sys.executable, copy], self.environ, "/"),
                ("relative name", [sys.executable, "insights mini.pyz"], self.environ, odd),
                ("isolated", [sys.executable, "-I", copy], self.environ, odd),
                ("no HOME", [sys.executable, copy], homeless, "/"),
                ("C locale", [sys.executable, copy], plain, odd),
                ("without docstrings", [sys.executable, "-OO", copy], self.environ, "/"),
                ("warnings as errors", [sys.executable, "-W", "error", copy], self.environ, "/"),
                ("empty environment", [sys.executable, copy], {}, "/")):
            with self.subTest(label):
                done = run([*argv, "--list-specs"], environ, cwd)
                self.assertEqual((done.status, done.err), (0, b""), done.text)
                self.assertGreater(done.out.count(b"\n"), 100)
        self.assertEqual(os.listdir(odd), ["insights mini.pyz"])

    def test_the_file_runs_by_itself_where_python3_is_in_the_path(self) -> None:
        os.mkdir(self.path("bin"))
        os.symlink(sys.executable, self.path("bin", "python3"))
        path = self.path("bin") + ":" + os.environ.get("PATH", "/usr/bin:/bin")
        done = run([Product.build(), "--version"], dict(self.environ, PATH=path), "/")
        self.assertEqual(done, Done(0, VERSIONS, b""))


class OnePhase(HostCase):
    def phase(self, name: str, *arguments: str) -> Done:
        return self.run_product(*arguments, INSIGHTS_PHASE=name)

    def test_a_phase_that_does_not_exist_is_one_line_and_stops_the_run(self) -> None:
        done = self.phase("no_such_phase", "--offline")
        self.assertEqual((done.status, done.out), (101, b""))
        self.assertIn("unknown phase 'no_such_phase'", done.text)
        self.assertEqual(done.err.count(b"\n"), 1)

    def test_options_that_this_egg_does_not_know_are_for_another_egg(self) -> None:
        done = self.phase("pre_update", "--no-such-flag")
        self.assertEqual((done.status, done.err.count(b"\n")), (1, 1))

    def test_an_action_stops_the_run_as_done(self) -> None:
        self.assertEqual(self.phase("pre_update", "--version"), Done(100, VERSIONS, b""))

    def test_phases_with_nothing_to_do_go_on(self) -> None:
        for name in ("pre_update", "update", "post_update"):
            with self.subTest(name):
                self.assertEqual(self.phase(name, "--offline"), Done(0, b"", b""))
        self.assertEqual(self.leftovers(), [])

    def test_the_last_phase_collects(self) -> None:
        done = self.phase("collect_and_output", "--offline", "--from-file",
                          self.rules(["/bin/echo x"]), "--output-dir", self.path("out"))
        self.assertEqual(done.status, 0, done.text)
        names: List[str] = os.listdir(self.path("out"))
        self.assertEqual(len(names), 1)


class Search(unittest.TestCase):
    def test_an_old_python_that_was_found_is_an_old_python(self) -> None:
        old = find_old_python()
        if old is not None:
            said = subprocess.check_output([old, "-c", "import sys; print(sys.version_info[0])"])
            self.assertEqual(said.strip(), b"2")
