"""Turns the signals that end a run into one exception in the main thread, so that it cleans up."""
import os
import signal
from types import FrameType
from typing import Optional

from insights_mini.exits import Stopped

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def raise_stopped() -> None:
    """From now on the first of these signals raises Stopped; those after it are ignored.

    A signal that was ignored when the program started, as SIGHUP is under nohup, stays ignored.
    """
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def stop(number: int, frame: Optional[FrameType]) -> None:
    ignore()
    raise Stopped(signal.Signals(number).name)


def ignore() -> None:
    """Let nothing interrupt what comes now: it is short, and must not be left half done.

    A handler that does nothing, and not SIG_IGN: one that is already on its way would find that
    there is none to call.
    """
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, do_nothing)


def do_nothing(number: int, frame: Optional[FrameType]) -> None:
    pass


class Parent:
    """The process that started this one; without it nobody waits for the run any more."""

    def __init__(self) -> None:
        self.number = os.getppid()

    def check(self) -> None:
        """Raise Stopped when the parent has gone, as after a kill -9 of the wrapper."""
        if os.getppid() != self.number:
            ignore()
            raise Stopped("the end of the wrapper")
