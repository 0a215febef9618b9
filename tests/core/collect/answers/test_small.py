"""Commands of which one file tells all, and the list of packages, compared with the real ones."""
import os
import random
import shutil
import subprocess
from typing import List

from insights_mini.hostfiles import Unreadable
from tests.core.collect.answers.test_ls import AnswerCase

NEVER = ("hostname -I", "hostname other", "mount -a", "mount /dev/sda /mnt", "crontab -r",
         "crontab -l", "crontab -l -u ../../etc/passwd", "md5sum", "md5sum -c /x", "readlink /x",
         "id", "id -g x", "dpkg -i x", "dpkg -l x", "dpkg-query -W", "dpkg -P x", "mountpoint /")


class Small(AnswerCase):
    def test_what_is_not_only_asked_is_not_answered(self) -> None:
        self.put("etc/fstab")
        self.put("var/lib/dpkg/status")
        self.put("etc/passwd")
        for line in NEVER:
            with self.subTest(line):
                self.assertIsNone(self.find(line))
        shutil.rmtree(self.path("root/etc"))
        shutil.rmtree(self.path("root/var"))
        for line in ("mount", "dpkg -l", "crontab -l -u root"):
            with self.subTest(line):
                self.assertIsNone(self.find(line))

    def test_the_host_name_is_that_of_the_root(self) -> None:
        for line, name in (("/bin/hostname", b"dead.example.net"), ("hostname -f",
                           b"dead.example.net"), ("/usr/bin/hostname -s", b"dead")):
            self.assertEqual(self.answer(line), name + b"\n")

    def test_mounts_are_what_is_mounted_when_the_host_boots(self) -> None:
        self.put("etc/fstab", b"""# a comment
UUID=1-2\t/\text4 defaults,noatime 0 1
/dev/sda2   /a\\040b  xfs  ro
/dev/sda3   /c  xfs
/dev/sda4   none  swap  sw 0 0
/dev/sda5   swap  swap  defaults
/dev/cdrom  /cd  iso9660  ro,noauto 0 0
broken
server:/x   /nfs  nfs4  soft,_netdev # late
""".replace(b"\\t", b"\t"))
        self.assertEqual(self.answer("/bin/mount"), b"""\
UUID=1-2 on / type ext4 (rw,noatime)
/dev/sda2 on /a b type xfs (ro)
/dev/sda3 on /c type xfs (rw)
server:/x on /nfs type nfs4 (soft,_netdev)
""")

    def test_a_crontab_is_found_where_each_distribution_keeps_it(self) -> None:
        for folder in ("var/spool/cron/crontabs", "var/spool/cron", "var/spool/cron/tabs"):
            path = self.put(folder + "/nova", b"* * * * * x\n")
            self.assertEqual(self.answer("/usr/bin/crontab -l -u nova"), b"* * * * * x\n")
            os.unlink(path)

    def test_sums_are_those_of_the_files_of_the_root(self) -> None:
        self.write("secret", b"x")
        self.put("a", b"content")
        os.symlink(self.path("secret"), self.path("root/link"))
        real = self.real("md5sum", self.path("root/a")).replace(os.fsencode(self.path("root")), b"")
        self.assertEqual(self.answer("/usr/bin/md5sum /a /link"),
                         real + b"/usr/bin/md5sum: /link: No such file or directory\n")

    def test_a_link_is_resolved_within_the_root(self) -> None:
        self.put("b/file")
        os.symlink("/b/../b/file", self.path("root/link"))
        self.assertEqual(self.answer("readlink -e /link"), b"/b/file\n")
        with self.assertRaises(Unreadable):
            self.answer("readlink -e /none")

    def test_a_user_has_the_number_that_the_root_gives(self) -> None:
        self.put("etc/passwd", b"nova:x:162:162::/:\n\nshort\n")
        self.assertEqual(self.answer("/usr/bin/id -u nova"), b"162\n")
        self.assertEqual(self.answer("id -u short"), b"id: 'short': no such user\n")


class Packages(AnswerCase):
    def test_the_list_of_packages_is_the_one_that_dpkg_prints(self) -> None:
        if not shutil.which("dpkg-query"):
            self.skipTest("no dpkg-query here")
        chance = random.Random(3)
        for many in (0, 1, 5, 200):
            text = "\n".join(self.make(chance, number) for number in range(many))
            self.put("var/lib/dpkg/status", text.encode())
            real = subprocess.run(
                ["dpkg-query", "--admindir=" + self.path("root/var/lib/dpkg"), "-l"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                env={"LC_ALL": "C"}).stdout
            if not many:
                continue  # it says that there are none
            with self.subTest(many):
                self.assertEqual(self.answer("/usr/bin/dpkg -l"), real)

    def make(self, chance: random.Random, number: int) -> str:
        state = chance.choice(("ok installed", "ok installed", "ok config-files", "ok unpacked",
                               "ok half-configured", "reinstreq half-installed",
                               "ok not-installed"))
        lines: List[str] = ["Package: p%s%d" % (chance.choice(("", "x" * 20, "a-", "+")), number),
                            "Status: %s %s" % (chance.choice(("install", "hold", "deinstall",
                                                              "purge")), state)]
        lines += ["Architecture: " + chance.choice(("all", "amd64"))]
        if "amd64" in lines[-1] and chance.random() < .5:
            lines += ["Multi-Arch: same"]
        if state == "ok config-files":
            lines += ["Config-Version: 1", "Conffiles:", " /etc/x 00000000000000000000000000000000"]
        lines += ["Version: %s1.%d-1" % (chance.choice(("", "2:")), number), "Maintainer: a <b@c>"]
        if chance.random() < .8:
            lines += ["Description: %s" % ("word " * chance.randint(1, 12)).strip(), " more", " ."]
        return "\n".join(lines) + "\n"

    def test_the_list_of_this_machine_is_told_from_its_file(self) -> None:
        if not os.path.exists("/var/lib/dpkg/status"):
            self.skipTest("no dpkg here")
        os.makedirs(self.path("root/var/lib/dpkg"))
        shutil.copy("/var/lib/dpkg/status", self.path("root/var/lib/dpkg"))
        done = subprocess.run(["dpkg-query", "--admindir=" + self.path("root/var/lib/dpkg"), "-l"],
                              stdout=subprocess.PIPE, check=True, env={"LC_ALL": "C"})
        self.assertEqual(self.answer("/usr/bin/dpkg -l"), done.stdout)
