"""What is told at the end: every spec counted once, the reasons for what is missing."""
import unittest

from insights_mini.core.collect import plan, work
from insights_mini.core.specs import FILE, Spec
from insights_mini.core.summary import NAMED, OVER_SIZE, Summary


def make(count: int) -> Summary:
    return Summary([Spec("s%d" % i, FILE, b"/etc/%d" % i) for i in range(count)])


class Telling(unittest.TestCase):
    def test_a_spec_of_which_anything_was_collected_is_not_missing(self) -> None:
        summary = make(2)
        summary.miss([0], plan.ABSENT, "", b"/a")
        summary.add_member([0], 10)
        summary.miss([0], work.UNREADABLE, "is a FIFO", b"/b")
        self.assertEqual(summary.counts(), {})
        self.assertIn("Collected 1 of 2 specs: 1 files and commands, 10 bytes, packed to "
                      "2.0 kB, in 1.0 s",
                      summary.lines(2000, 1.0))

    def test_a_spec_counts_once_with_its_first_reason(self) -> None:
        summary = make(3)
        summary.miss([0, 1], plan.NOT_INSTALLED, "", b"x")
        summary.miss([1], plan.ABSENT, "", b"y")
        summary.miss([2], OVER_SIZE, "", b"z")
        self.assertEqual(summary.counts(), {plan.NOT_INSTALLED: 2, OVER_SIZE: 1})
        self.assertIn("Not collected: 2 not installed, 1 archive full", summary.lines(50, 0.0))

    def test_two_members_of_one_spec_are_one_spec_and_one_member_may_serve_two(self) -> None:
        summary = make(3)
        summary.add_member([0], 1)
        summary.add_member([0], 2)
        summary.add_member([1, 2], 4)
        self.assertIn("Collected 3 of 3 specs: 3 files and commands, 7 bytes, packed to "
                      "50 bytes, in 0.0 s",
                      summary.lines(50, 0.0))
        self.assertEqual(len(summary.lines(50, 0.0)), 1)

    def test_what_is_ordinary_on_any_host_is_named_in_the_log_only(self) -> None:
        summary = make(3)
        for place, outcome in enumerate((plan.ABSENT, plan.NOT_INSTALLED, work.EMPTY)):
            summary.miss([place], outcome, "", b"/etc/%d" % place)
        self.assertEqual(len(summary.lines(50, 0.0)), 2)
        self.assertNotIn("/etc/", "\n".join(summary.lines(50, 0.0)))
        self.assertEqual(summary.details(), [
            "not collected: s0, /etc/0: absent", "not collected: s1, /etc/1: not installed",
            "not collected: s2, /etc/2: nothing to keep"])

    def test_what_is_not_ordinary_is_named_on_the_console_up_to_a_number(self) -> None:
        summary = make(20)
        for place in range(NAMED + 3):
            summary.miss([place], work.UNREADABLE, "is a FIFO", b"/etc/%d" % place)
        line = summary.lines(50, 0.0)[-1]
        self.assertTrue(line.startswith("Unreadable: /etc/0 (is a FIFO), "), line)
        self.assertTrue(line.endswith("/etc/%d (is a FIFO) and 3 more, see the log" % (NAMED - 1)))
        self.assertIn("unreadable: /etc/7 (is a FIFO)", summary.details())

    def test_a_limit_that_was_reached_is_told_though_the_spec_was_collected(self) -> None:
        summary = make(1)
        summary.remark(work.LIMIT, b"/var/log/big", "only its newest 9 bytes are kept")
        summary.add_member([0], 9)
        self.assertIn("Limit reached: /var/log/big (only its newest 9 bytes are kept)",
                      summary.lines(50, 0.0))

    def test_a_name_that_is_not_utf_8_can_be_told(self) -> None:
        summary = make(1)
        summary.miss([0], work.UNREADABLE, "", b"/a\xff")
        self.assertIn("Unreadable: /a\\xff", summary.lines(50, 0.0))
