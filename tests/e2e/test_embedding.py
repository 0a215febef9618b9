"""conf/dracut, conf/rear, conf/kickstart and conf/mkosi, each with the tool that it is for.

The tools run in a mount namespace where only the scratch folder can be written. The images that
they build are entered with chroot, and the client collects there with the Python that it finds.
"""
import ast
import glob
import os
import re
import shutil
import subprocess
import sys
import unittest
import urllib.request
from typing import List, Set

from tests.support import TOP, Done, Product, Scratch, read_archive

CONF = os.path.join(TOP, "conf")
DRACUT = os.path.join(CONF, "dracut", "95insights-mini")
KICKSTART = os.path.join(CONF, "kickstart", "insights-mini.ks")
KSVALIDATOR = os.environ.get("INSIGHTS_KSVALIDATOR") or shutil.which("ksvalidator")
CLIENT = "/usr/local/bin/insights-mini.pyz"
# Imports each module that is named, and loads each that is linked with libraries.
TRY = """import ctypes, glob, os, sys
for name in sys.argv[1:]:
    __import__(name)
for path in glob.glob(os.path.join(os.path.dirname(os.__file__), "lib-dynload", "*.so")):
    ctypes.CDLL(path)
print(os.__file__)
"""
RULES = {"version": "1", "globs": [], "pre_commands": {}, "meta_specs": {},
         "files": [{"file": "/proof/told", "symbolic_name": "told", "pattern": []}],
         "commands": [{"command": "/bin/ls /proof", "symbolic_name": "listed", "pattern": []}]}

# Nothing of this machine can be changed, and the client is where the snippets expect it.
HOST = r"""
mount --bind "$FOLDER" "$FOLDER"
mount -o remount,ro,bind /
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=755 none /usr/local/bin
install -m 755 "$PRODUCT" /usr/local/bin/insights-mini.pyz
cd "$FOLDER"
"""


def list_imports() -> List[str]:
    """Return the modules of the standard library that any part of the client imports."""
    found: Set[str] = set()
    for folder, _, names in os.walk(os.path.join(TOP, "src")):
        for name in [name for name in names if name.endswith(".py")]:
            with open(os.path.join(folder, name), "rb") as file:
                tree = ast.parse(file.read())
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    found.update(alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module)
    return sorted(name for name in found if not name.startswith("insights_mini"))


def read_section(path: str, name: str) -> str:
    """Return the script in a section of a kickstart file."""
    with open(path, encoding="utf-8") as file:
        found = re.findall(r"^%%%s\b[^\n]*\n(.*?)^%%end$" % name, file.read(), re.M | re.S)
    assert len(found) == 1, found
    return str(found[0])


class Embedding(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.folder,
                        "FOLDER": self.folder, "TMPDIR": self.folder, "PRODUCT": Product.build()}

    def need(self, *programs: str) -> None:
        for program in programs:
            if not shutil.which(program, path=self.environ["PATH"]):
                self.skipTest("%s is not installed" % program)
        probe = subprocess.run(["unshare", "-m", "true"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, check=False)
        if probe.returncode:
            self.skipTest("no mount namespaces here")

    def run_program(self, *argv: str, timeout: float = 60, stdin: bytes = b"") -> Done:
        done = subprocess.run(argv, env=self.environ, cwd=self.folder, input=stdin, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        return Done(done.returncode, done.stdout, done.stderr)

    def run_on_host(self, script: str, timeout: float = 120) -> Done:
        """Run a script that must succeed where nothing but the scratch folder can be written."""
        done = self.run_program("unshare", "-m", "bash", "-ec", HOST + script, timeout=timeout)
        self.assertEqual(done.status, 0, done.text[-3000:])
        return done

    def run_within(self, root: str, *argv: str) -> Done:
        """Run a program below root, with the devices that an image has once it runs."""
        return self.run_program("unshare", "-m", "sh", "-ec", 'mount --rbind /dev "$0/dev"\n'
                                'exec chroot "$0" "$@"', root, *argv)

    def assert_collects(self, root: str) -> None:
        """Check that the client works below root with nothing but what is there."""
        modules = list_imports()
        self.assertIn("ssl", modules)
        said = self.run_within(root, "python3", "-c", TRY, *modules)
        self.assertEqual((said.status, said.err), (0, b""), said.text)
        self.assertTrue(os.path.isfile(root + said.out.decode().strip()), said.text)
        said = self.run_within(root, "python3", CLIENT, "--version")
        self.assertEqual((said.status, said.err), (0, b""), said.text)
        self.assertTrue(said.out.startswith(b"Client: "), said.text)
        inside = os.path.relpath(root, self.folder)
        self.write(inside + "/proof/told", "within\n")
        self.write(inside + "/proof/rules.json", RULES)
        said = self.run_within(root, "python3", CLIENT, "--offline", "--from-file",
                               "/proof/rules.json", "--output-file", "/proof.tar.gz")
        self.assertEqual(said.status, 0, said.text)
        members = read_archive(root + "/proof.tar.gz")
        self.assertEqual(members["proof/told"], b"within\n")
        self.assertEqual(members["insights_commands/ls_.proof"], b"rules.json\ntold\n")


class Dracut(Embedding):
    def check(self, client: str, path: str) -> List[str]:
        """Return what the module's check says and ends with."""
        script = ('. "$1/module-setup.sh"; insights_client=$2; PATH=$3\n'
                  'dinfo() { echo "$*"; }\ncheck; echo $?')
        done = self.run_program("/bin/bash", "-c", script, "bash", DRACUT, client, path)
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        return done.out.decode().splitlines()

    def test_the_module_goes_only_where_it_can_work_and_is_asked_for(self) -> None:
        missing, there = self.path("missing"), self.write("there", "")
        self.assertEqual(self.check(missing, os.environ["PATH"]), [
            "insights-mini: no %s: copy the client there" % missing, "1"])
        if not os.path.exists("/usr/libexec/platform-python"):
            self.assertEqual(self.check(there, self.folder), [
                "insights-mini: no python3: install Python 3.6 or newer", "1"])
        self.assertEqual(self.check(there, os.path.dirname(sys.executable)), ["255"])

    def test_the_client_collects_in_an_initramfs_that_dracut_builds(self) -> None:
        self.need("dracut", "lsinitrd", "cpio", "python3")
        self.write("dracut.conf", 'add_dracutmodules+=" insights-mini "\n')
        os.makedirs(self.path("none"))
        os.makedirs(self.path("root"))
        self.run_on_host(r"""
            cp -a /usr/lib/dracut dracut
            cp -r "%s" dracut/modules.d/
            mount --bind dracut /usr/lib/dracut
            dracut --conf dracut.conf --confdir none --tmpdir "$FOLDER" --no-kernel --kver none \
                --no-hostonly --no-compress --modules "base insights-mini" rescue.img
            cd root
            lsinitrd --unpack ../rescue.img
        """ % DRACUT)
        root = self.path("root")
        library, = glob.glob(root + "/usr/lib*/python3.*")
        self.assertEqual([folder for folder, _, _ in os.walk(library) if os.path.basename(folder)
                          in ("__pycache__", "test", "dist-packages", "site-packages")], [])
        self.assert_collects(root)
        for arguments, status, message in (
                ([], 2, b"usage: insights-rescue FOLDER-FOR-THE-ARCHIVE [MOUNTED-ROOT]\n"),
                (["/run"], 1, b"insights-rescue: no host at /sysroot: mount its disk there first, "
                              b"best with -o ro\n"),
                (["/run", "/mnt"], 1, b"insights-rescue: no host at /mnt: mount its disk there "
                                      b"first, best with -o ro\n")):
            self.assertEqual(self.run_within(root, "insights-rescue", *arguments),
                             Done(status, b"", message))
        self.write("root/sysroot/etc/hosts", "127.0.0.1 dead\n")
        said = self.run_within(root, "insights-rescue", "/run/out")
        self.assertEqual((said.status, said.err), (0, b""), said.text)
        archive, = glob.glob(root + "/run/out/*.tar.gz")
        self.assertEqual(read_archive(archive)["etc/hosts"], b"127.0.0.1 dead\n")


class Rear(Embedding):
    def test_the_client_collects_in_the_rescue_system_that_rear_builds(self) -> None:
        self.need("rear", "python3")
        with open(os.path.join(CONF, "rear", "insights-mini.conf"), encoding="utf-8") as file:
            snippet = file.read()
        # Without what this machine may not have: a kernel, a boot loader, a place for the image.
        self.write("conf/local.conf", "OUTPUT=RAMDISK\nOUTPUT_URL=null\nBACKUP=REQUESTRESTORE\n"
                   "MODULES=( no_modules )\nFIRMWARE_FILES=( no )\nBOOTLOADER=GRUB2\n"
                   "KERNEL_FILE=%s\nREAR_INITRD_COMPRESSION=fast\nKEEP_BUILD_DIR=yes\n%s" % (
                       self.write("kernel", "none"), snippet))
        self.run_on_host(r"""
            mount -t tmpfs none /var/lib/rear
            mount -t tmpfs none /var/log
            rear -c conf mkrescue
        """)
        root, = glob.glob(self.path("rear.*", "rootfs"))
        self.assert_collects(root)


class Mkosi(Embedding):
    def find_mirror(self) -> str:
        """Return the mirror that apt takes this host's distribution from."""
        done = self.run_program("apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)",
                                "Created-By: Packages", "Origin: Debian")
        for mirror, release in (line.split() for line in done.out.decode().splitlines()):
            if mirror.startswith("http") and "-" not in release:
                try:
                    with urllib.request.urlopen("%s/dists/%s/Release" % (mirror, release),
                                                timeout=20):
                        return mirror
                except OSError as error:
                    self.skipTest("apt's mirror does not answer: %s" % error)
        self.skipTest("apt knows no mirror of Debian")

    def test_the_client_collects_in_an_image_that_mkosi_builds(self) -> None:
        self.need("mkosi", "debootstrap", "apt-get")
        shutil.copytree(os.path.join(CONF, "mkosi"), self.path("rescue"))
        self.run_on_host(r"""
            cd rescue
            install -D "$PRODUCT" mkosi.extra/usr/local/bin/insights-mini.pyz
            mkosi --nspawn-keep-unit --format directory --mirror "%s" --output image build
        """ % self.find_mirror(), timeout=170)
        self.assert_collects(self.path("rescue", "image"))


class Kickstart(Embedding):
    def test_what_the_installer_runs_collects_from_the_disk_wherever_that_is_mounted(self) -> None:
        self.need("python3")
        self.write("post.sh", read_section(KICKSTART, "post"))
        for root in ("/mnt/sysroot", "/mnt/sysimage"):
            self.run_on_host(r"""
                mount -t tmpfs none /mnt
                mkdir -p %s/etc /run/install/repo
                echo "127.0.0.1 dead" > %s/etc/hosts
                cp "$PRODUCT" /run/install/repo/
                mkdir -p tmp
                mount --bind tmp /tmp
                LD_LIBRARY_PATH=:/mnt/sysimage sh post.sh
            """ % (root, root))
            archive, = glob.glob(self.path("tmp", "insights-mini", "*.tar.gz"))
            self.assertEqual(read_archive(archive)["etc/hosts"], b"127.0.0.1 dead\n")
            os.unlink(archive)


class Texts(Embedding):
    def test_the_shell_can_read_every_script(self) -> None:
        rescue = os.path.join(DRACUT, "insights-rescue.sh")
        post = self.write("post.sh", "#!/bin/sh\n" + read_section(KICKSTART, "post"))
        for shell, path in (
                ("bash", os.path.join(DRACUT, "module-setup.sh")), ("sh", rescue), ("sh", post),
                ("bash", os.path.join(CONF, "rear", "insights-mini.conf"))):
            with self.subTest(path):
                self.assertEqual(self.run_program(shell, "-n", path), Done(0, b"", b""))
                if shutil.which("shellcheck"):
                    self.assertEqual(self.run_program("shellcheck", "-s", shell, path),
                                     Done(0, b"", b""))

    @unittest.skipUnless(KSVALIDATOR, "no ksvalidator: INSIGHTS_KSVALIDATOR names none")
    def test_the_installers_of_all_releases_can_read_the_kickstart_file(self) -> None:
        wrong = self.write("wrong.ks", "rescue --sometimes\n")
        for release in ("RHEL8", "RHEL9", "F34"):
            for path, errors in ((wrong, 1), (KICKSTART, 0)):
                done = self.run_program(str(KSVALIDATOR), "-v", release, path)
                self.assertEqual(done.status, errors, done.text)
