"""What an administrator installs from conf/."""
import configparser
import os
import subprocess
import unittest

from tests.support import TOP

SYSTEMD = os.path.join(TOP, "conf", "systemd")


def read_unit(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    with open(os.path.join(SYSTEMD, name), encoding="utf-8") as file:
        parser.read_string(file.read())
    return parser


class Units(unittest.TestCase):
    def test_a_timer_that_missed_its_run_while_powered_off_makes_up_for_it(self) -> None:
        """FAULTS 53."""
        self.assertEqual(read_unit("insights-client.timer").get("Timer", "Persistent"), "true")

    def test_a_failed_run_does_not_keep_the_next_trigger_from_running(self) -> None:
        """FAULTS 53: a oneshot that neither stays active nor meets a start limit runs again."""
        service = read_unit("insights-client.service")
        self.assertEqual(service.get("Service", "Type"), "oneshot")
        self.assertEqual(service.get("Unit", "StartLimitIntervalSec"), "0")
        self.assertFalse(service.has_option("Service", "RemainAfterExit"))
        self.assertFalse(service.has_option("Service", "Restart"))

    def test_archives_of_scheduled_runs_are_not_hidden_in_a_private_tmp(self) -> None:
        self.assertFalse(read_unit("insights-client.service").has_option("Service", "PrivateTmp"))

    @unittest.skipUnless(os.path.exists("/usr/bin/systemd-analyze"), "systemd-analyze is not here")
    def test_systemd_accepts_the_units(self) -> None:
        done = subprocess.run(
            ["/usr/bin/systemd-analyze", "verify", "--man=no",
             os.path.join(SYSTEMD, "insights-client.service"),
             os.path.join(SYSTEMD, "insights-client.timer")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertNotIn(b"insights-client", done.stdout, done.stdout.decode("utf-8", "replace"))
