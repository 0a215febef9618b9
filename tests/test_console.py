"""What a run says, where, and what it never says: lines, summary, progress, standard output."""
import json
import os
import pty
import re
import select
import subprocess
import time
from typing import Dict, List, Tuple

from tests.support import HostCase, read_archive_bytes

HOST = re.compile(r"Starting to collect Insights data for (\S+)")
SAVED = re.compile(r"Archive saved at (\S+)")
CLEAR = b"\r\x1b[K"
FRAME = re.compile(rb"\r\x1b\[K(\d+)/(\d+)  (.+?)  (\d+) s")


class Screen:
    """A terminal: what is written to `slave` can be read here."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()

    def read_all(self, child: "subprocess.Popen[bytes]", seconds: float) -> bytes:
        """Return what came until the child has ended and nothing more is there."""
        os.close(self.slave)
        until = time.monotonic() + seconds
        shown = b""
        while time.monotonic() < until:
            if not select.select([self.master], [], [], 1.0)[0]:
                continue
            try:
                block = os.read(self.master, 65536)
            except OSError:  # nobody has the other side open any more
                break
            shown += block
        os.close(self.master)
        child.wait(timeout=seconds)
        return shown


class Console(HostCase):
    def run_on_terminal(self, *arguments: str, **environ: str) -> Tuple[int, bytes, bytes]:
        """Run with a terminal as standard error; return status, output and what it showed."""
        screen = Screen()
        child = subprocess.Popen(
            self.argv(*arguments), env=dict(self.environ, **dict({"TERM": "xterm"}, **environ)),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=screen.slave,
            cwd=self.folder)
        shown = screen.read_all(child, 60)
        assert child.stdout is not None
        with child.stdout as pipe:
            return child.returncode, pipe.read(), shown

    def slow_rules(self, seconds: float = 0.4) -> str:
        """Write rules whose second command takes longer than the progress line needs to appear."""
        return self.rules(commands=["/bin/echo first", "/bin/sleep %g" % seconds])

    def test_to_stdout_refuses_a_terminal_and_writes_nothing_to_it(self) -> None:
        screen = Screen()
        child = subprocess.Popen(
            self.argv("--offline", "--from-file", self.rules(["/bin/echo x"]), "--to-stdout"),
            env=self.environ, stdin=subprocess.DEVNULL, stdout=screen.slave,
            stderr=subprocess.PIPE, cwd=self.folder)
        shown = screen.read_all(child, 60)
        assert child.stderr is not None
        with child.stderr as pipe:
            said = pipe.read().decode()
        self.assertEqual((child.returncode, shown), (1, b""), said)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertIn("terminal", said)
        self.assertEqual(self.leftovers(), [])

    def test_standard_output_holds_the_archive_and_nothing_else_whatever_goes_wrong(self) -> None:
        """FAULTS 52."""
        self.write("etc/insights-client.conf", "[insights-client]\nunheard_of=1\n")
        self.write("state", b"a file where a folder should be")
        self.write("log", b"likewise")
        rules = self.rules(["/bin/echo x", "/bin/sh -c 'echo y; exit 3'"], ["/nowhere/at/all"])
        done = self.run_product("--offline", "--from-file", rules, "--to-stdout", "--verbose",
                                "--debug-phases", "--cmd-timeout", "20")
        self.assertEqual(done.status, 0, done.text)
        members = read_archive_bytes(done.out)
        self.assertEqual(members["insights_commands/echo_x"], b"x\n")
        self.assertEqual(members["insights_commands/sh_-c_echo_y_exit_3"], b"y\n")
        self.assertIn(b"unheard_of", done.err)
        self.assertEqual(self.leftovers(), [])

    def test_a_run_to_standard_output_says_nothing_when_all_is_well(self) -> None:
        done = self.run_product("--offline", "--from-file", self.rules(["/bin/echo x"]),
                                "--to-stdout")
        self.assertEqual((done.status, done.err), (0, b""))

    def test_no_name_reaches_the_terminal_with_its_escape_sequences(self) -> None:
        evil = "\x1b]0;owned\x07\x1b[2J\r\nERROR: forged"
        odd = self.path("odd")
        os.mkdir(odd)
        os.mkfifo(os.fsencode(odd) + b"/\x1b[31mfifo\xff\n")
        rules = self.rules(["/bin/sh -c ':' '%s'" % evil, "/bin/sleep 0.4"],
                           globs=[odd + "/*", "/no/%s" % evil])
        for arguments, environ in (
                (("--offline", "--from-file", rules, "--verbose"), {}),
                (("--offline", "--from-file", rules), {}),
                (("--offline", "--from-file", rules, "--run-these", evil), {}),
                (("--list-specs", "--from-file", rules), {}),
                (("--offline", evil), {}),
                (("--offline", "--from-file", evil), {}),
                (("--offline", "--conf", evil), {}),
                (("--offline", "--output-dir", "/no/" + evil), {}),
                (("--offline",), {"INSIGHTS_" + evil: "1", "INSIGHTS_MAX_TIME": evil})):
            with self.subTest(arguments):
                _, printed, shown = self.run_on_terminal(*arguments, **environ)
                for stream in (printed, shown.replace(CLEAR, b"")):
                    for line in re.split(b"\r?\n", stream):
                        self.assertFalse(line.startswith(b"ERROR: forged"), stream)
                        self.assertNotRegex(line, rb"[\x00-\x1f\x7f\xff]")
        with open(self.path("log", "insights-client.log"), "rb") as file:
            for line in file.read().split(b"\n")[:-1]:
                self.assertRegex(line, rb"\A\d{4}-\d\d-\d\d [^\x00-\x1f\x7f]+\Z")

    def test_a_terminal_shows_one_progress_line_that_is_gone_at_the_end(self) -> None:
        status, printed, shown = self.run_on_terminal("--offline", "--from-file",
                                                      self.slow_rules(1.5))
        self.assertEqual(status, 0, shown)
        frames = FRAME.findall(shown)
        self.assertGreater(len(frames), 1, shown)
        self.assertEqual({total for _, total, _, _ in frames}, {b"2"})
        self.assertEqual(frames[-1][:3], (b"1", b"2", b"/bin/sleep 1.5"))
        self.assertEqual({elapsed for _, _, _, elapsed in frames}, {b"0", b"1"})
        self.assertTrue(shown.endswith(CLEAR), shown)
        self.assertNotIn(b"\n", shown)
        self.assertNotIn(b"\x1b", printed)

    def test_a_long_name_does_not_make_the_progress_line_wrap(self) -> None:
        rules = self.rules(["/bin/sh -c 'sleep 0.5' %s" % ("x" * 300)])
        _, _, shown = self.run_on_terminal("--offline", "--from-file", rules)
        frames = shown.split(CLEAR)
        self.assertGreater(len(frames), 2, shown)
        self.assertLess(max(map(len, frames)), 80)

    def test_progress_is_shown_only_where_it_is_wanted_and_can_be(self) -> None:
        rules = self.slow_rules()
        cases: Tuple[Tuple[List[str], Dict[str, str]], ...] = (
            (["--quiet"], {}), (["--silent"], {}), (["--to-stdout"], {}),
            ([], {"TERM": "dumb"}), ([], {"TERM": ""}),
        )
        for arguments, environ in cases:
            with self.subTest(arguments=arguments, environ=environ):
                status, _, shown = self.run_on_terminal("--offline", "--from-file", rules,
                                                        *arguments, **environ)
                self.assertEqual((status, shown), (0, b""))
        with self.subTest("no terminal"):
            done = self.run_product("--offline", "--from-file", rules, TERM="xterm")
            self.assertEqual((done.status, done.err), (0, b""))

    def test_nothing_is_coloured_with_no_color(self) -> None:
        _, printed, shown = self.run_on_terminal("--offline", "--from-file", self.slow_rules(),
                                                 NO_COLOR="1", INSIGHTS_UNHEARD_OF="1")
        self.assertIn(b"unheard_of", shown)
        self.assertNotRegex(printed + shown, rb"\x1b\[[0-9;]*m")

    def test_the_lines_that_administrators_know_are_there(self) -> None:
        done = self.run_product("--offline", "--from-file", self.rules(["/bin/echo x"]))
        lines = done.out.decode().splitlines()
        self.assertEqual((done.status, done.err), (0, b""))
        starting, saved = HOST.fullmatch(lines[0]), SAVED.fullmatch(lines[-1])
        assert starting is not None and saved is not None, lines
        self.assertIn(os.uname().nodename.partition(".")[0], starting.group(1))
        self.assertTrue(saved.group(1).startswith(self.path("tmp") + "/"), lines)
        self.assertTrue(saved.group(1).endswith(".tar.gz"), lines)
        self.assertTrue(os.path.isfile(saved.group(1)), lines)
        self.assertRegex("\n".join(lines[1:-1]), r"\ACollected 1 of 1 specs: .*\Z")

    def test_the_summary_counts_what_was_collected_and_why_the_rest_was_not(self) -> None:
        os.mkfifo(self.path("fifo"))
        rules = self.rules(
            ["/bin/echo x", "/usr/bin/no-such-program", "/bin/true", "/bin/sleep 60",
             "/bin/rm -f /nowhere/at/all"],
            ["/nowhere/at/all", self.path("fifo"), self.write("here", "content\n")])
        done = self.run_product("--offline", "--from-file", rules, "--cmd-timeout", "1")
        self.assertEqual(done.status, 0, done.text)
        text = done.out.decode()
        self.assertRegex(text, r"Collected 2 of 8 specs: 2 files and commands, "
                               r"10 bytes(, packed to \d+ bytes,)? in \d+\.\d s\n")
        match = re.search(r"Not collected: (.*)\n", text)
        assert match is not None, text
        self.assertEqual(sorted(match.group(1).split(", ")), [
            "1 absent", "1 not installed", "1 nothing to keep", "1 refused", "1 timed out",
            "1 unreadable"])
        for words in ("Timed out: /bin/sleep 60", "Unreadable: %s (is a FIFO)" %
                      self.path("fifo"), "Refused: /bin/rm -f /nowhere/at/all (rm is never run)"):
            self.assertIn(words, text)
        self.assertEqual(text.count("/bin/sleep 60"), 1, text)
        self.assertNotIn("is kept", text)

    def test_a_limit_that_was_reached_is_told_with_the_name(self) -> None:
        large = self.write("large", b"line\n" * 4000)
        done = self.run_product("--offline", "--from-file",
                                self.rules(["/bin/cat " + large], [large]),
                                "--max-member", "10k")
        self.assertEqual(done.status, 0, done.text)
        self.assertRegex(done.out.decode(), r"Limit reached: %s \(.*newest.*\), "
                                            r"/bin/cat %s \(.*first.*\)\n" % (large, large))

    def test_quiet_leaves_warnings_and_errors_and_silent_leaves_nothing(self) -> None:
        rules = self.rules(["/bin/echo x"])
        for arguments, status, words in (
                (["--quiet"], 0, [b"WARNING: ", b"unheard_of"]),
                (["--silent"], 0, []),
                (["--quiet", "--run-these", "none"], 1, [b"WARNING: ", b"ERROR: ", b"none"]),
                (["--silent", "--run-these", "none"], 1, [])):
            with self.subTest(arguments):
                done = self.run_product("--offline", "--from-file", rules, *arguments,
                                        INSIGHTS_UNHEARD_OF="1")
                self.assertEqual((done.status, done.out), (status, b""), done.text)
                for word in words:
                    self.assertIn(word, done.err)
                if not words:
                    self.assertEqual(done.err, b"")

    def test_verbose_prints_what_goes_to_the_log(self) -> None:
        done = self.run_product("--offline", "--from-file", self.rules(files=["/nowhere/at/all"]),
                                "--verbose")
        self.assertEqual(done.status, 0, done.text)
        self.assertIn("not collected: f0, /nowhere/at/all: absent", done.text)
        with open(self.path("log", "insights-client.log"), encoding="utf-8") as file:
            self.assertIn("not collected: f0, /nowhere/at/all: absent", file.read())

    def test_debug_phases_names_the_egg_and_each_phase(self) -> None:
        done = self.run_product("--offline", "--from-file", self.rules(["/bin/echo x"]),
                                "--debug-phases")
        for phase in ("pre_update", "update", "post_update", "collect_and_output"):
            self.assertRegex(done.text, r"(?m)^phase %s: built-in egg \S+ starts$" % phase)
            self.assertRegex(done.text, r"(?m)^phase %s: built-in egg \S+ ended: " % phase)

    def test_version_prints_client_and_core_and_writes_nothing(self) -> None:
        for arguments in (["--version"], ["--version", "--silent"], ["--version", "--offline"]):
            with self.subTest(arguments):
                done = self.run_product(*arguments)
                self.assertEqual((done.status, done.err), (0, b""))
                self.assertRegex(done.out.decode(), r"\AClient: \d+\.\d+\.\d+\n"
                                                    r"Core: \d+\.\d+\.\d+\n\Z")
                self.assertEqual(sorted(os.listdir(self.folder)), ["etc", "out", "tmp"])

    def test_list_specs_prints_what_the_rules_name_and_writes_nothing(self) -> None:
        rules = self.rules(["/bin/echo x"], ["/etc/os-release"], ["/etc/*.conf"])
        done = self.run_product("--list-specs", "--from-file", rules)
        rows = [line.split() for line in done.out.decode().splitlines()[-6:]]
        self.assertEqual((done.status, done.err), (0, b""))
        self.assertEqual(rows, [
            ["c0"], ["command", "/bin/echo", "x"], ["f0"], ["file", "disk", "/etc/os-release"],
            ["g0"], ["glob", "disk", "/etc/*.conf"]])
        os.unlink(rules)
        self.assertEqual(sorted(os.listdir(self.folder)), ["etc", "out", "tmp"])

    def test_the_json_of_list_specs_stands_alone_on_standard_output(self) -> None:
        self.write("etc/insights-client.conf", "[insights-client]\nno_such_option=1\n")
        self.write("etc/.cache.json", "{")
        done = self.run_product("--list-specs", "--json", "--verbose", "--debug-phases")
        self.assertEqual(done.status, 0, done.text)
        self.assertIn(b"no_such_option", done.err)
        self.assertIn(b".cache.json", done.err)
        self.assertIn(b"pre_update", done.err)
        specs = json.loads(done.out.decode("ascii"))
        self.assertGreater(len(specs), 400)
        for spec in specs:
            self.assertIn(spec["kind"], ("command", "file", "glob"))
            self.assertTrue(spec["for"] and spec["area"] and spec["preset"], spec)

    def test_help_names_every_option_and_fits_the_manner_of_the_tool(self) -> None:
        done = self.run_product("--help")
        self.assertEqual((done.status, done.err), (0, b""))
        for name in ("--offline", "--output-dir", "--to-stdout", "--run-these", "--max-time"):
            self.assertIn(name, done.out.decode())
        self.assertEqual(sorted(os.listdir(self.folder)), ["etc", "out", "tmp"])
