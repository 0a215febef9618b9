"""The table of --list-specs."""
import os
from typing import Any

from insights_mini.core.listing import HEADINGS, list_specs
from insights_mini.log import NOTHING, Console, Log
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from tests.support import Scratch


class Listing(Scratch):
    def table(self, **settings: Any) -> str:
        folder = os.fsencode(self.folder)
        return list_specs(Settings(**settings), Paths(folder, folder, folder, folder),
                          Log(Console(NOTHING)))

    def test_a_name_from_the_rules_can_neither_forge_a_line_nor_drive_a_terminal(self) -> None:
        path = self.write("rules", {"version": "1", "commands": [
            {"command": "/bin/ls\n\x1b[2J\r", "symbolic_name": "a\nb\x9b"}]})
        table = self.table(from_file=path)
        self.assertEqual(table.count("\n"), 2)
        self.assertTrue(table.replace("\n", "").isprintable())
        self.assertIn(r"a\nb\x9b", table)

    def test_each_spec_has_a_line_with_name_kind_whole_target_and_purpose(self) -> None:
        long = "/very/long/" + "x" * 100
        path = self.write("rules", {
            "version": "1",
            "commands": [{"command": "/bin/uname -a", "symbolic_name": "uname"}],
            "files": [{"file": long, "symbolic_name": "unheard_of"}]})
        rows = self.table(from_file=path).splitlines()
        self.assertEqual(tuple(part.strip() for part in rows[0].split("  ") if part), HEADINGS)
        self.assertRegex(rows[1], r"\Auname +command +/bin/uname -a +\S.*\S\Z")
        self.assertRegex(rows[2], r"\Aunheard_of +file +%s\Z" % long)
        self.assertEqual(len(rows), 3)

    def test_the_bundled_catalogue_is_listed_with_a_purpose_for_every_spec(self) -> None:
        rows = self.table().splitlines()
        self.assertGreater(len(rows), 400)
        kinds = rows[0].index("KIND")
        for row in rows[1:]:
            self.assertIn(row[kinds:].split()[0], ("command", "file", "glob"), row)
            self.assertEqual(row, row.rstrip())

    def test_run_these_shortens_the_table(self) -> None:
        rows = self.table(run_these=("hosts",)).splitlines()
        self.assertEqual(len(rows), 2)
        self.assertIn("/etc/hosts", rows[1])
