"""Hosts on which there is hardly a place to write: read-only roots, missing folders, full disks."""
import base64
import os
import shutil
import subprocess

from tests.bare import READ_ONLY, BareCase
from tests.support import Done, read_archive, read_archive_bytes

NO_LOG = ("WARNING: no log is written", "/var/log/insights-client/insights-client.log",
          "Read-only file system", "; choose another place with --logging-file")
NO_LOCK = ("WARNING: another run is not noticed", "/var/lib/insights/insights-mini.lock",
           "Read-only file system", "; choose another place with INSIGHTS_STATE_DIR")
LARGE = b"a line of a log, which is longer than memory has room for\n" * 200000

ELSEWHERE = "choose another place with TMPDIR or --output-dir"


class Folders(BareCase):
    def test_on_a_read_only_root_with_one_tmpfs_the_archive_goes_there(self) -> None:
        done = self.run_bare(READ_ONLY)
        self.assert_lines(done, NO_LOG, NO_LOCK, (
            "WARNING: /var/tmp cannot be written, so the archive goes to /tmp; ", ELSEWHERE))
        self.assertIn("insights_commands/hostname_-f", self.assert_saved(done, "/tmp"))

    def test_without_any_place_to_write_it_says_so_and_standard_output_still_works(self) -> None:
        script = READ_ONLY + "mount -o remount,bind,ro /tmp"
        done = self.run_bare(script)
        self.assert_lines(done, NO_LOG, NO_LOCK, (
            "ERROR: cannot write /var/tmp: Read-only file system; ", ELSEWHERE, "--to-stdout"))
        self.assertEqual((done.status, done.out), (1, b""))
        done = self.run_bare(script, "--to-stdout")
        self.assert_lines(done, NO_LOG, NO_LOCK)
        self.assertEqual(done.status, 0)
        self.assertIn("insights_commands/hostname_-f", read_archive_bytes(done.out))

    def test_without_var_tmp_the_archive_goes_to_tmp_and_a_warning_says_so(self) -> None:
        done = self.run_bare("rmdir /var/tmp")
        self.assert_lines(done, ("WARNING: /var/tmp is not there, so the archive goes to /tmp; ",
                                 ELSEWHERE))
        self.assert_saved(done, "/tmp")

    def test_a_place_that_was_chosen_is_the_place_or_an_error(self) -> None:
        rules = self.at_mnt(self.rules(["/bin/echo x"]))
        for arguments, environ in (((), {"TMPDIR": "/none"}), (("--output-dir", "/none/x"), {})):
            done = self.run_bare("rmdir /var/tmp", "--from-file", rules, *arguments, **environ)
            self.assert_lines(done, ("ERROR: cannot write /none", "No such file or directory; ",
                                     ELSEWHERE))
            self.assertEqual((done.status, self.left()), (1, []))

    def test_the_warning_is_only_for_who_gets_an_archive_in_another_place(self) -> None:
        rules = self.at_mnt(self.rules(["/bin/echo x"]))
        for arguments in (("--to-stdout",), ("--output-dir", "/mnt/out"), ("--dry-run",)):
            done = self.run_bare("rmdir /var/tmp", "--from-file", rules, *arguments)
            self.assertEqual((done.status, done.err, self.left()), (0, b"", []), done.text)


class SmallDisk(BareCase):
    """A disk with 20 MB free, and a log that needs 16 MB there while it is collected, and as much
    again when it is packed."""

    DISK = "mount -t tmpfs -o size=20m none /var/tmp\n"

    def setUp(self) -> None:
        super().setUp()
        self.content = base64.encodebytes(os.urandom(18 * 1000 * 1000))
        self.own_rules = self.at_mnt(self.rules(
            files=[self.at_mnt(self.write("log", self.content))]))

    def test_the_error_says_which_disk_is_full_what_it_had_and_what_to_do(self) -> None:
        done = self.run_bare(self.DISK, "--from-file", self.own_rules)
        self.assert_lines(done, (
            "ERROR: cannot write /var/tmp", "no space left on the file system at /var/tmp, "
            "the 21.0 MB that were free are not enough; free some, or ", ELSEWHERE,
            "use --to-stdout"))
        self.assertEqual((done.status, self.left()), (1, []))

    def test_standard_output_takes_what_the_disk_could_not(self) -> None:
        done = self.run_bare(self.DISK, "--from-file", self.own_rules, "--to-stdout")
        self.assertEqual((done.status, done.err, self.left()), (0, b"", []))
        self.assertTrue(read_archive_bytes(done.out)["mnt/log"] == self.content)

    def test_standard_output_that_needs_more_says_what_to_do_then(self) -> None:
        done = self.run_bare(self.DISK.replace("20m", "10m"), "--from-file", self.own_rules,
                             "--to-stdout")
        self.assert_lines(done, (
            "ERROR: cannot write /var/tmp: no space left on the file system at /var/tmp, "
            "the 10.5 MB that were free are not enough; free some, or ",
            "choose another place with TMPDIR", "keep less of each with --max-member"))
        self.assertEqual((done.status, self.left()), (1, []))
        done = self.run_bare(self.DISK.replace("20m", "10m"), "--from-file", self.own_rules,
                             "--to-stdout", "--max-member", "10m")
        self.assertEqual((done.status, self.left()), (0, []), done.text)
        self.assertTrue(self.content.endswith(read_archive_bytes(done.out)["mnt/log"]))

    def test_a_disk_without_inodes_says_so(self) -> None:
        done = self.run_bare("mount -t tmpfs -o nr_inodes=2 none /var/tmp\n", "--from-file",
                             self.own_rules)
        self.assert_lines(done, ("ERROR: cannot write /var/tmp",
                                 "no inode left on the file system at /var/tmp; ", ELSEWHERE))
        self.assertEqual((done.status, self.left()), (1, []))

    def test_the_bundled_catalogue_needs_no_more_than_that(self) -> None:
        done = self.run_bare(self.DISK)
        self.assertEqual(done.err, b"")
        self.assert_saved(done, "/var/tmp")


class OtherFileSystems(BareCase):
    """File systems of sticks, shares and FUSE: no O_TMPFILE, names of files that are open stay,
    and some have no permissions, and ignore or refuse that one sets them."""

    def run_on_fuse(self, options: str, content: bytes, *arguments: str, first: str = "") -> Done:
        if not (shutil.which("bindfs") and os.path.exists("/dev/fuse")):
            self.skipTest("no bindfs")
        shutil.rmtree(self.path("stick"), True)
        script = "mkdir /mnt/stick /tmp/m\n%s\nbindfs %s /mnt/stick /tmp/m\n" % (first, options)
        rules = self.rules(files=[self.at_mnt(self.write("log", content))])
        return self.run_bare(script, "--from-file", self.at_mnt(rules), *arguments,
                             flags="-m -p -f --kill-child", TMPDIR="/tmp/m")

    def test_contents_that_are_held_there_leave_nothing_and_end_no_run(self) -> None:
        for arguments in (["--output-file", "/tmp/m/a.tar.gz"], ["--output-dir", "/tmp/m/new"], []):
            with self.subTest(arguments):
                done = self.run_on_fuse("", LARGE, *arguments)
                self.assertEqual((done.status, done.err), (0, b""), done.text)
                self.assert_one_archive()

    def test_a_run_that_fails_there_leaves_nothing_either(self) -> None:
        done = self.run_on_fuse("", LARGE, "--output-dir", "/tmp/m/new",
                                first="mount -t tmpfs -o size=2m none /mnt/stick")
        self.assert_lines(done, ("ERROR: cannot write /tmp/m/new", "file system at /tmp/m, "
                                 "the 2.1 MB that were free are not enough"))
        self.assertEqual(self.left(), ["/tmp/m"])

    def assert_one_archive(self) -> None:
        """Check that there is one archive on the stick and nothing half done."""
        found = [os.path.join(folder, name) for folder, folders, names in
                 os.walk(self.path("stick")) for name in folders + names]
        self.assertEqual([path for path in found if "/." in path], [])
        archive, = [path for path in found if path.endswith(".tar.gz")]
        self.assertIn("mnt/log", read_archive(archive))

    def test_a_stick_with_exfat_takes_the_archive_and_the_report_beside_it(self) -> None:
        """A file system without hard links, too."""
        if not (shutil.which("mkfs.exfat") and shutil.which("mount.exfat-fuse")):
            self.skipTest("no exfat-fuse or exfatprogs")
        with open(self.path("image"), "wb") as image:
            image.truncate(16 * 1024 * 1024)
        subprocess.run(["mkfs.exfat", self.path("image")], stdout=subprocess.DEVNULL, check=True)
        script = """
            mkdir /tmp/m
            device=$(losetup --find --show /mnt/image)
            mount.exfat-fuse "$device" /tmp/m >/dev/null 2>&1
            losetup --detach "$device"
            trap 'ls -A /tmp/m >/mnt/listed; cp /tmp/m/* /mnt/found; umount /tmp/m' EXIT
        """
        log = self.at_mnt(self.write("log", LARGE + b"password=secret\n"))
        done = self.run_bare(script, "--from-file", self.at_mnt(self.rules(files=[log])),
                             "--output-file", "/tmp/m/a.tar.gz", flags="-m -p -f --kill-child")
        self.assert_lines(done, ("WARNING: the file system at /tmp/m keeps no permissions", "; "))
        self.assertEqual(done.status, 0)
        with open(self.path("listed")) as file:
            self.assertEqual(file.read().split(), ["a.tar.gz", "a.tar.gz.redactions.json"])
        members = read_archive(self.path("found", "a.tar.gz"))
        self.assertTrue(members["mnt/log"] == LARGE + b"password=********\n")

    def test_where_permissions_are_not_kept_a_warning_says_who_may_read_the_archive(self) -> None:
        for options in ("--chmod-ignore -p a=rwX", "--chmod-deny -p a=rwX"):
            for arguments in (["--output-dir", "/tmp/m"], ["--output-dir", "/tmp/m/new"], []):
                with self.subTest(options=options, arguments=arguments):
                    done = self.run_on_fuse(options, b"x\n", *arguments)
                    self.assert_lines(done, ("WARNING: the file system at /tmp/m keeps no "
                                             "permissions, so others on this host may read the "
                                             "archive; ", ELSEWHERE))
                    self.assertEqual(done.status, 0)
                    self.assert_one_archive()
