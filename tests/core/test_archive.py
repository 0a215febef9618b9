"""The archive as others read it: Python's tarfile, the system's tar, and byte for byte."""
import os
import shutil
import subprocess
import sys
import tarfile
import unittest
from typing import List, Sequence, Tuple

from insights_mini.core.archive import RECORD, Archive, make_compressor, make_header, safe_name
from insights_mini.options import COMPRESSORS
from tests.support import HostCase, Product, Scratch, read_archive_bytes

Members = Sequence[Tuple[bytes, bytes]]
BLOCK = tarfile.BLOCKSIZE

NAMES = (
    b"etc/hosts", b"a" * 99, b"a" * 100, b"a" * 101, b"d/" * 60 + b"file", b"n" * 255,
    b"/".join([b"x" * 200] * 3), b"caf\xc3\xa9/\xe2\x82\xac", b"caf\xe9\xff", b"new\nline/\ttab",
    b"-e", b" space ", b"back\\slash", b"\xf0\x9f\x98\x80" * 60, b"\xff" * 255,
)

# Runs the .pyz in an interpreter that was built without some modules.
WITHOUT = """
import runpy, sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None
sys.argv[:] = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def pack(members: Members, kind: str = "none", top: bytes = b"top", cut: int = 1000) -> bytes:
    chunks: List[bytes] = []
    archive = Archive(chunks.append, make_compressor(kind), top)
    for name, content in members:
        archive.add(name, len(content), [content[i:i + cut] for i in range(0, len(content), cut)])
    archive.close()
    return b"".join(chunks)


class Form(Scratch):
    def test_a_member_of_another_size_than_was_said_is_an_error(self) -> None:
        for blocks in ([b"abc"], [b"abc", b"d", b"e"], []):
            archive = Archive(lambda content: None, make_compressor("none"), b"top")
            with self.assertRaises(ValueError):
                archive.add(b"x", 4, blocks)

    def test_every_name_and_content_comes_back_through_tarfile(self) -> None:
        """FAULTS 47: names of any length and any bytes are stored."""
        members = [(name, b"x" * (i * 300)) for i, name in enumerate(NAMES)]
        for kind in COMPRESSORS:
            with self.subTest(kind):
                back = read_archive_bytes(pack(members, kind))
                self.assertEqual([(os.fsencode(name), content) for name, content in back.items()],
                                 members)

    def test_every_name_and_content_comes_out_of_the_systems_tar(self) -> None:
        """FAULTS 47."""
        tar = shutil.which("tar")
        if tar is None:
            self.skipTest("no tar on this machine")
        members = [(name, b"%d\n" % i * i * 100) for i, name in enumerate(NAMES)]
        done = subprocess.run([tar, "-xf", "-", "-C", self.folder], input=pack(members),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        self.assertEqual(os.listdir(self.folder), ["top"])
        top = os.fsencode(self.path("top"))
        for name, content in members:
            path = os.path.join(top, name)
            with open(path, "rb") as file:
                self.assertEqual(file.read(), content, name)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        found = sum(len(files) for _, _, files in os.walk(top))
        self.assertEqual(found, len(members))

    def test_the_systems_tar_reads_every_compressed_kind_it_has_a_program_for(self) -> None:
        tar = shutil.which("tar")
        if tar is None:
            self.skipTest("no tar on this machine")
        for kind, flag, program in (("gz", "z", "gzip"), ("bz2", "j", "bzip2"), ("xz", "J", "xz")):
            if shutil.which(program):
                with self.subTest(kind):
                    done = subprocess.run([tar, "-tf", "-", "-" + flag],
                                          input=pack([(b"etc/hosts", b"x" * 100000)], kind),
                                          stdout=subprocess.PIPE, check=True)
                    self.assertEqual(done.stdout, b"top/etc/hosts\n")

    def test_two_archives_of_the_same_contents_are_the_same_bytes(self) -> None:
        members = [(name, os.urandom(1000) + b"x" * 100000) for name in NAMES]
        for kind in COMPRESSORS:
            with self.subTest(kind):
                first = pack(members, kind)
                umask = os.umask(0)
                try:
                    self.assertTrue(pack(members, kind) == first)
                finally:
                    os.umask(umask)

    def test_members_and_archive_are_padded_to_whole_blocks_and_records(self) -> None:
        for size in (0, 1, 511, 512, 513, 9 * 512, 100 * 512):
            packed = pack([(b"x", b"a" * size)])
            self.assertEqual(len(packed) % RECORD, 0)
            used = BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK
            self.assertEqual(packed[used:], bytes(len(packed) - used))
            self.assertGreaterEqual(len(packed) - used, 2 * BLOCK)
            self.assertLess(len(packed) - used, 2 * BLOCK + RECORD)
        self.assertEqual(len(pack([])), RECORD)

    def test_nothing_of_this_host_or_moment_is_in_a_header(self) -> None:
        info = tarfile.TarInfo.frombuf(make_header(b"top/x", 7), "utf-8", "surrogateescape")
        self.assertEqual((info.name, info.size, info.mode, info.uid, info.gid, info.uname,
                          info.gname, info.mtime, info.type),
                         ("top/x", 7, 0o600, 0, 0, "", "", 315532800, tarfile.REGTYPE))


class Names(unittest.TestCase):
    def test_a_path_that_would_mislead_the_analysis_side_is_stored_under_another_name(self) -> None:
        """FAULTS 55."""
        for name, command, safe in (
            (b"etc/hosts", False, b"etc/hosts"),
            (b"var/sos_commands/x", False, b"var/sos_commands_/x"),
            (b"JBOSS_HOME/x/JBOSS_HOME", False, b"JBOSS_HOME_/x/JBOSS_HOME_"),
            (b"root/insights_archive.txt", False, b"root/insights_archive.txt_"),
            (b"tmp/insights_commands/ls", False, b"tmp/insights_commands_/ls"),
            (b"insights_commands/ls", True, b"insights_commands/ls"),
            (b"insights_commands/sos_commands", True, b"insights_commands/sos_commands_"),
            (b"insights_commands/JBOSS_HOME", True, b"insights_commands/JBOSS_HOME_"),
            (b"branch_info", False, b"branch_info_"), (b"version_info", False, b"version_info_"),
            (b"display_name", False, b"display_name_"), (b"tags.json", False, b"tags.json_"),
            (b"blacklist_report", False, b"blacklist_report_"),
            (b"etc/branch_info", False, b"etc/branch_info"),
            (b"xsos_commands/JBOSS_HOMES", False, b"xsos_commands/JBOSS_HOMES"),
        ):
            with self.subTest(name=name):
                self.assertEqual(safe_name(name, command), (safe, safe != name))

    def test_the_top_folder_does_not_mislead_either(self) -> None:
        """FAULTS 55."""
        for top in (b"sos_commands", b"JBOSS_HOME", b"insights_archive.txt", b"insights_commands"):
            with self.subTest(top=top):
                header = pack([(b"x", b"")], top=top)[:BLOCK]
                self.assertTrue(header.startswith(top + b"_/x\0"))


class Runs(HostCase):
    def run_without(self, modules: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, "-c", WITHOUT, modules, Product.build(), "--offline", "--from-file",
             self.rules(files=["/etc/hosts"]), *arguments], env=self.environ, cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)

    def test_a_compressor_that_is_missing_ends_the_run_and_leaves_no_plain_archive(self) -> None:
        """FAULTS 27."""
        for kind, module in (("xz", "lzma"), ("bz2", "bz2")):
            with self.subTest(kind):
                done = self.run_without(module, "--compressor", kind)
                self.assertEqual(done.returncode, 1, done)
                self.assertIn(b"this Python cannot compress with " + kind.encode(), done.stderr)
                self.assertIn(b"--compressor", done.stderr)
                self.assertEqual(self.leftovers(), [])

    def test_without_zlib_the_archive_is_a_plain_tar_and_a_warning_says_so(self) -> None:
        done = self.run_without("zlib")
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(b"WARNING", done.stderr)
        archives = [name for name in self.leftovers() if ".tar" in name]
        self.assertEqual(len(archives), 1)
        self.assertTrue(archives[0].endswith(".tar"))
        with open(self.path(archives[0]), "rb") as file:
            self.assertIn("etc/hosts", read_archive_bytes(file.read()))

    def test_a_misleading_path_of_the_host_is_renamed_in_the_archive_and_that_is_said(self) -> None:
        """FAULTS 55."""
        below = "%s/d" % self.folder.strip("/")
        paths = [self.write("d/" + name, name) for name in (
            "sos_commands/x", "JBOSS_HOME/x", "insights_archive.txt", "insights_commands/x")]
        members = self.collect(self.rules(files=paths))
        self.assertEqual([name for name in members if name.startswith(below)],
                         [below + name for name in (
                             "/sos_commands_/x", "/JBOSS_HOME_/x", "/insights_archive.txt_",
                             "/insights_commands_/x")])
        self.assertIn("Stored under another name: ", self.done.text)
        self.assertIn("branch_info", members)
        self.assertIn("insights_commands", {name.partition("/")[0] for name in members})

    def test_a_renamed_path_never_takes_the_place_of_one_that_has_that_name(self) -> None:
        """FAULTS 55."""
        paths = [self.write("d/sos_commands_/x", "first"), self.write("d/sos_commands/x", "second")]
        members = self.collect(self.rules(files=paths))
        self.assertEqual(members[self.folder.strip("/") + "/d/sos_commands_/x"], b"first")
        self.assertIn("name taken", self.done.text.lower())

    def test_names_over_255_bytes_or_not_utf_8_are_in_the_archive_of_a_run(self) -> None:
        """FAULTS 47."""
        names = ["/".join(["x" * 200] * 3), os.fsdecode(b"caf\xe9"), "n" * 255, "new\nline"]
        for name in names:
            self.write("d/" + name, "x")
        members = self.collect(self.rules(globs=[self.path("d/*"), self.path("d/*/*/*")]))
        for name in names:
            self.assertEqual(members[self.folder.strip("/") + "/d/" + name], b"x")
