"""Databases of rpm in all the formats that hosts have, made of headers that are made up or real."""
import os
import random
import sqlite3
import struct
import subprocess
import zlib
from typing import List, NamedTuple, Optional, Sequence

NUMBER, STRING, BINARY, STRINGS, I18N = 4, 6, 7, 8, 9
NAME, VERSION, RELEASE, EPOCH, BUILDTIME, BUILDHOST = 1000, 1001, 1002, 1003, 1006, 1007
INSTALLTIME, SIZE, VENDOR, ARCH, SIGPGP, FILES = 1008, 1009, 1011, 1022, 259, 1117
SUMMARY, GROUP, DESCRIPTION, SOURCERPM = 1004, 1016, 1005, 1044
# rpm would make a .rpmdb in HOME; there it cannot.
OUTPUT = {"LC_ALL": "C", "TZ": "UTC", "HOME": "/proc", "PATH": "/usr/bin:/bin:/usr/sbin"}


class Entry(NamedTuple):
    tag: int
    kind: int
    number: int  # of values
    data: bytes


def text(tag: int, value: bytes, kind: int = STRING) -> Entry:
    return Entry(tag, kind, 1, value + b"\0")


def number(tag: int, value: int) -> Entry:
    return Entry(tag, NUMBER, 1, struct.pack(">I", value))


def binary(tag: int, value: bytes) -> Entry:
    return Entry(tag, BINARY, len(value), value)


def make_header(entries: Sequence[Entry]) -> bytes:
    """Return a header as rpm stores it: a table of entries, sorted by tag, and their data."""
    index, store = b"", b""
    for entry in sorted(entries):
        if entry.kind == NUMBER:
            store += bytes(-len(store) % 4)
        index += struct.pack(">IIII", entry.tag, entry.kind, len(store), entry.number)
        store += entry.data
    return struct.pack(">II", len(entries), len(store)) + index + store


def package(name: bytes, *more: Entry, arch: bytes = b"x86_64") -> bytes:
    own = [text(NAME, name), text(VERSION, b"1.2"), text(RELEASE, b"3.el9"), text(ARCH, arch),
           text(SUMMARY, b"A package", I18N), text(GROUP, b"None", I18N),
           text(DESCRIPTION, b"", I18N), number(SIZE, 5),
           text(SOURCERPM, b"source.src.rpm")]
    replaced = {entry.tag for entry in more}
    return make_header([entry for entry in own if entry.tag not in replaced] + list(more))


def make_up(count: int, seed: int, signatures: Sequence[bytes] = ()) -> List[bytes]:
    """Return headers of packages in which anything can be missing, strange, huge or tiny."""
    chance = random.Random(seed)
    headers = []
    for place in range(count):
        more = [text(NAME, b"package-%d" % place), number(BUILDTIME, chance.getrandbits(32)),
                number(INSTALLTIME, chance.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1,
                                                   1600000000 + place * 86400])),
                text(BUILDHOST, b"host-%d.example.com" % chance.getrandbits(16)),
                number(EPOCH, chance.choice([0, 1, 32, 2**31, 2**32 - 1])),
                text(VENDOR, chance.choice([b"", b'a "b" \\c', b"caf\xe9", "Žluťoučký".encode(),
                                            b"two\nlines", b"x" * 5000, b"%{NAME}"]))]
        more += [binary(SIGPGP, chance.choice(signatures))] if signatures else []
        more = [entry for entry in more if entry.tag == NAME or chance.random() < 0.8]
        files = chance.choice([0, 1, 10, 100, chance.choice([1, 1000, 1000, 8000])])
        if files:
            names = [b"file-%d\0" % chance.getrandbits(20) for _ in range(files)]
            more.append(Entry(FILES, STRINGS, files, b"".join(names)))
        headers.append(package(more[0].data[:-1], *more[1:],
                               arch=chance.choice([b"x86_64", b"noarch"])))
    return headers


def write_sqlite(folder: str, headers: Sequence[bytes], page: int = 4096) -> sqlite3.Connection:
    """Fill a database that rpm makes, and return its connection, for more."""
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["rpm", "--dbpath", folder, "--initdb"], check=True, env=OUTPUT)
    connection = sqlite3.connect(os.path.join(folder, "rpmdb.sqlite"), isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    if page != 4096:
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        connection.execute("PRAGMA page_size = %d" % page)
        connection.execute("VACUUM")
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    add(connection, headers)
    return connection


def add(connection: sqlite3.Connection, headers: Sequence[bytes]) -> None:
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)",
                           [(header,) for header in headers])
    connection.execute("COMMIT")


def write_bdb(folder: str, headers: Sequence[bytes], load: str, page: int = 4096,
              order: str = "<") -> None:
    """Write a hash of Berkeley DB with its own db_load."""
    os.makedirs(folder, exist_ok=True)
    rows = [(0, struct.pack(order + "I", len(headers)))]
    rows += [(place, header) for place, header in enumerate(headers, 1)]
    lines = ["VERSION=3", "format=bytevalue", "type=hash", "db_pagesize=%d" % page,
             "db_lorder=%d" % (1234 if order == "<" else 4321), "HEADER=END"]
    for key, value in rows:
        lines += [" " + struct.pack(order + "I", key).hex(), " " + value.hex()]
    path = os.path.join(folder, "Packages")
    subprocess.run([load, path], input="\n".join([*lines, "DATA=END", ""]).encode(), check=True)


def write_ndb(folder: str, headers: Sequence[Optional[bytes]], chance: random.Random) -> None:
    """Write a database of ndb: the headers lie in order, their slots anywhere; None is a gap."""
    os.makedirs(folder, exist_ok=True)
    pages = (len(headers) + 2) // 256 + 1
    slots = [struct.pack("<4sIII", b"Slot", 0, 0, 0)] * (pages * 256 - 2)
    places = chance.sample(range(len(slots)), len(headers))
    content = b""
    for place, header in zip(places, headers):
        if header is None:
            content += bytes(chance.randrange(1, 9) * 16)
            continue
        key = chance.getrandbits(31) + 1
        head = struct.pack("<4sIII", b"BlbS", key, 1600000000, len(header))
        body = head + header + bytes(-(len(header) + 28) % 16)
        blob = body + struct.pack("<II4s", zlib.adler32(body) & 0xffffffff, len(header), b"BlbE")
        slots[place] = struct.pack("<4sIII", b"Slot", key, pages * 256 + len(content) // 16,
                                   len(blob) // 16)
        content += blob
    with open(os.path.join(folder, "Packages.db"), "wb") as file:
        file.write(struct.pack("<4sIIIIIII", b"RpmP", 0, 7, pages, 2**31, 0, 0, 0))
        file.write(b"".join(slots) + content)


def ask(folder: str, query: str, backend: str = "sqlite") -> bytes:
    """Return what rpm prints of all packages of a database."""
    query_words = ["--qf", query] if query else []
    return subprocess.run(
        ["rpm", "--define", "_db_backend " + backend, "--dbpath", folder, "-qa", *query_words],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, env=OUTPUT).stdout
