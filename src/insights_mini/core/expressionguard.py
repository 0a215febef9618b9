"""Runs the owner's regular expressions in a child process that can be stopped.

An expression that backtracks without end cannot be interrupted within Python, and would hold up
every thread. The child is forked when the run begins; it gets blocks and returns what is left of
them. One that takes too long is killed, the content is given up (Uncleaned), and a new child
serves the next one. The child ends with the pipe to it.
"""
import mmap
import os
import re
import select
import signal
import struct
import threading
import time
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from insights_mini.core.redact.droplines import drop_expressions, required
from insights_mini.core.signals import ENDING
from insights_mini.exits import Uncleaned
from insights_mini.log import write_all

LENGTH = struct.Struct("!Q")
COUNT = struct.Struct("!II")
SECONDS = 10.0  # for one block of at most about a megabyte


class Child(NamedTuple):
    number: int
    to: int
    back: int


class ExpressionGuard:
    """Callable from several threads; they take turns."""

    def __init__(self, expressions: Sequence[bytes], seconds: float = SECONDS) -> None:
        self.expressions = [re.compile(expression, re.MULTILINE) for expression in expressions]
        self.required = [required(expression) for expression in expressions]
        self.seconds = seconds
        self.lock = threading.Lock()
        self.current = mmap.mmap(-1, 4)  # shared: the number of the expression that is tried
        self.sender: Optional[threading.Thread] = None
        self.child = self.start()

    def drop(self, block: bytes) -> Tuple[bytes, Dict[int, int]]:
        """Return the block without the lines that match, and counts by expression.

        Raises Uncleaned when that takes too long.
        """
        if not block or not any(text in block for text in self.required):
            return block, {}  # without any of these, none can match
        with self.lock:
            for _ in range(2):
                try:
                    return self.ask(block)
                except TimeoutError:
                    rule = struct.unpack("!I", self.current[:4])[0]
                    self.replace_child()
                    raise Uncleaned("regex %d took longer than %g s" % (rule, self.seconds))
                except EOFError:  # somebody has killed the child: once more, with a new one
                    self.replace_child()
        raise Uncleaned("the process for expressions ended")

    def ask(self, block: bytes) -> Tuple[bytes, Dict[int, int]]:
        until = time.monotonic() + self.seconds
        self.sender = threading.Thread(target=send, args=(self.child.to, block), daemon=True)
        self.sender.start()
        return self.receive(until)

    def receive(self, until: float) -> Tuple[bytes, Dict[int, int]]:
        length, rules = struct.unpack("!QI", self.read(12, until))
        counts = dict(COUNT.unpack(self.read(COUNT.size, until)) for _ in range(rules))
        return self.read(length, until), counts

    def read(self, length: int, until: float) -> bytes:
        poller = select.poll()
        poller.register(self.child.back, select.POLLIN)
        parts: List[bytes] = []
        while length:
            if not poller.poll(max(0.0, until - time.monotonic()) * 1000):
                raise TimeoutError
            part = os.read(self.child.back, min(length, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def start(self) -> Child:
        if not self.expressions:
            return Child(0, -1, -1)
        read_end, to = os.pipe()
        back, write_end = os.pipe()
        # The child keeps these blocked: the parent decides when it ends. Were they let through
        # until it ignores them, one in between would unwind the parent's stack in the child.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            number = os.fork()
            if number == 0:
                self.serve(read_end, write_end, (to, back))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(read_end)
        os.close(write_end)
        return Child(number, to, back)

    def serve(self, read_end: int, write_end: int, of_parent: Tuple[int, int]) -> None:
        """Be the child: answer until there are no more questions."""
        try:
            for number in of_parent:
                os.close(number)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            with open(read_end, "rb") as questions:
                while True:
                    head = questions.read(LENGTH.size)
                    if len(head) < LENGTH.size:
                        break
                    signal.alarm(int(self.seconds) + 5)  # should the parent have been killed
                    block = questions.read(LENGTH.unpack(head)[0])
                    rest, counts = drop_expressions(block, self.expressions, self.begin)
                    head = struct.pack("!QI", len(rest), len(counts))
                    write_all(write_end, head + b"".join(
                        COUNT.pack(*item) for item in sorted(counts.items())) + rest)
                    signal.alarm(0)
        finally:
            os._exit(0)

    def begin(self, number: int) -> None:
        self.current[:4] = struct.pack("!I", number)

    def replace_child(self) -> None:
        self.end()
        if self.sender is not None:
            self.sender.join()  # it must not write into what comes next under the same number
        os.close(self.child.to)
        os.close(self.child.back)
        self.child = self.start()

    def end(self) -> None:
        """End the child at once; should an expression be tried again, there will be a new one."""
        if self.child.number:
            os.kill(self.child.number, signal.SIGKILL)
            os.waitpid(self.child.number, 0)
            self.child = self.child._replace(number=0)


def send(to: int, block: bytes) -> None:
    try:
        write_all(to, LENGTH.pack(len(block)) + block)
    except OSError:
        pass  # the child was killed; whoever waits for its answer knows
