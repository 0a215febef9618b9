"""Tasks side by side: order, how many, crashes, and threads that nothing can end."""
import os
import threading
import time
import unittest
from typing import Callable, List, Sequence

from insights_mini.core.collect.plan import INSTEAD, Task
from insights_mini.core.collect.pool import COMMANDS_AT_ONCE, SLOW_AT_ONCE, Pool, Work
from insights_mini.core.collect.work import COLLECTED, EMPTY, STUCK, Result
from insights_mini.core.specs import COMMAND, FILE
from insights_mini.exits import Failure, Stopped
from tests.support import Scratch

LONG = 60.0  # seconds; no test waits that long unless something is broken


def make_tasks(kinds: Sequence[str]) -> List[Task]:
    return [Task(kind, b"%d" % number, b"", (), (number,)) for number, kind in enumerate(kinds)]


def number_of(task: Task) -> int:
    return int(task.label)


def ignore(task: Task, done: int) -> None:
    """Watch nothing."""


class Order(unittest.TestCase):
    def run_all(self, tasks: Sequence[Task], work: Work) -> List[str]:
        pool = Pool(tasks, work, LONG, time.monotonic() + LONG)
        found = [result.detail for _, result in pool.run(ignore)]
        pool.leave()
        return found

    def test_results_come_in_task_order_though_each_waits_for_the_one_after_it(self) -> None:
        ended = [threading.Event() for _ in range(5)]
        ended[4].set()

        def work(task: Task, beat: Callable[[], None]) -> Result:
            self.assertTrue(ended[number_of(task) + 1].wait(LONG))
            ended[number_of(task)].set()
            return Result(COLLECTED, task.label.decode())

        self.assertEqual(self.run_all(make_tasks([COMMAND] * 4), work), ["0", "1", "2", "3"])

    def test_files_are_read_in_the_order_of_their_rank_and_given_in_that_of_the_plan(self) -> None:
        read: List[int] = []

        def work(task: Task, beat: Callable[[], None]) -> Result:
            read.append(number_of(task))
            return Result(EMPTY, task.label.decode())

        tasks = [task._replace(rank=rank) for task, rank in
                 zip(make_tasks([FILE, INSTEAD, FILE, INSTEAD, FILE]), (30, 10, 20, 0, 10))]
        self.assertEqual(self.run_all(tasks, work), ["0", "1", "2", "3", "4"])
        self.assertEqual(read, [3, 1, 4, 2, 0])

    def test_files_are_read_one_after_the_other_beside_the_commands(self) -> None:
        lock = threading.Lock()
        meet = threading.Barrier(COMMANDS_AT_ONCE + 1)
        busy = {FILE: 0, COMMAND: 0}
        most = {FILE: 0, COMMAND: 0}

        def work(task: Task, beat: Callable[[], None]) -> Result:
            with lock:
                busy[task.kind] += 1
                most[task.kind] = max(most[task.kind], busy[task.kind])
            meet.wait(LONG)  # passes only when four commands and a file are under way
            with lock:
                busy[task.kind] -= 1
            return Result(EMPTY, task.label.decode())

        kinds = [FILE] * 3 + [COMMAND] * 12
        self.assertEqual(self.run_all(make_tasks(kinds), work), [str(i) for i in range(15)])
        self.assertEqual(most, {FILE: 1, COMMAND: 4})

    def test_what_is_known_to_hang_keeps_nothing_else_waiting(self) -> None:
        others = threading.Barrier(COMMANDS_AT_ONCE)
        ended = [threading.Event() for _ in range(24)]
        busy, most, lock = [0], [0], threading.Lock()

        def work(task: Task, beat: Callable[[], None]) -> Result:
            number = number_of(task)
            if task.slow:
                with lock:
                    busy[0] += 1
                    most[0] = max(most[0], busy[0])
                for event in ended[6:]:  # all that is not known to hang ends before
                    self.assertTrue(event.wait(LONG))
                with lock:
                    busy[0] -= 1
            elif task.kind == COMMAND:
                others.wait(LONG)  # passes only when four commands are under way
            ended[number].set()
            return Result(EMPTY, str(number))

        kinds = [COMMAND] * 6 + [FILE] * 6 + [COMMAND] * 12
        tasks = [task._replace(slow=5.0 * (number_of(task) < 6)) for task in make_tasks(kinds)]
        self.assertEqual(self.run_all(tasks, work), [str(i) for i in range(24)])
        self.assertEqual(most, [SLOW_AT_ONCE])

    def test_what_is_read_from_a_disk_instead_stands_with_the_files_however_slow(self) -> None:
        reading = threading.Lock()

        def work(task: Task, beat: Callable[[], None]) -> Result:
            self.assertTrue(reading.acquire(False))
            time.sleep(0.005)
            reading.release()
            return Result(EMPTY, task.label.decode())

        tasks = [task._replace(slow=5.0) for task in make_tasks([INSTEAD, FILE] * 10)]
        self.assertEqual(self.run_all(tasks, work), [str(i) for i in range(20)])

    def test_without_tasks_there_are_no_results(self) -> None:
        self.assertEqual(self.run_all([], lambda task, beat: Result(EMPTY)), [])

    def test_the_watch_is_told_what_is_waited_for_and_may_end_the_run(self) -> None:
        release = threading.Event()
        self.addCleanup(release.set)
        seen = []

        def work(task: Task, beat: Callable[[], None]) -> Result:
            if number_of(task) == 1:
                release.wait(LONG)
            return Result(EMPTY)

        def watch(task: Task, done: int) -> None:
            seen.append((number_of(task), done))
            if seen[-1] == (1, 1):
                raise Stopped("SIGTERM")

        pool = Pool(make_tasks([FILE, FILE]), work, LONG, time.monotonic() + LONG)
        with self.assertRaises(Stopped):
            list(pool.run(watch))
        self.assertEqual(seen[-1], (1, 1))


class Crashes(unittest.TestCase):
    def test_a_crash_in_a_worker_reaches_the_caller_as_it_is(self) -> None:
        for error in (Failure("the disk is full"), ValueError("x"), MemoryError()):
            with self.subTest(error=error):
                def work(task: Task, beat: Callable[[], None],
                         error: Exception = error) -> Result:
                    if number_of(task) == 1:
                        raise error
                    return Result(EMPTY)

                pool = Pool(make_tasks([COMMAND, FILE, FILE]), work, LONG, time.monotonic() + LONG)
                with self.assertRaises(type(error)) as caught:
                    list(pool.run(ignore))
                self.assertIs(caught.exception, error)
                pool.leave()

    def test_after_a_crash_nothing_new_is_begun(self) -> None:
        begun = []
        release = threading.Event()

        def work(task: Task, beat: Callable[[], None]) -> Result:
            begun.append(number_of(task))
            if number_of(task) == 0:
                raise ValueError
            return Result(EMPTY)

        pool = Pool(make_tasks([FILE] * 100), work, LONG, time.monotonic() + LONG)
        with self.assertRaises(ValueError):
            list(pool.run(ignore))
        pool.leave()
        release.set()
        self.assertEqual(begun, [0])


class Stuck(Scratch):
    def test_a_task_that_hangs_where_nothing_can_end_it_is_given_up_and_the_run_goes_on(
            self) -> None:
        """FAULTS 44."""
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        ended = threading.Event()

        def work(task: Task, beat: Callable[[], None]) -> Result:
            if number_of(task) in (1, 3):
                os.close(os.open(fifo, os.O_RDONLY))  # waits in the kernel for a writer
                ended.set()
            return Result(COLLECTED, "late" if number_of(task) in (1, 3) else "fine")

        tasks = make_tasks([FILE, FILE, FILE, COMMAND, COMMAND])
        pool = Pool(tasks, work, 0.3, time.monotonic() + LONG)
        results = []
        for _, result in pool.run(ignore):
            results.append((result.outcome, result.detail[:11]))
        self.assertEqual(results, [(COLLECTED, "fine"), (STUCK, "no progress"), (COLLECTED, "fine"),
                                   (STUCK, "no progress"), (COLLECTED, "fine")])
        self.assertEqual(pool.done, 5)
        pool.leave()  # ends although two threads are still waiting
        self.assertEqual(sum(thread.is_alive() for thread in pool.threads), 2)
        os.close(os.open(fifo, os.O_RDWR))
        writer = os.open(fifo, os.O_RDWR)
        self.addCleanup(os.close, writer)
        self.assertTrue(ended.wait(LONG))
        for thread in pool.threads:
            thread.join(LONG)
            self.assertFalse(thread.is_alive())
        self.assertEqual((pool.results, pool.done), ({}, 5), "a late result is discarded")

    def test_a_lane_goes_on_when_all_its_threads_are_stuck(self) -> None:
        release = threading.Event()
        self.addCleanup(release.set)

        def work(task: Task, beat: Callable[[], None]) -> Result:
            if number_of(task) < 4:
                release.wait(LONG)
            return Result(EMPTY)

        for slow in (0.0, 5.0):
            tasks = [task._replace(slow=slow) for task in make_tasks([COMMAND] * 6)]
            pool = Pool(tasks, work, 0.3, time.monotonic() + LONG)
            self.assertEqual([result.outcome for _, result in pool.run(ignore)],
                             [STUCK] * 4 + [EMPTY] * 2)

    def test_a_task_that_makes_progress_is_waited_for(self) -> None:
        beats: List[Callable[[], None]] = []
        begun, release = threading.Event(), threading.Event()
        self.addCleanup(release.set)

        def work(task: Task, beat: Callable[[], None]) -> Result:
            beats.append(beat)
            begun.set()
            release.wait(LONG)
            return Result(EMPTY)

        pool = Pool(make_tasks([FILE]), work, 1000.0, time.monotonic() + 1000.0)
        pool.begin()
        self.assertTrue(begun.wait(LONG))
        pool.under_way[0].last -= 2000.0
        beats[0]()
        pool.give_up_stuck()
        self.assertEqual((list(pool.under_way), pool.results), ([0], {}))
        pool.under_way[0].last -= 2000.0
        pool.give_up_stuck()
        self.assertEqual(list(pool.under_way), [])
        self.assertEqual(pool.results[0].outcome, STUCK)

    def test_after_the_latest_moment_no_task_is_waited_for_whatever_progress_it_makes(
            self) -> None:
        release = threading.Event()
        self.addCleanup(release.set)

        def work(task: Task, beat: Callable[[], None]) -> Result:
            while not release.wait(0.01):
                beat()
            return Result(EMPTY)

        pool = Pool(make_tasks([FILE, COMMAND]), work, LONG, time.monotonic() + 0.2)
        self.assertEqual([result.outcome for _, result in pool.run(ignore)], [STUCK, STUCK])
        release.set()
        pool.leave()
