"""Opening files of the host: what is never opened, never waited for, and where reading ends."""
import json
import os
import random
import socket
from typing import Callable, List

from insights_mini import hostfiles
from insights_mini.hostfiles import BLOCK, Unreadable
from tests.support import Scratch

MIB = 1024 * 1024
NOBODY = 65534


def read_newest(path: bytes, most: int) -> bytes:
    """Return what a window of this size shows of a file."""
    with open(hostfiles.open_regular(path), "rb", buffering=0) as file:
        start, length = hostfiles.find_window(file, os.stat(path).st_size, most)
        return b"".join(hostfiles.read_window(file, start, length))


def as_nobody(work: Callable[[], str]) -> str:
    """Do the work as an unprivileged user in a forked child; return what it returns or raises."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        result = ""
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            result = work()
        except BaseException as error:  # noqa: BLE001 - nothing may escape into the tests above
            result = "%s: %s" % (type(error).__name__, error)
        finally:
            os.write(writer, json.dumps(result).encode("ascii"))
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    return str(json.loads(content.decode("ascii")))


class HostFilesCase(Scratch):
    def make(self, name: str, content: bytes) -> bytes:
        return os.fsencode(self.write(name, content))

    def name(self, *parts: str) -> bytes:
        return os.fsencode(self.path(*parts))


class Refused(HostFilesCase):
    def refuse(self, path: bytes, why: str, absent: bool) -> None:
        before = os.listdir("/proc/self/fd")
        with self.assertRaises(Unreadable) as caught:
            os.close(hostfiles.open_regular(path))
        self.assertIn(why, caught.exception.why)
        self.assertEqual(caught.exception.absent, absent)
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))

    def test_what_is_no_regular_file_is_refused_and_named(self) -> None:
        os.mkfifo(self.path("fifo"))
        os.symlink("fifo", self.path("to-fifo"))
        os.symlink("/dev/zero", self.path("to-device"))
        os.symlink("loop", self.path("loop"))
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path("socket"))
        for name, why in (("fifo", "a FIFO"), ("to-fifo", "a FIFO"), ("socket", "a socket"),
                          ("to-device", "a device"), ("loop", "symbolic links"),
                          (".", "a directory")):
            with self.subTest(name):
                self.refuse(self.name(name), why, absent=False)
        for device in (b"/dev/zero", b"/dev/full", b"/dev/null", b"/dev/tty"):
            with self.subTest(str(device)):
                self.refuse(device, "a device", absent=False)

    def test_what_is_missing_is_told_apart(self) -> None:
        self.make("file", b"x")
        os.symlink("nowhere", self.path("dangling"))
        for name, why in (("missing", "No such file"), ("dangling", "No such file"),
                          ("file/below", "Not a directory")):
            with self.subTest(name):
                self.refuse(self.name(name), why, absent=True)

    def test_names_that_no_file_can_have_are_refused(self) -> None:
        self.refuse(self.name("x" * 256), "name too long", absent=False)
        with self.assertRaises(Unreadable):
            hostfiles.open_regular(self.name("zero\0byte"))

    def test_a_file_that_this_user_may_not_read_is_refused(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        os.chmod(self.folder, 0o755)
        path = self.make("private", b"x")
        self.assertEqual(as_nobody(lambda: str(hostfiles.open_regular(path))),
                         "Unreadable: Permission denied")

    def test_a_file_that_cannot_be_read_although_it_opens_is_refused(self) -> None:
        with self.assertRaises(Unreadable):
            hostfiles.read_small(b"/proc/self/mem", 100)


class Opened(HostFilesCase):
    def test_links_to_files_are_followed(self) -> None:
        self.make("real/file", b"content")
        os.symlink("real", self.path("folder"))
        os.symlink("folder/file", self.path("link"))
        self.assertEqual(hostfiles.read_small(self.name("link"), 100), b"content")

    def test_names_that_are_not_utf_8_are_opened(self) -> None:
        path = self.name("") + b"\xff\nname"
        with open(path, "wb") as file:
            file.write(b"content")
        self.assertEqual(hostfiles.read_small(path, 100), b"content")

    def test_the_file_of_another_user_is_read_where_its_mode_allows(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        os.chmod(self.folder, 0o755)
        path = os.fsencode(self.write("public", "content", mode=0o644))
        self.assertEqual(as_nobody(lambda: hostfiles.read_small(path, 100).decode()), "content")

    def test_reading_does_not_change_the_time_of_last_access(self) -> None:
        """FAULTS 54."""
        path = self.make("file", b"content")
        os.utime(path, (1000, 2000))
        hostfiles.read_small(path, 100)
        self.assertEqual(os.stat(path).st_atime, 1000)


class Windows(HostFilesCase):
    def test_a_file_within_the_limit_is_read_whole(self) -> None:
        for content in (b"", b"\n", b"one", b"one\ntwo\n", b"\xff\x00\n"):
            path = self.make("file", content)
            for most in (len(content), len(content) + 1, MIB):
                if most:
                    self.assertEqual(read_newest(path, most), content)

    def test_a_window_begins_at_a_line(self) -> None:
        path = self.make("file", b"one\ntwo\nthree\n")
        for most, expected in ((6, b"three\n"), (7, b"three\n"), (9, b"three\n"),
                               (10, b"two\nthree\n"), (13, b"two\nthree\n"),
                               (14, b"one\ntwo\nthree\n")):
            with self.subTest(str(most)):
                self.assertEqual(read_newest(path, most), expected)

    def test_a_line_longer_than_the_window_is_left_out(self) -> None:
        """What stood at its beginning may have told that the rest is a secret."""
        path = self.make("file", b"first\n" + b"x" * (2 * BLOCK) + b"end")
        self.assertEqual(read_newest(path, BLOCK + 9), b"")
        path = self.make("other", b"first\n" + b"x" * (2 * BLOCK) + b"end\nnext\n")
        self.assertEqual(read_newest(path, BLOCK + 9), b"next\n")

    def test_any_window_is_what_a_plain_reading_gives(self) -> None:
        """Seeded; the plain reading has the whole file in memory."""
        chance = random.Random(20)
        for number in range(300):
            content = b"".join(b"a" * chance.randrange(6) + b"\n" for _ in range(30)) + b"end"
            most = chance.randrange(12, 150)
            path = self.make("file", content)
            lines = content.splitlines(True)
            while sum(map(len, lines)) > most:
                del lines[0]
            with self.subTest(str(number)):
                self.assertEqual(read_newest(path, most), b"".join(lines))

    def test_the_newest_end_is_shown_whatever_the_size(self) -> None:
        """A size of one page is also what files of /sys give, whose real size is another."""
        for size in (4095, 4096, 4097, 8192):
            with self.subTest(str(size)):
                content = b"old\n" + b"x" * (size - 9) + b"\nnew\n"
                self.assertEqual(read_newest(self.make("file", content), 100), b"new\n")

    def test_of_a_sparse_and_huge_file_only_the_window_is_read(self) -> None:
        """FAULTS 45."""
        path = self.make("file", b"old\n")
        size = 1 << 36
        try:
            os.truncate(path, size)
        except OSError as error:
            self.skipTest("this file system has no sparse files: %s" % error)
        with open(path, "r+b") as file:
            file.seek(size - 8)
            file.write(b"\nnewest\n")
        content = read_newest(path, MIB)
        self.assertEqual(content, b"newest\n")

    def test_reading_a_growing_file_ends_where_it_ended_at_the_start(self) -> None:
        for first in (b"one\n", b"x" * 300 + b"\n"):
            path = self.make("log", first)
            with open(path, "ab", buffering=0) as writer:
                chunks: List[bytes] = []
                with open(hostfiles.open_regular(path), "rb", buffering=0) as file:
                    start, length = hostfiles.find_window(file, os.stat(path).st_size, MIB)
                    writer.write(b"more\n")
                    for block in hostfiles.read_window(file, start, length):
                        writer.write(block)
                        chunks.append(block)
            self.assertEqual(b"".join(chunks), first)

    def test_a_file_that_shrinks_meanwhile_ends_where_it_ends(self) -> None:
        path = self.make("log", b"x" * 1000)
        with open(hostfiles.open_regular(path), "rb", buffering=0) as file:
            start, length = hostfiles.find_window(file, 1000, MIB)
            os.truncate(path, 10)
            self.assertEqual(b"".join(hostfiles.read_window(file, start, length)), b"x" * 10)

    def test_files_of_proc_and_sys_are_read_to_their_end(self) -> None:
        for path in ("/proc/version", "/proc/self/status", "/proc/self/mountinfo",
                     "/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled",
                     "/sys/kernel/profiling"):
            try:
                with open(path, "rb") as file:
                    expected = file.read()
            except OSError:
                continue
            with self.subTest(path):
                content = read_newest(os.fsencode(path), MIB)
                self.assertEqual(content.split(b"\nVm")[0], expected.split(b"\nVm")[0])
        self.assertTrue(read_newest(b"/proc/version", MIB))

    def test_a_file_of_proc_is_read_within_the_limit_too(self) -> None:
        self.assertEqual(len(read_newest(b"/proc/self/status", 20)), 20)


class Small(HostFilesCase):
    def test_one_byte_over_the_limit_is_refused(self) -> None:
        path = self.make("file", b"x" * 101)
        with self.assertRaises(Unreadable) as caught:
            hostfiles.read_small(path, 100)
        self.assertIn("larger than 100 bytes", caught.exception.why)
        self.assertFalse(caught.exception.absent)

    def test_a_huge_file_is_refused_without_being_read(self) -> None:
        path = self.make("file", b"")
        os.truncate(path, 1 << 36)
        with self.assertRaises(Unreadable):
            hostfiles.read_small(path, MIB)

    def test_a_file_of_the_limits_size_is_read(self) -> None:
        for size in (0, 99, 100):
            path = self.make("file", b"x" * size)
            self.assertEqual(hostfiles.read_small(path, 100), b"x" * size)

    def test_no_descriptor_is_left_open(self) -> None:
        path = self.make("file", b"x" * 10)
        before = len(os.listdir("/proc/self/fd"))
        hostfiles.read_small(path, 100)
        for limit, name in ((5, path), (5, b"/proc/self/mem"), (5, self.name("missing"))):
            with self.assertRaises(Unreadable):
                hostfiles.read_small(name, limit)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class Links(HostFilesCase):
    """Without `follow` the last part of a path is no link; its folders may be."""

    def test_a_link_is_refused_whatever_it_leads_to(self) -> None:
        self.make("file", b"content")
        os.mkfifo(self.path("fifo"))
        for name, target in (("to-file", "file"), ("dangling", "nowhere"), ("to-fifo", "fifo"),
                             ("to-folder", "."), ("loop", "loop"), ("to-device", "/dev/zero")):
            os.symlink(target, self.path(name))
            with self.subTest(name):
                with self.assertRaises(Unreadable) as caught:
                    hostfiles.read_small(self.name(name), 100, follow=False)
                self.assertEqual((caught.exception.why, caught.exception.absent),
                                 ("is a link", False))
                with self.assertRaises(Unreadable):
                    os.close(hostfiles.open_regular(self.name(name), follow=False))

    def test_what_is_no_regular_file_is_still_refused(self) -> None:
        os.mkfifo(self.path("fifo"))
        for name, why in (("fifo", "a FIFO"), (".", "a directory"), ("missing", "No such file")):
            with self.subTest(name), self.assertRaises(Unreadable) as caught:
                hostfiles.read_small(self.name(name), 100, follow=False)
            self.assertIn(why, caught.exception.why)

    def test_a_link_among_the_folders_is_followed(self) -> None:
        self.make("real/file", b"content")
        os.symlink("real", self.path("folder"))
        self.assertEqual(hostfiles.read_small(self.name("folder", "file"), 100, follow=False),
                         b"content")


class Guarded(HostFilesCase):
    """Whether others than root could put another file there. These tests run as root."""

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("only root can give files away")
        self.make("a/b/file", b"x")
        for name in ("a", "a/b"):
            os.chmod(self.path(name), 0o755)

    def reason(self, *parts: str) -> str:
        """Return why a path is not guarded, or nothing if it is."""
        try:
            hostfiles.check_guarded(self.name(*parts))
        except Unreadable as error:
            return error.why
        return ""

    def test_a_file_or_folder_above_that_others_can_write_is_named(self) -> None:
        for name, mode, guarded in (
                ("a/b/file", 0o600, True), ("a/b/file", 0o644, True), ("a/b/file", 0o444, True),
                ("a/b/file", 0o620, False), ("a/b/file", 0o602, False), ("a/b/file", 0o666, False),
                ("a/b/file", 0o1602, False), ("a/b", 0o700, True), ("a/b", 0o775, False),
                ("a/b", 0o757, False), ("a/b", 0o777, False), ("a/b", 0o1777, True),
                ("a/b", 0o1775, True), ("a", 0o775, False), ("a", 0o702, False),
                ("a", 0o1777, True)):
            with self.subTest(name, mode="%o" % mode):
                before = os.stat(self.path(name)).st_mode & 0o7777
                os.chmod(self.path(name), mode)
                self.assertEqual(self.reason("a/b/file"), "" if guarded else
                                 "others than root can write " + self.path(name))
                os.chmod(self.path(name), before)

    def test_what_belongs_to_others_is_not_guarded(self) -> None:
        for name in ("a/b/file", "a/b", "a"):
            for mode in (0, 0o1000):
                with self.subTest(name, mode=mode):
                    os.chown(self.path(name), NOBODY, 0)
                    os.chmod(self.path(name), os.stat(self.path(name)).st_mode & 0o777 | mode)
                    self.assertIn("others than root can write " + self.path(name),
                                  self.reason("a/b/file"))
                    os.chown(self.path(name), 0, 0)
                    os.chmod(self.path(name), os.stat(self.path(name)).st_mode & 0o777)

    def test_what_belongs_to_the_user_himself_is_guarded(self) -> None:
        for folder in (self.folder, self.path("a"), self.path("a", "b"), self.path("a/b/file")):
            os.chmod(folder, 0o755)
            os.chown(folder, NOBODY, NOBODY)

        def work() -> str:
            hostfiles.check_guarded(self.name("a", "b", "file"))
            return "guarded"

        self.assertEqual(as_nobody(work), "guarded")
        self.assertNotEqual(self.reason("a/b/file"), "")

    def test_of_a_link_both_its_folder_and_where_it_leads_count(self) -> None:
        self.make("open/file", b"x")
        self.make("shut/x", b"x")
        os.chmod(self.path("open"), 0o777)
        for name, target in (("shut/to-guarded", "../a/b/file"), ("shut/to-open", "../open/file"),
                             ("open/to-guarded", "../a/b/file"), ("shut/folder", "../open"),
                             ("shut/first", "../open/to-guarded"), ("open/folder", "../a/b")):
            os.symlink(target, self.path(name))
        for name, guarded in (("shut/to-guarded", True), ("shut/to-open", False),
                              ("open/to-guarded", False), ("shut/folder/file", False),
                              ("shut/first", False), ("open/folder/file", False)):
            with self.subTest(name):
                self.assertEqual(self.reason(name), "" if guarded else
                                 "others than root can write " + self.path("open"))

    def test_a_link_of_another_user_in_a_folder_like_tmp_is_not_guarded(self) -> None:
        self.make("tmp/x", b"x")
        os.chmod(self.path("tmp"), 0o1777)
        os.symlink("../a/b", self.path("tmp", "link"))
        self.assertEqual(self.reason("tmp/link/file"), "")
        os.lchown(self.path("tmp", "link"), NOBODY, NOBODY)
        self.assertIn(self.path("tmp", "link"), self.reason("tmp/link/file"))

    def test_what_is_missing_is_told_apart(self) -> None:
        os.symlink("nowhere", self.path("dangling"))
        os.symlink("loop", self.path("loop"))
        for name, absent in (("missing", True), ("no/folder", True), ("dangling", True),
                             ("a/b/file/below", True), ("loop", False)):
            with self.subTest(name), self.assertRaises(Unreadable) as caught:
                hostfiles.check_guarded(self.name(name))
            self.assertEqual(caught.exception.absent, absent)

    def test_a_relative_path_is_one_from_the_folder_of_the_process(self) -> None:
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.path("a"))
        hostfiles.check_guarded(b"b/file")
        os.chmod(self.path("a"), 0o777)
        with self.assertRaises(Unreadable):
            hostfiles.check_guarded(b"b/file")
