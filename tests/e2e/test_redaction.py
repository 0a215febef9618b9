"""Redaction in whole runs, where that takes its time."""
from tests.test_redaction_runs import CONTENTS, KEEP, RedactionCase, RepeatingCase


class Expressions(RedactionCase):
    def test_an_expression_without_end_leaves_the_member_out_named_and_the_run_ends(self) -> None:
        """FAULTS 2."""
        bad = self.write("data/bad", "a" * 60 + "b\n")
        good = self.write("data/good", "fine\n")
        self.write(CONTENTS, "patterns:\n  regex:\n  - '^(a|aa)+$'\n")
        members = self.collect(self.rules(files=[bad, good]))
        self.assertEqual([name for name in members if "data/" in name], [good[1:]])
        self.assertIn("Could not be cleaned: " + bad, self.done.text)
        self.assertIn("regex 0", self.done.text)
        left_out = self.read_report()["left_out"]
        self.assertEqual([item["what"] for item in left_out], [bad])
        self.assertIn("regex 0", left_out[0]["rule"])


class Seeds(RepeatingCase):
    def test_the_same_archive_under_any_seed_of_the_hash(self) -> None:
        """FAULTS 12."""
        archives = set()
        for seed in [*range(19), 4294967295]:
            self.write("state/obfuscation.json", {"key": "5a" * 32, "pairs": []})
            archives.add(self.pack(PYTHONHASHSEED=str(seed), **KEEP))
        self.assertEqual(len(archives), 1)
