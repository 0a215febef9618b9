"""Contents between collection and archive: bounded memory and disk, and the newest end kept."""
import os
import random
import subprocess
import sys
import threading
from typing import List

from insights_mini.core.spool import SLOT, Spool, Store, open_unnamed
from insights_mini.exits import Failure
from tests.support import TOP, Scratch

FULL = """
import os, resource, signal, sys
sys.path.insert(0, sys.argv[1])
from insights_mini.core.spool import SLOT, Spool, Store
from insights_mini.exits import Failure
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2 * SLOT, 2 * SLOT))
spool = Spool(Store(os.fsencode(sys.argv[2]), 0), 1 << 40)
try:
    for _ in range(8):
        spool.write(b"x" * (SLOT - 1) + b"\\n")
except Failure as failure:
    print(failure)
"""


def newest(content: bytes, most: int) -> bytes:
    """Return the end of a content that a spool has to keep: whole lines, at most so many bytes."""
    if len(content) <= most:
        return content
    start = len(content) - most
    newline = content.find(b"\n", start - 1)
    return content[newline + 1:] if newline >= 0 else b""


def in_lines(chance: random.Random, size: int, longest: int) -> bytes:
    """Return random lines that amount to a size; the last one has its newline."""
    parts = []
    while size > 0:
        length = min(size, chance.randint(1, longest))
        parts.append(bytes([chance.randrange(97, 123)]) * (length - 1) + b"\n")
        size -= length
    return b"".join(parts)


class StoreCase(Scratch):
    def store(self, memory: int = 0) -> Store:
        store = Store(os.fsencode(self.folder), memory)

        def close() -> None:
            if store.file >= 0:
                os.close(store.file)

        self.addCleanup(close)
        return store


class Keeping(StoreCase):
    def fill(self, store: Store, content: bytes, most: int, chance: random.Random) -> Spool:
        spool = Spool(store, most)
        while content:
            end = content.find(b"\n", chance.choice((0, 100, SLOT // 2, SLOT, 3 * SLOT))) + 1
            end = end or len(content)
            spool.write(content[:end])
            content = content[end:]
            self.assertLess(spool.size, most + 2 * SLOT + 4 * SLOT)
        spool.finish()
        return spool

    def test_the_newest_end_is_kept_at_the_limit_and_from_the_beginning_of_a_line(self) -> None:
        chance = random.Random(7)
        for number in range(60):
            size = chance.choice((0, 10, SLOT - 1, SLOT, SLOT + 1, 3 * SLOT, 5 * SLOT + 7))
            content = in_lines(chance, size, chance.choice((20, 1000, SLOT // 4, 2 * SLOT)))
            most = chance.choice((1, 50, SLOT - 1, SLOT, SLOT + 1, 2 * SLOT, size, size + 1,
                                  max(1, size - 1)))
            store = self.store(chance.choice((0, SLOT, 1 << 30)))
            spool = self.fill(store, content, most, chance)
            expected = newest(content, most)
            self.assertEqual(spool.size, len(expected), (number, size, most))
            self.assertEqual(spool.lost, len(content) > most)
            self.assertTrue(b"".join(spool.blocks()) == expected, (number, size, most))

    def test_lines_that_end_where_a_slot_ends_are_kept_exactly_too(self) -> None:
        content = b"".join(b"%063d\n" % i for i in range(5 * SLOT // 64))
        for most in (SLOT, 2 * SLOT, 2 * SLOT - 1, 2 * SLOT + 1):
            with self.subTest(most=most):
                spool = self.fill(self.store(), content, most, random.Random(1))
                self.assertTrue(b"".join(spool.blocks()) == newest(content, most))

    def test_a_content_whose_last_line_has_no_newline_is_kept_to_its_end(self) -> None:
        spool = Spool(self.store(), 5)
        for piece in (b"abc\n", b"def\n", b"gh"):
            spool.write(piece)
        spool.finish()
        self.assertEqual(b"".join(spool.blocks()), b"gh")

    def test_one_line_beyond_the_limit_leaves_nothing_rather_than_its_end(self) -> None:
        store = self.store()
        spool = self.fill(store, b"x" * (3 * SLOT) + b"\n", SLOT, random.Random(1))
        self.assertEqual((spool.size, list(spool.blocks()), spool.lost), (0, [], True))
        self.assertEqual(len(store.free), store.slots)


class Bounds(StoreCase):
    def test_memory_is_used_up_to_the_budget_and_given_back(self) -> None:
        store = self.store(2 * SLOT)
        spools = []
        for _ in range(4):
            spool = Spool(store, 1 << 40)
            spool.write(b"x" * SLOT)
            spool.finish()
            spools.append(spool)
            self.assertGreaterEqual(store.memory, 0)
        self.assertEqual((store.memory, store.slots), (0, 2))
        for spool in spools:
            self.assertEqual(b"".join(spool.blocks()), b"x" * SLOT)
        self.assertEqual((store.memory, len(store.free)), (2 * SLOT, 2))

    def test_a_long_log_needs_no_more_disk_than_what_is_kept_of_it(self) -> None:
        """FAULTS 45."""
        store = self.store()
        spool = Spool(store, 2 * SLOT)
        for _ in range(400):
            spool.write(b"x" * (SLOT // 4 - 1) + b"\n")
        spool.finish()
        self.assertLessEqual(store.slots, 4)
        self.assertLessEqual(os.fstat(store.file).st_size, 4 * SLOT)

    def test_slots_of_the_disk_are_used_again(self) -> None:
        store = self.store()
        for let_go in (lambda spool: list(spool.blocks()), lambda spool: spool.discard()):
            for _ in range(5):
                spool = Spool(store, 1 << 40)
                spool.write(b"x" * (3 * SLOT))
                spool.finish()
                let_go(spool)
        self.assertEqual((store.slots, len(store.free)), (3, 3))
        self.assertLessEqual(os.fstat(store.file).st_size, 3 * SLOT)

    def test_on_disk_there_is_one_private_file_without_a_name(self) -> None:
        """FAULTS 37, 38, 50: nothing is there to be guessed, left over or read by others."""
        umask = os.umask(0)
        self.addCleanup(os.umask, umask)
        store = self.store()
        store.put(b"x")
        self.assertEqual(os.listdir(self.folder), [])
        status = os.fstat(store.file)
        self.assertEqual((status.st_nlink, status.st_mode & 0o777), (0, 0o600))
        self.assertFalse(os.get_inheritable(store.file))

    def test_several_threads_never_get_each_others_bytes(self) -> None:
        store = self.store(SLOT)
        wrong: List[int] = []

        def work(mark: int) -> None:
            chance = random.Random(mark)
            for _ in range(30):
                size = chance.randint(1, 3 * SLOT)
                spool = Spool(store, 1 << 40)
                spool.write(bytes([mark]) * size)
                spool.finish()
                if b"".join(spool.blocks()) != bytes([mark]) * size:
                    wrong.append(mark)

        threads = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual((store.memory, len(store.free)), (SLOT, store.slots))


class Disk(Scratch):
    def test_a_folder_that_is_not_there_is_a_failure_that_names_it(self) -> None:
        store = Store(os.fsencode(self.path("none")), 0)
        with self.assertRaises(Failure) as caught:
            store.put(b"x")
        self.assertIn(self.path("none"), str(caught.exception))
        with self.assertRaises(OSError):
            open_unnamed(os.fsencode(self.path("none")))

    def test_a_disk_that_takes_no_more_is_a_failure_that_names_the_folder(self) -> None:
        """FAULTS 40."""
        done = subprocess.run([sys.executable, "-c", FULL, os.path.join(TOP, "src"), self.folder],
                              stdout=subprocess.PIPE, check=True)
        message = done.stdout.decode()
        self.assertIn("cannot write %s: File too large" % self.folder, message)
        self.assertIn("TMPDIR", message)
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_full_file_system_is_a_failure_that_names_the_folder(self) -> None:
        """FAULTS 40."""
        if os.geteuid() != 0:
            self.skipTest("only root can mount")
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "none", self.folder],
                               stderr=subprocess.PIPE, check=False)
        if mount.returncode:
            self.skipTest("no tmpfs here: %s" % mount.stderr.decode("utf-8", "replace"))
        self.addCleanup(subprocess.run, ["umount", self.folder], check=True)
        store = Store(os.fsencode(self.folder), 0)
        try:
            with self.assertRaises(Failure) as caught:
                for _ in range(10):
                    store.put(b"x" * SLOT)
        finally:
            os.close(store.file)
        self.assertIn("no space left on the file system at %s" % self.folder, str(caught.exception))
