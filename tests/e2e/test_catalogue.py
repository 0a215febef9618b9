"""Each area of the catalogue run for real, with the commands that this machine has."""
import os
from typing import Dict, Set

from insights_mini.core.catalogue import load_catalogue
from insights_mini.core.collect.commandline import MOUNT_POINT, mangle
from insights_mini.core.specs import COMMAND
from tests.support import HostCase, read_archive

# Members of our own, in every archive.
OWN = {"branch_info", "version_info", "blacklist_report",
       "insights_commands/insights-mini_--version"}
# What a summary says when a spec is not fit to be run here.
UNFIT = ("refused", "timed out", "stuck", "name taken", "stored under another name", "failed:")


class Areas(HostCase):
    def collect_area(self, *arguments: str) -> Dict[str, bytes]:
        """Collect with the bundled catalogue; return the members."""
        out = self.path("out", "%d.tar.gz" % len(os.listdir(self.path("out"))))
        self.done = self.run_product("--offline", "--preset", "full", "--output-file", out,
                                     *arguments, timeout=300)
        self.assertEqual(self.done.status, 0, self.done.text)
        return read_archive(out)

    def test_each_area_gives_what_its_specs_name_and_nothing_goes_wrong(self) -> None:
        rules = load_catalogue()
        collected = 0
        for area in rules.areas:
            with self.subTest(area):
                specs = [spec for spec in rules.specs if spec.area == area]
                names: Set[bytes] = {mangle(spec.target.replace(MOUNT_POINT, b"/"))
                                     for spec in specs if spec.kind == COMMAND}
                members = set(self.collect_area("--areas", area)) - OWN
                collected += len(members)
                for name in members:
                    if name.startswith("insights_commands/"):
                        member = os.fsencode(name.partition("/")[2])
                        self.assertTrue(member in names or any(
                            member.startswith(one + b"_") for one in names), name)
                for word in UNFIT:
                    self.assertNotIn(word, self.done.text.lower().replace(
                        "not collected", ""), self.done.text)
        self.assertGreater(collected, 300)

    def test_the_minimal_preset_tells_who_the_host_is_and_how_it_does(self) -> None:
        out = self.path("out", "minimal.tar.gz")
        done = self.run_product("--offline", "--preset", "minimal", "--output-file", out)
        self.assertEqual(done.status, 0, done.text)
        members = read_archive(out)
        for name in ("etc/os-release", "proc/meminfo", "proc/loadavg",
                     "insights_commands/hostname_-f", "insights_commands/uname_-a"):
            self.assertIn(name, members)
        self.assertLess(len(members), 80)
