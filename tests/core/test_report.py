"""The owner's report: counts by member and rule, beside the archive and for the owner only."""
import json
import os
import stat
from typing import Any

from insights_mini.core.redact.cleaner import Policy
from insights_mini.core.redact.droplines import PatternDropper
from insights_mini.core.redact.keywords import KeywordMasker
from insights_mini.core.redact.names import HostNames
from insights_mini.core.redact.obfuscate import KINDS, Obfuscator
from insights_mini.core.redact.replacements import Replacements
from insights_mini.core.report import Report, choose_path
from insights_mini.exits import Failure
from tests.support import Scratch

PLAIN = Policy(PatternDropper(()), lambda block: (block, {}), KeywordMasker(()), True, None)


class Reports(Scratch):
    def read(self, path: str) -> Any:
        with open(path, "rb") as file:
            return json.loads(file.read().decode("utf-8"))

    def test_nothing_that_exists_is_written_over_or_through(self) -> None:
        """FAULTS 11."""
        taken = self.write("taken", "mine")
        os.symlink(self.path("victim"), self.path("dangling"))
        os.symlink(taken, self.path("link"))
        os.mkdir(self.path("folder"))
        for name in ("taken", "dangling", "link", "folder"):
            with self.subTest(name):
                with self.assertRaises(Failure) as caught:
                    Report().write(self.path(name).encode(), PLAIN)
                self.assertIn(self.path(name), str(caught.exception))
                self.assertIn("--redaction-report", caught.exception.remedy)
        with open(taken, "rb") as file:
            self.assertEqual(file.read(), b"mine")
        self.assertEqual(sorted(os.listdir(self.folder)), ["dangling", "folder", "link", "taken"])

    def test_a_place_that_cannot_be_written_is_named(self) -> None:
        self.write("file", "x")
        with self.assertRaises(Failure) as caught:
            Report().write(self.path("file", "report").encode(), PLAIN)
        self.assertIn(self.path("file", "report"), str(caught.exception))

    def test_it_is_0600_under_any_umask(self) -> None:
        """FAULTS 11, 50."""
        for umask in (0, 0o777):
            with self.subTest(oct(umask)):
                path = self.path("report%o" % umask)
                before = os.umask(umask)
                try:
                    Report().write(path.encode(), PLAIN)
                finally:
                    os.umask(before)
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_it_has_every_member_and_rule_with_its_count_and_what_was_left_out(self) -> None:
        report = Report()
        report.add(b"etc/x", {"keyword0": 3, "pattern 1": 1})
        report.add(b"odd\xff", {"secret": 1})
        report.add(b"etc/clean", {})
        report.leave_out(b"/etc/shadow", "components: shadow")
        report.write(self.path("r").encode(), PLAIN)
        self.assertEqual(self.read(self.path("r")), {
            "members": {"etc/x": {"keyword0": 3, "pattern 1": 1}, "odd\\xff": {"secret": 1}},
            "left_out": [{"what": "/etc/shadow", "rule": "components: shadow"}]})

    def test_it_tells_which_replacement_stands_for_which_original(self) -> None:
        obfuscator = Obfuscator(frozenset(KINDS), HostNames(["db"], []), Replacements(b"k", []))
        replaced = obfuscator.hide(b"10.1.2.3 db")
        Report().write(self.path("r").encode(), PLAIN._replace(obfuscator=obfuscator))
        told = {item["original"]: item["replacement"]
                for item in self.read(self.path("r"))["obfuscation"]}
        self.assertEqual(set(told), {"10.1.2.3", "db"})
        self.assertEqual(replaced.decode(), "%s %s" % (told["10.1.2.3"], told["db"]))

    def test_totals_are_counts_by_kind_of_rule(self) -> None:
        report = Report()
        report.add(b"a", {"keyword0": 1, "keyword12": 2, "pattern 0": 3, "pattern 11": 4,
                          "regex 0": 5, "password": 6, "secret": 7, "obfuscated": 8})
        report.add(b"b", {"keyword0": 10, "regex 3": 10})
        report.leave_out(b"/x", "x")
        self.assertEqual(report.totals(), {
            "excluded": 1, "patterns": 7, "regex": 15, "keywords": 13, "passwords": 6,
            "secrets": 7, "obfuscated": 8})

    def test_only_a_report_that_says_something_is_not_empty(self) -> None:
        report = Report()
        report.add(b"a", {})
        self.assertTrue(report.is_empty())
        report.add(b"a", {"secret": 1})
        self.assertFalse(report.is_empty())
        report = Report()
        report.leave_out(b"/x", "x")
        self.assertFalse(report.is_empty())

    def test_it_goes_where_it_was_asked_for_else_beside_the_archive_else_nowhere(self) -> None:
        for asked, archive, expected in (
            ("/x/r", b"/a/b.tar.gz", b"/x/r"), ("/x/r", b"", b"/x/r"),
            ("", b"/a/b.tar.gz", b"/a/b.tar.gz.redactions.json"), ("", b"", b""),
            ("r", b"", os.path.join(os.getcwdb(), b"r")),
        ):
            self.assertEqual(choose_path(asked, archive), expected)
