"""Eggs on hosts that are made in a mount namespace: without gpg, and with one that is counted."""
import os
import shutil
import subprocess
from typing import Dict

from tests.eggcase import ENV, NEW, PATIENCE, PLACES, RPM, STABLE, EggCase
from tests.eggmaker import PHASES, ours
from tests.support import Done

# Puts the file $MASK in the place of each gpg of the system.
MASK = """
for program in /usr/bin/gpg /usr/bin/gpg2 /bin/gpg /bin/gpg2; do
    if [ -e "$program" ]; then mount --bind "$MASK" "$program"; fi
done
"""


class MaskedGpg(EggCase):
    def run_masked(self, mask: str, *arguments: str, **environ: str) -> Done:
        """Collect with a file of the scratch folder in the place of the host's gpg."""
        probe = subprocess.run(["unshare", "-m", "true"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, check=False)
        if probe.returncode:
            self.skipTest("no mount namespaces here")
        shutil.rmtree(self.path("out"), True)
        done = subprocess.run(
            ["unshare", "-m", "sh", "-ec", MASK + 'exec "$@"', "sh",
             *self.argv(*self.command(*arguments))],
            env=dict(self.environ, MASK=mask, PATH="/usr/sbin:/usr/bin:/sbin:/bin", **environ),
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
        self.assertEqual(os.listdir(self.path("tmp")), [])
        return Done(done.returncode, done.stdout, done.stderr)

    def test_without_gpg_the_built_in_egg_works_and_a_warning_says_what_to_install(self) -> None:
        mask = self.write("mask", b"", 0o600)
        told = "this host has no gpg to check signatures with; install gnupg2"
        for places in ((NEW,), tuple(PLACES)):
            self.refresh()
            paths = [self.put(place, ours("9.%d" % number)) for number, place in enumerate(places)]
            with self.subTest(places=places):
                done = self.run_masked(mask)
                self.assert_warnings(done, [(path, told) for path in paths])
                self.assert_worker(done)
                self.assertEqual(self.marks(), [])

    def test_without_gpg_and_eggs_nothing_is_said(self) -> None:
        done = self.run_masked(self.write("mask", b"", 0o600))
        self.assertEqual(done.err, b"")
        self.assert_worker(done)

    def test_without_gpg_an_egg_runs_unchecked_where_this_is_asked_for(self) -> None:
        path = self.put(NEW, ours("9.0"))
        done = self.run_masked(self.write("mask", b"", 0o600), "--no-gpg")
        self.assert_warnings(done, [(path, "is not checked")])
        self.assertEqual(self.marks(), [(NEW, phase) for phase in PHASES])

    def test_each_egg_is_verified_once_in_a_run(self) -> None:
        real = self.path("real gpg")
        shutil.copy2(os.path.realpath(self.gpg().gpg), real)
        mask = self.write("mask", "#!/bin/sh\necho \"$@\" >> '%s'\nexec '%s' \"$@\"\n" % (
            self.path("asked"), real), 0o700)
        fail = "sys.exit(1)"
        rows: Dict[str, Dict[str, bytes]] = {
            "none": {}, "one": {NEW: ours("9.0")},
            "all, one after the other": {place: ours("9.%d" % number, update=fail)
                                         for number, place in enumerate((ENV, NEW, STABLE, RPM))},
            "the same everywhere": dict.fromkeys(PLACES, ours("9.0")),
        }
        for (name, row), verified in zip(rows.items(), (0, 1, 4, 1)):
            self.refresh()
            for place, egg in row.items():
                self.put(place, egg)
            self.write("asked", b"")
            with self.subTest(name):
                done = self.run_masked(mask)
                self.assertEqual(done.status, 0, done.text)
                with open(self.path("asked")) as file:
                    asked = file.read().splitlines()
                self.assertEqual(sum("--verify" in line for line in asked), verified)
                self.assertEqual(sum("--import" in line for line in asked), min(verified, 1))
