"""A phase as a child process: started, watched, stopped at its limit; signals are passed on to it.

The built-in egg is forked: a new interpreter for each of the four phases would cost more than the
rest of the wrapper, and a fork isolates a crash just as well. Nothing here runs in threads, which
is what makes forking safe. An egg from outside is started from the fork, in a process group of its
own, so that whatever it has started ends with it.
"""
import contextlib
import os
import select
import signal
import time
from types import FrameType
from typing import Callable, NamedTuple, Optional

from insights_mini.exits import Failure, reason

GRACE = 15.0  # seconds a phase has after SIGTERM: enough to stop its commands and clean up
LOOK = 0.5    # longest time in seconds between two looks at the child
SOON = 0.002  # between two looks when the pipe is closed: it is about to end
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending(NamedTuple):
    """How a phase ended: an exit status, or the number of the signal that killed it."""

    status: int
    signal: int = 0
    over_limit: bool = False


class Signals:
    """What the wrapper was sent. It passes it on to the phase under way and lets that clean up."""

    def __init__(self) -> None:
        self.interrupted = False
        self.received: Optional[int] = None
        self.child = 0
        for number in PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP: keep that
                signal.signal(number, self.pass_on)

    def check(self) -> Optional[int]:
        """Return the number of the last signal, if there was one. The phase under way is told once
        more: what comes just as it begins to wait is seen only when something ends the wait."""
        if self.received is not None and self.child:
            send(self.child, signal.SIGTERM)
        return self.received

    def pass_on(self, number: int, frame: Optional[FrameType]) -> None:
        self.received = number
        self.interrupted = self.interrupted or number == signal.SIGINT
        self.check()


def run(work: Callable[[], int], seconds: float, signals: Signals, grace: float = GRACE,
        group: bool = False) -> Ending:
    """Run the work in a forked child and return how it ended, within the limit; raise Failure.

    With `group` it gets a process group of its own, which is ended with it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    try:
        watch, held = os.pipe()  # the child holds one end: its death wakes the watcher
        child = os.fork()
    except OSError as error:
        raise Failure("cannot start a process", reason(error), "see the limits of this user")
    if child == 0:
        os.close(watch)
        become_phase(work, held, group)
    os.close(held)
    signals.child = child
    if group:
        with contextlib.suppress(OSError):  # the child does it too, and may have gone on already
            os.setpgid(child, child)
        signals.child = -child  # as kill(2) wants it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    try:
        over = not wait_for(child, watch, seconds, grace,
                            lambda: signals.check() is not None and group)
        if over:
            send(signals.child, signal.SIGTERM)
            if not wait_for(child, watch, grace, grace):
                send(child, signal.SIGKILL)
        if group:
            send(-child, signal.SIGKILL)  # the child is not reaped yet, so the number is its own
        _, status = os.waitpid(child, 0)
    finally:
        signals.child = 0
        os.close(watch)
    if os.WIFSIGNALED(status):
        return Ending(0, os.WTERMSIG(status), over)
    return Ending(os.WEXITSTATUS(status), 0, over)


def become_phase(work: Callable[[], int], held: int, group: bool) -> None:
    """Do the work and leave, without running anything of the wrapper's any more."""
    status = 1
    try:
        if group:
            os.setpgid(0, 0)
        os.set_inheritable(held, True)  # for an egg that is executed
        for number in PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        status = work()
    finally:
        os._exit(status)


def wait_for(child: int, watch: int, seconds: float, grace: float,
             is_stopped: Callable[[], bool] = lambda: False) -> bool:
    """Wait until the child has ended, and leave it unreaped; False when the time is over first.

    The closed pipe tells at once; but what an egg has started may hold it open, and an egg may
    close it early, so the child itself is looked at as well. Once it is told to stop, it has only
    the time of grace left.
    """
    until = time.monotonic() + seconds
    poller = select.poll()
    poller.register(watch, select.POLLIN)
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if is_stopped():
            until, is_stopped = min(until, time.monotonic() + grace), lambda: False
        left = until - time.monotonic()
        if left <= 0:
            return False
        if poller.poll(min(left, LOOK) * 1000):
            time.sleep(min(left, SOON))
    return True


def send(child: int, number: int) -> None:
    try:
        os.kill(child, number)
    except ProcessLookupError:
        pass  # it has just ended
