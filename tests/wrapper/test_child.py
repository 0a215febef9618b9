"""A phase as a child process: how its end comes back, its limit, the signals passed on to it."""
import os
import resource
import signal
import time
from typing import Callable

from insights_mini.exits import Failure
from insights_mini.wrapper import child
from insights_mini.wrapper.child import PASSED_ON, Ending, Signals
from tests.support import Scratch

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
