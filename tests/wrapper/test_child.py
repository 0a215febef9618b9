"""A phase as a child process: how its end comes back, its limit, the signals passed on to it."""
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from typing import Callable, Tuple

from insights_mini.exits import Failure
from insights_mini.wrapper import child
from insights_mini.wrapper.child import PASSED_ON, Ending, Signals
from tests.support import Scratch, is_alive

PATIENCE = 60.0


def hang() -> int:
    time.sleep(600)
    return 0


def die(number: int) -> Callable[[], int]:
    def work() -> int:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), number)
        return hang()
    return work


def wait_for_file(path: str) -> None:
    until = time.monotonic() + PATIENCE
    while not os.path.exists(path) and time.monotonic() < until:
        time.sleep(0.01)


class ChildCase(Scratch):
    """A test whose process has the wrapper's signal handlers until it ends."""

    def setUp(self) -> None:
        super().setUp()
        for number in PASSED_ON:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.signals = Signals()

    def run_child(self, work: Callable[[], int], seconds: float = PATIENCE) -> Ending:
        return child.run(work, seconds, self.signals)


class HowItEnded(ChildCase):
    def test_death_by_a_signal_comes_back(self) -> None:
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM):
            self.assertEqual(self.run_child(die(number)), Ending(0, number))

    def test_an_error_nobody_caught_is_exit_status_1_and_runs_nothing_of_the_wrapper(self) -> None:
        reader, writer = os.pipe()
        for error in (ValueError("x"), SystemExit(0), KeyboardInterrupt(), MemoryError()):
            def work(error: BaseException = error) -> int:
                raise error

            with self.subTest(type(error).__name__):
                parent = os.getpid()
                try:
                    self.assertEqual(self.run_child(work), Ending(1))
                finally:
                    if os.getpid() != parent:  # the child came back: say so and go
                        os.write(writer, b"x")
                        os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            self.assertEqual(pipe.read(), b"")

    def test_the_exit_status_comes_back(self) -> None:
        for status in (0, 1, 7, 99, 100, 101, 102, 255):
            self.assertEqual(self.run_child(lambda status=status: int(status)),  # type: ignore[misc]
                             Ending(status))

    def test_nothing_is_left_of_a_child(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        for work in (lambda: 0, die(signal.SIGKILL)):
            self.run_child(work)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertEqual(self.signals.child, 0)
        with self.assertRaises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)

    def test_a_process_that_cannot_be_started_is_a_failure(self) -> None:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, most[1]))
        try:
            with self.assertRaises(Failure) as caught:
                self.run_child(lambda: 0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, most)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        self.assertIn("Too many open files", str(caught.exception))


class TooLong(ChildCase):
    def test_a_child_that_hangs_is_stopped_at_its_limit(self) -> None:
        self.assertEqual(self.run_child(hang, 0.2), Ending(0, signal.SIGTERM, over_limit=True))

    def test_a_child_that_cleans_up_at_its_limit_gets_to_do_it(self) -> None:
        """FAULTS 43."""
        def clean_up(number: int, frame: object) -> None:
            self.write("cleaned", "x")
            os._exit(5)

        def work() -> int:
            signal.signal(signal.SIGTERM, clean_up)
            return hang()

        self.assertEqual(self.run_child(work, 1.0), Ending(5, over_limit=True))
        self.assertTrue(os.path.exists(self.path("cleaned")))


class PassedOn(ChildCase):
    def test_each_signal_reaches_the_child(self) -> None:
        for number in PASSED_ON:
            with self.subTest(number.name):
                self.signals = Signals()
                wrapper = os.getpid()

                def work(number: int = number, wrapper: int = wrapper) -> int:
                    os.kill(wrapper, number)
                    return hang()

                self.assertEqual(self.run_child(work), Ending(0, signal.SIGTERM))
                self.assertEqual(self.signals.received, number)
                self.assertEqual(self.signals.interrupted, number == signal.SIGINT)

    def test_a_signal_that_comes_as_the_child_begins_to_wait_is_seen_all_the_same(self) -> None:
        """As if the first one had come between the last look for signals and the wait itself."""
        came = self.path("came")

        def work() -> int:
            def second(number: int, frame: object) -> None:
                os._exit(7)

            def first(number: int, frame: object) -> None:
                signal.signal(signal.SIGTERM, second)

            signal.signal(signal.SIGTERM, first)
            self.write("came", b"")
            return hang()

        def ask() -> None:
            wait_for_file(came)
            os.kill(os.getpid(), signal.SIGTERM)

        began = time.monotonic()
        asker = threading.Thread(target=ask)
        asker.start()
        self.assertEqual(self.run_child(work), Ending(7))
        asker.join()
        self.assertLess(time.monotonic() - began, 10)

    def test_a_child_that_cleans_up_after_a_signal_is_waited_for(self) -> None:
        wrapper = os.getpid()

        def clean_up(number: int, frame: object) -> None:
            time.sleep(0.2)
            os._exit(101)

        def work() -> int:
            signal.signal(signal.SIGTERM, clean_up)
            os.kill(wrapper, signal.SIGINT)
            return hang()

        self.assertEqual(self.run_child(work), Ending(101))

    def test_a_signal_without_a_child_is_remembered(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(self.signals.received, signal.SIGTERM)
        self.assertFalse(self.signals.interrupted)

    def test_sighup_that_was_ignored_at_the_start_stays_ignored_in_both(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.signals = Signals()
        wrapper = os.getpid()

        def work() -> int:
            os.kill(wrapper, signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGHUP)
            return 7

        self.assertEqual(self.run_child(work), Ending(7))
        self.assertIsNone(self.signals.received)

    def test_the_child_has_the_usual_handlers_and_nothing_blocked(self) -> None:
        def work() -> int:
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
            usual = all(signal.getsignal(number) == signal.SIG_DFL for number in PASSED_ON)
            return 0 if usual and not blocked & set(PASSED_ON) else 1

        self.assertEqual(self.run_child(work), Ending(0))
        self.assertFalse(signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(PASSED_ON))


class Groups(ChildCase):
    """An egg from outside: whatever it has started ends with it."""

    def run_group(self, work: Callable[[], int], seconds: float = PATIENCE,
                  grace: float = 0.3) -> Ending:
        return child.run(work, seconds, self.signals, grace, group=True)

    def start_stubborn(self) -> None:
        """Start a process that ignores what is meant to end it, and write down its number."""
        script = 'trap "" TERM INT HUP; echo $$ > "$0.part"; mv "$0.part" "$0"; exec sleep 600'
        subprocess.Popen(["/bin/sh", "-c", script, self.path("grandchild")])
        while not os.path.exists(self.path("grandchild")):
            time.sleep(0.01)

    def grandchild(self) -> int:
        with open(self.path("grandchild")) as file:
            return int(file.read())

    def assert_gone(self) -> None:
        for _ in range(500):
            if not is_alive(self.grandchild()):
                return
            time.sleep(0.01)
        os.kill(self.grandchild(), signal.SIGKILL)
        self.fail("it lives on")

    def test_an_egg_that_ignores_a_signal_that_was_passed_on_ends_soon(self) -> None:
        wrapper = os.getpid()

        def work() -> int:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.kill(wrapper, signal.SIGINT)
            return hang()

        started = time.monotonic()
        self.assertEqual(self.run_group(work), Ending(0, signal.SIGKILL, over_limit=True))
        self.assertLess(time.monotonic() - started, PATIENCE / 2)

    def test_a_grandchild_that_ignores_signals_is_gone_after_the_limit(self) -> None:
        def work() -> int:
            self.start_stubborn()
            return hang()

        self.assertEqual(self.run_group(work, 1.0), Ending(0, signal.SIGTERM, over_limit=True))
        self.assert_gone()

    def test_a_grandchild_is_gone_after_a_normal_end_and_after_a_crash(self) -> None:
        for last, ending in ((lambda: 7, Ending(7)), (die(signal.SIGKILL), Ending(0, 9))):
            def work(last: Callable[[], int] = last) -> int:
                self.start_stubborn()
                return last()

            with self.subTest(ending=ending):
                self.assertEqual(self.run_group(work), ending)
                self.assert_gone()
                os.unlink(self.path("grandchild"))

    def test_a_grandchild_is_gone_after_a_signal_that_was_passed_on(self) -> None:
        wrapper = os.getpid()

        def work() -> int:
            self.start_stubborn()
            os.kill(wrapper, signal.SIGTERM)
            return hang()

        self.assertEqual(self.run_group(work), Ending(0, signal.SIGTERM))
        self.assertEqual(self.signals.received, signal.SIGTERM)
        self.assert_gone()

    def test_a_signal_reaches_the_grandchildren_too_so_that_they_can_clean_up(self) -> None:
        wrapper = os.getpid()
        script = 'trap "echo x > \\"$0.cleaned\\"; exit" TERM; echo $$ > "$0"; sleep 600 & wait'

        def work() -> int:
            signal.signal(signal.SIGTERM, lambda number, frame: None)  # not inherited
            helper = subprocess.Popen(["/bin/sh", "-c", script, self.path("grandchild")])
            while not os.path.exists(self.path("grandchild")):
                time.sleep(0.01)
            os.kill(wrapper, signal.SIGTERM)
            return helper.wait()

        self.run_group(work)
        self.assertTrue(os.path.exists(self.path("grandchild.cleaned")))

    def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(self) -> None:
        def work() -> int:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            return hang()

        before = time.monotonic()
        self.assertEqual(self.run_group(work, 0.2), Ending(0, signal.SIGKILL, over_limit=True))
        self.assertLess(time.monotonic() - before, 10)

    def test_a_child_that_has_left_its_group_is_still_stopped(self) -> None:
        """It can leave, but not escape; SIGTERM does not reach it, SIGKILL does."""
        parent = os.getpgid(0)

        def work() -> int:
            time.sleep(0.2)  # so that the wrapper does not bring it back
            os.setpgid(0, parent)
            return hang()

        self.assertEqual(self.run_group(work, 0.5), Ending(0, signal.SIGKILL, over_limit=True))

    def test_it_has_a_group_of_its_own_and_the_wrapper_stays_in_its_own(self) -> None:
        mine = os.getpgid(0)
        self.assertEqual(self.run_group(lambda: os.getpgid(0) == os.getpid() != mine), Ending(1))
        self.assertEqual(self.run_child(lambda: os.getpgid(0) == mine), Ending(1))
        self.assertEqual(os.getpgid(0), mine)
        self.assertEqual(self.signals.child, 0)


class Watched(ChildCase):
    """The pipe whose end tells of the child's: an egg may hand it on, or close it."""

    def run_timed(self, work: Callable[[], int], seconds: float = PATIENCE,
                  group: bool = True) -> Tuple[Ending, float]:
        before = time.monotonic()
        ending = child.run(work, seconds, self.signals, 0.3, group=group)
        return ending, time.monotonic() - before

    def test_a_child_that_closes_the_pipe_early_is_still_waited_for(self) -> None:
        def work() -> int:
            os.closerange(3, 256)
            time.sleep(0.5)
            return 7

        for group in (True, False):
            ending, seconds = self.run_timed(work, group=group)
            self.assertEqual(ending, Ending(7))
            self.assertGreaterEqual(seconds, 0.5)

    def test_a_child_that_closes_the_pipe_early_is_still_limited(self) -> None:
        def work() -> int:
            os.closerange(3, 256)
            return hang()

        for group in (True, False):
            ending, seconds = self.run_timed(work, 0.3, group)
            self.assertEqual(ending, Ending(0, signal.SIGTERM, over_limit=True))
            self.assertLess(seconds, 10)

    def test_waiting_for_a_child_that_has_closed_the_pipe_costs_little(self) -> None:
        def work() -> int:
            os.closerange(3, 256)
            time.sleep(1)
            return 0

        before = time.process_time()
        self.run_timed(work)
        self.assertLess(time.process_time() - before, 0.3)

    def test_a_grandchild_that_holds_the_pipe_open_does_not_delay_the_end(self) -> None:
        """One that has left the group, too: else the end of the group is its own."""
        reader, writer = os.pipe()

        def work() -> int:
            holder = subprocess.Popen(["sleep", "30"], close_fds=False,
                                      start_new_session=True)
            os.write(writer, b"%d" % holder.pid)
            return 7

        ending, seconds = self.run_timed(work)
        holder = int(os.read(reader, 20))
        self.addCleanup(os.kill, holder, signal.SIGKILL)
        os.close(reader)
        os.close(writer)
        self.assertTrue(is_alive(holder))
        self.assertEqual(ending, Ending(7))
        self.assertLess(seconds, 2)

    def test_a_program_that_the_child_has_become_holds_the_pipe_so_its_end_is_noticed_at_once(
            self) -> None:
        script = ("import os, time; time.sleep(0.5); print(time.time(), flush=True); "
                  "os._exit(7)")
        reader, writer = os.pipe()

        def work() -> int:
            os.dup2(writer, 1)
            return os.execv(sys.executable, [sys.executable, "-c", script])

        shortest = PATIENCE
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        for _ in range(3):  # a busy machine may be late once
            ending, _ = self.run_timed(work)
            noticed = time.time()
            self.assertEqual(ending, Ending(7))
            shortest = min(shortest, noticed - float(os.read(reader, 50)))
        os.close(reader)
        os.close(writer)
        self.assertLess(shortest, 0.3)
        waits = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before
        self.assertLess(waits, 100)  # else it has looked all the time
