"""The wrapper as users run it: root check, levels, lock, signals, log file, places not writable."""
import ast
import os
import re
import signal
import stat
import subprocess
import sys
import time
from typing import Set, Tuple

from tests.support import TOP, Done, HostCase, Product, is_alive, read_archive, read_archive_bytes

PATIENCE = 60.0
NOBODY = 65534
ENTRY = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ +\d+ .")

# Runs the product as another user. What it imports late is imported first, since the interpreter
# may lie where only root can read.
AS_USER = """\
import importlib, os, sys
product, user, modules = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(",")
del sys.argv[1:4]
sys.path.insert(0, product)
for name in modules:
    importlib.import_module(name)
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
from insights_mini.start import main
sys.exit(main(sys.argv[1:], os.environ))
"""
CODECS = ("ascii", "latin_1", "unicode_escape", "utf_8_sig")


FOR_EDITORS = "catalogue_source.py"  # which the product has no use for


def late_imports() -> Set[str]:
    """Return every module of the project and of others that the project imports anywhere."""
    found = {"encodings." + name for name in CODECS} | {"locale", "shutil", "textwrap"}
    source = os.path.join(TOP, "src")
    for folder, _, names in os.walk(os.path.join(source, "insights_mini")):
        for name in names:
            if name.endswith(".py") and not name.startswith("__") and name != FOR_EDITORS:
                path = os.path.join(folder, name)
                found.add(os.path.relpath(path, source)[:-3].replace(os.sep, "."))
                with open(path, encoding="utf-8") as file:
                    for node in ast.walk(ast.parse(file.read())):
                        if isinstance(node, ast.Import):
                            found.update(alias.name for alias in node.names)
                        elif isinstance(node, ast.ImportFrom) and node.module:
                            found.add(node.module)
    return found


class WrapperCase(HostCase):
    def offline(self, *arguments: str, **environ: str) -> Done:
        """Run a small collection into a new file in the folder `out`."""
        rules = self.rules(["/bin/echo x"])
        name = "%d.tar.gz" % len(os.listdir(self.path("out")))
        return self.run_product("--offline", "--from-file", rules, "--output-file",
                                self.path("out", name), *arguments, timeout=PATIENCE, stdin=b"",
                                **environ)

    def as_nobody(self, *arguments: str, **environ: str) -> Done:
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        argv = [sys.executable, "-c", AS_USER, Product.build(), str(NOBODY),
                ",".join(sorted(late_imports())), *arguments]
        done = subprocess.run(argv, env=dict(self.environ, **environ), cwd="/",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def assert_collected(self, number: int = 1) -> None:
        self.assertEqual(len(os.listdir(self.path("out"))), number)

    def begin(self, line: str = "exec sleep 600", *arguments: str,
              **environ: str) -> "subprocess.Popen[bytes]":
        """Start a collection whose one command runs this shell line; return when it does."""
        mark = self.path("mark")
        rules = self.rules(["/bin/sh -c 'echo $$ >%s.new; mv %s.new %s; %s'" % (
            mark, mark, mark, line)])
        child = self.start_product("--offline", "--from-file", rules, "--output-dir",
                                   self.path("out"), *arguments, **environ)
        until = time.monotonic() + PATIENCE
        while not os.path.exists(mark):
            self.assertIsNone(child.poll())
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)
        with open(mark) as file:
            self.command = int(file.read())
        return child

    def finish(self, child: "subprocess.Popen[bytes]") -> Tuple[int, bytes, bytes]:
        """Wait for a run with little output; return its exit status and what it printed."""
        assert child.stdout is not None and child.stderr is not None
        status = child.wait(PATIENCE)
        return status, child.stdout.read(), child.stderr.read()

    def await_free(self) -> Done:
        """Collect again and again until no other run is under way."""
        until = time.monotonic() + PATIENCE
        while True:
            done = self.offline()
            if b"another run" not in done.err:
                return done
            self.assertLess(time.monotonic(), until)
            time.sleep(0.2)


class Root(WrapperCase):
    def test_who_is_not_root_gets_one_line_and_nothing_is_written(self) -> None:
        os.chmod(self.folder, 0o777)
        for arguments in (["--offline"], [], ["--version"], ["--list-specs"]):
            with self.subTest(" ".join(arguments)):
                done = self.as_nobody(*arguments)
                self.assertEqual(done, Done(1, b"", b"Insights client must be run as root.\n"))
        self.assertFalse(os.path.exists(self.path("log")))
        self.assertFalse(os.path.exists(self.path("state")))
        self.assertEqual(self.leftovers(), [])

    def test_unprivileged_collects_and_says_what_it_could_not_read(self) -> None:
        os.chmod(self.folder, 0o777)
        os.chmod(self.path("out"), 0o777)
        public = self.write("public", "for all\n", mode=0o644)
        private = self.write("private", "for root\n", mode=0o600)
        rules = self.rules(["/bin/echo x"], [public, private])
        os.chmod(rules, 0o644)
        done = self.as_nobody("--offline", "--unprivileged", "--from-file", rules, "--output-file",
                              self.path("out", "archive.tar.gz"))
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        self.assertIn(private, done.text)
        self.assertNotIn(public, done.text)
        members = read_archive(self.path("out", "archive.tar.gz"))
        self.assertEqual(members[public[1:]], b"for all\n")
        self.assertNotIn(private[1:], members)

    def test_unprivileged_answers_without_root(self) -> None:
        os.chmod(self.folder, 0o755)
        done = self.as_nobody("--unprivileged", "--version")
        self.assertEqual((done.status, done.err), (0, b""))
        self.assertIn(b"Client: ", done.out)

    def test_help_needs_no_root(self) -> None:
        done = self.as_nobody("--help")
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        self.assertIn(b"--offline", done.out)


class Usage(WrapperCase):
    def test_an_unknown_flag_is_one_line_exit_status_2_and_nothing_is_written(self) -> None:
        done = self.run_product("--offline", "--no-such-flag")
        self.assertEqual((done.status, done.out), (2, b""))
        self.assertEqual(done.err.count(b"\n"), 1)
        self.assertIn(b"--no-such-flag", done.err)
        for name in ("log", "state"):
            self.assertFalse(os.path.exists(self.path(name)))

    def test_a_value_with_control_characters_is_still_one_line(self) -> None:
        done = self.run_product("--offline", "--compressor", "x\nERROR: forged\x1b[2J")
        self.assertEqual((done.status, done.out), (2, b""))
        self.assertEqual(done.err.count(b"\n"), 1)
        self.assertNotIn(b"\x1b", done.err)

    def test_a_zero_byte_in_the_file_is_no_internal_error(self) -> None:
        for option in ("logging_file", "from_file", "output_file"):
            with self.subTest(option):
                self.write("etc/insights-client.conf",
                           "[insights-client]\nrun_these=hosts\n%s = a\0b\n" % option)
                done = self.run_product("--offline")
                for fault in ("Traceback", "internal error", "failed in phase"):
                    self.assertNotIn(fault, done.text)
                if done.status:
                    self.assertEqual((done.out, done.err.count(b"\n")), (b"", 1), done.text)

    def test_help_is_on_standard_output_and_writes_nothing(self) -> None:
        done = self.run_product("--help")
        self.assertEqual((done.status, done.err), (0, b""))
        self.assertIn(b"usage:", done.out)
        self.assertFalse(os.path.exists(self.path("log")))


class Levels(WrapperCase):
    def test_each_level_shows_what_it_promises(self) -> None:
        for flags, lines, debug, warning in (
                ((), True, False, True), (("--quiet",), False, False, True),
                (("--silent",), False, False, False), (("--verbose",), True, True, True)):
            with self.subTest(" ".join(flags)):
                done = self.offline(*flags, INSIGHTS_UNHEARD_OF="x")
                self.assertEqual(done.status, 0, done.text)
                self.assertEqual(b"Starting to collect" in done.out, lines)
                self.assertEqual(b"Archive saved at" in done.out, lines)
                self.assertEqual(b"phase pre_update" in done.err, debug)
                self.assertEqual(b"WARNING: unknown option" in done.err, warning)
                if not lines:
                    self.assertEqual(done.out, b"")

    def test_silent_says_nothing_about_a_failure_but_its_exit_status(self) -> None:
        done = self.run_product("--offline", "--silent", "--from-file", self.path("missing"))
        self.assertEqual(done, Done(1, b"", b""))

    def test_debug_phases_tells_each_phase(self) -> None:
        done = self.offline("--debug-phases")
        told = re.findall(r"^phase (\w+): built-in egg \S+ (starts|ended: exit status 0)$",
                          done.out.decode(), re.MULTILINE)
        self.assertEqual([name for name, _ in told], [name for phase in (
            "pre_update", "update", "post_update", "collect_and_output") for name in (phase,) * 2])

    def test_no_level_puts_a_word_into_the_archive_on_standard_output(self) -> None:
        """FAULTS 52."""
        rules = self.rules(["/bin/echo x"])
        for flags in (("--debug-phases",), ("--verbose", "--debug-phases")):
            with self.subTest(" ".join(flags)):
                done = self.run_product("--offline", "--from-file", rules, "--to-stdout", *flags)
                self.assertEqual(done.status, 0, done.err)
                self.assertEqual(done.out[:2], b"\x1f\x8b", done.out[:80])
                self.assertEqual(read_archive_bytes(done.out)["insights_commands/echo_x"], b"x\n")


class OneAtATime(WrapperCase):
    def test_a_second_run_says_so_and_exits_and_the_first_goes_on(self) -> None:
        first = self.begin("while ! test -e %s; do sleep 0.05; done" % self.path("go"))
        second = self.offline()
        self.assertEqual((second.status, second.out), (1, b""))
        self.assertEqual(second.err.decode().strip(),
                         "ERROR: another run is under way (process %d); wait until it has ended" %
                         first.pid)
        self.assertEqual(self.run_product("--version").status, 0)
        self.write("go", "")
        self.assertEqual(first.wait(PATIENCE), 0)
        self.assert_collected()

    def test_a_killed_run_leaves_no_stuck_lock_and_no_command(self) -> None:
        """FAULTS 38."""
        self.begin().kill()
        done = self.await_free()
        self.assertEqual(done.status, 0, done.text)
        self.assert_collected()
        self.assertFalse(is_alive(self.command))


class Signalled(WrapperCase):
    def test_a_signal_ends_the_run_in_one_line_and_leaves_nothing(self) -> None:
        for number, status in ((signal.SIGTERM, 1), (signal.SIGHUP, 1), (signal.SIGINT, 130)):
            with self.subTest(number.name):
                child = self.begin()
                os.unlink(self.path("mark"))
                child.send_signal(number)
                ended, out, err = self.finish(child)
                self.assertEqual(ended, status, err)
                self.assertEqual(err.count(b"\n"), 1, err)
                self.assertIn(b"no archive was written", err)
                self.assertNotIn(b"Archive saved", out)
                self.assertEqual(self.leftovers(), [])
                self.assertFalse(is_alive(self.command))

    def test_sighup_that_was_ignored_at_the_start_ends_nothing(self) -> None:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            child = self.begin("while ! test -e %s; do sleep 0.05; done" % self.path("go"))
        finally:
            signal.signal(signal.SIGHUP, before)
        child.send_signal(signal.SIGHUP)
        self.write("go", "")
        status, _, err = self.finish(child)
        self.assertEqual((status, err), (0, b""))
        self.assert_collected()

    def test_a_phase_past_its_limit_is_an_egg_that_failed(self) -> None:
        done = self.run_product("--offline", "--from-stdin", INSIGHTS_PHASE_TIMEOUT="0.000001")
        self.assertEqual((done.status, done.out), (1, b""))
        self.assertEqual(done.err.count(b"\n"), 1, done.text)
        self.assertIn("failed in phase pre_update", done.text)
        self.assertIn("time limit", done.text)


class LogFile(WrapperCase):
    @property
    def log(self) -> str:
        return self.path("log", "insights-client.log")

    def test_under_umask_0_the_log_is_0600_in_a_folder_0700(self) -> None:
        """FAULTS 50."""
        before = os.umask(0)
        try:
            self.offline()
        finally:
            os.umask(before)
        self.assertEqual(stat.S_IMODE(os.stat(self.log).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("log")).st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("state")).st_mode), 0o700)

    def test_the_log_tells_the_course_of_the_run_line_by_line(self) -> None:
        self.offline("--quiet")
        with open(self.log, encoding="utf-8") as file:
            lines = file.read().splitlines()
        for line in lines:
            self.assertTrue(ENTRY.match(line), line)
        text = "\n".join(lines)
        for part in ("starts", "phase collect_and_output", "Archive saved at"):
            self.assertIn(part, text)

    def test_the_log_holds_no_line_below_its_level(self) -> None:
        self.offline(INSIGHTS_LOGLEVEL="warning")
        self.assertEqual(os.path.getsize(self.log), 0)

    def test_runs_rotate_a_large_log_and_keep_three(self) -> None:
        for _ in range(5):
            self.offline()
            with open(self.log, "ab") as file:
                file.write(b"x" * 1024 * 1024)
        self.assertEqual(sorted(os.listdir(self.path("log"))),
                         ["insights-client.log" + end for end in ("", ".1", ".2", ".3")])

    def test_logging_file_moves_the_log(self) -> None:
        self.offline("--logging-file", self.path("other", "my.log"))
        self.assertTrue(os.path.getsize(self.path("other", "my.log")))
        self.assertFalse(os.path.exists(self.path("log")))


class NotWritable(WrapperCase):
    def check(self, done: Done, *names: str) -> None:
        """Check that the run went well with one warning for each of these places."""
        self.assertEqual(done.status, 0, done.text)
        lines = done.err.decode().splitlines()
        self.assertEqual(len(lines), len(names), lines)
        for line, name in zip(lines, names):
            self.assertTrue(line.startswith("WARNING: "), line)
            self.assertIn(name, line)
        self.assert_collected()

    def test_log_and_state_folders_that_cannot_be_made_cost_a_warning_each(self) -> None:
        for name in ("log", "state"):
            self.write(name, "a file where a folder should be")
        self.check(self.offline(), self.path("log"), self.path("state"))

    def test_a_log_that_cannot_be_opened_costs_a_warning(self) -> None:
        os.makedirs(self.path("log", "insights-client.log"))
        self.check(self.offline(), self.path("log", "insights-client.log"))

    def test_a_log_that_is_full_costs_nothing(self) -> None:
        self.check(self.offline("--logging-file", "/dev/full"))

    def test_with_the_archive_on_standard_output_the_warning_stays_out_of_it(self) -> None:
        """FAULTS 52."""
        self.write("log", "a file where a folder should be")
        done = self.run_product("--offline", "--to-stdout", "--from-file",
                                self.rules(["/bin/echo x"]))
        self.assertEqual(done.status, 0, done.err)
        self.assertEqual(done.err.count(b"\n"), 1)
        self.assertIn("insights_commands/echo_x", read_archive_bytes(done.out))

    def test_read_only_folders_cost_who_is_not_root_a_warning_each(self) -> None:
        os.chmod(self.folder, 0o755)
        os.chmod(self.path("out"), 0o777)
        rules = self.rules(["/bin/echo x"])
        os.chmod(rules, 0o644)
        done = self.as_nobody("--offline", "--unprivileged", "--from-file", rules,
                              "--output-file", self.path("out", "archive.tar.gz"))
        self.check(done, self.path("log"), self.path("state"))
