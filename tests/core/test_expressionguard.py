"""The child that runs expressions: it answers, it can be stopped, and it never outlives the run."""
import os
import re
import signal
import subprocess
import sys
import threading
import time
import unittest
from typing import Dict, List, Tuple

from insights_mini.core.expressionguard import ExpressionGuard
from insights_mini.core.redact.droplines import drop_expressions
from insights_mini.exits import Uncleaned
from tests.support import TOP, is_alive

EVIL = b"^(a+)+$"
EVIL_LINE = b"a" * 40 + b"b\n"
LONG = 60.0  # seconds that nothing here takes, even on a busy machine

KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from insights_mini.core.expressionguard import ExpressionGuard
guard = ExpressionGuard([b"x", %r], 0.5)
guard.drop(b"y\\n")
print(guard.child.number, flush=True)
if sys.argv[2] == "busy":
    guard.seconds = 1000.0
    guard.drop(%r)
sys.stdin.read()
""" % (EVIL, EVIL_LINE)


def wait_gone(number: int) -> bool:
    until = time.monotonic() + LONG
    while is_alive(number) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(number)


def children() -> List[int]:
    """Return the processes that this one has started."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == os.getpid():
                found.append(int(name))
    return found


class GuardCase(unittest.TestCase):
    def make(self, expressions: List[bytes], seconds: float = LONG) -> ExpressionGuard:
        guard = ExpressionGuard(expressions, seconds)
        self.addCleanup(guard.end)
        return guard


class Answers(GuardCase):
    def test_it_answers_as_the_same_expressions_in_this_process_do(self) -> None:
        expressions = [b"^b", b"c$", b"[0-9]{3}", "é+".encode(), b"^$"]
        guard = self.make(expressions)
        compiled = [re.compile(expression, re.MULTILINE) for expression in expressions]
        for block in (b"a\n", b"b\n", b"a\nb\nc\n", b"ac\nca", b"\n\n", b"x 123\ny 12\n", b"\0\n",
                      "é\ne\n".encode(), b"\xff\xfe\n", b"no newline", b"b", b"b\n" * 1000,
                      b"a 99\r\nb\r\n"):
            with self.subTest(block=block[:20]):
                self.assertEqual(guard.drop(block),
                                 drop_expressions(block, compiled, lambda number: None))

    def test_an_empty_block_and_no_expressions_need_no_child(self) -> None:
        self.assertEqual(self.make([b"a"]).drop(b""), (b"", {}))
        none = self.make([])
        self.assertEqual(none.drop(b"a\n"), (b"a\n", {}))
        self.assertEqual(none.child.number, 0)

    def test_blocks_beyond_the_size_of_a_pipe_do_not_block_it(self) -> None:
        guard = self.make([b"^drop", b"keep me not$"])
        kept = b"x" * 99 + b"\n"
        for lines in (1, 700, 42000):
            block = (b"drop this\n" + kept) * lines
            self.assertTrue(guard.drop(block) == (kept * lines, {0: lines}), lines)
        dropped = b"drop all of it\n" * 280000
        self.assertTrue(guard.drop(dropped) == (b"", {0: 280000}))
        line = b"z" * (4 << 20)
        self.assertTrue(guard.drop(line) == (line, {}))

    def test_threads_get_each_their_own_answer(self) -> None:
        guard = self.make([b"^drop"])
        wrong: List[Tuple[int, int]] = []
        done: Dict[int, int] = {}

        def ask(number: int) -> None:
            for turn in range(20):
                kept = b"thread %d turn %d\n" % (number, turn) * (100 * number + 1)
                if guard.drop(b"drop\n" + kept) != (kept, {0: 1}):
                    wrong.append((number, turn))
            done[number] = 20

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
        self.assertEqual(wrong, [])
        self.assertEqual(len(done), 8)


class Limits(GuardCase):
    def test_an_expression_without_end_is_stopped_and_named_and_the_next_block_is_served(
            self) -> None:
        guard = self.make([b"x", b"^drop", EVIL], 0.5)
        for _ in range(2):
            before = guard.child.number
            started = time.monotonic()
            with self.assertRaises(Uncleaned) as caught:
                guard.drop(b"drop\n" + EVIL_LINE)
            self.assertLess(time.monotonic() - started, LONG)
            self.assertIn("regex 2", caught.exception.why)
            self.assertNotIn("a+", caught.exception.why)
            self.assertFalse(is_alive(before))
            self.assertEqual(guard.drop(b"drop\na b\n"), (b"a b\n", {1: 1}))

    def test_a_block_without_what_every_expression_needs_is_not_sent_to_the_child(self) -> None:
        guard = self.make([b"a+drop", b"[0-9]needle"], LONG)
        os.kill(guard.child.number, signal.SIGSTOP)
        self.assertEqual(guard.drop(b"a dro\n1 needl\n" * 9), (b"a dro\n1 needl\n" * 9, {}))

    def test_a_content_given_up_by_one_thread_does_not_hurt_the_others(self) -> None:
        guard = self.make([b"^drop", EVIL], 0.5)
        answers: List[Tuple[bytes, Dict[int, int]]] = []
        given_up: List[str] = []

        def ask(block: bytes) -> None:
            try:
                answers.append(guard.drop(block))
            except Uncleaned as error:
                given_up.append(error.why)

        blocks = [EVIL_LINE, b"drop\nok b\n", b"drop\nok b\n", EVIL_LINE, b"drop\nok b\n"]
        threads = [threading.Thread(target=ask, args=(block,)) for block in blocks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
        self.assertEqual(answers, [(b"ok b\n", {0: 1})] * 3)
        self.assertEqual(len(given_up), 2)

    def test_a_child_that_stands_still_while_a_block_is_sent_spoils_no_later_block(self) -> None:
        """The rest of a block that was given up must not reach the next child."""
        guard = self.make([b"^drop"], 0.2)
        for _ in range(6):
            os.kill(guard.child.number, signal.SIGSTOP)
            with self.assertRaises(Uncleaned):
                guard.drop(b"secret line drop\n" * 350000)
            guard.seconds = LONG
            self.assertEqual(guard.drop(b"drop\nfine\n"), (b"fine\n", {0: 1}))
            guard.seconds = 0.2

    def test_a_child_that_was_killed_never_lets_a_block_through_uncleaned(self) -> None:
        guard = self.make([b"^drop"], LONG)
        for _ in range(15):
            os.kill(guard.child.number, signal.SIGKILL)
            try:
                answer = guard.drop(b"drop\nfine\n" * 100000)
            except Uncleaned:
                continue  # left out is right as well
            self.assertTrue(answer == (b"fine\n" * 100000, {0: 100000}), "another content")
            self.assertEqual(guard.drop(b"drop\nfine\n"), (b"fine\n", {0: 1}))


class Endings(GuardCase):
    def test_no_child_is_left_after_the_end_even_when_it_is_busy(self) -> None:
        before = set(children())
        guard = self.make([EVIL], 0.5)
        self.assertEqual(len(set(children()) - before), 1)
        with self.assertRaises(Uncleaned):
            guard.drop(EVIL_LINE)
        self.assertEqual(len(set(children()) - before), 1)
        guard.end()
        self.assertEqual(set(children()) - before, set())
        guard.end()  # once more does no harm

    def test_the_child_goes_with_a_parent_that_was_killed(self) -> None:
        for mode in ("idle", "busy"):
            with self.subTest(mode=mode):
                parent = subprocess.Popen([sys.executable, "-c", KILLED, os.path.join(TOP, "src"),
                                           mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                assert parent.stdin is not None and parent.stdout is not None
                number = int(parent.stdout.readline())
                self.assertTrue(is_alive(number))
                parent.kill()
                parent.wait()
                parent.stdin.close()
                parent.stdout.close()
                self.assertTrue(wait_gone(number))

    def test_the_child_ignores_the_signals_that_end_a_run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) * 10:
            guard = self.make([b"^drop"])
            child = guard.child.number
            os.kill(child, number)  # before it has done anything
            self.assertEqual(guard.drop(b"drop\nb\n"), (b"b\n", {0: 1}))
            os.kill(child, number)
            self.assertEqual(guard.drop(b"drop\nb\n"), (b"b\n", {0: 1}))
            self.assertEqual(guard.child.number, child)
