"""Runs the tests and ends with the line "N passed, N failed, N skipped".

    python3 -m tests              all but the slow proofs
    python3 -m tests e2e          the slow proofs, which use the built insights-mini.pyz
    python3 -m tests NAME ...     tests whose dotted name contains NAME

With CI=true in the environment a skipped test is a failed one.
"""
import os
import signal
import sys
import unittest
from typing import Iterator, List

HERE = os.path.dirname(os.path.abspath(__file__))


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


def main(names: List[str]) -> int:
    restore_signals()
    loader = unittest.TestLoader()
    found = loader.discover(HERE, top_level_dir=os.path.dirname(HERE))
    for error in loader.errors:
        print(error, file=sys.stderr)
    suite = unittest.TestSuite(choose(list(flatten(found)), names))
    result = unittest.TextTestRunner(verbosity=2 if names else 1).run(suite)
    failed = len({getattr(test, "test_case", test).id()  # a subTest knows its test
                  for test, _ in result.failures + result.errors}) + len(loader.errors)
    skipped = len(result.skipped)
    for test, why in result.skipped:
        print("skipped: %s: %s" % (test.id(), why))
    if os.environ.get("CI") == "true":
        failed, skipped = failed + skipped, 0
    passed = result.testsRun - failed - skipped
    print("%d passed, %d failed, %d skipped" % (max(passed, 0), failed, skipped))
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
