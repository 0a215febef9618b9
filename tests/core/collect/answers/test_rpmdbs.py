"""The databases of rpm, as rpm and their own libraries read them, and as a hostile disk has them."""
import contextlib
import io
import os
import random
import shutil
import sqlite3
import struct
import time
import tracemalloc
from typing import Callable, Dict, Iterator, List

from insights_mini import process
from insights_mini.core.collect import instead
from insights_mini.core.collect.answers import rpm, rpmsqlite
from insights_mini.core.collect.answers.rpmfile import Source
from insights_mini.core.roots import Opened, Root, no_beat
from insights_mini.hostfiles import Unreadable
from tests.core.collect.answers import rpmdbs
from tests.core.collect.answers.rpmdbs import ask, binary, make_header, make_up, package, text
from tests.core.collect.answers.test_rpm import CATALOGUE, RpmCase

DB_LOAD = shutil.which("db5.3_load")


class Kept(Root):
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
                self.write_sqlite(make_up(400, page), page)
                self.assertEqual(self.check().count(b'{"name"'), 400)

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
        for case in range(60):
            bad = bytearray(log[:chance.randrange(len(log))] if case % 2 else log)
            if case % 3 and bad:
                bad[chance.choice([chance.randrange(len(bad)), chance.randrange(32)]) % len(bad)] ^= 1
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
                rpmdbs.write_bdb(self.database, make_up(300, page), DB_LOAD, page, order)
                self.assertEqual(self.check("bdb_ro").count(b'{"name"'), 300)

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
        found = rpm.find([b"rpm", b"-qa", b"--qf", CATALOGUE.encode()],
                         Kept({b"/var/lib/rpm/" + name: content}))
        assert found is not None
        blocks: List[bytes] = []
        try:
            found.answer(means_of({b"/var/lib/rpm/" + name: content}),
                         lambda block: blocks.append(block) is None)
        except Unreadable:
            return -1
        return b"".join(blocks).count(b'{"name"')

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
                    place = chance.choice(heads + [chance.randrange(len(bad))] * len(heads))
                    bad[place:place + len(spoil)] = spoil
                begun = time.monotonic()
                outcomes.add(self.read(name, bytes(bad[:len(content)])))
                self.assertLess(time.monotonic() - begun, 5)
        self.assertIn(-1, outcomes)
        self.assertIn(12, outcomes)


def means_of(files: Dict[bytes, bytes]) -> instead.Means:
    return instead.Means(Kept(files), "", {}, time.monotonic() + 20, process.Stop(), no_beat)
