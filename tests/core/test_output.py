"""Where the archive goes, and that nothing half done is ever seen or left there."""
import fcntl
import os
import signal
import subprocess
import sys
import time
from typing import Any, List

from insights_mini.core.diskspace import find_mount
from insights_mini.core.output import (
    FileOutput,
    StreamOutput,
    Target,
    choose_target,
    open_output,
    sweep,
)
from insights_mini.exits import Failure
from insights_mini.paths import COPIES, HOME, Paths
from insights_mini.settings import Settings, imply
from tests.support import TOP, Scratch

# Begins an archive and waits to be killed, as a run does; says when it has begun.
BEGIN = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from insights_mini.core.output import FileOutput, Target
folder = os.fsencode(sys.argv[2])
made = FileOutput(Target(folder, b"a.tar", b"a", "none", sys.argv[3] == "private", True, False))
made.write(b"half an archive")
print("begun", flush=True)
sys.stdin.read()
"""
NOW = time.strptime("2026-11-24 13:05:09", "%Y-%m-%d %H:%M:%S")


class Choice(Scratch):
    def choose(self, host: str = "web1.example.com", **settings: Any) -> Target:
        paths = Paths(b"/none", b"/none", b"/none", b"/var/tmp")
        return choose_target(imply(Settings(**settings)), paths, os.fsencode(host), NOW,
                             "gz")

    def test_the_place_name_and_packing_are_what_the_settings_want(self) -> None:
        stamp = b"insights-web1.example.com-20261124130509"
        cwd = os.fsencode(os.getcwd())
        for settings, target in (
            ({"offline": True},
             Target(b"/var/tmp", stamp + b".tar.gz", stamp, "gz", True, True, False)),
            ({"offline": True, "compressor": "none"},
             Target(b"/var/tmp", stamp + b".tar", stamp, "none", True, True, False)),
            ({"output_dir": "/srv/x", "compressor": "xz"},
             Target(b"/srv/x", stamp + b".tar.xz", stamp, "xz", False, True, False)),
            ({"output_dir": "x/../y/"},
             Target(cwd + b"/y", stamp + b".tar.gz", stamp, "gz", False, True, False)),
            ({"output_file": "/srv/a.tar.gz"},
             Target(b"/srv", b"a.tar.gz", b"a", "gz", False, True, False)),
            ({"output_file": "/srv/a.tar.bz2"},
             Target(b"/srv", b"a.tar.bz2", b"a", "bz2", False, True, False)),
            ({"output_file": "a.tar"}, Target(cwd, b"a.tar", b"a", "none", False, True, False)),
            ({"output_file": "a.tar.gz", "compressor": "xz"},
             Target(cwd, b"a.tar.gz", b"a", "xz", False, True, False)),
            ({"output_file": "a"}, Target(cwd, b"a", b"a", "gz", False, True, False)),
            ({"to_stdout": True},
             Target(b"/var/tmp", stamp + b".tar.gz", stamp, "gz", True, False, True)),
            ({"to_stdout": True, "keep_archive": True},
             Target(b"/var/tmp", stamp + b".tar.gz", stamp, "gz", True, True, True)),
        ):
            with self.subTest(settings=settings):
                self.assertEqual(self.choose(**settings), target)

    def test_no_host_name_makes_a_name_that_is_another_path(self) -> None:
        for host, shown in (("a/../../b", b"a_.._.._b"), ("a b\n\0", b"a_b_"), ("\udcff", b"_"),
                            ("é", b"_"), ("x" * 300, b"x" * 200)):
            with self.subTest(host=host):
                target = self.choose(host, offline=True)
                self.assertEqual(target.top, b"insights-%s-20261124130509" % shown)
                self.assertLess(len(target.name), 256)

    def test_the_top_folder_is_never_a_detour(self) -> None:
        for name in (".tar.gz", "..tar.gz", "...tar.gz", ".tar", "..tar", "...tar", "...tar.xz"):
            with self.subTest(name):
                self.assertNotIn(self.choose(output_file=name).top, (b"", b".", b".."))


class Case(Scratch):
    def setUp(self) -> None:
        super().setUp()
        umask = os.umask(0)
        self.addCleanup(os.umask, umask)

    def target(self, private: bool = False, name: bytes = b"a.tar", folder: str = "out") -> Target:
        return Target(os.fsencode(self.path(folder)), name, b"a", "none", private, True, False)

    def open(self, *arguments: Any, **named: Any) -> FileOutput:
        made = FileOutput(self.target(*arguments, **named))

        def close() -> None:
            for descriptor in (made.file, made.lock):
                try:
                    os.close(descriptor)
                except OSError:
                    pass  # finish() closes them

        self.addCleanup(close)
        return made

    def tree(self, top: str = "") -> List[str]:
        return sorted(os.path.relpath(os.path.join(folder, name), self.folder)
                      for folder, folders, names in os.walk(self.path(top))
                      for name in folders + names)

    def modes(self) -> List[int]:
        return sorted({os.lstat(self.path(name)).st_mode & 0o777 for name in self.tree()})


class Making(Case):
    def test_what_has_the_name_already_is_never_overwritten(self) -> None:
        os.mkdir(self.path("out"))
        for kind in ("file", "dangling link", "link", "folder"):
            path = self.path("out", kind)
            if kind == "file":
                self.write("out/" + kind, b"mine")
            elif kind == "folder":
                os.mkdir(path)
            else:
                os.symlink("nowhere" if kind == "dangling link" else "file", path)
            with self.subTest(kind):
                before = self.tree()
                with self.assertRaises(Failure) as caught:
                    self.open(name=os.fsencode(kind))
                self.assertIn(path + " exists", str(caught.exception))
                self.assertEqual(self.tree(), before)
        with open(self.path("out", "file"), "rb") as file:
            self.assertEqual(file.read(), b"mine")

    def test_what_takes_the_name_meanwhile_is_not_overwritten_either(self) -> None:
        made = self.open()
        made.write(b"whole")
        self.write("out/a.tar", b"mine")
        with self.assertRaises(Failure) as caught:
            made.finish()
        self.assertIn("File exists", str(caught.exception))
        made.discard()
        self.assertEqual(self.tree(), ["out", "out/a.tar"])
        with open(self.path("out", "a.tar"), "rb") as file:
            self.assertEqual(file.read(), b"mine")

    def test_a_place_that_cannot_be_written_is_a_failure_that_names_it(self) -> None:
        self.write("file", b"")
        for folder, private, why in (("file", False, "is not a folder"),
                                     ("none/below", False, "No such file"),
                                     ("none", True, "No such file"),
                                     ("file/below", False, "Not a directory")):
            with self.subTest(folder, private=private):
                with self.assertRaises(Failure) as caught:
                    self.open(private, folder=folder)
                self.assertIn(self.path(folder), str(caught.exception))
                self.assertIn(why, str(caught.exception))
                self.assertEqual(self.tree(), ["file"])

    def test_the_name_appears_only_when_the_file_is_whole(self) -> None:
        for private in (False, True):
            with self.subTest(private=private):
                os.makedirs(self.path("out"), exist_ok=True)
                made = self.open(private)
                made.write(b"one ")
                self.assertFalse(os.path.lexists(made.path))
                made.write(b"two")
                self.assertFalse(os.path.lexists(made.path))
                made.finish()
                with open(made.path, "rb") as file:
                    self.assertEqual(file.read(), b"one two")
                self.assertEqual(os.stat(made.path).st_nlink, 1)
                self.assertEqual(made.size, 7)
                self.assertEqual([name for name in self.tree() if ".part" in name], [])

    def test_folders_are_0700_and_files_0600_whatever_the_umask(self) -> None:
        """FAULTS 50."""
        made = self.open()
        made.write(b"x")
        self.assertEqual(self.modes(), [0o600, 0o700])
        made.finish()
        self.assertEqual(self.modes(), [0o600, 0o700])
        self.open(True).finish()
        self.assertEqual(self.modes(), [0o600, 0o700])

    def test_the_working_folder_cannot_be_guessed_and_no_link_in_it_is_followed(self) -> None:
        """FAULTS 37."""
        os.mkdir(self.path("out"))
        works = {self.open(True).work for _ in range(5)} | {self.open().work for _ in range(5)}
        self.assertEqual(len(works), 10)
        for work in works:
            self.assertRegex(os.path.basename(work), rb"\A\.?insights-[0-9a-f]{12}\Z")

    def test_discarding_leaves_nothing_that_was_not_there_and_may_be_done_twice(self) -> None:
        for private in (False, True):
            for there in (False, True):
                if private and not there:
                    continue  # the folder for temporary files is not ours to make
                with self.subTest(private=private, there=there):
                    if there:
                        self.write("out/other", b"")
                    before = self.tree()
                    made = self.open(private)
                    made.write(b"half")
                    made.discard()
                    self.assertEqual(self.tree(), before)
                    made.discard()

    def test_a_full_disk_is_a_failure_that_names_the_file_system(self) -> None:
        """FAULTS 40."""
        if os.geteuid() != 0:
            self.skipTest("only root can mount")
        os.mkdir(self.path("full"))
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none",
                                self.path("full")], stderr=subprocess.PIPE, check=False)
        if mount.returncode:
            self.skipTest("no tmpfs here: %s" % mount.stderr.decode("utf-8", "replace"))
        try:
            made = FileOutput(self.target(folder="full/out"))
            with self.assertRaises(Failure) as caught:
                for _ in range(100):
                    made.write(b"x" * 4096)
            self.assertIn("no space left on the file system at %s, the 65.5 kB" %
                          self.path("full"), str(caught.exception))
            made.discard()
            self.assertEqual(os.listdir(self.path("full")), [])
            self.assertEqual(find_mount(os.fsencode(self.path("full", "none", "x"))),
                             os.fsencode(self.path("full")))
            os.close(made.lock)
        finally:
            subprocess.run(["umount", self.path("full")], check=True)

    def test_a_stream_that_nobody_reads_is_a_failure(self) -> None:
        read, write = os.pipe()
        self.addCleanup(os.close, write)
        os.close(read)
        with self.assertRaises(Failure) as caught:
            StreamOutput(write).write(b"x")
        self.assertIn("standard output: Broken pipe", str(caught.exception))

    def test_a_target_that_is_a_file_or_a_stream_opens_as_that(self) -> None:
        made = open_output(self.target(), False)
        self.assertIsInstance(made, FileOutput)
        made.discard()
        made = open_output(self.target()._replace(file=False), True)  # it has to be proven first
        self.assertIsInstance(made, FileOutput)
        made.discard()
        stream = open_output(self.target()._replace(file=False), False)
        self.assertIsInstance(stream, StreamOutput)


class Sweeping(Case):
    def sweep(self) -> int:
        return sweep(os.fsencode(self.path("tmp")), os.fsencode(self.path("out")))

    def begin(self, kind: str) -> "subprocess.Popen[bytes]":
        """Start a run that has begun an archive; it is gone when the test ends."""
        folder = self.path("tmp" if kind == "private" else "out")
        os.makedirs(folder, exist_ok=True)
        child = subprocess.Popen([sys.executable, "-c", BEGIN, os.path.join(TOP, "src"), folder,
                                  kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        assert child.stdout is not None
        self.assertEqual(child.stdout.readline(), b"begun\n")
        return child

    def test_what_a_killed_check_of_a_signature_left_is_removed_and_never_what_a_live_one_uses(
            self) -> None:
        """FAULTS 38."""
        for prefix in (HOME, COPIES):
            folder = self.path("tmp", os.fsdecode(prefix) + "x")
            os.makedirs(folder, 0o700)
            self.write(folder + "/insights-gpg-y/pubring.kbx", "keys")
            self.write(folder + "/0.pyz", "egg")
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self.subTest(prefix):
                self.assertEqual((self.sweep(), os.path.exists(folder)), (0, True))
                os.close(lock)
                self.assertEqual((self.sweep(), os.path.exists(folder)), (0, False))

    def test_what_a_killed_run_left_is_removed_and_never_what_a_live_one_writes(self) -> None:
        """FAULTS 38."""
        for kind, folder in (("private", "tmp"), ("mine", "out")):
            with self.subTest(kind):
                child = self.begin(kind)
                live = self.tree(folder)
                self.assertEqual(len(live), 2)
                self.assertEqual((self.sweep(), self.tree(folder)), (0, live))
                child.send_signal(signal.SIGKILL)
                child.wait()
                self.assertEqual((self.sweep(), self.tree(folder)), (1, []))
                self.assertEqual(self.sweep(), 0)

    def test_a_kept_archive_is_never_removed(self) -> None:
        os.mkdir(self.path("tmp"))
        made = self.open(True, folder="tmp")
        made.write(b"archive")
        made.finish()
        self.assertEqual(self.sweep(), 0)
        self.assertTrue(os.path.exists(made.path))

    def test_an_empty_folder_of_a_killed_run_goes_too(self) -> None:
        os.makedirs(self.path("tmp"))
        os.mkdir(self.path("tmp", "insights-0123456789ab"), 0o700)
        self.assertEqual((self.sweep(), self.tree("tmp")), (0, []))

    def test_what_is_not_ours_is_not_touched(self) -> None:
        """FAULTS 37, 38."""
        for folder in ("tmp", "out", "elsewhere"):
            os.mkdir(self.path(folder), 0o700)
        self.write("elsewhere/a.part", b"precious")
        os.symlink("../elsewhere", self.path("tmp", "insights-link"))
        os.symlink("../elsewhere", self.path("out", ".insights-link"))
        for name, mode in (("tmp/insights-wide", 0o755), ("tmp/insights-open", 0o777),
                           ("tmp/other", 0o700), ("tmp/.insights-hidden", 0o700),
                           ("out/insights-mine", 0o700), ("tmp/insights-sticky", 0o1700)):
            self.write(name + "/a.part", b"precious")
            os.chmod(self.path(name), mode)
        self.write("tmp/insights-file", b"precious")
        self.write("tmp/insights-folder/a.part/x", b"precious")
        os.chmod(self.path("tmp", "insights-folder"), 0o700)
        if os.geteuid() == 0:
            self.write("tmp/insights-foreign/a.part", b"precious")
            os.chmod(self.path("tmp", "insights-foreign"), 0o700)
            os.chown(self.path("tmp", "insights-foreign"), 65534, 65534)
        before = self.tree()
        self.assertEqual((self.sweep(), self.tree()), (0, before))

    def test_a_link_that_stands_for_an_archive_goes_and_not_what_it_leads_to(self) -> None:
        """FAULTS 37."""
        self.write("elsewhere", b"precious")
        os.makedirs(self.path("tmp"))
        os.mkdir(self.path("tmp", "insights-x"), 0o700)
        os.symlink("../../elsewhere", self.path("tmp", "insights-x", "a.part"))
        self.assertEqual(self.sweep(), 1)
        self.assertEqual(self.tree(), ["elsewhere", "tmp"])

    def test_folders_that_are_not_there_are_no_trouble(self) -> None:
        self.assertEqual(self.sweep(), 0)
