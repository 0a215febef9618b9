"""The log file and the console: what goes where, that no line can be forged, that none can fail."""
import contextlib
import os
import re
import stat
import tempfile
import threading
from typing import Iterator, List

from insights_mini import log
from insights_mini.log import DEBUG, ERROR, INFO, NOTHING, WARNING, Console, Log
from insights_mini.paths import find_paths
from insights_mini.settings import Settings
from tests.support import Scratch

CLEAR = b"\r\x1b[K"
HOSTILE = (
    ("a second line", "x\nERROR: forged"),
    ("carriage return", "x\rforged"),
    ("terminal sequence", "x\x1b[2J\x1b]0;title\x07"),
    ("terminal sequence in one byte", "x\x9b2J"),
    ("unicode line ends", "x\u2028y\u2029z\x85"),
    ("reversed writing", "x\u202egpj.exe"),
    ("byte that is not utf-8", "x\udcff"),
    ("zero", "x\x00y"),
)


class Captured:
    """What was written to standard output and error."""

    out = b""
    err = b""


@contextlib.contextmanager
def captured() -> Iterator[Captured]:
    """Send descriptors 1 and 2 to files, and give what they hold afterwards."""
    result = Captured()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        saved = [os.dup(1), os.dup(2)]
        try:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            yield result
        finally:
            for number, old in enumerate(saved, 1):
                os.dup2(old, number)
                os.close(old)
            for file in (out, err):
                file.seek(0)
            result.out, result.err = out.read(), err.read()


class Forging(Scratch):
    def test_control_characters_are_escaped_on_the_console(self) -> None:
        for label, text in HOSTILE:
            with self.subTest(label):
                with captured() as got:
                    Console(DEBUG).line(INFO, text)
                    Console(DEBUG).line(WARNING, text)
                for content in (got.out, got.err):
                    self.assertEqual(content.count(b"\n"), 1)
                    self.assertTrue(content.decode("utf-8")[:-1].isprintable(), content)

    def test_control_characters_are_escaped_in_the_log_file(self) -> None:
        for label, text in HOSTILE:
            with self.subTest(label):
                path = self.path("log", label)
                file = log.open_file(os.fsencode(path), False)
                with captured():
                    Log(Console(NOTHING), file).error(text)
                os.close(file)
                with open(path, encoding="utf-8", newline="") as written:
                    content = written.read()
                self.assertEqual(content.count("\n"), 1)
                self.assertTrue(content[:-1].isprintable(), content)

    def test_control_characters_are_escaped_in_the_progress_line(self) -> None:
        with captured() as got:
            Console(INFO, live=True).status("x\ny\x1b[2Jz")
        self.assertEqual(got.err, CLEAR + b"x\\ny\\x1b[2Jz")

    def test_letters_of_any_language_stay_as_they_are(self) -> None:
        for text in ("caf\u00e9", "\u65e5\u672c", "plain", ""):
            self.assertEqual(log.printable(text), text)

    def test_a_path_that_is_not_utf_8_can_be_shown(self) -> None:
        self.assertEqual(log.show(b"/caf\xc3\xa9/\xff"), "/caf\u00e9/\\xff")


class Nobody(Scratch):
    """Messages that nobody can receive never cost the run."""

    def say_everything(self, console: Console, file: int = -1) -> None:
        journal = Log(console, None if file < 0 else file)
        for level in (DEBUG, INFO, WARNING, ERROR):
            journal.say(level, "message")
        console.status("progress")
        console.status("")

    def test_a_closed_standard_output_never_raises(self) -> None:
        closed = os.dup(1)
        os.close(closed)
        with captured() as got:
            self.say_everything(Console(DEBUG, out=closed))
        self.assertIn(b"ERROR: message", got.err)

    def test_a_full_standard_output_never_raises(self) -> None:
        with open("/dev/full", "wb", buffering=0) as full, captured() as got:
            self.say_everything(Console(DEBUG, out=full.fileno()))
        self.assertIn(b"ERROR: message", got.err)

    def test_a_reader_that_has_gone_never_raises(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, writer)
        with captured() as got:
            self.say_everything(Console(DEBUG, out=writer))
        self.assertIn(b"ERROR: message", got.err)

    def test_a_full_or_closed_standard_error_never_raises(self) -> None:
        with captured(), open("/dev/full", "wb", buffering=0) as full:
            os.dup2(full.fileno(), 2)
            self.say_everything(Console(DEBUG, live=True))
            os.close(2)
            self.say_everything(Console(DEBUG, live=True))

    def test_a_full_or_closed_log_file_never_raises(self) -> None:
        closed = os.dup(1)
        os.close(closed)
        with open("/dev/full", "wb", buffering=0) as full, captured():
            self.say_everything(Console(NOTHING), full.fileno())
            self.say_everything(Console(NOTHING), closed)


class Places(Scratch):
    def test_standard_output_gets_information_and_nothing_else(self) -> None:
        """FAULTS 52."""
        with captured() as got:
            console = Console(DEBUG, live=True)
            console.status("progress")
            for level, name in ((DEBUG, "debug"), (INFO, "info"), (WARNING, "warning"),
                                (ERROR, "error")):
                console.line(level, name)
        self.assertEqual(got.out, b"info\n")
        for expected in (b"debug\n", b"WARNING: warning\n", b"ERROR: error\n"):
            self.assertIn(expected, got.err)

    def test_information_goes_to_standard_error_where_output_carries_the_archive(self) -> None:
        with captured() as got:
            Console(INFO, out=2).line(INFO, "info")
        self.assertEqual((got.out, got.err), (b"", b"info\n"))

    def test_a_level_hides_what_is_below_it(self) -> None:
        names = {DEBUG: b"debug\n", INFO: b"info\n", WARNING: b"warning\n", ERROR: b"error\n"}
        for least in (DEBUG, INFO, WARNING, ERROR, NOTHING):
            with self.subTest(str(least)):
                with captured() as got:
                    for level, text in names.items():
                        Console(least).line(level, text.decode().strip())
                for level, text in names.items():
                    self.assertEqual(text in got.out + got.err, level >= least)

    def test_the_settings_choose_the_level_of_the_console(self) -> None:
        for settings, level in ((Settings(), INFO), (Settings(quiet=True), WARNING),
                                (Settings(silent=True), NOTHING), (Settings(verbose=True), DEBUG),
                                (Settings(quiet=True, silent=True), NOTHING)):
            self.assertEqual(log.console_level(settings), level)

    def test_the_settings_choose_the_level_of_the_log_file(self) -> None:
        for name, level in (("DEBUG", DEBUG), ("INFO", INFO), ("WARNING", WARNING),
                            ("ERROR", ERROR)):
            self.assertEqual(log.file_level(Settings(loglevel=name)), level)

    def test_the_settings_choose_the_log_file(self) -> None:
        paths = find_paths({"INSIGHTS_LOG_DIR": "/l"})
        self.assertEqual(log.choose_file(Settings(), paths), b"/l/insights-client.log")
        self.assertEqual(log.choose_file(Settings(logging_file="/x/y"), paths), b"/x/y")
        self.assertEqual(log.choose_file(Settings(logging_file="y"), paths),
                         os.path.join(os.fsencode(os.getcwd()), b"y"))


class Progress(Scratch):
    def test_without_a_terminal_there_is_no_progress_line(self) -> None:
        with captured() as got:
            console = Console(INFO)
            console.status("1/2")
            console.line(ERROR, "e")
            console.status("")
        self.assertEqual(got.err, b"ERROR: e\n")

    def test_the_progress_line_is_gone_before_a_message_comes(self) -> None:
        with captured() as got:
            console = Console(INFO, live=True)
            console.status("1/2")
            console.line(ERROR, "e")
            console.line(ERROR, "f")
        self.assertEqual(got.err, CLEAR + b"1/2" + CLEAR + b"ERROR: e\nERROR: f\n")

    def test_a_message_that_is_not_shown_leaves_the_progress_line(self) -> None:
        with captured() as got:
            console = Console(INFO, live=True)
            console.status("1/2")
            console.line(DEBUG, "d")
        self.assertEqual(got.err, CLEAR + b"1/2")

    def test_the_progress_line_never_wraps(self) -> None:
        with captured() as got:
            Console(INFO, live=True).status("x" * 5000)
        self.assertLess(got.err.count(b"x"), log.terminal_width())


class LogFile(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.file = os.fsencode(self.path("log", "insights-client.log"))

    def open(self, rotate: bool = True) -> None:
        os.close(log.open_file(self.file, rotate))

    def mode(self, path: bytes) -> int:
        return stat.S_IMODE(os.stat(path).st_mode)

    def lines(self) -> List[str]:
        with open(self.file, encoding="utf-8") as file:
            return file.read().splitlines()

    def test_what_is_no_plain_file_is_refused_and_not_waited_for(self) -> None:
        os.mkdir(self.path("log"))
        victim = self.write("victim", "x")

        def link() -> None:
            os.symlink(os.fsencode(victim), self.file)

        for label, make in (("link", link), ("fifo", lambda: os.mkfifo(self.file)),
                            ("folder", lambda: os.mkdir(self.file))):
            with self.subTest(label):
                make()
                with self.assertRaises(OSError):
                    self.open()
                os.rename(self.file, os.fsencode(self.path(label)))
        with open(victim, "rb") as file:
            self.assertEqual(file.read(), b"x")

    def test_a_log_that_cannot_be_opened_is_one_warning(self) -> None:
        self.write("file", "x")
        path = os.fsencode(self.path("file", "log"))
        with captured() as got:
            self.assertIsNone(log.try_open_file(path, True, Console(INFO)))
            self.assertIsNone(log.try_open_file(path, True, Console(NOTHING)))
        self.assertEqual(got.out, b"")
        self.assertEqual(got.err.count(b"\n"), 1)
        self.assertTrue(got.err.startswith(b"WARNING: no log is written: "), got.err)
        self.assertIn(path, got.err)

    def test_under_umask_0_the_log_is_0600_in_a_folder_0700(self) -> None:
        """FAULTS 50."""
        self.addCleanup(os.umask, os.umask(0))
        self.open()
        self.assertEqual(self.mode(self.file), 0o600)
        self.assertEqual(self.mode(os.path.dirname(self.file)), 0o700)

    def test_a_log_that_others_could_read_is_made_private(self) -> None:
        os.mkdir(self.path("log"))
        self.write("log/insights-client.log", "old\n", mode=0o644)
        self.open()
        self.assertEqual(self.mode(self.file), 0o600)
        self.assertEqual(self.lines(), ["old"])

    def test_of_rotated_logs_three_are_kept_and_the_oldest_goes(self) -> None:
        os.mkdir(self.path("log"))
        for run in range(6):
            self.write("log/insights-client.log", (b"%d" % run) * log.LARGEST)
            self.open()
        names = sorted(os.listdir(self.path("log")))
        self.assertEqual(names, ["insights-client.log" + end for end in ("", ".1", ".2", ".3")])
        for end, first in ((b".1", b"5"), (b".2", b"4"), (b".3", b"3")):
            with open(self.file + end, "rb") as file:
                self.assertEqual(file.read(1), first)
        self.assertEqual(os.path.getsize(self.file), 0)

    def test_a_small_log_or_one_of_a_run_under_way_is_not_rotated(self) -> None:
        os.mkdir(self.path("log"))
        self.write("log/insights-client.log", b"x" * (log.LARGEST - 1))
        self.open(rotate=True)
        self.write("log/insights-client.log", b"x" * log.LARGEST)
        self.open(rotate=False)
        self.assertEqual(os.listdir(self.path("log")), ["insights-client.log"])

    def test_a_line_holds_time_level_process_and_message(self) -> None:
        file = log.open_file(self.file, True)
        self.addCleanup(os.close, file)
        Log(Console(NOTHING), file).warning("a message")
        pattern = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARNING +%d a message" % os.getpid()
        self.assertEqual(len(self.lines()), 1)
        self.assertTrue(re.fullmatch(pattern, self.lines()[0]), self.lines())

    def test_the_level_of_the_log_file_is_its_own(self) -> None:
        file = log.open_file(self.file, True)
        self.addCleanup(os.close, file)
        with captured() as got:
            journal = Log(Console(INFO), file, ERROR)
            journal.info("to the console")
            journal.note(ERROR, "to the file")
        self.assertEqual(got.out, b"to the console\n")
        self.assertEqual(got.err, b"")
        self.assertEqual([line.split()[-3:] for line in self.lines()], [["to", "the", "file"]])

    def test_an_internal_error_is_noted_with_its_place_and_without_its_message(self) -> None:
        file = log.open_file(self.file, True)
        self.addCleanup(os.close, file)
        with captured() as got:
            try:
                raise ValueError("s3cr3t")
            except ValueError as error:
                Log(Console(INFO), file).trace(error)
        text = "\n".join(self.lines())
        self.assertIn("ValueError", text)
        self.assertIn("test_log.py", text)
        self.assertNotIn("s3cr3t", text)
        self.assertEqual(got.out + got.err, b"")

    def test_an_internal_error_is_told_where_there_is_no_log_file(self) -> None:
        with captured() as got:
            Log(Console(INFO)).trace(ValueError("s3cr3t"))
        self.assertIn(b"ERROR: internal error: ValueError", got.err)
        self.assertNotIn(b"s3cr3t", got.err)


class Writing(Scratch):
    def test_all_of_a_large_content_is_written_through_a_small_pipe(self) -> None:
        content = bytes(range(256)) * 8192
        reader, writer = os.pipe()
        chunks: List[bytes] = []

        def read() -> None:
            with open(reader, "rb") as pipe:
                chunks.append(pipe.read())

        thread = threading.Thread(target=read)
        thread.start()
        log.write_all(writer, content)
        os.close(writer)
        thread.join()
        self.assertTrue(chunks[0] == content)

    def test_what_must_arrive_raises_where_it_cannot(self) -> None:
        with open("/dev/full", "wb", buffering=0) as full, self.assertRaises(OSError):
            log.write_all(full.fileno(), b"x")
