"""What an administrator installs from conf/."""
import configparser
import os
import shutil
import stat
import subprocess
import unittest

from insights_mini import log
from insights_mini.settings import Settings
from tests.support import TOP, Scratch

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

    def test_nothing_in_the_unit_changes_what_is_collected(self) -> None:
        """Mounts of the unit's own would show in mount and df; the others make commands fail."""
        for name in read_unit("insights-client.service").options("Service"):
            self.assertFalse(name.startswith((
                "Private", "Protect", "Read", "Inaccessible", "Temporary", "Bind", "Mount", "Root",
                "Proc", "Device", "IPAddress", "RestrictAddress", "RestrictNamespaces",
                "SystemCall", "MemoryDeny", "UMask")), name)

    def test_the_hard_limits_that_are_collected_are_those_of_the_host(self) -> None:
        service = read_unit("insights-client.service")
        for name in service.options("Service"):
            if name.startswith("Limit"):
                self.assertTrue(service.get("Service", name).endswith(":infinity"), name)

    def test_the_unit_ends_no_run_that_is_within_its_own_limits(self) -> None:
        default = Settings()
        self.assertEqual(read_unit("insights-client.service").get("Service", "TimeoutStartSec"),
                         "2h")
        self.assertLess(4 * default.phase_timeout + default.max_time, 7200)

    @unittest.skipUnless(os.path.exists("/usr/bin/systemd-analyze"), "systemd-analyze is not here")
    def test_systemd_accepts_the_units(self) -> None:
        done = subprocess.run(
            ["/usr/bin/systemd-analyze", "verify", "--man=no",
             os.path.join(SYSTEMD, "insights-client.service"),
             os.path.join(SYSTEMD, "insights-client.timer")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertNotIn(b"insights-client", done.stdout, done.stdout.decode("utf-8", "replace"))


@unittest.skipUnless(shutil.which("logrotate", path="/usr/sbin:/usr/bin") and os.geteuid() == 0,
                     "needs logrotate, and root")
class Logrotate(Scratch):
    def rotate(self, *options: str) -> bytes:
        """Run logrotate with our configuration, for a log in the scratch folder."""
        with open(os.path.join(TOP, "conf", "logrotate", "insights-client"),
                  encoding="utf-8") as file:
            text = file.read()
        self.assertIn("\n/var/log/insights-client/*.log {", text)
        # As in a distribution that dates and packs all logs.
        conf = self.write("logrotate.conf", "dateext\ncompress\nrotate 9\n" + text.replace(
            "/var/log/insights-client/", self.path("log", "")))
        done = subprocess.run(
            [str(shutil.which("logrotate", path="/usr/sbin:/usr/bin")), "-s", self.path("state"),
             *options, conf], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode("utf-8", "replace"))
        return done.stdout

    def test_logrotate_understands_it(self) -> None:
        self.write("log/insights-client.log", "x\n")
        said = self.rotate("-d")
        self.assertNotIn(b"error", said)
        self.assertIn(b"(3 rotations)", said)

    def test_it_takes_turns_with_the_clients_own_rotation(self) -> None:
        path = self.path("log", "insights-client.log").encode()
        for turn in range(6):
            os.close(log.open_file(path, True))
            with open(path, "ab") as file:
                file.write(b"%d" % turn * log.LARGEST)
            if turn % 2:
                self.rotate("-f")
        found = {name: open_first(self.path("log", name)) for name in os.listdir(self.path("log"))}
        self.assertEqual(found, {"insights-client.log": b"", "insights-client.log.1": b"5",
                                 "insights-client.log.2": b"4", "insights-client.log.3": b"3"})
        for name in found:
            self.assertEqual(stat.S_IMODE(os.stat(self.path("log", name)).st_mode), 0o600)


def open_first(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(1)
