"""Paths that stand for many, expanded on real folders."""
import glob
import os
import random
import subprocess
import sys
from typing import Callable, List

from insights_mini.core.collect.expand import expand_file, expand_glob
from insights_mini.core.roots import Root
from insights_mini.core.roots.running import HOST
from tests.support import TOP, Scratch

CHILD = """
import os, sys
sys.path.insert(0, sys.argv[1])
from insights_mini.core.collect.expand import expand_file, expand_glob
os.setgid(65534)
os.setuid(65534)
folder = os.fsencode(sys.argv[2])
from insights_mini.core.roots.running import HOST
print(expand_file(folder + b"/closed/.*", HOST), expand_file(folder + b"/clo.*/a/.*", HOST),
      expand_glob(folder + b"/closed/*", HOST), len(expand_file(folder + b"/open/.*", HOST)))
"""


class Expanding(Scratch):
    def make(self, *names: str) -> None:
        for name in names:
            self.write(name, b"x")

    def expand(self, pattern: str,
               how: Callable[[bytes, Root], List[bytes]] = expand_file) -> List[str]:
        prefix = os.fsencode(self.folder) + b"/"
        found = how(prefix + os.fsencode(pattern), HOST)
        for path in found:
            self.assertTrue(path.startswith(prefix))
        return [os.fsdecode(path[len(prefix):]) for path in found]


class Files(Expanding):
    def test_what_is_not_there_names_nothing(self) -> None:
        self.make("file")
        for pattern in ("none/.*", ".*/none/.*", "file/.*", "none.*/.*", "x.*"):
            with self.subTest(pattern):
                self.assertEqual(self.expand(pattern), [])

    def test_a_folder_that_cannot_be_listed_holds_nothing(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        self.make("closed/a/b", "open/a")
        os.chmod(self.folder, 0o755)
        os.chmod(self.path("open"), 0o755)
        os.chmod(self.path("closed"), 0o711)
        os.chmod(self.path("closed", "a"), 0o700)
        done = subprocess.run([sys.executable, "-c", CHILD, os.path.join(TOP, "src"), self.folder],
                              stdout=subprocess.PIPE, check=True)
        self.assertEqual(done.stdout, b"[] [] [] 1\n")

    def test_a_path_without_a_star_is_taken_as_it_is(self) -> None:
        for path in ("none", "[a", "a?b", "(", "a\\b"):
            self.assertEqual(self.expand(path), [path])

    def test_the_base_name_is_an_expression_matched_at_the_start(self) -> None:
        self.make("net/ifcfg-eth0", "net/ifcfg-", "net/ifcfg", "net/route-eth0", "net/bak.ifcfg-x",
                  "net/ifcfg-eth0.bak", "log/a.conf", "log/conf", "log/b.conf.old", "log/c.cnf",
                  "log/.d.conf", "tmp/errors", "tmp/errors.20", "tmp/errors.1", "tmp/xerrors")
        for pattern, names in (
            ("net/()*ifcfg-.*", ["ifcfg-", "ifcfg-eth0", "ifcfg-eth0.bak"]),
            ("log/.*conf", [".d.conf", "a.conf", "b.conf.old", "conf"]),
            ("log/.*conf$", [".d.conf", "a.conf", "conf"]),
            ("log/().*", [".d.conf", "a.conf", "b.conf.old", "c.cnf", "conf"]),
            ("log/()*", [".d.conf", "a.conf", "b.conf.old", "c.cnf", "conf"]),
            ("tmp/()*(errors|errors\\.2.*)", ["errors", "errors.1", "errors.20"]),
            ("tmp/()*(errors|errors\\.2.*)$", ["errors", "errors.20"]),
        ):
            with self.subTest(pattern):
                folder = pattern.partition("/")[0] + "/"
                self.assertEqual(self.expand(pattern), [folder + name for name in names])

    def test_a_dot_in_an_expression_is_any_one_character(self) -> None:
        self.make("nginx/nginx.conf", "nginx/aconf", "nginx/conf")
        self.assertEqual(self.expand("nginx/()*.conf"), ["nginx/aconf"])

    def test_expressions_in_the_folder_part_are_expanded_a_component_at_a_time(self) -> None:
        self.make("rh/rh-nginx18/nginx/aconf", "rh/rh-nginx116/nginx/bconf", "rh/nginx/nginx/cconf",
                  "rh/rh-nginx20/other/dconf", "rh/rh-nginx99", "dirsrv/slapd-a/errors",
                  "dirsrv/slapd-b/errors.2019", "dirsrv/slapd-b/access", "dirsrv/errors")
        self.assertEqual(self.expand("rh/rh-nginx()*/nginx/()*.conf"),
                         ["rh/rh-nginx116/nginx/bconf", "rh/rh-nginx18/nginx/aconf"])
        self.assertEqual(self.expand("dirsrv/.*/()*errors"),
                         ["dirsrv/slapd-a/errors", "dirsrv/slapd-b/errors.2019"])

    def test_a_component_that_exists_as_it_is_written_is_taken_literally(self) -> None:
        self.make("rh-nginx()*/nginx/aconf", "rh-nginx18/nginx/aconf", "python3.6/x1",
                  "python3x6/x2", "a.b*/c/d", "a.bb/c/d")
        self.assertEqual(self.expand("rh-nginx()*/nginx/()*.conf"), ["rh-nginx()*/nginx/aconf"])
        self.assertEqual(self.expand("python3.6/x.*"), ["python3.6/x1"])
        self.assertEqual(self.expand("a.b*/c/.*"), ["a.b*/c/d"])

    def test_a_component_without_a_star_is_never_an_expression(self) -> None:
        self.make("python3x6/x1")
        self.assertEqual(self.expand("python3.6/x.*"), [])

    def test_links_to_folders_are_followed_and_loops_end(self) -> None:
        self.make("real/a.conf")
        os.symlink("real", self.path("link"))
        os.symlink("loop", self.path("loop"))
        self.assertEqual(self.expand("l.*/.*conf"), ["link/a.conf"])

    def test_names_that_are_not_utf_8_are_found(self) -> None:
        """FAULTS 47."""
        name = os.fsdecode(b"caf\xe9\xff")
        self.make("d/%s/%s.conf" % (name, name), "d/b\n/a.conf")
        self.assertEqual(self.expand("d/.*/.*conf"),
                         ["d/b\n/a.conf", "d/%s/%s.conf" % (name, name)])
        self.assertEqual(self.expand("d/*/*.conf", expand_glob),
                         ["d/b\n/a.conf", "d/%s/%s.conf" % (name, name)])


class Globs(Expanding):
    def test_a_glob_names_what_a_shell_would(self) -> None:
        self.make("a1.conf", "a2.conf", ".hidden.conf", "b/c/a3.conf", "b/.d/a4.conf", "A1.conf")
        for pattern, names in (
            ("none*", []), ("*/none/*", []),
            ("*.conf", ["A1.conf", "a1.conf", "a2.conf"]), (".*.conf", [".hidden.conf"]),
            ("a[2-9].conf", ["a2.conf"]), ("a[!2].conf", ["a1.conf"]), ("a?.conf",
                                                                     ["a1.conf", "a2.conf"]),
            ("*/*/*.conf", ["b/c/a3.conf"]), ("a1.conf", ["a1.conf"]), ("none", []),
            ("**/a3.conf", []), ("a+.conf", []), ("$(ls)*", []),
        ):
            with self.subTest(pattern):
                self.assertEqual(self.expand(pattern, expand_glob), names)


    def test_random_globs_name_what_the_library_says(self) -> None:
        self.make("a/b/c", "a/.b/c", "b/a.x", "b/b.x", "c/c/c/c", "d", "ab/ba/a-b", "[a]/b")
        os.symlink("a", self.path("link"))
        os.symlink("nowhere", self.path("e"))
        chance = random.Random(7)
        parts = ["a", "b", "c", "*", "?", ".*", "[ab]", "[!a]*", "*b*", "link", "e", "**", "[[]a]",
                 ""]
        found = 0
        for _ in range(3000):
            pattern = "/".join(chance.choice(parts) for _ in range(chance.randint(1, 4)))
            right = sorted({os.path.normpath(path) for path in
                            glob.glob(glob.escape(self.folder) + "/" + pattern)})
            prefix = os.fsencode(glob.escape(self.folder)) + b"/"
            ours = [os.path.normpath(os.fsdecode(path)) for path in
                    expand_glob(prefix + os.fsencode(pattern), HOST)]
            self.assertEqual(ours, right, pattern)
            found += len(ours)
        self.assertGreater(found, 1000)


class Many(Expanding):
    def test_20000_matches_are_found_in_order_by_either_kind(self) -> None:
        os.mkdir(self.path("many"))
        folder = os.open(self.path("many"), os.O_RDONLY)
        self.write("many/f0", b"")
        for number in range(1, 20000):
            os.link("f0", "f%d" % number, src_dir_fd=folder, dst_dir_fd=folder)
        os.close(folder)
        names = sorted("many/f%d" % number for number in range(20000))
        self.assertEqual(self.expand("many/f.*"), names)
        self.assertEqual(self.expand("many/f*", expand_glob), names)
