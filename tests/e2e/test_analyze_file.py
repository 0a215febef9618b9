"""Whole runs on a tar, an earlier archive and an image give the members of the root itself."""
import os
import shutil
import subprocess
import sys
from typing import Dict

from tests.e2e.test_bare_hosts import LACKING
from tests.e2e.test_mountpoint import MountpointCase
from tests.support import HostCase, Product, read_archive

STORAGE = """[storage]
driver = "vfs"
graphroot = "%s"
runroot = "%s"
"""


class FileCase(MountpointCase):
    def setUp(self) -> None:
        super().setUp()
        for number in range(50):
            self.put("var/log/app/%d.log" % number, b"line %d\nsecond\n" % number * 500)
        self.link("etc/os-release", "../usr/lib/os-release")
        self.put("usr/lib/os-release", b"ID=dead\n")
        self.link("etc/outward", self.secret)
        self.put("boot/vmlinuz", b"kernel\n")
        self.rules_file = self.write("rules.json", {
            "version": "1",
            "files": [{"file": path, "symbolic_name": "f%d" % number} for number, path in
                      enumerate(("/etc/os-release", "/etc/outward", "/etc/hostname",
                                 "/var/log/app/[0-9]+.*log"))],
            "globs": [{"glob": "/var/log/app/4*.log", "symbolic_name": "g"}],
            "commands": [{"command": "/bin/ls -lan /boot", "symbolic_name": "ls"},
                         {"command": "/bin/hostname -f", "symbolic_name": "hostname"},
                         {"command": "/bin/ps aux", "symbolic_name": "ps"}]})

    def pack(self, name: str) -> str:
        subprocess.run(["tar", "-C", self.path("root"), "-caf", self.path(name), "."], check=True)
        return self.path(name)


class Files(FileCase):
    def test_a_tar_in_any_compression_gives_the_members_of_the_mounted_root(self) -> None:
        mounted = self.analyze(self.rules_file)
        self.assertGreater(len(mounted), 50)
        self.assertNotIn("etc/outward", mounted)
        for suffix in ("", ".gz", ".bz2", ".xz"):
            with self.subTest(suffix):
                path = self.pack("root.tar" + suffix)
                members = self.collect(self.rules_file, "--analyze-file", path)
                own = "insights_commands/ls_-lan_.boot"
                self.assertIn(b" vmlinuz\n", members.pop(own))
                self.assertEqual(members, {name: content for name, content in mounted.items()
                                           if name != own})
                self.assertIn("for dead.example.net", self.done.text)

    def test_an_earlier_archive_is_made_anew_without_what_is_forbidden_now(self) -> None:
        self.collect(self.rules(["/bin/echo first second", "/bin/uname -a"],
                                ["/etc/passwd", "/proc/version"]))
        old, = [name for name in os.listdir(self.path("collected")) if name.endswith(".gz")]
        shutil.move(self.path("collected", old), self.path(old))
        rules = self.rules(["/bin/echo first second", "/bin/uname -a", "/bin/ps aux"],
                           ["/etc/passwd", "/proc/version"])
        again = self.collect(rules, "--analyze-file", self.path(old))
        self.assertEqual(again, read_archive(self.path(old)))
        self.write("etc/remove.conf", b"[remove]\nfiles=/proc/version\nkeywords=second\n"
                                      b"commands=/bin/uname -a\npatterns=root\n")
        again = self.collect(rules, "--analyze-file", self.path(old))
        self.assertEqual(again["insights_commands/echo_first_keyword0"], b"first keyword0\n")
        self.assertFalse({"proc/version", "insights_commands/uname_-a"} & set(again))
        self.assertNotIn(b"root", again["etc/passwd"])

    def test_what_cannot_be_read_is_one_line_and_leaves_nothing(self) -> None:
        for path, why in ((self.path("none"), "No such file"), (self.secret, "no tar"),
                          (self.path("root"), "a directory")):
            done = self.run_product("--offline", "--analyze-file", path, "--output-dir",
                                    self.path("collected"))
            self.assertEqual((done.status, done.out, done.err.count(b"\n")), (1, b"", 1), done.text)
            self.assertIn(why, done.text)
            self.assertIn(path, done.text)
        self.assertEqual(self.leftovers(), [])

    def test_a_python_that_cannot_decompress_it_says_so(self) -> None:
        path = self.pack("root.tar.xz")
        done = subprocess.run(
            [sys.executable, "-c", LACKING, "lzma,_lzma", Product.build(), "--offline",
             "--analyze-file", path, "--output-dir", self.path("collected")], env=self.environ,
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (1, 1), done.stderr)
        self.assertIn(b"cannot decompress xz; decompress it first", done.stderr)


class Images(FileCase):
    def image(self, name: str, **environ: str) -> Dict[str, bytes]:
        return self.collect(self.rules_file, "--analyze-image-id", name, **environ)

    def test_an_image_of_podman_gives_the_members_of_the_mounted_root(self) -> None:
        if not shutil.which("podman"):
            self.skipTest("no podman here")
        conf = self.write("storage.conf", STORAGE % (self.path("graph"), self.path("run")))
        environ = dict(self.environ, CONTAINERS_STORAGE_CONF=conf)
        subprocess.run(["podman", "import", "-q", self.pack("root.tar"), "dead:1"], env=environ,
                       stdout=subprocess.DEVNULL, check=True)
        members = self.image("dead:1", CONTAINERS_STORAGE_CONF=conf)
        mounted = self.analyze(self.rules_file)
        for one in (members, mounted):
            self.assertIn(b" vmlinuz\n", one.pop("insights_commands/ls_-lan_.boot"))
        self.assertEqual(members, mounted)
        done = self.run_product("--offline", "--analyze-image-id", "none:1",
                                CONTAINERS_STORAGE_CONF=conf)
        self.assertEqual((done.status, done.err.count(b"\n")), (1, 1), done.text)
        self.assertIn(b"none:1", done.err)
        self.assertIn(b"podman images", done.err)

    def test_a_name_that_looks_like_an_option_is_none(self) -> None:
        done = self.run_product("--offline", "--analyze-image-id=--all")
        self.assertEqual((done.status, done.err.count(b"\n")), (1, 1), done.text)
        self.assertIn(b"there is no image --all", done.err)

    def test_without_podman_and_docker_it_says_what_to_do(self) -> None:
        done = subprocess.run(
            ["unshare", "-m", "sh", "-ec", 'mount --bind "$0" /usr/local/bin; for name in podman '
             'docker; do [ ! -e /usr/bin/$name ] || mount --bind /dev/null /usr/bin/$name; done; '
             'exec "$@"', self.path("tmp"), *self.argv("--offline", "--analyze-image-id", "x")],
            env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (1, 1), done.stderr)
        self.assertIn(b"neither podman nor docker is installed here; save the image", done.stderr)


class Container(HostCase):
    def test_a_container_gives_its_own_files_and_nothing_of_the_kernel_of_its_host(self) -> None:
        out = self.path("out", "a.tar.gz")
        done = self.run_product("--offline", "--analyze-container", "--output-file", out)
        self.assertEqual(done.status, 0, done.text)
        members = read_archive(out)
        self.assertIn("etc/os-release", members)
        self.assertIn("insights_commands/ls_-lanR_.etc", members)
        self.assertEqual([name for name in members if name.startswith(("proc/", "sys/"))], [])
        for program in ("uname", "dmesg", "lsmod", "sysctl", "lspci", "lsblk", "uptime"):
            self.assertEqual([name for name in members
                              if name.startswith("insights_commands/" + program)], [])
        self.assertIn(" of the container's host", done.text)
        whole = b"".join(members.values())
        self.assertNotIn(b"Linux version " + os.uname().release.encode(), whole)
