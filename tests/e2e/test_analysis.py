"""What the analysis side makes of an archive: insights-core's parsers, in a Python of their own.

INSIGHTS_CORE_PYTHON names a Python that has insights-core installed.
"""
import json
import os
import subprocess
import unittest
from typing import Any, Dict, List

from tests.support import SHARED, HostCase

PYTHON = os.environ.get("INSIGHTS_CORE_PYTHON", "")
PARSE = os.path.join(SHARED, "tools", "parse_archive.py")
RULES_2019 = os.path.join(SHARED, "reference", "uploader-2019.json")

# Parsers that raise on what this kind of host really has, whoever collected it.
RAISING: Dict[str, str] = {
    "ethtool.Ethtool": "the rules ask interfaces of a kind that has no settings",
    "md5check.NormalMD5": "md5sum names a file that is missing, which is no checksum line",
    "systemd.config.SystemdRpcbindSocketConf": "systemctl says that systemd does not run here",
}


@unittest.skipUnless(PYTHON, "INSIGHTS_CORE_PYTHON names no Python with insights-core")
class Analysis(HostCase):
    def analyse(self, *arguments: str) -> Dict[str, Any]:
        """Collect, and return what the parsers say about the archive."""
        archive = self.path("out", "insights-host-20200102030405.tar.gz")
        done = self.run_product("--offline", "--output-file", archive, *arguments)
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        parsed = subprocess.run([PYTHON, PARSE, archive, "--limit", "150"], cwd=self.folder,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=200,
                                check=False)
        self.assertEqual(parsed.returncode, 0, parsed.stdout + parsed.stderr)
        report: Dict[str, Any] = json.loads(parsed.stdout.decode("utf-8"))
        return report

    def assert_understood(self, report: Dict[str, Any], least: int) -> None:
        self.assertEqual(report["context"], "HostArchiveContext")
        self.assertEqual(report["marker"], "insights_commands")
        self.assertEqual(report["members_left_out"], [])
        self.assertGreaterEqual(report["parsers_ok"], least, report["parsers"])
        raised: List[str] = sorted(set(report["exceptions"]) - set(RAISING))
        self.assertEqual(raised, [], report["exceptions"])
        self.assertEqual(report["facts"]["branch_info"], '{"remote_branch": -1, "remote_leaf": -1}')

    def test_an_archive_of_the_2019_rules_feeds_as_many_parsers_as_the_original(self) -> None:
        if not os.path.exists(PARSE):
            return
        self.assert_understood(self.analyse("--from-file", RULES_2019), 74)

    def test_an_archive_of_the_bundled_catalogue_feeds_a_quarter_more(self) -> None:
        if not os.path.exists(PARSE):
            return
        self.assert_understood(self.analyse(), 74 * 5 // 4)

    def test_an_archive_of_a_single_file_is_recognised(self) -> None:
        if not os.path.exists(PARSE):
            return
        report = self.analyse("--from-file", self.rules(files=["/etc/os-release"]))
        self.assert_understood(report, 1)
        self.assertIn("os_release.OsRelease", report["parsers"])
