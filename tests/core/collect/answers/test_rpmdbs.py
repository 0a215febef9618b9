"""The databases of rpm, as rpm and their own libraries read them, and as a hostile disk has them.
"""
import contextlib
import io
import os
import random
import shutil
import sqlite3
import struct
import time
import tracemalloc
from typing import Callable, Dict, List

from insights_mini import process
from insights_mini.core.collect import instead
from insights_mini.core.collect.answers import rpm, rpmsqlite
from insights_mini.core.collect.answers.rpmfile import Source
from insights_mini.core.listing import Ideal
from insights_mini.core.roots import Opened, no_beat
from insights_mini.hostfiles import Unreadable
from tests.core.collect.answers import rpmdbs
from tests.core.collect.answers.rpmdbs import ask, binary, make_up, package, text
from tests.core.collect.answers.test_rpm import CATALOGUE, RpmCase

DB_LOAD = shutil.which("db5.3_load")


class Kept(Ideal):
    """A root whose files are kept in memory."""

    def __init__(self, files: Dict[bytes, bytes]) -> None:
        self.files = files

    def open(self, path: bytes, beat: Callable[[], None] = no_beat) -> Opened:
        content = self.files[path]
        return Opened(Memory(content), len(content), (0, 0))

    def exists(self, path: bytes) -> bool:
        return path in self.files


class Memory(io.RawIOBase):
    def __init__(self, content: bytes) -> None:
        self.content = content
        self.place = 0

    def seek(self, place: int, whence: int = 0) -> int:
        self.place = place
        return place

    def read(self, size: int = -1) -> bytes:
        found = self.content[self.place:self.place + size]
        self.place += len(found)
        return found


def list_all(name: bytes, files: Dict[bytes, bytes]) -> List[bytes]:
    """Return the headers of a database that is kept in memory."""
    with Source(means_of(files), name) as source:
        return [bytes(header) for header in rpm.READERS[name.rpartition(b"/")[2]](source)]


class Sqlite(RpmCase):
    def test_pages_of_all_sizes_give_what_rpm_lists(self) -> None:
        for page in (512, 1024, 4096, 65536):
            with self.subTest(page):
                shutil.rmtree(self.database)
                self.write_sqlite(make_up(200, page), page)
                self.assertEqual(self.check().count(b'{"name"'), 200)

    def test_packages_come_in_the_order_of_their_numbers_with_what_was_changed(self) -> None:
        connection = rpmdbs.write_sqlite(self.database, make_up(300, 1), 1024)
        connection.execute("DELETE FROM Packages WHERE hnum % 3 = 0")
        connection.execute("UPDATE Packages SET hnum = hnum + 2000000000 WHERE hnum % 7 = 0")
        rpmdbs.add(connection, make_up(50, 2))
        connection.close()
        self.check()

    def test_an_empty_database_has_no_packages(self) -> None:
        self.write_sqlite([])
        self.assertEqual(self.check(), b"")

    def test_what_was_committed_to_the_log_counts(self) -> None:
        connection = rpmdbs.write_sqlite(self.database, make_up(100, 1))
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
        connection.execute("PRAGMA cache_size = 5").fetchall()  # so that it spills
        rpmdbs.add(connection, make_up(30, 2))
        connection.execute("DELETE FROM Packages WHERE hnum = 3")
        log = os.path.join(self.database, "rpmdb.sqlite-wal")
        before = os.path.getsize(log)
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO Packages (blob) VALUES (?)",
                               [(header,) for header in make_up(30, 3)])
        self.assertGreater(os.path.getsize(log), before)
        dead = self.copy_dead()
        connection.execute("ROLLBACK")
        connection.close()
        shutil.rmtree(self.database)
        os.rename(dead, self.database)
        ours = self.query(CATALOGUE)
        self.assertEqual(ours.count(b'{"name"'), 129)
        self.assertEqual(ours, ask(self.database, CATALOGUE))

    def copy_dead(self) -> str:
        """Return a copy of the database as it is when the host dies now."""
        dead = self.path("dead")
        shutil.rmtree(dead, True)
        os.mkdir(dead)
        for name in ("rpmdb.sqlite", "rpmdb.sqlite-wal"):
            shutil.copy(os.path.join(self.database, name), dead)
        return dead

    def test_a_log_that_is_cut_or_spoilt_counts_as_far_as_sqlite_counts_it(self) -> None:
        connection = rpmdbs.write_sqlite(self.database, make_up(20, 1))
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
        for seed in range(6):  # the last ones over what is left from the first ones
            rpmdbs.add(connection, make_up(4, seed))
            connection.execute("DELETE FROM Packages WHERE hnum = ?", [seed])
            if seed == 2:
                connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        dead = self.copy_dead()
        connection.close()
        with open(os.path.join(dead, "rpmdb.sqlite"), "rb") as file:
            main = file.read()
        with open(os.path.join(dead, "rpmdb.sqlite-wal"), "rb") as file:
            log = file.read()
        chance = random.Random(1)
        counts = set()
        for case in range(40):
            bad = bytearray(log[:chance.randrange(len(log))] if case % 2 else log)
            if case % 3 and bad:
                place = chance.choice([chance.randrange(len(bad)), chance.randrange(32),
                                       32 + 4120 * chance.randrange(9) + chance.randrange(24)])
                bad[place % len(bad)] ^= 1
            ours = list_all(b"/rpmdb.sqlite", {b"/rpmdb.sqlite": main,
                                               b"/rpmdb.sqlite-wal": bytes(bad)})
            with self.subTest(case):
                self.assertEqual(ours, self.read_with_sqlite(main, bytes(bad)))
            counts.add(len(ours))
        self.assertGreater(len(counts), 4)

    def read_with_sqlite(self, main: bytes, log: bytes) -> List[bytes]:
        folder = self.path("other")
        shutil.rmtree(folder, True)
        path = self.write("other/rpmdb.sqlite", main)
        self.write("other/rpmdb.sqlite-wal", log)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return [row[0] for row in connection.execute("SELECT blob FROM Packages ORDER BY hnum")]


class Others(RpmCase):
    def test_hashes_of_both_byte_orders_give_what_rpm_lists_in_its_order(self) -> None:
        if DB_LOAD is None:
            self.skipTest("no db5.3_load")
        for page, order in ((512, "<"), (4096, "<"), (4096, ">"), (65536, "<")):
            with self.subTest(page=page, order=order):
                shutil.rmtree(self.database)
                rpmdbs.write_bdb(self.database, make_up(150, page), DB_LOAD, page, order)
                self.assertEqual(self.check("bdb_ro").count(b'{"name"'), 150)

    def test_ndb_gives_the_headers_in_the_order_in_which_they_lie(self) -> None:
        headers = make_up(300, 3)
        gaps = [None if place % 5 == 0 else header for place, header in enumerate(headers)]
        rpmdbs.write_ndb(self.database, gaps, random.Random(3))
        ours = self.query(CATALOGUE)
        os.remove(os.path.join(self.database, "Packages.db"))
        self.write_sqlite([header for header in gaps if header])
        self.assertEqual(ours, self.query(CATALOGUE))
        self.assertEqual(ours.count(b'{"name"'), 240)


class Hostile(RpmCase):
    """What a disk has on it that is to mislead whoever reads it: Unreadable is all that may come.
    """

    def sample(self) -> Dict[bytes, bytes]:
        """Return the content of a small database of each format, by name."""
        headers = [package(b"p%d" % place, text(rpmdbs.VENDOR, b"v" * (place * place * 9)),
                           binary(rpmdbs.SIGPGP, b"\x88\x02\x04\x00")) for place in range(12)]
        path = self.path("small")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA page_size = 512")
            connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)")
            rpmdbs.add(connection, headers)
        rpmdbs.write_ndb(self.database, headers, random.Random(1))
        names = {b"rpmdb.sqlite": path, b"Packages.db": os.path.join(self.database, "Packages.db")}
        if DB_LOAD is not None:
            rpmdbs.write_bdb(self.database, headers, DB_LOAD, 512)
            names[b"Packages"] = os.path.join(self.database, "Packages")
        found = {}
        for name, written in names.items():
            with open(written, "rb") as file:
                found[name] = file.read()
        return found

    def read(self, name: bytes, content: bytes) -> int:
        """Return how many packages an answer tells of, or -1 where it is none."""
        try:
            return self.answers(name, content).count(b'{"name"')
        except Unreadable:
            return -1

    def answers(self, name: bytes, content: bytes) -> bytes:
        found = rpm.find([b"rpm", b"-qa", b"--qf", CATALOGUE.encode()],
                         Kept({b"/var/lib/rpm/" + name: content}))
        assert found is not None
        blocks: List[bytes] = []

        def take(block: bytes) -> bool:
            blocks.append(block)
            return True

        found.answer(means_of({b"/var/lib/rpm/" + name: content}), take)
        return b"".join(blocks)

    def test_the_samples_are_read(self) -> None:
        for name, content in self.sample().items():
            self.assertEqual(self.read(name, content), 12, name)

    def test_a_database_that_is_cut_anywhere_is_unreadable(self) -> None:
        for name, content in self.sample().items():
            for size in [*range(0, 600, 7), *range(600, len(content) - 600, 509)]:
                with self.subTest(name=name, size=size):
                    self.assertEqual(self.read(name, content[:size]), -1)

    def test_spoilt_bytes_lead_to_an_answer_or_to_unreadable_and_never_take_long(self) -> None:
        chance = random.Random(1)
        spoils = [b"\0", b"\xff", b"\x7f", b"\x80\0\0\0", b"\0\0\0\x80", b"\xff\xff\xff\xff",
                  b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\1", b"\1\0\0\0", b"\xff\xff"]
        outcomes = set()
        for name, content in self.sample().items():
            heads = [place for place in range(len(content)) if place % 512 < 60]
            for _ in range(700):
                bad = bytearray(content)
                for _ in range(chance.randrange(1, 4)):
                    spoil = chance.choice([*spoils, bytes([chance.getrandbits(8)])])
                    place = chance.choice([chance.choice(heads), chance.randrange(len(bad))])
                    bad[place:place + len(spoil)] = spoil
                begun = time.monotonic()
                outcomes.add(self.read(name, bytes(bad[:len(content)])))
                self.assertLess(time.monotonic() - begun, 5)
        self.assertIn(-1, outcomes)
        self.assertIn(12, outcomes)

    def refused(self, case: str, name: bytes, content: bytes, why: str = "") -> None:
        """Check that a database is refused soon and without taking much memory."""
        with self.subTest(case):
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            begun = time.monotonic()
            try:
                with self.assertRaisesRegex(Unreadable, why):
                    self.answers(name, content)
                self.assertLess(time.monotonic() - begun, 5)
                self.assertLess(tracemalloc.get_traced_memory()[1], 16 * len(content) + 1000000)
            finally:
                tracemalloc.stop()

    def test_pages_of_sqlite_that_lead_back_come_to_an_end(self) -> None:
        content = self.sample()[b"rpmdb.sqlite"]
        pages = [bytearray(content[place:place + 512]) for place in range(0, len(content), 512)]
        root = 2  # of the table of packages: an interior page
        self.assertEqual(pages[root - 1][0], 5)
        own = pages[root - 1]
        leaf, = struct.unpack_from(">I", own, 8)
        cell, = struct.unpack_from(">H", pages[leaf - 1], 8)
        chain, = struct.unpack_from(">I", pages[leaf - 1], find_chain(pages[leaf - 1], cell))
        cases = {
            "right child is the page itself": (root, 8, struct.pack(">I", root), "lead back"),
            "right child is the schema": (root, 8, struct.pack(">I", 1), "no package"),
            "no page 0": (root, 8, bytes(4), "cannot be"),
            "page behind the end": (root, 8, b"\x80\0\0\0", "behind its end"),
            "an overflow page that follows itself": (chain, 0, struct.pack(">I", chain), ""),
            "a row of 2 GB": (leaf, cell, b"\x88\x80\x80\x80\0", "too long"),
            "more cells than a page has": (leaf, 3, b"\xff\xff", "cut off"),
        }
        for case, (page, place, spoil, why) in cases.items():
            changed = [bytearray(page) for page in pages]
            changed[page - 1][place:place + len(spoil)] = spoil
            self.refused(case, b"rpmdb.sqlite", b"".join(changed), why)
        small, = struct.unpack_from(">I", own, struct.unpack_from(">H", own, 12)[0])
        same = bytearray(pages[small - 1])  # its first row, which is whole there, a hundred times
        struct.pack_into(">HHB100H", same, 3, 100, 0, 0, *struct.unpack_from(">H", same, 8) * 100)
        self.refused("rows that share a place", b"rpmdb.sqlite", b"".join(
            [*pages[:small - 1], same, *pages[small:]]), "too long")
        wide = bytearray(pages[root - 1])  # every child is the page itself, at every level
        count, = struct.unpack_from(">H", wide, 3)
        for cell in struct.unpack_from(">%dH" % count, wide, 12):
            struct.pack_into(">I", wide, cell, root)
        self.refused("all children", b"rpmdb.sqlite", b"".join(
            [*pages[:root - 1], wide, *pages[root:]]), "of no table|lead back")

    def test_a_tree_of_sqlite_that_is_too_deep_is_refused(self) -> None:
        content = self.sample()[b"rpmdb.sqlite"]
        deep = bytearray(content[:1024])
        for number in range(2, 3000):  # each page has but the next one
            deep[512 * (number - 1):] = struct.pack(">BHHHBI", 5, 0, 0, 512, 0,
                                                    number + 1).ljust(512, b"\0")
        self.refused("deep", b"rpmdb.sqlite", bytes(deep), "of no table")

    def test_sizes_that_cannot_be_are_refused(self) -> None:
        samples = self.sample()
        for name, places in {b"rpmdb.sqlite": (16, 20, 56), b"Packages.db": (12, 40, 44),
                             b"Packages": (20, 72, 96)}.items():
            for place in places:
                for size in (0x80000000, 0x7fffffff, 0xffffffff):
                    for order in ("<I", ">I"):
                        bad = bytearray(samples.get(name, bytes(100)))
                        struct.pack_into(order, bad, place, size)
                        self.read(name, bytes(bad))
        header = package(b"a")
        for place in (0, 4, 12, 16, 20):  # counts, kind, offset and length
            for size in (0x80000000, 0xffffffff, 0x7fffffff, 0x10000000):
                bad = bytearray(header)
                struct.pack_into(">I", bad, place, size)
                with self.subTest(place=place, size=size), self.assertRaises(Unreadable):
                    rpm.read_header(memoryview(bad), frozenset([rpmdbs.NAME]))

    def test_buckets_and_values_of_a_hash_that_lead_back_come_to_an_end(self) -> None:
        content = self.sample().get(b"Packages")
        if content is None:
            self.skipTest("no db5.3_load")
        for place in range(512, len(content), 512):
            bad = bytearray(content)
            bad[place + 16:place + 20] = bad[place + 8:place + 12]  # what follows it is itself
            if bad[place + 25] == 7:  # a value, which has a length; its last page leads nowhere
                self.assertIn(self.read(b"Packages", bytes(bad)), (-1, 12))
            else:
                self.refused("page at %d" % place, b"Packages", bytes(bad), "lead back")
        for place in range(512, len(content), 512):
            bad = bytearray(content)
            kind = bad[place + 25]
            bad[place + 8] ^= 1
            self.refused("number of page at %d" % place, b"Packages", bytes(bad), "another one")
            if kind == 7:
                for at, spoil in ((25, b"\x0d"), (22, b"\xff\xff")):
                    bad = bytearray(content)
                    bad[place + at:place + at + len(spoil)] = spoil
                    self.refused("value at %d" % place, b"Packages", bytes(bad), "no part|long")
                continue
            items = struct.unpack_from("<H", content, place + 20)[0]
            for item in range(1, items, 2):
                start, = struct.unpack_from("<H", content, place + 26 + 2 * item)
                if content[place + start] == 3:
                    for size, why in ((2**31, "value is none"), (600, "too long|no part")):
                        bad = bytearray(content)
                        struct.pack_into("<I", bad, place + start + 8, size)
                        self.refused("size of value", b"Packages", bytes(bad), why)
                bad = bytearray(content)
                bad[place + 26 + 2 * item:place + 28 + 2 * item] = bad[place + 26:place + 28]
                self.refused("items overlap", b"Packages", bytes(bad), "overlaps")
        bad = bytearray(content)
        bad[72:76] = b"\xff\xff\xff\xff"
        self.refused("buckets", b"Packages", bytes(bad), "")

    def test_slots_of_one_package_come_to_an_end(self) -> None:
        content = bytearray(self.sample()[b"Packages.db"])
        slot = next(content[place:place + 16] for place in range(32, 4096, 16)
                    if any(content[place + 8:place + 12]))
        content[32:4096] = bytes(slot) * 254
        self.refused("slots", b"Packages.db", bytes(content), "")
        content[32:4096] = bytes(slot) * 2 + b"Slot".ljust(16, b"\0") * 252
        self.refused("two slots", b"Packages.db", bytes(content), "overlap")
        content[48:64] = b"Slot".ljust(16, b"\0")
        place, blocks = struct.unpack_from("<II", slot, 8)
        self.assertEqual(self.read(b"Packages.db", bytes(content)), 1)
        for at in (0, 4, 12, blocks * 16 - 4):  # its magic, its number, its size, its end
            bad = bytearray(content)
            bad[place * 16 + at + 1] ^= 1
            self.refused("frame at %d" % at, b"Packages.db", bytes(bad), "package .* is none")
        huge = struct.pack("<I", 2**31 // 16)
        content[32:4096] = (bytes(slot[:12]) + huge) * 254
        self.refused("a package of 2 GB", b"Packages.db", bytes(content), "slot")

    def test_a_file_that_is_mostly_hole_takes_no_time(self) -> None:
        head = bytearray(512)
        struct.pack_into("<IIIBBB", head, 12, 0x61561, 9, 512, 0, 8, 0)
        struct.pack_into("<32I", head, 96, *[1] * 32)
        for buckets, size, why in ((2**31 - 2, 2**31, "buckets"), (5, 2**41, "larger")):
            struct.pack_into("<I", head, 72, buckets)
            with open(self.write("root/var/lib/rpm/Packages", bytes(head)), "r+b") as file:
                file.truncate(size)
            with self.subTest(why), self.assertRaisesRegex(Unreadable, why):
                self.answer("rpm -qa")

    def test_a_package_whose_two_lengths_differ_is_refused(self) -> None:
        content = bytearray(self.sample()[b"Packages.db"])
        content[content.index(b"BlbE") - 4] ^= 1
        self.refused("length", b"Packages.db", bytes(content), "is none")

    def test_no_link_leads_out_and_links_of_the_root_lead_to_its_own_database(self) -> None:
        self.write_sqlite([package(b"inside")])
        outside = self.path("outside")
        os.rename(self.database, self.path("root/usr-db"))
        rpmdbs.write_sqlite(outside, [package(b"outside")]).close()
        for target in (outside, "../../../../../../" + outside, "/var/lib/rpm"):
            self.link(target)
            self.assertIsNone(self.find("rpm -qa"), target)
        for target in ("/usr-db", "../../usr-db", "../../../../../usr-db"):
            self.link(target)
            self.assertEqual(self.answer("rpm -qa"), b"inside-1.2-3.el9.x86_64\n", target)
        self.link("/usr-db")
        os.remove(self.path("root/usr-db/rpmdb.sqlite"))
        os.symlink(os.path.join(outside, "rpmdb.sqlite"), self.path("root/usr-db/rpmdb.sqlite"))
        with self.assertRaises(Unreadable):
            self.answer("rpm -qa")

    def link(self, target: str) -> None:
        if os.path.lexists(self.database):
            os.remove(self.database)
        os.symlink(target, self.database)

    def test_what_is_no_file_is_not_waited_for(self) -> None:
        os.mkfifo(os.path.join(self.database, "rpmdb.sqlite"))
        with self.assertRaisesRegex(Unreadable, "FIFO"):
            self.answer("rpm -qa")
        os.remove(os.path.join(self.database, "rpmdb.sqlite"))
        self.write_sqlite([package(b"a")])
        log = os.path.join(self.database, "rpmdb.sqlite-wal")
        if os.path.exists(log):
            os.remove(log)
        os.mkfifo(log)
        with self.assertRaisesRegex(Unreadable, "FIFO"):
            self.answer("rpm -qa")

    def test_it_ends_with_the_time_of_the_run_and_when_no_more_is_wanted(self) -> None:
        files = {b"/var/lib/rpm/rpmdb.sqlite": self.sample()[b"rpmdb.sqlite"]}
        found = rpm.find([b"rpm", b"-qa", b"--qf", b"%{VENDOR}" * 200], Kept(files))
        assert found is not None
        with self.assertRaisesRegex(Unreadable, "run time"):
            found.answer(means_of(files)._replace(deadline=0.0), lambda block: True)
        blocks: List[bytes] = []

        def take_one(block: bytes) -> bool:
            blocks.append(block)
            return False

        found.answer(means_of(files), take_one)
        self.assertEqual(len(blocks), 1)


def means_of(files: Dict[bytes, bytes]) -> instead.Means:
    return instead.Means(Kept(files), "", {}, time.monotonic() + 20, process.Stop(), no_beat)


def find_chain(page: bytes, cell: int) -> int:
    """Return where a cell of a page of 512 bytes has the number of its overflow page."""
    length, place = rpmsqlite.read_varint(page, cell)
    _, place = rpmsqlite.read_varint(page, place)
    least = (512 - 12) * 32 // 255 - 23
    local = least + (length - least) % (512 - 4)
    return place + (local if local <= 512 - 35 else least)
