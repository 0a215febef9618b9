"""A host that is made bare for a test: its own namespaces, no environment, empty /var and /tmp."""
import os
import re
import shutil
import subprocess
import sys
from typing import Dict, List, Sequence

from tests.support import Done, HostCase, Product, read_archive

# $1 is the scratch folder, which appears at /mnt; then what makes the host bare; then the run.
BEFORE = r"""
mount --bind "$1" /mnt
if [ -e /etc/insights-client ]; then mount -t tmpfs none /etc/insights-client; fi
mount -t tmpfs none /var
mount -t tmpfs none /tmp
mkdir -m 1777 /var/tmp
cd /
shift
"""
AFTER = r"""
status=0
"$@" || status=$?
find /var /tmp -mindepth 1 >/mnt/left
cp /var/tmp/insights-*/*.tar* /tmp/insights-*/*.tar* /mnt/found 2>/dev/null || :
exit $status
"""
READ_ONLY = "for folder in / /var; do mount -o remount,bind,ro $folder; done\n"
# What a run may leave besides its archive: log, lock and versions, and what fc-match caches.
KNOWN = re.compile(r"/var/(lib|log|tmp)(/insights(-client)?(/insights-(mini|client)\.[a-z]+)?)?"
                   r"|/var/cache(/fontconfig(/.*)?)?")


class BareCase(HostCase):
    def setUp(self) -> None:
        super().setUp()
        shutil.copy(Product.build(), self.path("insights-mini.pyz"))
        os.mkdir(self.path("found"))

    def run_bare(self, script: str, *arguments: str, flags: str = "-m",
                 **environ: str) -> Done:
        """Run the product offline, in new namespaces in which a shell script has made it bare."""
        unshare = ["unshare", *flags.split(), "sh", "-ec"]
        if subprocess.run([*unshare, ":"], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("no namespaces here")
        done = subprocess.run(
            [*unshare, BEFORE + script + AFTER, "sh", self.folder, "env", "-i",
             *("%s=%s" % item for item in environ.items()), sys.executable,
             "/mnt/insights-mini.pyz", "--offline", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=120, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def at_mnt(self, path: str) -> str:
        """Return where a file of the scratch folder is for the product."""
        return "/mnt/" + os.path.relpath(path, self.folder)

    def left(self) -> List[str]:
        """Return what the run left that is not KNOWN."""
        with open(self.path("left")) as file:
            return [path for path in file.read().splitlines() if not KNOWN.fullmatch(path)]

    def assert_saved(self, done: Done, folder: str) -> Dict[str, bytes]:
        """Check that the run left one archive in a folder and nothing else; return its members."""
        self.assertEqual(done.status, 0, done.text)
        name, = [name for name in os.listdir(self.path("found")) if not name.endswith(".json")]
        self.assertIn("Archive saved at %s/insights-" % folder, done.text)
        self.assertIn(name, done.text)
        left = [path for path in self.left() if not path.endswith(".redactions.json")]
        self.assertEqual(len(left), 2, left)
        self.assertTrue(all(path.startswith(folder + "/insights-") for path in left), left)
        return read_archive(self.path("found", name))

    def assert_lines(self, done: Done, *expected: Sequence[str]) -> None:
        """Check that there are just these lines on standard error, each with its words."""
        lines = done.err.decode().splitlines()
        self.assertEqual(len(lines), len(expected), done.text)
        for line, words in zip(lines, expected):
            for word in words:
                self.assertIn(word, line)
