"""The daily run as a whole: set up, run as the unit says, and taken back, in a namespace."""
import os
import subprocess
import sys
import unittest
from typing import List

from tests.support import Done, HostCase, Product

# Nothing in /etc and /var, the client in /usr/local/bin, and a systemctl that takes notes.
HOST = r"""
mount -t tmpfs -o mode=755 none /etc
mount -t tmpfs -o mode=755 none /var
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=755 none /usr/local/bin
mkdir -p /etc/systemd/system /etc/cron.daily /run/systemd/system /var/tmp
install -m 755 "$PRODUCT" /usr/local/bin/insights-mini.pyz
mount --bind "$SYSTEMCTL" /usr/bin/systemctl
client="$PYTHON /usr/local/bin/insights-mini.pyz"
list() { ls /etc/systemd/system /etc/cron.daily; }
"""


@unittest.skipUnless(os.path.exists("/usr/bin/systemctl"), "systemctl is not here")
class Daily(HostCase):
    def run_on_host(self, script: str) -> Done:
        probe = subprocess.run(["unshare", "-m", "true"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, check=False)
        if probe.returncode:
            self.skipTest("no mount namespaces here")
        systemctl = self.write("systemctl", '#!/bin/sh\necho "$*" >> /run/calls\n', 0o755)
        done = subprocess.run(
            ["unshare", "-m", "sh", "-ec", HOST + script], cwd=self.folder,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PRODUCT": Product.build(),
                 "PYTHON": sys.executable, "SYSTEMCTL": systemctl},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
            check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def lines(self, done: Done) -> List[str]:
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        return done.out.decode().splitlines()

    def test_the_built_file_refuses_to_be_run_from_tmp_every_day(self) -> None:
        done = self.run_on_host('status=0; $PYTHON "$PRODUCT" --enable-schedule || status=$?; '
                                'list; exit $status')
        self.assertEqual((done.status, done.err.count(b"\n")), (1, 1), done.text)
        self.assertIn(b"it would not stay there; copy the client to /usr/local/bin", done.err)
        self.assertEqual(done.out, b"/etc/cron.daily:\n\n/etc/systemd/system:\n")

    def test_both_flags_at_once_are_refused(self) -> None:
        done = self.run_on_host("exec $client --enable-schedule --disable-schedule")
        self.assertEqual((done.status, done.err.count(b"\n")), (2, 1), done.text)

    def test_what_the_unit_runs_collects_and_disabling_leaves_nothing(self) -> None:
        said, *rest = self.lines(self.run_on_host(r"""
            $client --enable-schedule --offline
            $client --enable-schedule --offline --quiet
            $(sed -n 's/^ExecStart=//p' /etc/systemd/system/insights-client.service)
            ls -d /var/tmp/insights-*/insights-*.tar.gz | wc -l
            $client --disable-schedule
            $client --disable-schedule --quiet
            list
            grep -e daemon-reload -e insights-client.timer /run/calls
        """))
        self.assertEqual(said, "Once a day from now on: %s /usr/local/bin/insights-mini.pyz "
                         "--quiet --offline; next run: between 0:00 and 4:00" % sys.executable)
        self.assertEqual(rest, [
            "1", "No daily run any more; removed: /etc/systemd/system/insights-client.timer "
            "/etc/systemd/system/insights-client.service",
            "/etc/cron.daily:", "", "/etc/systemd/system:",
            *["daemon-reload", "--force enable insights-client.timer",
              "start insights-client.timer"] * 2,
            "daemon-reload", "stop insights-client.timer", "disable insights-client.timer",
            "daemon-reload"])

    def test_without_systemd_cron_gets_a_script_that_it_would_run(self) -> None:
        said = self.lines(self.run_on_host(r"""
            rmdir /run/systemd/system
            $client --enable-schedule --offline
            sh -n /etc/cron.daily/insights-client
            if command -v run-parts >/dev/null; then run-parts --test /etc/cron.daily
            else echo /etc/cron.daily/insights-client; fi
            $client --disable-schedule
            list
        """))
        self.assertIn("minutes after cron's next daily jobs", said[0])
        self.assertEqual(said[1:], [
            "/etc/cron.daily/insights-client",
            "No daily run any more; removed: /etc/cron.daily/insights-client",
            "/etc/cron.daily:", "", "/etc/systemd/system:"])
