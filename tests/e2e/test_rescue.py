"""A rescue system collects from the disk of a host that does not boot, in a machine of its own.

What is made and started is in tests/e2e/rescue: the disk of a Debian with known contents, a rescue
system of busybox, Python and the product, one start of an emulated computer with several runs in
it, and a second disk that takes what they leave. The tests read that disk.
"""
import contextlib
import glob
import os
import shutil
import sys
import tempfile
import unittest
from typing import Dict, List, Optional

from tests.e2e.rescue import deadhost, machine, rescuesystem
from tests.e2e.rescue.debian import Debian, run
from tests.support import Product, read_archive

# What has to be on this machine, and the package that has it.
NEEDED = {
    machine.EMULATOR: "qemu-system-x86", "debootstrap": "debootstrap", "mkfs.ext4": "e2fsprogs",
    "debugfs": "e2fsprogs", rescuesystem.BUSYBOX: "busybox-static", "unshare": "util-linux",
    rescuesystem.PYTHON: "python3", "apt-get": "apt", "ldd": "libc-bin",
}
KERNEL = "linux-image-cloud-amd64"
MEMORY, FREE = 256, 64  # MB: of the computer, and what is free for the run with little memory
DISK, SECOND_DISK = 1024 << 20, 256 << 20  # bytes; the images are sparse
PATIENCE = 600  # seconds; a tenth of that is enough on two processors

ARCHIVES = {"own": "own.tar.gz", "both": "both.tar.gz", "catalogue": "catalogue.tar.gz",
            "bare": "bare.said"}
OURS = ["branch_info", "version_info", "blacklist_report"]
COMMANDS = "insights_commands/"
# What the host's own programs would have said, and where that is in an archive.
LISTINGS = {
    "/bin/ls -lanR /boot": "ls_-lanR_.boot",
    "/bin/ls -lanR /etc": "ls_-lanR_.etc",
    "/bin/ls -lan /": "ls_-lan",
    "/bin/ls -la /var/log /var/log/audit": "ls_-la_.var.log_.var.log.audit",
    "/bin/ls -la /srv": "ls_-la_.srv",
    "/bin/ls -l /boot/grub2/grub.cfg": "ls_-l_.boot.grub2.grub.cfg",
    "/bin/ls -l /proc/self": "ls_-l_.proc.self",
}
# Those that the catalogue asks for, too; the one of / shows what is mounted there.
IN_CATALOGUE = ["/bin/ls -lanR /boot", "/bin/ls -lanR /etc", "/bin/ls -la /var/log /var/log/audit"]
PACKAGES = "/usr/bin/dpkg -l"
TRUTHS = [*LISTINGS, PACKAGES]
ANSWERED = [*LISTINGS, PACKAGES, "/bin/hostname -f", "/bin/mount"]
NEVER_RUN = ["/usr/bin/canary", "/bin/uname -a", "/bin/cat /proc/version", "/bin/df -alP",
             "/bin/ls -l /opt"]
# Each file that is asked for under another name, and the known file whose contents it has.
THROUGH_LINKS = {
    "etc/known/absolute": "etc/hostname",
    "etc/known/relative": "etc/hostname",
    "etc/known/climbing": "etc/hostname",
    "etc/known/chain": "etc/known/plain",
    "etc/known/folder/inside": "srv/known/inside",
    "etc/known/top/etc/machine-id": "etc/machine-id",
}
DIRECT = ["etc/hostname", "etc/hosts", "etc/fstab", "etc/machine-id", "etc/known/plain",
          "etc/known/other"]
EXPANDED = ["etc/known.d/one.conf", "etc/known.d/two.conf", "etc/known.d/three.txt",
            "srv/known/inside"]
CLEANED = {"etc/known/cleaned": b"before\nthe keyword0 roars\nafter\n"}
LEFT_OUT = ["etc/known/forbidden", "etc/known/to-marker", "etc/known/climbing-to-marker",
            "etc/known/to-proc", "etc/known/to-mounted", "etc/known/loop", "etc/known/fifo",
            "etc/known/disk", "etc/rescue-marker", "proc/version", "proc/self/environ",
            "sys/class/rtc/rtc0/date", "mnt/sysroot/etc/hostname", "etc/known/top"]
FORBIDDEN_BY_RESCUE = "etc/known/plain"


def make_rules() -> Dict[str, object]:
    """Return collection rules for what is known of the disk, and for what must not come of it."""
    files = [*DIRECT, *THROUGH_LINKS, *CLEANED, *LEFT_OUT, "etc/os-release", "etc/known.d/.*conf"]
    names = {"/bin/hostname -f": "hostname", "/bin/mount": "mount", PACKAGES: "dpkg"}
    return {
        "version": "1", "pre_commands": {}, "meta_specs": {},
        "commands": [{"command": line, "symbolic_name": names.get(line, "c%d" % number),
                      "pattern": []} for number, line in enumerate(ANSWERED + NEVER_RUN)],
        "files": [{"file": "/" + path, "symbolic_name": "f%d" % number, "pattern": []}
                  for number, path in enumerate(files)] + [
                      {"file": "/" + deadhost.LOG, "symbolic_name": "messages",
                       "pattern": ["Out of memory"]}],
        "globs": [{"glob": "/etc/known.d/*.txt", "symbolic_name": "g0", "pattern": []},
                  {"glob": "/srv/kn*/in[a-z]*", "symbolic_name": "g1", "pattern": []}],
    }


def skip_without_parts() -> None:
    for program, package in NEEDED.items():
        if not shutil.which(program):
            raise unittest.SkipTest("%s (package %s) is not here" % (program, package))
    if os.getuid():
        raise unittest.SkipTest("only root can make the root of a host")
    if run(["dpkg", "--print-architecture"]).strip() != "amd64":
        raise unittest.SkipTest("the kernel is for another processor than this machine's")


class RescueSystem(unittest.TestCase):
    """One start of the rescue system; each test reads what its runs left on the second disk."""

    folder = console = release = before = ""
    os_release = b""
    cleanup = contextlib.ExitStack()

    @classmethod
    def setUpClass(cls) -> None:
        skip_without_parts()
        with contextlib.ExitStack() as stack:
            cls.folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rescue-"))
            cls.start()
            cls.cleanup = stack.pop_all()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.cleanup.close()

    @classmethod
    def path(cls, *parts: str) -> str:
        return os.path.join(cls.folder, *parts)

    @classmethod
    def start(cls) -> None:
        """Make the disks and the rescue system, run it, and take from the second disk."""
        debian = Debian(cls.path("debian"))
        package, = [name for name in debian.depends(KERNEL) if name.startswith("linux-image-")]
        kernel = debian.unpack(package)
        debian.make_root(cls.path("root"))
        deadhost.fill(cls.path("root"))
        with open(cls.path("root", "usr", "lib", "os-release"), "rb") as file:
            cls.os_release = file.read()
        machine.make_disk(cls.path("disk"), DISK, cls.path("root"))
        machine.make_disk(cls.path("second"), SECOND_DISK)
        initramfs = rescuesystem.build(
            kernel, Product.build(), make_rules(),
            "files:\n- /%s\n" % FORBIDDEN_BY_RESCUE, TRUTHS)
        with open(cls.path("initramfs"), "wb") as out:
            out.write(initramfs)
        cls.before = machine.digest(cls.path("disk"))
        image, = glob.glob(os.path.join(glob.escape(kernel), "boot", "vmlinuz-*"))
        cls.release = os.path.basename(image).partition("-")[2]
        cls.console = machine.boot(image, cls.path("initramfs"),
                                   [cls.path("disk"), cls.path("second")],
                                   "1970-01-01T00:00:00", MEMORY, PATIENCE)
        machine.read_disk(cls.path("second"), cls.path("out"))

    def run(self, result: Optional[unittest.TestResult] = None) -> Optional[unittest.TestResult]:
        """Show what the console said after the first failure."""
        result = super().run(result)
        if result is not None and not result.wasSuccessful() and self.console:
            print(self.console, file=sys.stderr)
            type(self).console = ""
        return result

    def read(self, *parts: str) -> bytes:
        with open(self.path("out", *parts), "rb") as file:
            return file.read()

    def said(self, name: str, kind: str = "said") -> str:
        return self.read("%s.%s" % (name, kind)).decode()

    def members(self, name: str) -> Dict[str, bytes]:
        """Return the members of the archive of a run, by name."""
        return read_archive(self.path("out", ARCHIVES[name]))

    def test_each_run_ends_well_and_says_whose_data_it_has_and_from_where(self) -> None:
        for name in ARCHIVES:
            self.assertEqual(self.said(name, "status"), "0\n", self.said(name, "warned"))
        for name in ("own", "both", "catalogue"):
            said = self.said(name)
            self.assertEqual(self.said(name, "warned"), "", said)
            self.assertEqual(said.splitlines()[0],
                             "Starting to collect Insights data for " + deadhost.NAME)
            self.assertEqual(said.splitlines()[-1], "Archive saved at /out/%s.tar.gz" % name)
            self.assertRegex(said, "(?m)^Read from disk")
        self.assertIn("rescue: done", self.console.splitlines())

    def test_the_clock_of_the_rescue_system_may_be_anything(self) -> None:
        for name, year in (("own", "1970\n"), ("both", "1970\n"), ("catalogue", "2040\n")):
            self.assertEqual(self.said(name, "year"), year)

    def test_known_files_are_there_byte_for_byte_and_links_stay_within_the_disk(self) -> None:
        members = self.members("own")
        for path in DIRECT + EXPANDED:
            self.assertEqual(members[path], deadhost.FILES[path], path)
        for path, known in THROUGH_LINKS.items():
            self.assertEqual(members[path], deadhost.FILES[known], path)
        for path, content in CLEANED.items():
            self.assertEqual(members[path], content, path)
        self.assertEqual(members["etc/os-release"], self.os_release)
        self.assertEqual(members[deadhost.LOG], deadhost.TROUBLE * deadhost.BLOCKS)

    def test_there_is_nothing_but_what_is_known(self) -> None:
        commands = [COMMANDS + name for name in LISTINGS.values()]
        self.assertEqual(sorted(self.members("own")), sorted([
            *DIRECT, *EXPANDED, *THROUGH_LINKS, *CLEANED, "etc/os-release", deadhost.LOG,
            *commands, COMMANDS + "hostname_-f", COMMANDS + "mount", COMMANDS + "dpkg_-l",
            *OURS]))

    def test_listings_are_what_the_host_itself_would_have_said(self) -> None:
        for run_name in ("own", "catalogue"):
            members = self.members(run_name)
            for number, (line, member) in enumerate(LISTINGS.items()):
                if run_name == "own" or line in IN_CATALOGUE:
                    self.assertEqual(members[COMMANDS + member].decode(),
                                     self.read("truth", str(number)).decode(), line)
        self.assertIn(deadhost.OWNER[0], members[COMMANDS + LISTINGS[
            "/bin/ls -la /var/log /var/log/audit"]].decode())

    def test_name_mounts_and_packages_are_those_of_the_host(self) -> None:
        for run_name in ("own", "catalogue"):
            members = self.members(run_name)
            self.assertEqual(members[COMMANDS + "hostname_-f"].decode().strip(), deadhost.NAME)
            self.assertEqual(members[COMMANDS + "mount"].decode(), deadhost.MOUNTS)
        truth = self.packages(self.read("truth", str(TRUTHS.index(PACKAGES))))
        self.assertGreater(len(truth), 50)
        self.assertEqual(self.packages(self.members("own")[COMMANDS + "dpkg_-l"]), truth)

    def packages(self, listing: bytes) -> List[List[str]]:
        """Return state, name, version and architecture of each package in a list by dpkg."""
        return [line.split()[:4] for line in listing.decode().splitlines()
                if line.startswith("ii ")]

    def test_nothing_of_the_rescue_system_is_in_any_archive(self) -> None:
        strange = [rescuesystem.BAIT, self.release.encode(), b"/mnt/sysroot", b"/dev/vda",
                   rescuesystem.BAITS["etc/machine-id"].strip(), b"console=ttyS0"]
        for name in ARCHIVES:
            for member, content in self.members(name).items():
                self.assertFalse(member.startswith(("proc/", "sys/", "dev/", "run/", "mnt/")),
                                 (name, member))
                self.assertNotIn("rescue", member)
                for each in strange:
                    if not (member.startswith(COMMANDS + "ls") and each == b"/mnt/sysroot"):
                        self.assertNotIn(each, content, (name, member))

    def test_no_program_was_run_for_the_host_on_the_disk(self) -> None:
        self.assertNotIn("canary", os.listdir(self.path("out")))

    def test_what_the_disk_or_the_rescue_system_forbids_is_in_no_archive(self) -> None:
        for name in ARCHIVES:
            for member, content in self.members(name).items():
                for each in (deadhost.FILES["etc/known/forbidden"], deadhost.PATTERN.encode(),
                             deadhost.KEYWORD.encode()):
                    self.assertNotIn(each, content, (name, member))
        own, both = self.members("own"), self.members("both")
        self.assertEqual(sorted(set(own) - set(both)), ["etc/known/chain", FORBIDDEN_BY_RESCUE])
        self.assertEqual(sorted(set(both) - set(own)), [])

    def test_with_little_memory_the_whole_catalogue_is_collected(self) -> None:
        free = int(self.said("catalogue", "memory")) >> 10
        self.assertTrue(abs(free - FREE) <= 4, free)
        members = self.members("catalogue")
        self.assertEqual(members["etc/os-release"], self.os_release)
        for path in ("etc/hosts", "etc/fstab", "boot/grub2/grub.cfg"):
            self.assertEqual(members[path], deadhost.FILES[path])
        self.assertIn(deadhost.TROUBLE, members[deadhost.LOG])
        self.assertNotIn(deadhost.DULL, members[deadhost.LOG])

    def test_on_a_read_only_root_without_proc_it_collects_the_same(self) -> None:
        """All that can be written to is standard output and a tmpfs of 8 MB."""
        bare, own = self.members("bare"), self.members("own")
        self.assertEqual(sorted(bare), sorted(own))
        for member in own:
            if member not in OURS:
                self.assertEqual(bare[member], own[member], member)
        warned = self.said("bare", "warned").splitlines()
        self.assertTrue(all(line.startswith("WARNING: ") for line in warned), warned)

    def test_the_disk_of_the_host_is_as_it_was(self) -> None:
        self.assertEqual(machine.digest(self.path("disk")), self.before)
