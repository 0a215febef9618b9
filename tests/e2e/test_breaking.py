"""Runs that are broken off: by signals, full disks, closed readers, limits and a second run."""
import os
import shutil
import signal
import socket
import subprocess
import time
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

from tests.support import Done, HostCase, read_archive

PATIENCE = 60.0  # seconds within which anything awaited here has long happened

SLOW = """#!/bin/sh
{trap}
tail -f {folder}/endless &
(tail -f {folder}/endless >/dev/null 2>&1) &
echo so far
: > {folder}/started
tail -f {folder}/endless
tail -f {folder}/endless
"""


def wait_until(condition: Callable[[], Any], seconds: float = PATIENCE) -> bool:
    """Wait for something to become true; False when it did not in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


class Breaking(HostCase):
    def setUp(self) -> None:
        super().setUp()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_IGN:  # or the runs would ignore it too
                signal.signal(number, signal.SIG_DFL)
                self.addCleanup(signal.signal, number, signal.SIG_IGN)
        self.write("endless", b"")
        self.slow = self.make_slow("slow")
        self.addCleanup(self.end_all)

    def make_slow(self, name: str, trap: str = "") -> str:
        return self.write(name, SLOW.format(folder=self.folder, trap=trap), 0o755)

    def pre_command(self) -> Dict[str, Any]:
        """Return rules whose only command waits for a slow pre-command."""
        return {"version": "1", "pre_commands": {"slow": self.slow}, "commands": [
            {"command": "/bin/echo", "symbolic_name": "echo", "pre_command": "slow"}]}

    def processes(self) -> List[int]:
        """Return the processes that have the scratch folder in their command line."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                try:
                    with open("/proc/%s/cmdline" % name, "rb") as file:
                        if self.folder.encode() in file.read():
                            found.append(int(name))
                except OSError:
                    pass  # it has just ended
        return found

    def end_all(self) -> None:
        for number in self.processes():
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def start(self, *arguments: str, out: Any = subprocess.PIPE,
              **environ: str) -> "subprocess.Popen[bytes]":
        """Start a run, offline if it has rules, in a process group of its own."""
        offline = ["--offline"] if "--from-file" in arguments else []
        child = subprocess.Popen(
            self.argv(*offline, *arguments), env=dict(self.environ, **environ),
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE,
            start_new_session=True)

        self.addCleanup(self.let_go, child)
        return child

    def let_go(self, child: "subprocess.Popen[bytes]") -> None:
        """End a run, if it has not ended, and close its pipes."""
        child.kill()
        child.wait()
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()

    def start_slow(self, *arguments: str, rules: str = "",
                   **environ: str) -> "subprocess.Popen[bytes]":
        """Start a run and return when its slow command is under way."""
        rules = rules or self.rules([self.slow, "/bin/echo x"], ["/etc/os-release"])
        if os.path.exists(self.path("started")):
            os.unlink(self.path("started"))
        child = self.start("--from-file", rules, *arguments, **environ)
        if not wait_until(lambda: os.path.exists(self.path("started"))):
            self.fail("the slow command never started")
        return child

    def finish(self, child: "subprocess.Popen[bytes]") -> Done:
        """Wait for the end of a run."""
        try:
            out, err = child.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            self.fail("the run did not end")
        return Done(child.returncode, out or b"", err)

    def core_of(self, child: "subprocess.Popen[bytes]") -> int:
        """Return the process that runs the phase."""
        for number in self.processes():
            with open("/proc/%d/stat" % number, "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == child.pid:
                    return number
        raise AssertionError("no phase is under way")

    def assert_gone(self) -> None:
        """Check that no process of the run is left, give or take the time to die."""
        self.assertTrue(wait_until(lambda: not self.processes(), 20), self.processes())

    def assert_one_line(self, done: Done, status: int, *words: str) -> None:
        self.assertEqual(done.status, status, done.text)
        self.assertEqual(done.err.count(b"\n"), 1, done.text)
        self.assertTrue(done.err.startswith(b"ERROR: "), done.text)
        for word in words:
            self.assertIn(word, done.err.decode())


class Signals(Breaking):
    def assert_clean(self, done: Done, status: int, *words: str) -> None:
        self.assert_one_line(done, status, *words)
        self.assert_gone()
        self.assertEqual(self.leftovers(), [])
        self.assertNotIn(b"saved", done.out)

    def test_a_signal_ends_the_run_with_a_reason_and_leaves_nothing(self) -> None:
        """FAULTS 38, 42."""
        stubborn = self.make_slow("stubborn", "trap '' TERM INT HUP")
        cases = ((signal.SIGINT, os.killpg, 130), (signal.SIGINT, os.kill, 130),
                 (signal.SIGTERM, os.kill, 1), (signal.SIGHUP, os.kill, 1),
                 (signal.SIGTERM, os.killpg, 1), (signal.SIGHUP, os.killpg, 1))
        places: Tuple[List[str], ...] = ([], ["--output-dir", self.path("out")],
                  ["--output-dir", self.path("collected")],
                  ["--output-file", self.path("out", "a.tar")])
        for number, (signalled, send, status) in enumerate(cases):
            with self.subTest(signal=signalled, send=send.__name__):
                command = stubborn if number % 2 else self.slow
                child = self.start_slow(*places[number % len(places)],
                                        rules=self.rules([command, command + " 2"]))
                send(child.pid, signalled)
                self.assert_clean(self.finish(child), status, "stopped by SIG")
                self.assertFalse(os.path.exists(self.path("collected")))

    def test_a_signal_during_a_pre_command_leaves_nothing(self) -> None:
        rules = self.write("rules.json", self.pre_command())
        for signalled, status in ((signal.SIGINT, 130), (signal.SIGTERM, 1)):
            with self.subTest(signalled):
                child = self.start_slow(rules=rules)
                os.killpg(child.pid, signalled)
                self.assert_clean(self.finish(child), status, "stopped by SIG")

    def test_an_impatient_user_changes_nothing(self) -> None:
        child = self.start_slow(rules=self.rules([self.make_slow("stubborn", "trap '' TERM INT")]))
        for _ in range(20):
            os.killpg(child.pid, signal.SIGINT)
            time.sleep(0.01)
        self.assert_clean(self.finish(child), 130, "stopped by SIG")

    def test_a_signal_at_any_moment_shows_no_traceback_and_leaves_nothing(self) -> None:
        rules = self.rules(["/bin/echo %d" % number for number in range(30)], ["/etc/os-release"])
        for signalled, status in ((signal.SIGINT, 130), (signal.SIGTERM, 1)):
            for moment in range(12):
                with self.subTest(signal=signalled, moment=moment):
                    self.assert_ended_well(self.break_off(rules, signalled, moment * 0.02),
                                           signalled, status)

    def break_off(self, rules: str, signalled: signal.Signals, seconds: float) -> Done:
        """Send a signal some time after the wrapper has opened its log."""
        for name in ("log", "out"):
            shutil.rmtree(self.path(name), True)
        child = self.start("--from-file", rules, "--output-dir", self.path("out"))
        self.assertTrue(wait_until(lambda: os.path.exists(self.path("log"))))
        time.sleep(seconds)
        os.killpg(child.pid, signalled)
        return self.finish(child)

    def assert_ended_well(self, done: Done, signalled: signal.Signals, status: int) -> None:
        """Check that there is either nothing and the reason, or the whole archive."""
        self.assertNotIn("Traceback", done.text)
        self.assert_gone()
        if b"saved" in done.out:
            self.assertIn(done.status, (0, status, -signalled), done.text)
            name, = os.listdir(self.path("out"))
            self.assertIn("branch_info", read_archive(self.path("out", name)))
        else:
            self.assert_clean(done, status, "stopped by SIG")

    def test_an_ignored_hang_up_stays_ignored(self) -> None:
        child = subprocess.Popen(
            ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *self.argv(
                "--offline", "--from-file", self.rules([self.slow]), "--cmd-timeout", "3")],
            env=self.environ, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True)
        self.addCleanup(self.let_go, child)
        self.assertTrue(wait_until(lambda: os.path.exists(self.path("started"))))
        os.killpg(child.pid, signal.SIGHUP)
        done = self.finish(child)
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        self.assertIn(b"Archive saved at", done.out)

    def test_a_stopped_reader_of_standard_output_does_not_keep_the_run_from_ending(self) -> None:
        data = os.urandom(500000).hex().encode()
        rules = self.rules(files=[self.write("noise", data + b"\n")])
        for arguments in (["--to-stdout"], ["--to-stdout", "--keep-archive"]):
            with self.subTest(arguments):
                reader, writer = os.pipe()
                child = self.start("--from-file", rules, *arguments, out=writer)
                os.close(writer)
                os.read(reader, 1)  # now it is being written
                child.send_signal(signal.SIGTERM)
                ended = wait_until(lambda: child.poll() is not None, 30)  # noqa: B023
                os.close(reader)
                done = self.finish(child)
                self.assertTrue(ended, done.text)
                self.assert_one_line(done, 1)
                self.assertEqual([name for name in self.leftovers() if name.endswith(".part")], [])

    def test_without_the_wrapper_the_core_ends_by_itself_and_leaves_nothing(self) -> None:
        child = self.start_slow()
        core = self.core_of(child)
        child.kill()
        child.wait()
        self.assertTrue(wait_until(lambda: core not in self.processes()))
        self.assert_gone()
        self.assertEqual(self.leftovers(), [])

    def test_the_next_run_removes_what_a_killed_one_has_left(self) -> None:
        """FAULTS 38."""
        for arguments in ([], ["--output-dir", self.path("out")]):
            with self.subTest(arguments):
                child = self.start_slow(*arguments)
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                self.assertTrue([name for name in self.leftovers() if name.endswith(".part")])
                done = self.run_product("--offline", *arguments, "--from-file",
                                        self.rules(["/bin/echo x"]))
                self.assertEqual((done.status, done.err), (0, b""), done.text)
                files = [name for name in self.leftovers() if os.path.isfile(self.path(name))]
                self.assertEqual(len(files), 1, files)
                self.assertTrue(files[0].endswith(".tar.gz"))
                folders = [name for name in self.leftovers() if os.path.isdir(self.path(name))]
                self.assertEqual(len(folders), 0 if arguments else 1, folders)
                self.end_all()
                os.unlink(self.path(files[0]))
                for folder in folders:
                    os.rmdir(self.path(folder))

    def test_the_next_run_never_removes_what_a_live_one_is_writing(self) -> None:
        """FAULTS 38."""
        child = self.start_slow("--output-dir", self.path("out"))
        before = self.leftovers()
        done = self.run_product("--offline", "--from-file", self.rules(["/bin/echo x"]),
                                "--output-dir", self.path("out"),
                                INSIGHTS_STATE_DIR=self.path("other"))
        self.assertEqual(done.status, 0, done.text)
        self.assertGreaterEqual(len(before), 2)
        self.assertEqual(set(before) - set(self.leftovers()), set())
        child.terminate()
        self.assert_one_line(self.finish(child), 1)


class SecondRun(Breaking):
    def test_a_second_run_says_who_is_running_and_ends(self) -> None:
        child = self.start_slow()
        done = self.run_product("--offline", "--from-file", self.rules(["/bin/echo x"]))
        self.assert_one_line(done, 1, "another run is under way", "%d" % child.pid)
        self.assertEqual(done.out, b"")
        for arguments in (["--version"], ["--list-specs"], ["--help"]):
            self.assertEqual(self.run_product(*arguments).status, 0)
        child.terminate()
        self.finish(child)
        done = self.run_product("--offline", "--from-file", self.rules(["/bin/echo x"]))
        self.assertEqual(done.status, 0, done.text)

    def test_a_lock_is_not_stuck_after_a_kill_even_while_a_command_lives_on(self) -> None:
        child = self.start_slow()
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        self.assertTrue(self.processes())
        done = self.run_product("--offline", "--from-file", self.rules(["/bin/echo x"]))
        self.assertEqual((done.status, done.err), (0, b""), done.text)

    def test_two_runs_started_together_give_one_archive(self) -> None:
        rules = self.rules(["/bin/sleep 2"], ["/etc/os-release"])
        ended = [self.finish(child) for child in
                 [self.start("--from-file", rules) for _ in range(4)]]
        self.assertEqual(sorted(done.status for done in ended), [0, 1, 1, 1])
        archives = [name for name in self.leftovers() if name.endswith(".tar.gz")]
        self.assertEqual(len(archives), 1)


class Full(NamedTuple):
    """A full disk: its size, the content that fills it, and which output is on it."""

    what: str
    size: str
    content: bytes
    arguments: Sequence[str]
    temp: str = "disk"


NOISE = os.urandom(600000).hex().encode() + b"\n"
LARGE = b"a line of a log\n" * 1500000

DISKS = (
    Full("the default place", "256k", NOISE, []),
    Full("an output folder", "256k", NOISE, ["--output-dir", "disk"], "tmp"),
    Full("an output folder that is made", "256k", NOISE, ["--output-dir", "disk/new"], "tmp"),
    Full("an output file", "256k", NOISE, ["--output-file", "disk/a.tar.gz"], "tmp"),
    Full("a plain archive", "256k", LARGE, ["--compressor", "none"]),
    Full("contents held in the default place", "2m", LARGE, []),
    Full("contents held in the output folder", "2m", LARGE, ["--output-dir", "disk"], "tmp"),
    Full("contents held for standard output", "2m", LARGE, ["--to-stdout"]),
    Full("no inode left", "256k,nr_inodes=2", NOISE, []),
)


class FullDisk(Breaking):
    def run_on_disk(self, full: Full) -> Done:
        """Run with a small file system at `disk`; what is left there is told on standard output."""
        script = ('mount -t tmpfs -o size=%s none disk; status=0; "$@" >out/said || status=$?; '
                  'find disk -mindepth 1; exit $status' % full.size)
        rules = self.rules(files=[self.write("content", full.content)])
        done = subprocess.run(
            ["unshare", "-m", "sh", "-ec", script, "sh",
             *self.argv("--offline", "--from-file", rules, *full.arguments)],
            env=dict(self.environ, TMPDIR=self.path(full.temp)), cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=PATIENCE, check=False)
        os.unlink(self.path("out", "said"))
        return Done(done.returncode, done.stdout, done.stderr)

    def test_a_full_disk_is_an_error_that_names_it_and_leaves_nothing(self) -> None:
        """FAULTS 39, 40."""
        probe = subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False)
        if probe.returncode:
            self.skipTest("no mount namespaces here")
        os.mkdir(self.path("disk"))
        for full in DISKS:
            with self.subTest(full.what):
                done = self.run_on_disk(full)
                self.assert_one_line(done, 1, "file system at %s" % self.path("disk"))
                self.assertEqual(done.out, b"")
                self.assertEqual(self.leftovers(), [])


class Readers(Breaking):
    def test_a_full_device_as_standard_output_is_an_error(self) -> None:
        """FAULTS 40."""
        rules = self.rules(["/bin/echo x"])
        for arguments in (["--from-file", rules, "--to-stdout"],
                          ["--from-file", rules, "--to-stdout", "--keep-archive"],
                          ["--version"], ["--list-specs"], ["--help"]):
            with self.subTest(arguments), open("/dev/full", "wb") as full:
                done = self.finish(self.start(*arguments, out=full))
                self.assert_one_line(done, 1, "standard output", "No space left")

    def test_a_reader_that_has_gone_is_an_error_for_an_archive(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        done = self.finish(self.start("--from-file", self.rules(["/bin/echo x"]), "--to-stdout",
                                      out=writer))
        os.close(writer)
        self.assert_one_line(done, 1, "standard output", "Broken pipe")
        self.assertEqual(self.leftovers(), [])

    def test_a_reader_that_has_seen_enough_gets_no_traceback(self) -> None:
        for arguments in (["--version"], ["--list-specs"], ["--help"]):
            with self.subTest(arguments):
                near, far = socket.socketpair()
                far.close()
                done = self.finish(self.start(*arguments, out=near.fileno()))
                near.close()
                self.assertEqual(done.err, b"")


class Limits(Breaking):
    def test_a_phase_that_is_killed_is_told_in_one_line(self) -> None:
        for signalled in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT):
            with self.subTest(signalled):
                child = self.start_slow()
                os.kill(self.core_of(child), signalled)
                self.assert_one_line(self.finish(child), 1, "collect_and_output", signalled.name)
                self.end_all()
        done = self.run_product("--offline", "--from-file", self.rules(["/bin/echo x"]),
                                "--output-dir", self.path("out"))
        self.assertEqual(done.status, 0, done.text)
        self.assertEqual(len(self.leftovers()), 1, self.leftovers())

    def test_a_phase_that_hangs_is_ended_at_its_limit_and_told_in_one_line(self) -> None:
        child = self.start_slow(INSIGHTS_PHASE_TIMEOUT="1", INSIGHTS_MAX_TIME="2")
        core = self.core_of(child)
        os.kill(core, signal.SIGSTOP)
        self.assert_one_line(self.finish(child), 1, "collect_and_output", "time limit")
        self.assertNotIn(core, self.processes())

    def test_at_the_time_limit_what_is_there_is_packed_and_the_rest_is_listed(self) -> None:
        late = ["/bin/echo %d" % number for number in range(3)]
        rules = self.rules(["/bin/echo first", *[self.slow + " %d" % i for i in range(4)], *late],
                           ["/etc/os-release"])
        done = self.run_product("--offline", "--from-file", rules, "--max-time", "2",
                                "--output-dir", self.path("out"))
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        members = read_archive(self.path("out", os.listdir(self.path("out"))[0]))
        self.assertIn("etc/os-release", members)
        self.assertEqual(members["insights_commands/echo_first"], b"first\n")
        for line in late:
            self.assertIn(line, done.text)
        self.assertIn("3 run time over", done.text)
        self.assertIn("Timed out: " + self.slow, done.text)
        self.assertNotIn("after 120 s", done.text)
        self.assert_gone()

    def test_at_the_time_limit_a_pre_command_is_ended_too(self) -> None:
        rules = self.write("rules.json", self.pre_command())
        done = self.run_product("--offline", "--from-file", rules, "--max-time", "2")
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        self.assertIn("1 failed", done.text)
        self.assert_gone()

    def test_at_the_size_limit_what_is_there_is_packed_and_the_rest_is_listed(self) -> None:
        files = [self.write(name, name.encode() * 100000 + b"\n") for name in ("a", "b", "c", "d")]
        done = self.run_product("--offline", "--from-file", self.rules([self.slow], files),
                                "--max-size", "250k", "--output-dir", self.path("out"))
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        members = read_archive(self.path("out", os.listdir(self.path("out"))[0]))
        collected = [path for path in files if path.lstrip("/") in members]
        self.assertEqual(collected, files[:2])
        self.assertIn("3 archive full", done.text)
        for path in files[2:]:
            self.assertIn(path, done.text)
        self.assert_gone()
