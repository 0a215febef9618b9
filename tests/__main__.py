"""Runs the tests and ends with the line "N passed, N failed, N skipped".

    python3 -m tests              all but the slow proofs
    python3 -m tests e2e          the slow proofs, which use the built insights-mini.pyz
    python3 -m tests NAME ...     tests whose dotted name contains NAME

With CI=true in the environment a skipped test is a failed one. All tests together are run by one
process a processor; each takes the next class of tests from a pipe.
"""
import contextlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
from typing import Dict, Iterator, List, NamedTuple, TextIO

HERE = os.path.dirname(os.path.abspath(__file__))
NUMBER = struct.Struct("!H")  # of a class, in the pipe
WORKER = "--worker"


class Tally(NamedTuple):
    """What came of tests: how many ran, which failed (by dotted name), which were skipped, why."""

    ran: int
    failed: List[str]
    skipped: List[str]


def flatten(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def choose(tests: List[unittest.TestCase], names: List[str]) -> List[unittest.TestCase]:
    """Return the tests that were asked for; without a name, all but the slow proofs."""
    if names:
        return [test for test in tests if any(name in test.id() for name in names)]
    return [test for test in tests if ".e2e." not in test.id()]


def restore_signals() -> None:
    """Undo what a shell in the background or nohup has ignored; the product keeps such things."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def group(tests: List[unittest.TestCase]) -> List[List[unittest.TestCase]]:
    """Return the tests class by class, in an order that is the same in every process."""
    classes: Dict[str, List[unittest.TestCase]] = {}
    for test in tests:
        classes.setdefault(test.id().rpartition(".")[0], []).append(test)
    return [classes[name] for name in sorted(classes)]


def run(tests: List[unittest.TestCase], stream: TextIO, verbosity: int) -> Tally:
    result = unittest.TextTestRunner(stream, verbosity=verbosity).run(unittest.TestSuite(tests))
    failed = {getattr(test, "test_case", test).id()  # a subTest knows its test
              for test, _ in result.failures + result.errors}
    return Tally(result.testsRun, sorted(failed),
                 ["%s: %s" % (test.id(), why) for test, why in result.skipped])


def add(one: Tally, other: Tally) -> Tally:
    return Tally(one.ran + other.ran, one.failed + other.failed, one.skipped + other.skipped)


def work(classes: List[List[unittest.TestCase]], numbers: int, results: int) -> None:
    """Be a worker: run the classes whose numbers come from a pipe, and write what came of them."""
    tally = Tally(0, [], [])
    while True:
        number = os.read(numbers, NUMBER.size)
        if not number:
            break
        printed = io.StringIO()
        done = run(classes[NUMBER.unpack(number)[0]], printed, 1)
        if done.failed:
            sys.stderr.write(printed.getvalue())
        tally = add(tally, done)
    with open(results, "w") as file:
        json.dump(tally, file)


def share(classes: List[List[unittest.TestCase]], workers: int) -> Tally:
    """Run the classes in several processes."""
    numbers, feed = os.pipe()
    os.write(feed, b"".join(NUMBER.pack(number) for number in range(len(classes))))
    os.close(feed)
    tally = Tally(0, [], [])
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(workers)]
        running = [subprocess.Popen(
            [sys.executable, "-m", "tests", WORKER, str(numbers), str(file.fileno())],
            cwd=os.path.dirname(HERE), pass_fds=(numbers, file.fileno())) for file in files]
        for worker, file in zip(running, files):
            status = worker.wait()
            file.seek(0)
            tally = add(tally, Tally(*json.load(file)) if status == 0 else
                        Tally(1, ["a worker of the tests ended with %d" % status], []))
    os.close(numbers)
    return tally


def main(names: List[str]) -> int:
    restore_signals()
    loader = unittest.TestLoader()
    found = loader.discover(HERE, top_level_dir=os.path.dirname(HERE))
    for error in loader.errors:
        print(error, file=sys.stderr)
    if names[:1] == [WORKER]:
        work(group(choose(list(flatten(found)), [])), int(names[1]), int(names[2]))
        return 0
    tests = choose(list(flatten(found)), names)
    workers = len(os.sched_getaffinity(0))
    tally = share(group(tests), workers) if not names and workers > 1 else run(
        tests, sys.stderr, 2 if names else 1)
    for name in tally.failed:
        print("failed: " + name)
    for line in tally.skipped:
        print("skipped: " + line)
    failed, skipped = len(set(tally.failed)) + len(loader.errors), len(tally.skipped)
    if os.environ.get("CI") == "true":
        failed, skipped = failed + skipped, 0
    print("%d passed, %d failed, %d skipped" % (
        max(tally.ran - failed - skipped, 0), failed, skipped))
    return 1 if failed or not tally.ran else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
