"""`ls` of a root that does not run, compared with the real one."""
import os
import random
import re
import stat
import subprocess
import time
from typing import List, Optional

from insights_mini import process
from insights_mini.core.collect import instead
from insights_mini.core.collect.answers.ls import Form, Listing
from insights_mini.core.collect.commandline import split_words
from insights_mini.core.roots.mounted import Mounted
from tests.support import Scratch


class AnswerCase(Scratch):
    """A mounted root, and what answers a command on it."""

    def setUp(self) -> None:
        super().setUp()
        os.mkdir(self.path("root"))
        self.root = Mounted(os.fsencode(self.path("root")))
        self.addCleanup(self.root.close)

    def put(self, name: str, content: bytes = b"inside\n", mode: int = 0o644) -> str:
        return self.write("root/" + name, content, mode)

    def find(self, line: str) -> Optional[instead.Instead]:
        return instead.find_instead(split_words(os.fsencode(line)), self.root)

    def answer(self, line: str, host: str = "dead.example.net") -> bytes:
        found = self.find(line)
        assert found is not None, line
        blocks: List[bytes] = []

        def take(block: bytes) -> bool:
            blocks.append(block)
            return True

        found.answer(instead.Means(self.root, host, {"TZ": "Asia/Tokyo"}, time.monotonic() + 60,
                                   process.Stop(), lambda: None), take)
        return b"".join(blocks)

    def real(self, *argv: str) -> bytes:
        """Return what a program prints with the root as its root."""
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              env={"LC_ALL": "C", "TZ": "UTC", "PATH": "/bin:/usr/bin"})
        return done.stdout


class Ls(AnswerCase):
    def setUp(self) -> None:
        super().setUp()
        for name in ("passwd", "group"):
            with open("/etc/" + name, "rb") as file:
                self.put("etc/" + name, file.read())

    def same(self, options: str, *operands: str) -> bytes:
        """Check an answer against what ls says of the same tree, and return it."""
        prefix = self.path("root")
        real = self.real("/bin/ls", *options.split(), *(prefix + operand for operand in operands))
        real = re.sub(re.escape(os.fsencode(prefix)) + rb"(?=[/:'\s])", b"", real)
        line = " ".join(["/bin/ls", options, *("'%s'" % operand for operand in operands)])
        ours = self.answer(line)
        self.assertEqual(ours, real)
        return ours

    def test_what_it_does_not_know_is_not_answered(self) -> None:
        for line in ("ls -lt /etc", "ls --color /etc", "ls -lRL /", "ls -l etc", "lsof /",
                     "ls -h /", "/bin/lsattr /etc"):
            with self.subTest(line):
                self.assertIsNone(self.find(line))

    def test_what_is_missing_is_said_first_as_ls_says_it(self) -> None:
        self.put("etc/a")
        self.same("-l", "/none")
        self.same("-l", "/z", "/etc", "/etc/a", "/none/x")
        self.same("-la", "/etc/a/b")

    def test_no_link_leads_out(self) -> None:
        self.write("outside/secret", b"x")
        for name, target in (("absolute", self.path("outside")), ("relative", "../outside"),
                             ("file", self.path("outside/secret"))):
            os.symlink(target, self.path("root", name))
        for options in ("-l", "-lL", "-laR", "-1", "-ln"):
            for operand in ("/", "/absolute", "/relative/", "/file"):
                with self.subTest(options=options, operand=operand):
                    text = self.answer("ls %s %s" % (options, operand))
                    self.assertNotIn(b" secret\n", text)
                    self.assertNotIn(b"\nsecret\n", text)

    def test_random_trees_are_listed_as_ls_lists_them(self) -> None:
        for seed in range(6):
            self.grow(random.Random(seed), "root/d%d" % seed)
        for options in ("-l", "-la", "-lan", "-lanR", "-ln", "-ld", "-n", "-1", "", "-a", "-laR",
                        "-d", "-l -a -R", "-lZ", "-laRZ"):
            for operands in (["/d0"], ["/d1", "/d2", "/etc/passwd"], ["/d3/", "/d3/."], ["/"],
                             ["/d4/.."], ["/d5/link", "/d5/link/"]):
                if "a" in options and operands in (["/"], ["/d4/.."]):
                    continue  # there `..` is another one for the real ls
                with self.subTest(options=options, operands=operands):
                    self.same(options, *operands)

    def grow(self, chance: random.Random, top: str) -> None:
        folders = [self.path(top)]
        os.makedirs(folders[0])
        now = time.time()
        for _ in range(40):
            name = chance.choice(["a", "B", ".hidden", "x" * 200, "with blank", "new\nline", "link",
                                  os.fsdecode(b"\xff\xfe"), "$(x)", "-l", "10", "9", "Z", "_"])
            path = os.path.join(chance.choice(folders), name)
            if os.path.lexists(path):
                continue
            kind = chance.randrange(8)
            if kind < 2:
                os.mkdir(path)
                folders.append(path)
            elif kind == 2:
                os.symlink(chance.choice(["a", "/a", "..", "nowhere", "/"]), path)
                continue
            elif kind == 3:
                os.mknod(path, stat.S_IFCHR | 0o600,
                         os.makedev(chance.randrange(300), chance.randrange(1000)))
            elif kind == 4:
                os.mkfifo(path)
            else:
                with open(path, "wb") as file:
                    file.write(b"x" * 10 ** chance.randrange(6))
            os.chown(path, chance.choice([0, 8, 12345]), chance.choice([0, 8, 77]))
            os.chmod(path, chance.choice([0o644, 0o755, 0o4755, 0o2644, 0o1777, 0o7000, 0]))
            age = chance.choice([0, 60, 86400 * 100, 86400 * 180, 86400 * 190, 86400 * 9000,
                                 -86400 * 100, -86400 * 10000, now])
            os.utime(path, (now - age, now - age))

    def test_what_no_calendar_and_no_user_has_ends_nothing(self) -> None:
        """Times and numbers that only a hostile disk has."""
        for seconds in (1e300, -1e300, float("inf"), float("nan"), 2.0 ** 62, -2.0 ** 62):
            shown = Listing(self.root, Form(b"ls", b"l", 0, {}, {}), lambda block: True,
                            lambda: None).show_time(seconds)
            self.assertNotIn(b"\n", shown)
        self.put("etc/passwd", b"a:x:%s::/:\nroot:x:0:0::/:\n" % (b"9" * 10000))
        self.assertIn(b" root ", self.answer("ls -l /etc"))

    def test_users_and_groups_have_the_names_that_the_root_gives_them(self) -> None:
        self.put("etc/passwd", b"admin:x:0:0::/:/bin/sh\nadmin2:x:0:0::/:/bin/sh\n\nbad\n")
        self.put("etc/group", b"")
        os.chown(self.put("etc/other"), 4321, 99)
        rows = [line.split()[2:4] for line in self.answer("ls -l /etc").splitlines()[1:]]
        self.assertEqual(rows, [[b"admin", b"0"], [b"4321", b"99"], [b"admin", b"0"]])
