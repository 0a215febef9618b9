"""Runs tasks side by side: four commands at a time, and the files one after the other beside them.

Commands that are known to hang run two at a time in a lane of their own, so that the others never
wait for a broken disk. Results come in the order of the tasks, whatever ended first. A task that
hangs where nothing can end it, in a read from a dead file server, is given up and its thread is
left behind.
"""
import threading
import time
from collections import deque
from typing import Callable, Deque, Dict, Iterator, List, Optional, Sequence, Tuple

from insights_mini.core.collect.plan import INSTEAD, Task
from insights_mini.core.collect.work import STUCK, Result
from insights_mini.core.specs import FILE

COMMANDS_AT_ONCE = 4
SLOW_AT_ONCE = 2
READ = (FILE, INSTEAD)
TICK = 0.1       # seconds between two looks at the clock while waiting
LEAVING = 4.0    # seconds that the threads get to end when the run is stopped
STACK = 1024 * 1024  # bytes; the usual 8 MB a thread are too much for a host with little memory

Work = Callable[[Task, Callable[[], None]], Result]
Watch = Callable[[Task, int], None]  # gets the task that is waited for, and how many are done


class Pulse:
    """When a task under way last made progress."""

    def __init__(self) -> None:
        self.beat()

    def beat(self) -> None:
        self.last = time.monotonic()


class Pool:
    def __init__(self, tasks: Sequence[Task], work: Work, patience: float, latest: float) -> None:
        """`patience` is how many seconds a task may go without progress, and `latest` the
        time.monotonic() value after which no task is waited for."""
        self.tasks = tasks
        self.work = work
        self.patience = patience
        self.latest = latest
        self.changed = threading.Condition()
        self.results: Dict[int, Result] = {}
        self.under_way: Dict[int, Pulse] = {}
        self.crash: Optional[Exception] = None
        self.done = 0
        self.files: Deque[int] = deque()
        self.slow: Deque[int] = deque()
        self.others: Deque[int] = deque()
        for number in sorted(range(len(tasks)), key=lambda number: tasks[number].rank):
            self.lane(number).append(number)
        self.threads: List[threading.Thread] = []

    def begin(self) -> None:
        threading.stack_size(STACK)
        for lane, most in ((self.files, 1), (self.slow, SLOW_AT_ONCE),
                           (self.others, COMMANDS_AT_ONCE)):
            for _ in range(min(most, len(lane))):
                self.start(lane)

    def lane(self, number: int) -> Deque[int]:
        """Return the queue that a task stands in."""
        if self.tasks[number].kind in READ:
            return self.files
        return self.slow if self.tasks[number].slow else self.others

    def start(self, lane: Deque[int]) -> None:
        """Start a thread; MemoryError where there is no room for another one."""
        thread = threading.Thread(target=self.serve, args=(lane,), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            raise MemoryError
        self.threads.append(thread)

    def serve(self, lane: Deque[int]) -> None:
        """Work on the tasks of a lane until there are none left, or this thread was given up."""
        while True:
            pulse = Pulse()
            with self.changed:
                if not lane or self.crash:
                    return
                number = lane.popleft()
                self.under_way[number] = pulse
            try:
                result = self.work(self.tasks[number], pulse.beat)
            except Exception as error:  # noqa: BLE001  # handed to the main thread, which raises it
                with self.changed:
                    self.crash = error
                    self.changed.notify()
                return
            with self.changed:
                if self.under_way.pop(number, None) is not pulse:
                    return
                self.results[number] = result
                self.done += 1
                self.changed.notify()

    def run(self, watch: Watch) -> Iterator[Tuple[Task, Result]]:
        """Yield each task with its result, in order; `watch` is called while waiting for one."""
        self.begin()
        for number, task in enumerate(self.tasks):
            with self.changed:
                while number not in self.results:
                    if self.crash:
                        raise self.crash
                    self.give_up_stuck()
                    watch(task, self.done)
                    self.changed.wait(TICK)
                result = self.results.pop(number)
            yield task, result

    def give_up_stuck(self) -> None:
        """Do without the tasks that have not moved for too long, and replace their threads."""
        now = time.monotonic()
        for number, pulse in list(self.under_way.items()):
            if now > min(pulse.last + self.patience, self.latest):
                del self.under_way[number]
                self.results[number] = Result(STUCK, "no progress for %d s" % (now - pulse.last))
                self.done += 1
                self.start(self.lane(number))

    def leave(self) -> None:
        """Wait for the threads to end after a stop sign; they end what they run."""
        until = time.monotonic() + LEAVING
        for thread in self.threads:
            thread.join(max(0.0, until - time.monotonic()))
