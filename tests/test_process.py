"""Running programs: output, limits, and that nothing is left of them, whatever they do."""
import os
import pty
import select
import signal
import sys
import threading
import time
from typing import Dict, List, Mapping, Optional, Sequence

from insights_mini import process
from insights_mini.process import Ending, Limits, Sink, Source, Stop
from tests.support import Scratch, is_alive

MIB = 1024 * 1024
PATIENCE = 30.0  # seconds; far more than anything here takes
SHORT = 1.0      # seconds until a program is stopped that must have begun its work by then
SOON = 0.3       # the same where it does not matter how far it came
SYSTEM = (b"/usr/bin", b"/bin", b"/usr/sbin", b"/sbin")


def members(group: int) -> List[int]:
    """Return the living processes of a group."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] not in (b"Z", b"X"):
                found.append(int(name))
    return found


class ProcessCase(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.output = b""
        self.stop = Stop()

    def take(self, chunk: bytes) -> bool:
        self.output += chunk
        return True

    def start(self, program: bytes, argv: Sequence[bytes], seconds: float = PATIENCE,
              output: int = 16 * MIB, grace: float = 5.0, memory: int = 0,
              sink: Optional[Sink] = None, source: Optional[Source] = None,
              environ: Optional[Mapping[str, str]] = None) -> Ending:
        limits = Limits(time.monotonic() + seconds, output, grace, memory)
        return process.run(program, argv, os.environ if environ is None else environ,
                           sink or self.take, limits, self.stop, source)

    def shell(self, line: str, seconds: float = PATIENCE, output: int = 16 * MIB,
              grace: float = 5.0, sink: Optional[Sink] = None,
              source: Optional[Source] = None) -> Ending:
        """Run a line in a shell, which is the leader of the group; $F names a file of the test."""
        line = "F='%s'; %s" % (self.path("file"), line)
        return self.start(b"/bin/sh", [b"sh", b"-c", os.fsencode(line)], seconds, output, grace,
                          0, sink, source)

    def python(self, code: str, seconds: float = PATIENCE) -> Ending:
        return self.start(os.fsencode(sys.executable),
                          [b"python3", b"-c", code.encode("ascii")], seconds)

    def read(self) -> bytes:
        try:
            with open(self.path("file"), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def await_death(self, number: int) -> None:
        until = time.monotonic() + PATIENCE
        while is_alive(number):
            self.assertLess(time.monotonic(), until, "process %d is still there" % number)
            time.sleep(0.02)


class NotStarted(ProcessCase):
    def test_what_cannot_be_started_raises_and_leaves_nothing_open(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        self.write("plain", "#!/bin/sh\n", mode=0o644)
        self.write("no-interpreter", "#!/no/such/interpreter\n", mode=0o755)
        self.write("no-program", b"\0\1\2", mode=0o755)
        for name in ("missing", "plain", "plain/below", "no-interpreter", "no-program", "."):
            with self.subTest(name), self.assertRaises(OSError):
                self.start(os.fsencode(self.path(name)), [b"x"])
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_only_programs_in_the_named_folders_are_found(self) -> None:
        self.write("a/plain", "", mode=0o644)
        self.write("b/program", "", mode=0o755)
        os.mkdir(self.path("b", "folder"))
        folders = [os.fsencode(self.path(name)) for name in ("missing", "a", "b")]
        program = os.fsencode(self.path("b", "program"))
        for name, expected in ((b"plain", None), (b"folder", None), (b"other", None),
                               (b"program", program), (program, program),
                               (folders[1] + b"/plain", None), (folders[2], None), (b"", None)):
            with self.subTest(str(name)):
                self.assertEqual(process.find_program(name, folders), expected)
        self.assertIsNone(process.find_program(b"sh", []))


class Output(ProcessCase):
    def test_both_streams_are_drained_however_much_comes_on_standard_error(self) -> None:
        """FAULTS 39."""
        ending = self.python("import os\n"
                             "os.write(1, b'first')\n"
                             "for _ in range(16): os.write(2, b'e' * 65536)\n"
                             "os.write(1, b'last')\n")
        self.assertEqual(ending, Ending(0))
        self.assertTrue(self.output == b"first" + b"e" * MIB + b"last")

    def test_the_exit_status_comes_back(self) -> None:
        for status in (0, 1, 7, 255):
            self.assertEqual(self.shell("exit %d" % status), Ending(status))

    def test_death_by_a_signal_comes_back(self) -> None:
        for name, number in (("SEGV", signal.SIGSEGV), ("KILL", signal.SIGKILL),
                             ("TERM", signal.SIGTERM)):
            with self.subTest(name):
                self.output = b""
                self.assertEqual(self.shell("echo before; kill -%s $$" % name), Ending(-number))
                self.assertEqual(self.output, b"before\n")

    def test_endless_output_is_cut_at_its_limit(self) -> None:
        for limit in (1, 1000, 200000):
            self.output = b""
            ending = self.shell("while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done",
                                output=limit)
            self.assertTrue(ending.cut)
            self.assertFalse(ending.timed_out)
            self.assertEqual(len(self.output), limit)

    def test_output_of_just_the_limit_is_not_cut(self) -> None:
        self.assertEqual(self.shell("echo 1234", output=5), Ending(0))
        self.assertEqual(self.output, b"1234\n")
        self.assertTrue(self.shell("echo 12345", output=5).cut)

    def test_a_sink_that_wants_no_more_ends_the_program(self) -> None:
        ending = self.shell("echo $$; exec sleep 600", sink=lambda chunk: not self.take(chunk))
        self.assertTrue(ending.cut)
        self.assertFalse(is_alive(int(self.output)))

    def test_a_sink_that_raises_leaves_no_process(self) -> None:
        def sink(chunk: bytes) -> bool:
            self.take(chunk)
            raise ZeroDivisionError

        before = len(os.listdir("/proc/self/fd"))
        with self.assertRaises(ZeroDivisionError):
            self.shell("echo $$; exec sleep 600", sink=sink)
        self.assertFalse(is_alive(int(self.output)))
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class Surroundings(ProcessCase):
    def test_a_program_that_reads_standard_input_gets_none_of_ours(self) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"what the user types\n")
        os.close(writer)
        ours = os.dup(0)
        os.dup2(reader, 0)
        try:
            self.assertEqual(self.shell("cat; echo end"), Ending(0))
        finally:
            os.dup2(ours, 0)
            os.close(ours)
            os.close(reader)
        self.assertEqual(self.output, b"end\n")

    def test_a_program_that_asks_the_terminal_gets_no_answer_and_ends(self) -> None:
        child, terminal = pty.fork()
        if child == 0:
            status = 9
            try:
                os.close(os.open("/dev/tty", os.O_RDWR))  # so there is one to be asked
                ending = self.shell("read answer </dev/tty; echo got $answer")
                status = 0 if not ending.timed_out and self.output.endswith(b"got\n") else 1
            finally:
                os._exit(status)
        try:
            while os.read(terminal, 1024):
                pass
        except OSError:
            pass  # how a terminal says that its other side has gone
        os.close(terminal)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_the_environment_is_the_one_given_and_no_other(self) -> None:
        program = process.find_program(b"env", SYSTEM)
        assert program is not None
        self.start(program, [b"env"], environ={"ONE": "1", "TWO": "b\udcff"})
        self.assertEqual(sorted(self.output.split(b"\n")), [b"", b"ONE=1", b"TWO=b\xff"])

    def test_it_runs_in_the_root_folder(self) -> None:
        self.shell("pwd")
        self.assertEqual(self.output, b"/\n")

    def test_it_inherits_no_open_file(self) -> None:
        reader, writer = os.pipe()
        for end in (reader, writer):
            os.set_inheritable(end, True)
            self.addCleanup(os.close, end)
        self.shell("for end in %d %d; do test -e /proc/self/fd/$end && echo open; done" % (
            reader, writer))
        self.assertEqual(self.output, b"")

    def test_it_gets_the_open_files_that_are_meant_for_it(self) -> None:
        ends = [*os.pipe(), *os.pipe()]
        for end in ends:
            self.addCleanup(os.close, end)
        process.run(b"/bin/sh", [b"sh", b"-c", b"ls -l /proc/$$/fd"], os.environ, self.take,
                    Limits(time.monotonic() + PATIENCE, MIB), self.stop, descriptors=ends[:1])
        numbers = [line.split()[-3] for line in self.output.splitlines() if b" -> " in line]
        self.assertEqual(sorted(map(int, numbers)), [0, 1, 2, ends[0]])

    def test_words_reach_the_program_as_they_are(self) -> None:
        """FAULTS 28."""
        words = [b"$(touch %s)" % os.fsencode(self.path("file")), b"-e", b"a b", b"*", b"\xff", b""]
        self.start(b"/bin/sh", [b"sh", b"-c", b'printf "%s|" "$@"', b"sh", *words])
        self.assertEqual(self.output, b"|".join(words) + b"|")
        self.assertFalse(os.path.exists(self.path("file")))


class TooLong(ProcessCase):
    def test_a_command_needs_no_timeout_program_to_be_stopped(self) -> None:
        """FAULTS 41."""
        sleep = process.find_program(b"sleep", SYSTEM)
        assert sleep is not None
        ending = self.start(sleep, [b"sleep", b"600"], seconds=SOON, environ={})
        self.assertEqual(ending, Ending(-signal.SIGTERM, timed_out=True))

    def test_a_command_that_cleans_up_on_sigterm_gets_to_do_it(self) -> None:
        """FAULTS 43."""
        ending = self.shell("trap 'sleep 0.2; echo cleaned >$F; exit 3' TERM; sleep 600 & wait",
                            seconds=SHORT, grace=PATIENCE)
        self.assertEqual(ending, Ending(3, timed_out=True))
        self.assertEqual(self.read(), b"cleaned\n")

    def test_what_a_command_started_gets_to_clean_up_as_well(self) -> None:
        """FAULTS 43. The leader is a script that dies at once; its program is still cleaning."""
        self.shell("(trap 'sleep 0.5; echo cleaned >$F; exit' TERM; sleep 600 & wait); exit",
                   seconds=SHORT, grace=PATIENCE)
        self.assertEqual(self.read(), b"cleaned\n")

    def test_a_command_that_ignores_sigterm_is_killed_after_the_grace(self) -> None:
        ending = self.shell("trap '' TERM; while :; do sleep 0.1; done", seconds=SHORT, grace=0.3)
        self.assertEqual(ending, Ending(-signal.SIGKILL, timed_out=True))

    def test_a_command_that_prints_while_it_is_ended_cannot_block_its_end(self) -> None:
        ending = self.shell(
            "trap '' TERM; echo; while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done",
            output=MIB, grace=0.3)
        self.assertEqual(ending, Ending(-signal.SIGKILL, cut=True))

    def test_after_a_command_timed_out_its_group_is_gone_and_writes_nothing_more(self) -> None:
        """FAULTS 42."""
        ending = self.shell("echo $$; (trap '' TERM; while :; do echo x >>$F; sleep 0.05; done) & "
                            "exec sleep 600", seconds=SHORT, grace=0.3)
        self.assertTrue(ending.timed_out)
        group = int(self.output)
        for member in members(group):
            self.await_death(member)  # killed, but not yet gone
        written = self.read()
        self.assertTrue(written)
        time.sleep(0.2)
        self.assertEqual(self.read(), written)

    def test_output_until_the_timeout_is_kept(self) -> None:
        self.assertTrue(self.shell("echo one; exec sleep 600", seconds=SHORT).timed_out)
        self.assertEqual(self.output, b"one\n")

    def test_a_time_that_is_over_already_ends_the_command(self) -> None:
        self.assertTrue(self.shell("exec sleep 600", seconds=-1.0).timed_out)

    def test_a_command_that_cannot_be_killed_is_abandoned(self) -> None:
        """FAULTS 44. It belongs to root, and the run to somebody else by then."""
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        os.chmod(self.folder, 0o777)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            status = 9

            def sink(chunk: bytes) -> bool:
                os.write(writer, chunk)
                os.setresuid(65534, 65534, 0)
                return False

            try:
                ending = self.shell("echo $$; exec sleep 600", grace=0.1, sink=sink)
                status = 0 if ending == Ending(None, cut=True) else 1
            finally:
                os._exit(status)
        os.close(writer)
        with open(reader, "rb") as pipe:
            abandoned = int(pipe.read())
        _, status = os.waitpid(child, 0)
        self.assertTrue(is_alive(abandoned))
        os.kill(abandoned, signal.SIGKILL)
        self.assertEqual(status, 0)


class LeftBehind(ProcessCase):
    def test_a_helper_that_keeps_the_pipe_open_does_not_hang_the_run(self) -> None:
        """It has a session of its own, as a daemon has, and lives on."""
        started = time.monotonic()
        ending = self.python(
            "import subprocess as s\n"
            "print(s.Popen(['sleep', '600'], start_new_session=True).pid, flush=True)\n",
            seconds=2 * PATIENCE)
        self.assertLess(time.monotonic(), started + PATIENCE)
        helper = int(self.output)
        self.addCleanup(os.kill, helper, signal.SIGKILL)
        self.assertEqual(ending, Ending(0))
        self.assertTrue(is_alive(helper))

    def test_a_helper_in_the_same_group_is_ended_with_the_program(self) -> None:
        for redirection in ("", ">/dev/null 2>&1"):
            with self.subTest(redirection or "holds the pipe"):
                self.output = b""
                ending = self.shell("sleep 600 %s & echo $!" % redirection)
                self.assertEqual(ending, Ending(0))
                self.await_death(int(self.output))

    def test_a_program_that_closed_its_output_is_waited_for(self) -> None:
        ending = self.shell("exec >&- 2>&-; sleep 0.3; echo x >$F; exit 4")
        self.assertEqual(ending, Ending(4))
        self.assertEqual(self.read(), b"x\n")

    def test_a_program_that_closed_its_output_times_out_too(self) -> None:
        ending = self.shell("exec >&- 2>&-; exec sleep 600", seconds=SOON)
        self.assertEqual(ending, Ending(-signal.SIGTERM, timed_out=True))

    def test_many_runs_leave_no_descriptor_and_no_zombie(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            self.shell("exit 0", source=lambda pipe: None)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        with self.assertRaises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


class Stopping(ProcessCase):
    def test_the_stop_sign_ends_a_program_under_way(self) -> None:
        def sink(chunk: bytes) -> bool:
            self.stop.set()
            return self.take(chunk)

        ending = self.shell("echo $$; exec sleep 600", seconds=600.0, grace=600.0, sink=sink)
        self.assertEqual(ending, Ending(-signal.SIGTERM))
        self.assertFalse(is_alive(int(self.output)))

    def test_the_stop_sign_of_another_thread_is_seen_without_any_output(self) -> None:
        threading.Timer(0.3, self.stop.set).start()
        self.assertEqual(self.shell("exec sleep 600", seconds=600.0), Ending(-signal.SIGTERM))

    def test_the_stop_sign_shortens_the_grace(self) -> None:
        def sink(chunk: bytes) -> bool:
            self.stop.set()
            return self.take(chunk)

        ending = self.shell("trap '' TERM; echo $$; while :; do sleep 0.1; done", seconds=600.0,
                            grace=600.0, sink=sink)
        self.assertEqual(ending, Ending(-signal.SIGKILL))

    def test_a_stop_sign_set_before_ends_the_program_at_once(self) -> None:
        self.stop.set()
        ending = self.shell("exec sleep 600", seconds=600.0)
        self.assertEqual(ending, Ending(-signal.SIGTERM))


class Input(ProcessCase):
    CONTENT = bytes(range(256)) * 12000

    def feed(self, pipe: int) -> None:
        view = memoryview(self.CONTENT)
        while view:
            view = view[os.write(pipe, view):]

    def test_a_source_feeds_standard_input(self) -> None:
        self.assertEqual(self.shell("exec cat", source=self.feed), Ending(0))
        self.assertTrue(self.output == self.CONTENT)

    def test_whatever_the_source_raises_reaches_the_caller_and_no_process_is_left(self) -> None:
        for error in (OSError(5, "Input/output error"), ValueError("a fault")):
            with self.subTest(type(error).__name__):
                self.output = b""

                def source(pipe: int, error: Exception = error) -> None:
                    os.write(pipe, b"some\n")
                    raise error

                with self.assertRaises(type(error)):
                    self.shell("echo $$; exec cat", source=source)
                number, _, rest = self.output.partition(b"\n")
                self.assertEqual(rest, b"some\n")
                self.assertFalse(is_alive(int(number)))

    def test_a_program_that_wants_no_input_is_no_error(self) -> None:
        self.assertEqual(self.shell("exit 0", source=self.feed), Ending(0))
        self.assertEqual(self.shell("exec 0<&-; echo x", source=self.feed), Ending(0))

    def test_a_program_that_never_reads_its_input_times_out(self) -> None:
        ending = self.shell("exec sleep 600", seconds=SOON, source=self.feed)
        self.assertEqual(ending, Ending(-signal.SIGTERM, timed_out=True))

    def test_a_source_that_waits_for_ever_ends_with_the_time(self) -> None:
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)

        def source(pipe: int) -> None:
            select.select([reader], [], [])

        threading.Timer(2 * SOON, os.close, [writer]).start()
        ending = self.shell("exec cat", seconds=SOON, source=source)
        self.assertTrue(ending.timed_out)


class Memory(ProcessCase):
    def test_the_address_space_is_limited_where_that_is_asked(self) -> None:
        def source(pipe: int) -> None:
            os.write(pipe, b"go\n")  # the limit is there by now

        found: Dict[int, bytes] = {}
        for limit in (0, 512 * MIB):
            self.output = b""
            self.start(b"/bin/sh", [b"sh", b"-c", b"read go; ulimit -v"], memory=limit,
                       source=source)
            found[limit] = self.output
        self.assertEqual(found[512 * MIB], b"%d\n" % (512 * 1024))
        self.assertNotEqual(found[0], found[512 * MIB])
