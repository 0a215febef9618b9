"""A root in a tar is the root that it was made of; what is hostile in a tar harms nobody."""
import io
import json
import os
import random
import shutil
import stat
import struct
import subprocess
import tarfile
import time
import zlib
from typing import Any, Dict, List, Optional, Sequence, Tuple

from insights_mini.core.roots import read_small
from insights_mini.core.roots.media import STEP, Flow, Plain, Stream
from insights_mini.core.roots.mounted import Mounted
from insights_mini.core.roots.packed import Packed, open_packed
from insights_mini.exits import Failure
from insights_mini.hostfiles import Unreadable
from tests.core.roots.test_mounted import MOST, Ours, ask, grow, outcome
from tests.support import Scratch

SUFFIXES = ("", ".gz", ".bz2", ".xz")
Packing = Tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"inside\n", **changes: Any) -> Packing:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in changes.items():
        setattr(info, field, value)
    return info, content


def link(name: str, target: str, hard: bool = False) -> Packing:
    return member(name, b"", type=tarfile.LNKTYPE if hard else tarfile.SYMTYPE, linkname=target)


class PackedCase(Scratch):
    def pack(self, members: Sequence[Packing], name: str = "root.tar",
             form: int = tarfile.PAX_FORMAT) -> str:
        kind = name.rpartition(".tar")[2].lstrip(".")
        with tarfile.open(self.path(name), "w:" + kind, format=form,  # type: ignore[call-overload]
                          encoding="utf-8", errors="surrogateescape") as tar:
            for info, content in members:
                tar.addfile(info, io.BytesIO(content))
        return self.path(name)

    def open(self, path: str) -> Packed:
        root = open_packed(os.fsencode(path), 60)
        self.addCleanup(root.close)
        return root

    def read(self, root: Packed, path: str) -> Any:
        return outcome(read_small, root, os.fsencode(path), MOST)

    def refused(self, path: str) -> str:
        with self.assertRaises(Failure) as caught:
            open_packed(os.fsencode(path), 60)
        message = str(caught.exception)
        self.assertIn(path, message)
        self.assertNotIn("\n", message)
        return message


class Hostile(PackedCase):
    def test_what_is_no_tar_is_refused_in_one_line(self) -> None:
        good = self.pack([member("etc/a", b"x" * 5000), member("etc/b", b"y" * 5000)])
        with open(good, "rb") as file:
            content = file.read()
        for name, wrong in (("empty", b""), ("garbage", b"nothing here" * 1000),
                            ("zip", b"PK\3\4" + bytes(2000)), ("short", content[:700]),
                            ("middle", content[:6000]), ("between", content[:5632 + 512]),
                            ("gz", b"\x1f\x8b\x08" + bytes(100)),
                            ("xz", b"\xfd7zXZ\0" + bytes(100)), ("bz2", b"BZh9" + bytes(100)),
                            ("header", content[:6144] + b"z" * 4000)):
            with self.subTest(name):
                self.refused(self.write(name, wrong))
        for name in ("none", "folder"):
            os.makedirs(self.path("folder"), exist_ok=True)
            self.refused(self.path(name))
        os.mkfifo(self.path("fifo"))
        self.assertIn("FIFO", self.refused(self.path("fifo")))

    def test_a_compressed_tar_that_ends_early_is_refused(self) -> None:
        for suffix in SUFFIXES[1:]:
            path = self.pack([member("etc/a", os.urandom(50000))], "root.tar" + suffix)
            os.truncate(path, os.path.getsize(path) // 2)
            with self.subTest(suffix):
                self.refused(path)

    def test_headers_that_want_gigabytes_end_at_once(self) -> None:
        for kind in (b"x", b"g", b"L", b"K"):
            header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
            header[156:157] = kind
            header[124:136] = b"%011o\0" % (1 << 30)
            header[148:156] = b" " * 8
            header[148:156] = b"%06o\0 " % sum(header)
            with self.subTest(kind=kind):
                began = time.monotonic()
                self.refused(self.write("huge", bytes(header) + bytes(4096)))
                self.assertLess(time.monotonic() - began, 2)

    def test_a_bomb_ends_with_the_time_of_the_run(self) -> None:
        """Gigabytes of zeros in a few kilobytes, before a member that one might want."""
        header = tarfile.TarInfo("zeros")
        header.size = 1 << 40
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        with open(self.path("bomb.tar.gz"), "wb") as file:
            file.write(packer.compress(header.tobuf(tarfile.GNU_FORMAT)) +
                       packer.flush(zlib.Z_FULL_FLUSH))
            zeros = packer.compress(bytes(10 * 1000 * 1000)) + packer.flush(zlib.Z_FULL_FLUSH)
            file.write(zeros * 1000)  # each is understood without those before it
        began = time.monotonic()
        with self.assertRaises(Failure) as caught:
            open_packed(os.fsencode(self.path("bomb.tar.gz")), 0.5)
        self.assertLess(time.monotonic() - began, 5)
        self.assertIn("more than 0.5 s; give it more with --max-time", str(caught.exception))

    def test_a_size_below_zero_is_no_endless_loop(self) -> None:
        header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT))
        header[124:136] = b"\xff" * 4 + struct.pack(">q", -1024)
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        self.refused(self.write("negative", bytes(header) * 3 + bytes(4096)))

    def test_no_member_and_no_link_stands_for_anything_outside(self) -> None:
        secret = self.write("secret", b"secret")
        root = self.open(self.pack([
            member("../up"), member("a/../../up2"), member("/absolute"), member("./dot//x"),
            link("out", secret), link("etc/rel", "../" * 20 + secret[1:]),
            link("hard", secret, True), link("hard2", "../secret", True), link("loop", "loop"),
            link("folder", "/"),
            member("fifo", b"", type=tarfile.FIFOTYPE),
            member("zero", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
            member("odd\nname"), member(os.fsdecode(b"caf\xe9\xff")), member("y" * 255),
            member("d/" * 2500 + "x"), member("d" * 300)]))
        for path in ("/out", "/etc/rel", "/hard", "/hard2", "/up", "/../up", "/up2",
                     "/folder" + secret, "/" + "d" * 300):
            with self.subTest(path[:40]):
                self.assertIn(self.read(root, path), ("absent", "refused"))
        for path in ("/absolute", "/dot/x", "/folder/absolute", "/odd\nname", "/" + "y" * 255,
                     "/" + os.fsdecode(b"caf\xe9\xff")):
            with self.subTest(path[:40]):
                self.assertEqual(self.read(root, path), b"inside\n")
        for path in ("/fifo", "/zero", "/loop", "/folder"):
            self.assertEqual(self.read(root, path), "refused")
        self.assertEqual(root.status(b"/zero").device, (1, 5))

    def test_a_folder_is_never_in_itself(self) -> None:
        root = self.open(self.pack([
            member("a/b/c"), link("a/b/self", "a", True), link("a/b/top", ".", True)]))
        self.assertEqual(root.names(b"/a/b"), [b"c"])

    def test_the_last_of_two_members_with_one_name_counts(self) -> None:
        root = self.open(self.pack([
            member("a", b"1"), member("a", b"2"), member("d/x"), link("d", "/e"), member("e/y"),
            member("d/z"), member("f"), member("f/g"), link("l1", "l2"), link("l2", "l1"),
            member("l1/x")]))
        self.assertEqual(self.read(root, "/a"), b"2")
        self.assertEqual(root.names(b"/e"), [b"y", b"z"])  # as when it is unpacked
        self.assertEqual(self.read(root, "/f/g"), b"inside\n")
        self.assertEqual(self.read(root, "/l1/x"), b"inside\n")

    def test_a_sparse_file_of_a_terabyte_costs_nothing(self) -> None:
        os.mkdir(self.path("root"))
        with open(self.path("root/sparse"), "wb") as file:
            file.truncate(1 << 40)
            file.seek(1 << 30)
            file.write(b"data")
        for form in ("gnu", "pax"):
            subprocess.run(["tar", "-C", self.path("root"), "--format=" + form, "-S", "-cf",
                            self.path(form), "."], check=True)
            root = self.open(self.path(form))
            opened = root.open(b"/sparse")
            self.assertEqual(opened.size, 1 << 40)
            opened.file.seek((1 << 30) - 3)
            self.assertEqual(opened.file.read(100), b"\0\0\0")
            self.assertEqual(opened.file.read(4), b"data")
            opened.file.seek((1 << 40) - 2)
            self.assertEqual(opened.file.read(100), b"\0\0")
            self.assertEqual(opened.file.read(100), b"")


class Same(PackedCase):
    def test_a_packed_tree_answers_like_the_tree(self) -> None:
        for seed in range(24):
            with self.subTest(seed):
                shutil.rmtree(self.path("root"), ignore_errors=True)
                paths = grow(self.path("root"), random.Random(seed))
                suffix = SUFFIXES[seed % 4]
                form = ("gnu", "pax", "ustar", "posix")[seed // 4 % 4]
                top = ("./", ".")[seed % 2]
                subprocess.run(["tar", "-C", self.path("root"), "--format=" + form, "-caf",
                                self.path("t.tar" + suffix), top], check=True)
                mounted = Mounted(os.fsencode(self.path("root")))
                self.addCleanup(mounted.close)
                packed = self.open(self.path("t.tar" + suffix))
                for path in paths:
                    ours, theirs = ask(Ours(packed), path), ask(Ours(mounted), path)
                    for place in (0, 1):  # the numbers of inodes are others
                        if theirs[place]:
                            self.assertEqual(ours[place][:1], theirs[place][:1], path)
                            ours[place] = theirs[place]
                    self.assertEqual(ours, theirs, path)
                    if theirs[0]:
                        one, other = packed.status(path.encode()), mounted.status(path.encode())
                        for field in ("mode", "uid", "gid", "device"):
                            self.assertEqual(getattr(one, field), getattr(other, field))
                        self.assertEqual(int(one.mtime), int(other.mtime))

    def test_hard_links_are_one_file(self) -> None:
        os.link(self.write("root/a", b"x" * 3000), self.path("root/b"))
        subprocess.run(["tar", "-C", self.path("root"), "-cf", self.path("t.tar"), "."], check=True)
        root = self.open(self.path("t.tar"))
        self.assertEqual(root.status(b"/a").identity, root.status(b"/b").identity)
        self.assertEqual(read_small(root, b"/b", MOST), b"x" * 3000)


class Reading(PackedCase):
    def test_any_way_through_a_stream_gives_its_bytes(self) -> None:
        content = bytes(random.Random(1).getrandbits(8) for _ in range(3 * STEP + 777))
        begun: List[int] = []

        def begin() -> io.BytesIO:
            begun.append(1)
            return io.BytesIO(content)

        flow = Flow(begin)
        chance = random.Random(2)
        for _ in range(300):
            offset = chance.randrange(len(content) + 100)
            size = chance.choice((1, 16, 5000, STEP, STEP + 1, len(content)))
            self.assertEqual(flow.read(offset, size), content[offset:offset + size])
        flow.close()
        begun.clear()
        for offset in range(0, len(content), 10000):  # forward, with short ways back
            flow.read(offset, 20000)
            flow.read(max(0, offset - STEP), 16)
        self.assertEqual(len(begun), 1)

    def test_a_compressed_tar_is_decompressed_twice_for_all_its_files(self) -> None:
        members = [member("f%d" % number, os.urandom(20000)) for number in range(100)]
        path = self.pack(members, "root.tar.gz")
        root = self.open(path)
        medium = root.medium
        assert isinstance(medium, Flow)
        begin = medium.begin
        begun: List[int] = []

        def count() -> Stream:
            begun.append(1)
            return begin()

        medium.begin = count
        names = ["/f%d" % number for number in range(100)]
        random.Random(0).shuffle(names)
        for name in sorted(names, key=lambda name: root.rank(name.encode())):
            opened = root.open(name.encode())
            head = opened.file.read(16)
            opened.file.seek(0)
            content = opened.file.read(1 << 20)
            self.assertEqual((head, content), (content[:16], members[int(name[2:])][1]))
        self.assertEqual(len(begun), 1)

    def test_an_earlier_archive_is_the_root_that_it_was_made_of(self) -> None:
        root = self.open(self.pack([member("insights-x-1/etc/hostname"),
                                    member("insights-x-1/insights_commands/ps_aux"),
                                    member("insights-x-1/proc/version")]))
        self.assertEqual(root.names(b"/"), [b"etc", b"insights_commands", b"proc"])
        self.assertEqual(self.read(root, "/proc/version"), b"inside\n")
        self.assertFalse(root.is_live(b"/proc/version"))
        root = self.open(self.pack([member("home/x"), member("home/insights_commands/x"),
                                    member("etc/y")], "other.tar"))
        self.assertEqual(root.names(b"/"), [b"etc", b"home"])


class Images(PackedCase):
    def layer(self, *members: Packing, kind: str = "") -> bytes:
        path = self.pack(members, "layer.tar" + kind)
        with open(path, "rb") as file:
            return file.read()

    def layers(self, kind: str = "") -> List[bytes]:
        return [
            self.layer(member("etc/a", b"low"), member("etc/b", b"low"), member("etc/gone"),
                       member("var/old/x"), member("dir/y"), link("lib", "usr/lib"),
                       member("usr/lib/z"), kind=kind),
            self.layer(member("etc/b", b"middle"), member("etc/.wh.gone", b""),
                       member("var/old/.wh..wh..opq", b""), member("var/old/new"), kind=kind),
            self.layer(member("etc/c", b"high"), member(".wh.dir", b""), member("dir/again"),
                       link("etc/hard", "etc/c", True), kind=kind)]

    def check(self, root: Packed) -> None:
        self.assertEqual(root.names(b"/etc"), [b"a", b"b", b"c", b"hard"])
        self.assertEqual([self.read(root, "/etc/" + name) for name in ("a", "b", "c", "hard")],
                         [b"low", b"middle", b"high", b"high"])
        self.assertEqual(root.names(b"/var/old"), [b"new"])
        self.assertEqual(root.names(b"/dir"), [b"again"])
        self.assertEqual(self.read(root, "/lib/z"), b"inside\n")

    def test_layers_are_laid_over_each_other_in_the_order_of_the_manifest(self) -> None:
        for kind in ("", ".gz"):
            for order in ((0, 1, 2), (2, 0, 1)):
                with self.subTest(kind=kind, order=order):
                    layers = self.layers(kind)
                    names = ["%d/layer.tar" % number for number in range(3)]
                    manifest = json.dumps([{"Config": "c.json", "Layers": names}]).encode()
                    self.check(self.open(self.pack(
                        [member(names[number], layers[number]) for number in order] +
                        [member("manifest.json", manifest)], "image.tar" + kind)))

    def test_an_image_in_the_layout_of_oci_is_read(self) -> None:
        def blob(name: str) -> Dict[str, str]:
            return {"digest": "sha256:" + name}

        layers = self.layers(".gz")
        documents = {
            "index.json": {"manifests": [blob("list")]},
            "blobs/sha256/list": {"manifests": [blob("manifest")]},
            "blobs/sha256/manifest": {"layers": [blob("l%d" % number) for number in range(3)]}}
        self.check(self.open(self.pack(
            [member("oci-layout", b"{}")] +
            [member(name, json.dumps(document).encode()) for name, document in documents.items()] +
            [member("blobs/sha256/l%d" % number, layer) for number, layer in enumerate(layers)])))

    def test_a_root_that_has_a_manifest_of_its_own_is_a_root(self) -> None:
        for content in (b"{}", b"no json", b'[{"Layers": ["none"]}]', b'[{"Layers": 5}]', b"[]"):
            with self.subTest(content=content):
                root = self.open(self.pack([member("manifest.json", content), member("etc/a")]))
                self.assertEqual(root.names(b"/"), [b"etc", b"manifest.json"])

    def test_a_layer_that_is_no_tar_is_refused(self) -> None:
        manifest = json.dumps([{"Layers": ["l"]}]).encode()
        self.refused(self.pack([member("manifest.json", manifest), member("l", b"x" * 3000)]))


class Media(Scratch):
    def test_a_plain_file_is_read_where_one_asks(self) -> None:
        plain = Plain(os.open(self.write("file", b"0123456789"), os.O_RDONLY))
        self.assertEqual((plain.read(3, 4), plain.read(8, 9), plain.read(99, 1)),
                         (b"3456", b"89", b""))
        plain.close()
        with self.assertRaises(OSError):
            plain.read(0, 1)

    def test_status_of_a_packed_file_is_what_the_tar_says(self) -> None:
        info = tarfile.TarInfo("a")
        info.mode, info.uid, info.gid, info.mtime, info.size = 0o4755, 5, 6, 1234567890, 3
        with tarfile.open(self.path("t.tar"), "w") as tar:
            tar.addfile(info, io.BytesIO(b"abc"))
        root = open_packed(os.fsencode(self.path("t.tar")), 60)
        status = root.status(b"/a")
        self.assertEqual((status.mode, status.uid, status.gid, status.mtime, status.size),
                         (stat.S_IFREG | 0o4755, 5, 6, 1234567890, 3))
        root.close()
        found: Optional[str] = outcome(root.status, b"/b")
        self.assertEqual(found, "absent")
        with self.assertRaises(Unreadable):
            root.names(b"/a")
