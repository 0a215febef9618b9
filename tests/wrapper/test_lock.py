"""One run at a time: a lock that no kill and no reboot leaves stuck."""
import os
import resource
import signal
import stat
from typing import Callable, Optional

from insights_mini.exits import FAILED, Failure
from insights_mini.log import INFO, Console, Log
from insights_mini.wrapper import lock
from tests.support import Scratch
from tests.test_log import captured


class LockCase(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.lock = os.fsencode(self.path("state", "insights-mini.lock"))
        self.said = b""

    def take(self) -> Optional[int]:
        """Take the lock; what was said is in `self.said`."""
        with captured() as got:
            held = lock.take(self.lock, Log(Console(INFO)))
        self.assertEqual(got.out, b"")
        self.said = got.err
        return held

    def take_well(self) -> int:
        held = self.take()
        self.assertEqual(self.said, b"")
        assert held is not None
        return held

    def refuse(self, owner: int) -> None:
        with self.assertRaises(Failure) as caught:
            self.take()
        self.assertEqual(caught.exception.status, FAILED)
        self.assertIn("another run is under way (process %d)" % owner, str(caught.exception))

    def warn(self) -> Optional[int]:
        """Take the lock, which must cost one warning that names it."""
        held = self.take()
        self.assertEqual(self.said.count(b"\n"), 1, self.said)
        self.assertTrue(self.said.startswith(b"WARNING: "), self.said)
        self.assertIn(self.lock, self.said)
        return held

    def start_owner(self, before: Callable[[], None] = lambda: None) -> int:
        """Return the number of a process that holds the lock."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                before()
                lock.take(self.lock, Log(Console(INFO)))
                os.write(writer, b"x")
                signal.pause()
            finally:
                os._exit(1)
        os.close(writer)
        self.addCleanup(os.close, reader)
        self.assertEqual(os.read(reader, 1), b"x")
        return child


class Held(LockCase):
    def test_a_second_run_is_refused_and_told_which_process_is_the_first(self) -> None:
        held = self.take_well()
        self.refuse(os.getpid())
        lock.release(held)

    def test_a_lock_of_another_process_is_refused_too(self) -> None:
        owner = self.start_owner()
        self.refuse(owner)
        os.kill(owner, signal.SIGKILL)
        os.waitpid(owner, 0)

    def test_a_killed_run_leaves_no_stuck_lock(self) -> None:
        """FAULTS 38."""
        owner = self.start_owner()
        os.kill(owner, signal.SIGKILL)
        os.waitpid(owner, 0)
        self.assertTrue(os.path.exists(self.lock))
        lock.release(self.take_well())

    def test_what_an_old_run_left_in_the_file_does_not_matter(self) -> None:
        for content in (b"1\n", b"99999999\n", b"", b"\xff" * 5000):
            self.write("state/insights-mini.lock", content)
            held = self.take_well()
            with open(self.lock, "rb") as file:
                self.assertEqual(file.read(), b"%d\n" % os.getpid())
            lock.release(held)

    def test_a_released_lock_can_be_taken_again(self) -> None:
        for _ in range(3):
            lock.release(self.take_well())

    def test_under_umask_0_the_lock_is_0600_in_a_folder_0700(self) -> None:
        """FAULTS 50."""
        self.addCleanup(os.umask, os.umask(0))
        lock.release(self.take_well())
        self.assertEqual(stat.S_IMODE(os.stat(self.lock).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(self.lock)).st_mode), 0o700)


class Unusable(LockCase):
    def test_a_place_where_no_lock_can_be_is_a_warning(self) -> None:
        victim = self.write("victim", "x")
        os.mkdir(self.path("state"))
        def make(kind: str) -> None:
            if kind == "folder":
                os.mkdir(self.lock)
            elif kind == "link":
                os.symlink(os.fsencode(victim), self.lock)
            else:
                os.mkfifo(self.lock)

        for label in ("folder", "link", "fifo"):
            with self.subTest(label):
                make(label)
                lock.release(self.warn())
                os.rename(self.lock, os.fsencode(self.path(label)))
        with open(victim, "rb") as file:
            self.assertEqual(file.read(), b"x")

    def test_a_folder_that_cannot_be_made_is_a_warning(self) -> None:
        self.write("state", "a file")
        self.assertIsNone(self.warn())

    def test_a_full_disk_does_not_cost_the_run(self) -> None:
        """FAULTS 40. A limit of 0 on the size of files refuses what a full disk refuses."""
        def fill() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                fill()
                with open(os.devnull, "wb") as null:
                    os.dup2(null.fileno(), 2)
                lock.take(self.lock, Log(Console(INFO)))
                os.write(writer, b"went on")
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        self.assertEqual(said, b"went on")
