"""The name of the host, from what the system says."""
import os
import shutil
import subprocess
import sys
from typing import List

from insights_mini.core.host import choose_name, find_names, parse_hosts
from tests.support import TOP, Scratch

CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from insights_mini.core.host import choose_name, find_names
print(choose_name(find_names(sys.argv[2] == "offline")))
print("socket" in sys.modules)
"""


class Names(Scratch):
    def test_a_localhost_is_never_chosen_while_there_is_another_name(self) -> None:
        for own, others, name in (
            ("web1", ["localhost.localdomain", "localhost4.localdomain4"], "web1"),
            ("localhost", ["localhost.localdomain", "db"], "db"),
            ("localhost.localdomain", ["localhost"], "localhost.localdomain"),
            ("localhost", [], "localhost"),
            ("", [], "localhost"),
            ("", ["", "x"], "x"),
        ):
            with self.subTest(own=own, others=others):
                self.assertEqual(choose_name([own, *others]), name)

    def test_the_longest_name_is_chosen_and_the_first_of_equals(self) -> None:
        for own, others, name in (
            ("web1", ["web1.example.com", "web1"], "web1.example.com"),
            ("web1.example.com", ["web1"], "web1.example.com"),
            ("aa", ["bb", "cc"], "aa"),
        ):
            with self.subTest(own=own):
                self.assertEqual(choose_name([own, *others]), name)

    def test_hosts_names_come_from_the_first_line_with_our_own_name(self) -> None:
        text = ("# web1.comment.example web1\n"
                "127.0.0.1   localhost localhost.localdomain\n"
                "10.0.0.1\n"
                "web1\n"
                "10.0.0.2\tWEB1.example.com web1 www # web1.trailing.example\n"
                "10.0.0.3 web1.second.example web1\n"
                "10.0.0.4 web10 myweb1\n")
        for own, names in (
            ("web1", ["WEB1.example.com", "web1", "www"]),
            ("Web1", ["WEB1.example.com", "web1", "www"]),
            ("web1.example.com", ["WEB1.example.com", "web1", "www"]),
            ("eb1", []), ("web1.trailing.example", []), ("10.0.0.4", []), ("", []),
        ):
            with self.subTest(own=own):
                self.assertEqual(parse_hosts(text, own), names)

    def test_the_name_of_this_very_host_is_found_with_and_without_the_resolver(self) -> None:
        own = os.uname().nodename
        for offline in (True, False):
            self.assertGreaterEqual(len(choose_name(find_names(offline))), len(own))


class Namespace(Scratch):
    """A host with a name of our choice: a child in namespaces of its own."""

    def ask(self, own: str, hosts: str, how: str) -> List[str]:
        unshare = shutil.which("unshare")
        if os.geteuid() != 0 or unshare is None:
            self.skipTest("only root with unshare can give a child another host name")
        self.write("hosts", hosts, 0o644)
        script = ('mount --bind "$1" /etc/hosts && echo "$2" > /proc/sys/kernel/hostname && '
                  'shift 2 && exec "$@"')
        done = subprocess.run([unshare, "--mount", "--uts", "sh", "-c", script, "sh",
                               self.path("hosts"), own, sys.executable, "-c", CHILD,
                               os.path.join(TOP, "src"), how],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            self.skipTest("no namespaces here: %s" % done.stderr.decode("utf-8", "replace"))
        return done.stdout.decode("utf-8").split()

    def test_offline_the_name_comes_from_etc_hosts_and_no_resolver_is_even_loaded(self) -> None:
        hosts = "192.0.2.9 lonely.example.com lonely\n"
        self.assertEqual(self.ask("lonely", hosts, "offline"), ["lonely.example.com", "False"])
        self.assertEqual(self.ask("lonely", hosts, "resolver")[0], "lonely.example.com")

    def test_a_host_that_cannot_resolve_its_own_name_has_that_one(self) -> None:
        self.assertEqual(self.ask("lonely", "127.0.0.1 localhost\n", "offline")[0], "lonely")

    def test_a_host_that_nobody_has_named_is_localhost(self) -> None:
        """The kernel calls itself (none) until somebody names it, as in an initramfs."""
        for own in ("", "(none)", "localhost"):
            for how in ("offline", "resolver"):
                with self.subTest(own=own, how=how):
                    self.assertEqual(self.ask(own, "127.0.0.1 localhost\n", how)[0], "localhost")
