"""Awkward files and commands, one at a time: what is kept of them, what is said, the end."""
import bz2
import gzip
import lzma
import os
import socket
import subprocess
import sys
import time
from typing import Any, ClassVar, Dict, List, Optional, Sequence, Tuple

from insights_mini import process
from insights_mini.core.collect import grep, plan, pool, work
from insights_mini.core.collect.commandline import PATH
from insights_mini.core.redact.cleaner import drop_undecodable
from insights_mini.core.redact.passwords import mask_passwords
from insights_mini.core.roots.running import HOST
from insights_mini.core.specs import COMMAND, FILE
from insights_mini.core.spool import MEMORY, Store
from tests.support import TOP, Scratch

ENVIRON = {"LC_ALL": "C", "PATH": PATH}
MIB = 1024 * 1024


def make_means(folder: str, **changes: Any) -> work.Means:
    """Return what tasks are collected with, without grep unless a change brings it in."""
    means = work.Means(
        make_cleaner=lambda: (lambda block: mask_passwords(drop_undecodable(block))[0], {}),
        forbidden=frozenset(), store=Store(os.fsencode(folder)), stop=process.Stop(),
        environ=ENVIRON, host="host.example.com", forbids=lambda path: "",
        root=HOST, cmd_timeout=60.0,
        deadline=time.monotonic() + 300.0,
        max_member=64 * MIB, max_read=4096 * MIB, find_grep=lambda: None)
    return means._replace(**changes)


def file_task(path: str, keep: Sequence[bytes] = ()) -> plan.Task:
    name = os.fsencode(path)
    return plan.Task(FILE, name, name.strip(b"/"), tuple(keep), (0,))


def shell_task(line: str, keep: Sequence[bytes] = ()) -> plan.Task:
    """Return a task that runs a shell line, as a stand-in for an awkward program."""
    return plan.Task(COMMAND, line.encode(), b"insights_commands/x", tuple(keep), (0,), b"/bin/sh",
                     (b"sh", b"-c", line.encode()))


def nothing() -> None:
    """Beat of a task that nobody watches."""


def content(result: work.Result) -> Optional[bytes]:
    return None if result.spool is None else b"".join(result.spool.blocks())


def kinds(result: work.Result) -> List[str]:
    return [kind for kind, _ in result.notes]


class Files(Scratch):
    def collect(self, path: str, keep: Sequence[bytes] = (), **changes: Any) -> work.Result:
        return work.collect(file_task(path, keep), make_means(self.folder, **changes), nothing)

    def test_what_is_no_regular_file_is_never_opened(self) -> None:
        os.mkfifo(self.path("fifo"))
        os.mkdir(self.path("folder"))
        os.symlink("loop", self.path("loop"))
        os.symlink("fifo", self.path("to-fifo"))
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.bind(self.path("socket"))
        for path, why in ((self.path("fifo"), "is a FIFO"), (self.path("folder"), "is a directory"),
                          (self.path("loop"), "Too many levels of symbolic links"),
                          (self.path("to-fifo"), "is a FIFO"), (self.path("socket"), "is a socket"),
                          ("/dev/zero", "is a device"), ("/proc/self/mem", "Input/output error")):
            with self.subTest(path):
                self.assertEqual(self.collect(path), work.Result(work.UNREADABLE, why))

    def test_a_file_that_may_not_be_read_is_told_apart_from_an_absent_one(self) -> None:
        self.assertEqual(self.collect(self.path("none")).outcome, plan.ABSENT)
        self.assertEqual(self.collect(self.write("file", b"x") + "/x").outcome, plan.ABSENT)
        os.symlink("none", self.path("dangling"))
        self.assertEqual(self.collect(self.path("dangling")).outcome, plan.ABSENT)
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        os.chmod(self.folder, 0o755)
        done = run_child("os.setuid(65534)\n"
                         "print(work.collect(file_task(sys.argv[2]), make_means('/'), nothing))",
                         self.write("secret", b"x", 0o600))
        self.assertIn(b"outcome='unreadable', detail='Permission denied'", done)

    def test_an_empty_file_and_one_without_wanted_lines_leave_nothing(self) -> None:
        path = self.write("file", b"a\nb\n")
        for result in (self.collect(self.write("empty", b"")), self.collect(path, [b"x"])):
            self.assertEqual(result, work.Result(work.EMPTY))

    def test_a_file_comes_out_line_for_line_after_the_filter_and_the_password_rule(self) -> None:
        path = self.write("file", b"a\r\n\nb password=x\nc b\nd")
        self.assertEqual(content(self.collect(path)), b"a\r\n\nb password=********\nc b\nd")
        self.assertEqual(content(self.collect(path, [b"b", b"d"])),
                         b"b password=********\nc b\nd")

    def test_bytes_go_through_and_only_what_is_no_utf_8_is_dropped(self) -> None:
        """FAULTS 46."""
        path = self.write("file", b"caf\xe9 \xed\xa0\x80 \xf0\x9f\x98\x80 \xc3\xa9\0\n"
                                  b"pass\xffword=hunter2\npassword=\xfehunter2\n\xff")
        self.assertEqual(content(self.collect(path)), b"caf  \xf0\x9f\x98\x80 \xc3\xa9\0\n"
                                                      b"password=********\npassword=********\n")

    def test_a_password_is_masked_whatever_block_it_ends_in(self) -> None:
        for size in range(256 * 1024 - 24, 256 * 1024 + 2):
            path = self.write("file", b"x" * (size - 1) + b"\npassword=hunter2\n")
            collected = content(self.collect(path)) or b""
            self.assertTrue(collected.endswith(b"x\npassword=********\n"), size)

    def test_a_password_is_masked_though_reading_begins_within_its_word(self) -> None:
        text = b"x" * 1000 + b" password=hunter2 " + b"y" * 300000
        for cut in range(990, 1030):
            path = self.write("file", text)
            result = self.collect(path, max_read=len(text) - cut)
            self.assertNotIn(b"unter2", content(result) or b"", cut)
            self.assertIn(work.LIMIT, kinds(result))

    def test_what_is_compressed_or_utf_16_is_left_out_and_counted(self) -> None:
        """FAULTS 2, 23."""
        text = b"password=hunter2\n" * 3
        for what, body in (
            ("gzip", gzip.compress(text)), ("bzip2", bz2.compress(text)),
            ("xz", lzma.compress(text)), ("zip", b"PK\3\4" + text),
            ("zstd", b"\x28\xb5\x2f\xfd" + text), ("compress", b"\x1f\x9d" + text),
            ("lz4", b"\x04\x22\x4d\x18" + text), ("UTF-16", text.decode().encode("utf-16")),
            ("UTF-32", text.decode().encode("utf-32")),
        ):
            for keep in ((), (b"p",)):
                with self.subTest(what, keep=keep):
                    path = self.write("file", body)
                    for result in (self.collect(path, keep),
                                   self.collect(path, keep, max_read=len(body) - 5),
                                   work.collect(shell_task("cat " + path, keep),
                                                make_means(self.folder), nothing)):
                        self.assertEqual((result.outcome, result.spool), (work.UNCLEANED, None))

    def test_other_bytes_that_are_no_text_are_cleaned_like_any(self) -> None:
        path = self.write("file", b"\x7fELF\0\0\0\1\0\0 password=hunter2\0\0x\n")
        self.assertEqual(content(self.collect(path)), b"\x7fELF\0\0\0\1\0\0 password=********\n")

    def test_a_growing_file_ends_where_it_ended_when_it_was_opened(self) -> None:
        path = self.write("log", b"line\n" * 200000)

        def grow() -> None:
            with open(path, "ab") as file:
                file.write(b"more\n" * 200000)

        result = work.collect(file_task(path), make_means(self.folder), grow)
        self.assertEqual(content(result), b"line\n" * 200000)
        self.assertGreater(os.path.getsize(path), 2000000)

    def test_a_file_that_shrinks_or_vanishes_while_it_is_read_costs_no_more_than_its_rest(
            self) -> None:
        path = self.write("log", b"line\n" * 200000)
        result = work.collect(file_task(path), make_means(self.folder),
                              lambda: os.truncate(path, 0))
        kept = content(result) or b""
        self.assertTrue(0 < len(kept) < 1000000)
        self.assertTrue((b"line\n" * 200000).startswith(kept))
        path = self.write("log", b"line\n" * 200000)

        def remove() -> None:
            if os.path.exists(path):
                os.unlink(path)

        result = work.collect(file_task(path), make_means(self.folder), remove)
        self.assertEqual(content(result), b"line\n" * 200000)

    def test_of_a_huge_sparse_file_the_newest_end_is_kept_and_the_limit_noted(self) -> None:
        with open(self.path("sparse"), "wb") as file:
            file.seek(1 << 40)
            file.write(b"\nlast but one\nlast\n")
        for keep in ([], [b"last"]):
            result = self.collect(self.path("sparse"), keep, max_read=3 * MIB)
            self.assertTrue((content(result) or b"").endswith(b"last but one\nlast\n"))
            self.assertIn(work.LIMIT, kinds(result))

    def test_of_a_log_beyond_a_limit_exactly_the_newest_whole_lines_are_kept(self) -> None:
        path = self.write("log", b"".join(b"line %06d\n" % i for i in range(1000)))
        for limits in ({"max_read": 100}, {"max_member": 100}, {"max_read": 108},
                       {"max_member": 107}):
            for keep in ([], [b"line"]):
                with self.subTest(limits=limits, keep=keep):
                    result = self.collect(path, keep, **limits)
                    lines = min(limits.values()) // 12
                    kept = b"".join(b"line %06d\n" % i for i in range(1000 - lines, 1000))
                    self.assertEqual(content(result), kept)
                    self.assertEqual(kinds(result), [work.LIMIT])

    def test_the_smaller_of_the_limits_of_a_spec_and_of_the_run_holds(self) -> None:
        path = self.write("log", b"0123456\n" * 1000)
        program = grep.Finder(ENVIRON, process.Stop())
        for own, of_run, kept in ((80, 64 * MIB, 80), (64 * MIB, 80, 80), (0, 80, 80),
                                  (87, 160, 80), (0, 64 * MIB, 8000)):
            for task in (file_task(path), file_task(path, [b"6"]), shell_task("cat " + path)):
                with self.subTest(own=own, of_run=of_run, kind=task.kind, keep=task.keep):
                    means = make_means(self.folder, max_member=of_run, find_grep=program)
                    result = work.collect(task._replace(most=own), means, nothing)
                    self.assertEqual(content(result), b"0123456\n" * (kept // 8))
                    self.assertEqual(kinds(result), [work.LIMIT] if kept < 8000 else [])

    def test_a_limit_of_a_spec_holds_where_grep_is_used_too(self) -> None:
        path = self.write("log", b"0123456\n" * (work.LARGE // 8))
        task = file_task(path, [b"6"])._replace(most=MIB)
        result = work.collect(task, make_means(
            self.folder, find_grep=grep.Finder(ENVIRON, process.Stop())), nothing)
        self.assertEqual(len(content(result) or b""), MIB)

    def test_a_file_of_exactly_one_page_has_its_newest_end_kept_too(self) -> None:
        path = self.write("page", b"0123456\n" * 511 + b"newest.\n")
        result = self.collect(path, max_read=80)
        self.assertEqual(content(result), b"0123456\n" * 9 + b"newest.\n")
        self.assertEqual(kinds(result), [work.LIMIT])

    def test_a_file_of_proc_is_read_to_its_end_and_a_limit_reached_there_is_noted(self) -> None:
        whole = content(self.collect("/proc/self/smaps")) or b""
        self.assertGreater(len(whole), 4096)
        self.assertEqual(content(self.collect("/proc/sys/kernel/ostype")), b"Linux\n")
        self.assertEqual(kinds(self.collect("/proc/self/smaps", max_read=1000)), [work.LIMIT])

    def test_a_line_over_the_limit_is_shortened_and_that_is_noted(self) -> None:
        """FAULTS 45."""
        path = self.write("file", b"a\n" + b"x" * (MIB + 5) + b"\nb\n" + b"y" * (MIB + 1))
        result = self.collect(path)
        self.assertEqual(content(result), b"a\n" + b"x" * MIB + b"\nb\n" + b"y" * MIB)
        self.assertEqual(kinds(result), [work.LIMIT])
        self.assertIn("2 lines", result.notes[0][1])

    def test_a_line_of_a_gigabyte_and_a_log_of_a_million_lines_need_little_memory(self) -> None:
        """FAULTS 45."""
        with open(self.path("line"), "wb") as file:
            file.truncate(1 << 30)
            file.seek(0, os.SEEK_END)
            file.write(b"\nwanted\n")
        with open(self.path("log"), "wb") as file:
            for _ in range(100):
                file.write(b"wanted, one of a million lines or so\n" * 10000)
        script = (
            "from insights_mini.core.collect.grep import Finder\n"
            "means = make_means(sys.argv[2], max_member=MIB)\n"
            "means = means._replace(find_grep=Finder(ENVIRON, means.stop))\n"
            "for name in ('line', 'log'):\n"
            "    result = work.collect(file_task(sys.argv[2] + '/' + name, [b'wanted']), means,\n"
            "                          nothing)\n"
            "    print(len(content(result)), kinds(result))\n"
            "with open('/proc/self/status') as status:\n"
            "    print(*[line for line in status if line.startswith('VmHWM')])\n")
        lines = run_child(script, self.folder).decode().splitlines()
        self.assertEqual(lines[0], "7 ['limit reached']")
        self.assertEqual(lines[1], "%d ['limit reached']" % (MIB // 37 * 37))
        self.assertLess(int(lines[2].split()[1]), 64 * 1024, "kilobytes at the peak")

    def test_nothing_is_begun_after_the_end_of_the_run(self) -> None:
        path = self.write("file", b"x")
        stop = process.Stop()
        stop.set()
        late = time.monotonic() - 1.0
        self.assertEqual(self.collect(path, stop=stop), work.Result(work.OUT_OF_TIME))
        self.assertEqual(self.collect(path, deadline=late), work.Result(work.OUT_OF_TIME))
        task = shell_task("touch %s" % self.path("ran"))
        result = work.collect(task, make_means(self.folder, deadline=late), nothing)
        self.assertEqual(result, work.Result(work.OUT_OF_TIME))
        self.assertFalse(os.path.exists(self.path("ran")))

    def test_the_run_ends_in_the_middle_of_a_large_file_and_says_so(self) -> None:
        path = self.write("log", b"line\n" * 500000)
        means = make_means(self.folder)
        result = work.collect(file_task(path), means, means.stop.set)
        self.assertTrue(0 < len(content(result) or b"") < 2500000)
        self.assertIn((work.LIMIT, "could not be read to its end: run time over"), result.notes)

    def test_nothing_is_left_in_the_store_of_what_was_read_and_let_go(self) -> None:
        means = make_means(self.folder, max_member=MIB)
        path = self.write("log", b"line\n" * 800000)
        content(work.collect(file_task(path, [b"line"]), means, nothing))
        self.assertEqual(means.store.memory, MEMORY)


class Commands(Scratch):
    """All at once through the pool, since some of them take their time; one test for each."""

    results: ClassVar[Dict[str, Tuple[Optional[bytes], work.Result]]] = {}
    LINES = (
        ("ignores TERM", "trap '' TERM; echo on; while :; do sleep 0.2; done"),
        ("prints then hangs", "echo part; exec sleep 1000"),
        ("hangs", "exec /bin/sleep 1000"),
        ("hangs and is known to", "exec /bin/sleep 1000"),
        ("is known to hang, in a hurry", "exec /bin/sleep 1000"),
        ("leaves a grandchild", "sleep 1000 & echo done"),
        ("endless lines", "exec yes 123456789"),
        ("endless line", "exec cat /dev/zero"),
        ("reads stdin", "cat; echo end $?"),
        ("reads the terminal", "read x 2>/dev/null </dev/tty || echo none"),
        ("dies", "echo before; kill -9 $$; echo after"),
        ("both outputs", "echo out; echo err >&2; echo out"),
        ("fails", "echo reason; exit 3"),
        ("prints nothing", "exit 0"),
        ("not UTF-8", "printf 'caf\\351 pass\\377word=hunter2\\n'"),
        ("fills stderr", "head -c 300000 /dev/zero | tr '\\0' 'e' >&2; echo; echo end"),
    )
    LIMITS: ClassVar[Dict[str, Dict[str, Any]]] = {
        "ignores TERM": {"cmd_timeout": 1.0}, "prints then hangs": {"cmd_timeout": 5.0},
        "hangs": {"cmd_timeout": 0.2, "environ": {"PATH": ""}},
        "is known to hang, in a hurry": {"cmd_timeout": 0.2},
        "endless lines": {"max_member": 1005}, "endless line": {"max_read": 3 * MIB},
    }

    SLOW: ClassVar[Dict[str, float]] = {
        "hangs and is known to": 0.3, "is known to hang, in a hurry": 900.0}

    @classmethod
    def setUpClass(cls) -> None:
        names = [name for name, _ in cls.LINES]
        tasks = [shell_task(line)._replace(label=name.encode(), slow=cls.SLOW.get(name, 0.0))
                 for name, line in cls.LINES]

        def collect(task: plan.Task, beat: Any) -> work.Result:
            limits = cls.LIMITS.get(task.label.decode(), {})
            return work.collect(task, make_means("/nowhere", **limits), beat)

        workers = pool.Pool(tasks, collect, 120.0, time.monotonic() + 120.0)
        for name, (_, result) in zip(names, workers.run(lambda task, done: None)):
            cls.results[name] = (content(result), result)
        workers.leave()

    def check(self, name: str, expected: Optional[bytes], outcome: str = work.COLLECTED,
              notes: Sequence[str] = ()) -> None:
        collected, result = self.results[name]
        self.assertEqual((collected, result.outcome, kinds(result)),
                         (expected, outcome, list(notes)))

    def test_a_command_that_hangs_is_ended_at_its_time_without_any_helper_program(self) -> None:
        """FAULTS 41."""
        self.check("hangs", None, work.TIMED_OUT, [work.TIMED_OUT])

    def test_a_command_that_is_known_to_hang_has_the_smaller_of_its_time_and_that_of_all(
            self) -> None:
        for name, seconds in (("hangs and is known to", "0.3"),
                              ("is known to hang, in a hurry", "0.2")):
            self.check(name, None, work.TIMED_OUT, [work.TIMED_OUT])
            self.assertIn((work.TIMED_OUT, "ended after %s s" % seconds),
                          self.results[name][1].notes)

    def test_what_a_command_printed_before_its_time_was_over_is_kept(self) -> None:
        self.check("prints then hangs", b"part\n", notes=[work.TIMED_OUT])

    def test_a_command_that_ignores_sigterm_is_killed(self) -> None:
        self.check("ignores TERM", b"on\n", notes=[work.TIMED_OUT])

    def test_a_grandchild_that_holds_the_pipe_open_does_not_hold_the_run(self) -> None:
        self.check("leaves a grandchild", b"done\n")

    def test_of_endless_output_the_first_whole_lines_are_kept(self) -> None:
        self.check("endless lines", b"123456789\n" * 100, notes=[work.LIMIT])

    def test_endless_output_without_a_newline_is_ended_at_the_limit_of_reading(self) -> None:
        collected, result = self.results["endless line"]
        self.assertEqual(collected, bytes(MIB))
        self.assertEqual(kinds(result), [work.LIMIT, work.LIMIT])

    def test_a_command_finds_neither_input_nor_a_terminal(self) -> None:
        self.check("reads stdin", b"end 0\n")
        self.check("reads the terminal", b"none\n")

    def test_what_a_command_printed_before_a_signal_killed_it_is_kept(self) -> None:
        self.check("dies", b"before\n")

    def test_standard_error_is_merged_into_the_output_in_order(self) -> None:
        self.check("both outputs", b"out\nerr\nout\n")
        self.check("fails", b"reason\n")

    def test_standard_error_of_any_size_blocks_nothing(self) -> None:
        """FAULTS 39."""
        self.check("fills stderr", b"e" * 300000 + b"\nend\n")

    def test_a_command_that_prints_nothing_leaves_nothing(self) -> None:
        self.check("prints nothing", None, work.EMPTY)

    def test_output_that_is_not_utf_8_is_cleaned_like_a_file(self) -> None:
        """FAULTS 46."""
        self.check("not UTF-8", b"caf password=********\n")

    def test_a_program_that_cannot_be_run_costs_its_own_spec_only(self) -> None:
        junk = self.write("junk", b"\x7fELF junk", 0o755)
        for program, argv in ((junk, [b"junk"]), (self.path("none"), [b"none"]),
                              (self.folder, [b"folder"]),
                              ("/bin/echo", [b"echo", b"x" * (1 << 22)]),
                              ("/bin/echo", [b"echo", b"a\0b"])):
            with self.subTest(program, argv=argv[-1][:10]):
                task = shell_task("x")._replace(program=os.fsencode(program), argv=tuple(argv))
                result = work.collect(task, make_means(self.folder), nothing)
                self.assertEqual((result.outcome, result.spool), (plan.FAILED, None))
                self.assertTrue(result.detail)

    def test_only_the_wanted_lines_of_an_output_are_kept(self) -> None:
        task = shell_task("echo a; echo b; echo ab", [b"b"])
        result = work.collect(task, make_means(self.folder), nothing)
        self.assertEqual(content(result), b"b\nab\n")

    def test_the_hostname_is_answered_and_filtered_without_running_anything(self) -> None:
        task = plan.Task(plan.ANSWER, b"hostname", b"insights_commands/hostname", (), (0,))
        result = work.collect(task, make_means(self.folder), nothing)
        self.assertEqual(content(result), b"host.example.com\n")
        result = work.collect(task._replace(keep=(b"x.y",)), make_means(self.folder), nothing)
        self.assertEqual(result.outcome, work.EMPTY)


def run_child(script: str, *arguments: str) -> bytes:
    """Run a script with the names of this module in a Python of its own; return its output."""
    begin = ("import os, sys\nsys.path[:0] = [sys.argv[1], sys.argv[1] + '/src']\n"
             "from tests.core.collect.test_work import *\n")
    done = subprocess.run([sys.executable, "-c", begin + script, TOP, *arguments],
                          stdout=subprocess.PIPE, check=True)
    return done.stdout
