"""Running programs where the system's own folders are empty: no /proc or another's, no /dev."""
import os
import signal
import subprocess
import sys
from typing import List

from tests.support import TOP, Scratch

RUN = """
import sys, time
from insights_mini import process
ending = process.run(b"/bin/sh", [b"sh", b"-c", sys.argv[1].encode()], {"F": sys.argv[2]},
                     lambda chunk: bool(sys.stdout.buffer.write(chunk)),
                     process.Limits(time.monotonic() + float(sys.argv[3]), 10000, 3.0),
                     process.Stop())
print(ending.status, ending.timed_out)
"""
NO_PROC = "mount -t tmpfs none /proc"
NO_DEV = "mount -t tmpfs none /dev"


class BareSystem(Scratch):
    def run_bare(self, flags: str, script: str, line: str, seconds: float = 30.0) -> List[str]:
        """Run a line in a shell, in namespaces prepared by a script; return what is printed."""
        argv = [sys.executable, "-c", RUN, line, self.path("file"), str(seconds)]
        unshare = ["unshare", *flags.split(), "sh", "-ec"]
        probe = subprocess.run([*unshare, ":"], stderr=subprocess.DEVNULL, check=False)
        if probe.returncode:
            self.skipTest("no namespaces here")
        done = subprocess.run([*unshare, script + '\nexec "$@"', "sh", *argv],
                              env={"PYTHONPATH": os.path.join(TOP, "src"), "PATH": os.defpath},
                              stdout=subprocess.PIPE, timeout=60, check=True)
        return done.stdout.decode().splitlines()

    def test_what_a_command_started_gets_to_clean_up_without_proc_as_well(self) -> None:
        """FAULTS 43. Neither an empty /proc nor that of other processes tells when it has ended."""
        line = "(trap 'sleep 0.3; echo cleaned >$F; exit' TERM; sleep 600 & wait); exit"
        for flags, script in (("-m", NO_PROC), ("-m -p -f", NO_PROC), ("-m -p -f", ":")):
            with self.subTest(flags=flags, script=script):
                self.assertEqual(self.run_bare(flags, script, line, 0.5),
                                 ["%d True" % -signal.SIGTERM])
                with open(self.path("file")) as file:
                    self.assertEqual(file.read(), "cleaned\n")
                os.unlink(self.path("file"))

    def test_a_command_has_an_empty_input_without_dev_as_well(self) -> None:
        self.assertEqual(self.run_bare("-m", NO_DEV, "cat; echo end"), ["end", "0 False"])
