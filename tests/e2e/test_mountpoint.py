"""Whole runs on a root that does not run: the attack table, exclusions, the same bytes as alive."""
import os
import shutil
import socket
import stat
import subprocess
import time
from typing import Dict, List

from tests.support import HostCase, read_archive

SECRET = b"a secret of the running system\n"
PASSWORDS = b"root:$6$nothing:19000:0:99999:7:::\n"


class MountpointCase(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.secret = self.write("secret", SECRET)
        os.mkdir(self.path("root"))
        self.put("etc/hostname", b"dead.example.net\n")

    def put(self, name: str, content: bytes = b"inside\n") -> str:
        return self.write("root/" + name, content)

    def link(self, name: str, target: str) -> None:
        os.makedirs(os.path.dirname(self.path("root", name)), exist_ok=True)
        os.symlink(target, self.path("root", name))

    def analyze(self, rules: str, *arguments: str, root: str = "root") -> Dict[str, bytes]:
        return self.collect(rules, "--analyze-mountpoint", self.path(root), *arguments)


class Attacks(MountpointCase):
    def test_nothing_of_the_running_system_is_collected_and_nothing_hangs(self) -> None:
        """FAULTS 3, 4, 47 and 49."""
        up = "../" * 30
        for name, target in (
                ("etc/shadow", "/etc/passwd"), ("etc/absolute", self.secret),
                ("etc/relative", up + self.secret[1:]), ("etc/folder", self.folder),
                ("etc/up", up), ("var/log/d/secret.log", self.secret),
                ("etc/proc", "/proc/self/root" + self.secret), ("etc/loop", "loop"),
                ("etc/insights-client", self.path("etc")), ("proc", "/proc"), ("sys", "/sys")):
            self.link(name, target)
        os.mkfifo(self.path("root/etc/fifo"))
        os.mkfifo(self.path("root/var/log/d/fifo.log"))
        os.mknod(self.path("root/etc/zero"), stat.S_IFCHR | 0o600, os.makedev(1, 5))
        os.mknod(self.path("root/etc/disk"), stat.S_IFBLK | 0o600, os.makedev(7, 0))
        here = os.open(self.path("root/etc"), os.O_RDONLY)
        self.addCleanup(os.close, here)
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind("/proc/self/fd/%d/socket" % here)
        with open(self.path("root/etc/sparse"), "wb") as file:
            file.truncate(1 << 40)
        odd = ["a\nb", os.fsdecode(b"caf\xe9\xff"), "x" * 250, "-rf", "$(touch x)"]
        for name in odd:
            self.put("var/log/d/%s.log" % name)
        os.link(self.put("etc/one"), self.path("root/etc/two"))
        files = ["/etc/" + name for name in (
            "shadow", "absolute", "relative", "folder/secret", "up" + self.secret, "proc", "loop",
            "fifo", "zero", "disk", "socket", "sparse", "one", "two", "none",
            "folder" + self.secret)]
        files += ["/var/log/d/.*log", "/etc/f.*/sec.*", "/proc/version", "/sys/kernel/.*",
                  self.secret, "/" + up + self.secret]
        began = time.monotonic()
        members = self.analyze(self.rules(
            ["/bin/cat " + self.secret, "/bin/ps aux", "/bin/uname -a", "/bin/ls -l /etc/none"],
            files, ["/var/log/d/*.log", "/etc/*/secret", "/proc/*/cmdline"]), "--max-read", "50M")
        self.assertLess(time.monotonic() - began, 20)
        expected = {"etc/one", "etc/two"} | {"var/log/d/%s.log" % name for name in odd}
        own = {"branch_info", "version_info", "blacklist_report"}
        found = {name for name in members if not name.startswith("insights_commands/")}
        self.assertEqual(found - own, expected, self.done.text)
        for name in expected:
            self.assertEqual(members[name], b"inside\n")
        whole = b"".join(members.values()) + "\n".join(members).encode("utf-8", "surrogateescape")
        for word in (b"secret of", b"root:", os.uname().release.encode(),
                     os.uname().nodename.encode() + b"\n"):
            self.assertNotIn(word, whole)
        self.assertIn("for dead.example.net", self.done.text)

    def test_a_tree_that_changes_while_it_is_collected_gives_nothing_from_outside(self) -> None:
        names = ["f%d" % number for number in range(200)]
        for name in names:
            self.put("var/log/d/%s.log" % name)
        os.mkdir(self.path("out-d"))
        for name in names:
            self.write("out-d/%s.log" % name, SECRET)
        self.link("var/log/swap", self.path("out-d"))
        swapper = subprocess.Popen(
            ["sh", "-c", "cd \"$1\" && while :; do mv -T d spare; mv -T swap d; mv -T d swap; "
             "mv -T spare d; done", "sh", self.path("root/var/log")], stderr=subprocess.DEVNULL)
        try:
            for _ in range(5):
                members = self.analyze(self.rules(
                    ["/bin/hostname -f"], ["/var/log/d/%s.log" % name for name in names],
                    ["/var/log/d/f1*.log"]))
                self.assertNotIn(b"secret of", b"".join(members.values()))
        finally:
            swapper.kill()
            swapper.wait()


    def test_what_a_rescue_system_mounts_below_the_root_for_a_chroot_is_not_collected(self) -> None:
        os.mkdir(self.path("disk"))
        script = r"""
            mount -t tmpfs none "$DISK"
            mkdir -p "$DISK/etc" "$DISK/host" "$DISK/proc" "$DISK/sys" "$DISK/dev" "$DISK/other"
            echo dead.example.net > "$DISK/etc/hostname"
            mount --bind / "$DISK/host"
            mount -t proc none "$DISK/proc"
            mount --rbind /sys "$DISK/sys"
            mount --rbind /dev "$DISK/dev"
            mount --bind /proc "$DISK/other"
            exec "$@"
        """
        rules = self.rules(["/bin/ls -l /host/etc", "/bin/ls -la /proc"],
                           ["/etc/hostname", "/host/etc/passwd", "/proc/version", "/sys/kernel/.*",
                            "/other/version", "/host/proc/version"], ["/host/etc/pass*"])
        done = subprocess.run(
            ["unshare", "-m", "sh", "-ec", script, "sh", *self.argv(
                "--offline", "--from-file", rules, "--analyze-mountpoint", self.path("disk"),
                "--output-file", self.path("out", "a.tar.gz"))],
            env=dict(self.environ, DISK=self.path("disk")), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, check=False, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        members = read_archive(self.path("out", "a.tar.gz"))
        self.assertEqual([name for name in members if not name.startswith("insights_commands/")],
                         ["etc/hostname", "branch_info", "version_info", "blacklist_report"])
        whole = b"".join(members.values())
        for word in (b"root:", b"passwd", b"Linux version", b" self\n"):
            self.assertNotIn(word, whole)


class Owners(MountpointCase):
    def test_what_the_owner_of_either_system_forbids_is_left_out(self) -> None:
        self.put("etc/one", b"one\nhide me\nand me\n")
        self.put("etc/two")
        self.put("etc/three")
        self.write("etc/remove.conf", b"[remove]\nfiles=/etc/two\npatterns=hide\n")
        self.put("etc/insights-client/remove.conf", b"[remove]\nfiles=/etc/three\npatterns=and\n")
        members = self.analyze(self.rules([], ["/etc/one", "/etc/two", "/etc/three"]))
        self.assertEqual(members["etc/one"], b"one\n")
        self.assertFalse({"etc/two", "etc/three"} & set(members))
        self.assertIn("2 excluded", self.done.text)

    def test_a_fault_in_the_exclusions_of_the_root_ends_the_run_before_anything(self) -> None:
        self.put("etc/insights-client/file-redaction.yaml", b"files: {a: b}\n")
        done = self.run_product("--offline", "--analyze-mountpoint", self.path("root"),
                                "--output-dir", self.path("collected"))
        self.assertEqual(done.status, 1, done.text)
        self.assertEqual(done.err.count(b"\n"), 1)
        self.assertIn(b"root/etc/insights-client/file-redaction.yaml", done.err)
        self.assertEqual(self.leftovers(), [])

    def test_the_names_that_the_root_hides_are_hidden_everywhere(self) -> None:
        self.put("etc/insights-client/insights-client.conf",
                 b"[insights-client]\nobfuscation_list=hostname,ipv4\ndisplay_name=Dead One\n")
        self.put("etc/hosts", b"10.11.12.13 dead.example.net dead\n")
        self.put("etc/insights-client/tags.yaml", b"place: cellar\n")
        self.write("etc/tags.yaml", "place: rescue\n")
        self.write("etc/insights-client.conf",
                   b"[insights-client]\ndisplay_name=Bastion\n")
        members = self.analyze(self.rules(["/bin/hostname -f"], ["/etc/hosts", "/etc/hostname"]))
        whole = b"".join(members.values()) + self.done.out
        for word in (b"example.net", b"10.11.12.13", b"Bastion", b"rescue"):
            self.assertNotIn(word, whole)
        self.assertIn(b"cellar", members["tags.json"])
        self.assertNotIn("display_name", members)
        name, = [name for name in os.listdir(self.path("collected")) if name.endswith(".gz")]
        self.assertNotIn("dead", name)

    def test_a_display_name_that_was_given_for_the_run_is_used(self) -> None:
        members = self.analyze(self.rules([], ["/etc/hostname"]), "--display-name", "Dead One")
        self.assertEqual(members["display_name"], b"Dead One")


class AsAlive(MountpointCase):
    def test_a_root_in_a_folder_with_blanks_is_laid_out_like_a_running_one(self) -> None:
        """FAULTS 48."""
        os.rename(self.path("root"), self.path("a mount point"))
        rules = self.write("rules.json", {
            "version": "1", "files": [{"file": "/etc/hostname", "symbolic_name": "etc_hostname"}],
            "commands": [{"command": "/bin/hostname -f", "symbolic_name": "hostname"}]})
        members = self.analyze(rules, root="a mount point")
        self.assertEqual(members["etc/hostname"], b"dead.example.net\n")
        self.assertEqual(members["insights_commands/hostname_-f"], b"dead.example.net\n")
        self.assertFalse([name for name in members if "mount point" in name])
        self.assertIn("\nRead from disk: /bin/hostname -f\n", self.done.text)

    def test_a_copy_gives_the_bytes_that_the_running_root_gives(self) -> None:
        """What of this machine's root the bundled catalogue names is copied and collected."""
        shutil.rmtree(self.path("root"))
        os.mkdir(self.path("root"))
        paths = [path for path in ("/etc", "/usr/lib/os-release", "/boot", "/var/lib/dpkg/status",
                                   "/var/log") if os.path.exists(path)]
        subprocess.run(["sh", "-c", "cd / && for path; do cp -a --parents \".$path\" \"$0\"; done",
                        self.path("root"), *paths], stderr=subprocess.DEVNULL, check=False)
        for name in ("proc", "sys", "dev", "run", "tmp"):
            os.mkdir(self.path("root", name))
        alive = self.everything()
        copied = self.everything("--analyze-mountpoint", self.path("root"))
        live = ("proc/", "sys/", "dev/", "run/", "insights_commands/", "version_info")
        below = tuple(path[1:] for path in paths)
        compared = [name for name in alive if name.startswith(below) and
                    os.path.realpath("/" + name).startswith(tuple(paths))]  # not links elsewhere
        self.assertGreater(len(compared), 20)
        for name in compared:
            if not name.startswith("var/log/"):  # they grow
                self.assertEqual(copied.get(name), alive[name], name)
        self.assertEqual([name for name in copied if name not in alive], [])
        self.assertFalse([name for name in copied if name.startswith(live[:4])])

    def everything(self, *arguments: str) -> Dict[str, bytes]:
        """Collect with the bundled catalogue."""
        shutil.rmtree(self.path("collected"), True)
        done = self.run_product("--offline", "--output-dir", self.path("collected"), *arguments)
        self.assertEqual(done.status, 0, done.text)
        names: List[str] = [name for name in os.listdir(self.path("collected"))
                            if not name.endswith(".redactions.json")]
        return read_archive(self.path("collected", names[0]))
