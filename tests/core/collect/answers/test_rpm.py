"""`rpm -qa` of a root that does not run, compared with the real rpm."""
import os
import random
import shutil
import struct
import subprocess
import unittest
from typing import ClassVar, List, Sequence

from tests.core.collect.answers import rpmdbs
from tests.core.collect.answers.rpmdbs import ask, binary, make_up, number, package
from tests.core.collect.answers.test_ls import AnswerCase
from tests.signing import Signer

CATALOGUE = (r'\{"name":"%{NAME}","epoch":"%{EPOCH}","version":"%{VERSION}",'
             r'"release":"%{RELEASE}","arch":"%{ARCH}","installtime":"%{INSTALLTIME:date}",'
             r'"buildtime":"%{BUILDTIME}","vendor":"%{VENDOR}","buildhost":"%{BUILDHOST}",'
             r'"sigpgp":"%{SIGPGP:pgpsig}"\}\n')
ALL = "".join("%{" + name + "}|" for name in (
    "NAME", "epoch", "Version", "RELEASE", "ARCH", "INSTALLTIME", "BUILDTIME", "VENDOR", "SIGPGP",
    "BUILDHOST", "SIZE", "LICENSE", "PACKAGER", "URL", "OS", "SOURCERPM", "RSAHEADER",
    "RSAHEADER:pgpsig", "BUILDTIME:date", "SIZE:date", "SIGGPG", "DSAHEADER:pgpsig", "NAME:string",
    "SIZE:string", "SIGPGP:string")) + (
    "%-40{NAME}|%40{EPOCH}|%2{VERSION}|%-999{SIZE}|") + r"%% \a\b\f\n\r\t\v\\\%\"\q\{\}"
SPEC = b"""\
Name: alpha
Version: 1.0
Release: 1
Epoch: 3
Summary: A package
License: MIT
Vendor: Example "quoted" \\ Inc
URL: https://example.com/
Packager: somebody
BuildArch: noarch
%description
%files
"""


# Signatures by hand, of the versions 3 and 4, with numbers of 8 bits.
OLD = bytes.fromhex("8816 03 0500 499602d2 3132333435363738 0102 0000 0008ff".replace(" ", ""))
NEW = bytes.fromhex("c234 04 00 01 08 001d 1621041ddfe09483ff71d9c4eee27a90a9c94d135ef5ac "
                    "05025fefe2a5 000a 091090a9c94d135ef5ac 5669 0008ff".replace(" ", ""))


class RpmCase(AnswerCase):
    folder_in_root = "var/lib/rpm"

    def setUp(self) -> None:
        super().setUp()
        self.database = self.path("root", self.folder_in_root)
        os.makedirs(self.database)

    def query(self, query: str) -> bytes:
        return self.answer("rpm -qa --root=/ --qf='%s'" % query if query else "/bin/rpm -qa")

    def check(self, backend: str = "sqlite", queries: Sequence[str] = (CATALOGUE, "")) -> bytes:
        """Check our answers to some queries against rpm's, and return the first one."""
        answers = [self.query(query) for query in queries]
        for query, ours in zip(queries, answers):
            with self.subTest(backend=backend, query=query):
                self.assertEqual(ours, ask(self.database, query, backend))
        return answers[0]

    def write_sqlite(self, headers: Sequence[bytes], page: int = 4096) -> None:
        rpmdbs.write_sqlite(self.database, headers, page).close()


class Queries(RpmCase):
    def test_what_it_does_not_know_is_not_answered(self) -> None:
        self.write_sqlite([package(b"a")])
        for line in ("rpm -V bash", "rpm -ql bash", "rpm -qa bash", "rpm -qai", "rpm -q",
                     "rpm -qa --last", "rpm -qa --root=/mnt", "rpm -qa --root", "rpm -qa --qf",
                     "rpm -qa --dbpath=/x", "rpm -qa -p x", "rpmquery -a", "rpm", "yum -qa",
                     "rpm -qa -qa", "rpm -qa=x", *("rpm -qa --qf='%s'" % query for query in (
                         "%{FOO}", "%{NAME:foo}", "%{NAME:date}", "%{SIZE:pgpsig}", "%{FILENAMES}",
                         "[%{FILENAMES}]", "%|NAME?{x}:{y}|", "%020{NAME}", "%9999{NAME}",
                         "%{=NAME}", "%{NAME", "%", "a\\", "}", "{", "[", "]", "%{}", "%NAME"))):
            with self.subTest(line):
                self.assertIsNone(self.find(line))

    def test_without_a_database_there_is_no_answer(self) -> None:
        self.assertIsNone(self.find("rpm -qa"))

    def test_every_way_to_ask_for_all_packages_is_known(self) -> None:
        self.write_sqlite([package(b"a")])
        for line in ("rpm -qa", "/usr/bin/rpm -q -a", "rpm --query --all", "rpm -qa --root=/",
                     "rpm --root / -qa", "rpm -qa --root=//"):
            with self.subTest(line):
                self.assertEqual(self.answer(line), b"a-1.2-3.el9.x86_64\n")
        for line in ("rpm -qa --qf %{NAME}", "rpm --queryformat=%{name} -qa --root=/",
                     "rpm -qa --queryformat %{NAME}", "rpm -qa --qf=%{NA --qf=ME}"):
            with self.subTest(line):
                self.assertEqual(self.answer(line), b"a")
        self.assertEqual(self.answer("rpm -qa --qf="), ask(self.database, "%%")[:0])

    def test_all_tags_formats_and_escapes_are_shown_as_rpm_shows_them(self) -> None:
        self.write_sqlite([package(b"a"), *make_up(40, 2, [b"\xff\x00x", bytes(range(256))])])
        self.check(queries=[ALL, CATALOGUE, "", r"%{NAME}\n", "literal"])

    def test_each_kind_of_signature_has_its_tag(self) -> None:
        tags = {259: "SIGPGP", 262: "SIGGPG", 267: "DSAHEADER", 268: "RSAHEADER"}
        self.write_sqlite([package(b"a", binary(tag, OLD)) for tag in tags])
        for place, name in enumerate(tags.values()):  # rpm would leave out what is not good
            told = self.query("%{" + name + r":pgpsig}\n").split(b"\n")
            self.assertEqual([b"Key ID 3132333435363738" in line for line in told],
                             [line == place for line in range(5)], told)

    def test_of_two_entries_of_a_tag_the_last_one_counts(self) -> None:
        plain = package(b"a", number(rpmdbs.EPOCH, 1), number(rpmdbs.EPOCH, 2))
        self.write_sqlite([plain])
        self.assertEqual(self.query("%{EPOCH}"), b"2")

    def test_the_database_is_found_in_each_place_and_the_newest_kind_counts(self) -> None:
        shutil.rmtree(self.database)
        self.put("usr/share/rpm/Packages", b"image")
        found = self.find("rpm -qa")
        self.assertEqual(found and found.path, b"/usr/share/rpm/Packages")
        self.database = self.path("root/usr/lib/sysimage/rpm")
        self.write_sqlite([package(b"new")])
        found = self.find("rpm -qa")
        self.assertEqual(found and found.path, b"/usr/lib/sysimage/rpm/rpmdb.sqlite")
        self.put("usr/lib/sysimage/rpm/Packages", b"old")
        self.assertEqual(self.check(), ask(self.database, CATALOGUE))
        self.put("var/lib/rpm/Packages.db", b"")
        found = self.find("rpm -qa")
        self.assertEqual(found and found.path, b"/var/lib/rpm/Packages.db")


class RealPackages(RpmCase):
    def test_what_rpm_built_and_installed_is_listed_as_rpm_lists_it(self) -> None:
        for name in ("alpha", "beta", "gamma"):
            spec = self.write(name + ".spec", SPEC.replace(b"alpha", name.encode()))
            subprocess.run(["rpmbuild", "-bb", "--quiet", "--define", "_topdir " + self.folder,
                            spec], check=True, stderr=subprocess.DEVNULL, env=rpmdbs.OUTPUT)
        packages = [self.path("RPMS/noarch", name)
                    for name in sorted(os.listdir(self.path("RPMS/noarch")))]
        self.rpm("--justdb", "--nodeps", "-i", *packages)
        self.assertEqual(self.check(queries=[CATALOGUE, "", ALL]).count(b"\n"), 3)
        self.rpm("--justdb", "--nodeps", "-e", "beta")
        self.rpm("--justdb", "--nodeps", "-i", "--force", packages[0], packages[1])
        again = self.check(queries=["%{NAME} "])
        self.assertTrue(again.startswith(b"gamma "), again)

    def rpm(self, *words: str) -> None:
        subprocess.run(["rpm", "--dbpath", self.database, *words], check=True,
                       stderr=subprocess.DEVNULL, env=rpmdbs.OUTPUT)

    def test_public_keys_are_listed_too(self) -> None:
        signer = Signer.find()
        if signer is None:
            self.skipTest("no gpg")
        self.addCleanup(signer.close)
        path = self.write("key", signer.export(signer.make("k", "rsa2048"), armour=True))
        subprocess.run(["rpmkeys", "--dbpath", self.database, "--import", path], check=True,
                       env=rpmdbs.OUTPUT)
        self.assertIn(b'"gpg-pubkey","epoch":"(none)"', self.check())


class Signatures(RpmCase):
    signer: ClassVar[Signer]
    made: ClassVar[List[bytes]]

    @classmethod
    def setUpClass(cls) -> None:
        signer = Signer.find()
        if signer is None:
            raise unittest.SkipTest("no gpg")
        cls.signer = signer
        cls.made = cls.make(signer)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.signer.close()

    @staticmethod
    def make(signer: Signer) -> List[bytes]:
        """Return signatures of all kinds of keys, the sums that they go with, and an old one."""
        made = []
        for kind, sums in (("rsa2048", ("SHA1", "SHA224", "SHA256", "SHA512", "RIPEMD160")),
                           ("dsa2048", ("SHA256",)), ("ed25519", ("SHA256", "SHA384"))):
            key = signer.make(kind, kind, at="20200101T000000")
            made += [signer.sign(b"x", key, "--digest-algo", sum_, at="20210102T030405")
                     for sum_ in sums]
        return [*made, OLD]

    def test_signatures_are_described_as_rpm_describes_them(self) -> None:
        two = b"\xc2\x3e" + NEW[2:38] + b"\x14" + NEW[39:49] + b"\x09\x10another." + NEW[49:]
        made = [*self.made, NEW, two]  # the last one with two keys
        told = self.describe(made)
        self.assertEqual(told.count(b"Key ID"), len(made), told)

    def test_what_is_no_signature_is_described_as_rpm_describes_it(self) -> None:
        chance = random.Random(5)
        self.describe([b"\x00", b"\xff", b"\x88", b"\x80\x00", b"\xc2\x00", b"\xc2\xff", b"\x8b",
                       bytes(300), NEW[:1] + b"\x2f" + NEW[2:38] + b"\xff" + NEW[39:49],
                       *(signature[:chance.randrange(1, len(signature))]
                                     for signature in self.made)])

    def test_what_rpm_does_not_take_for_a_signature_is_none(self) -> None:
        created, issuer = bytes.fromhex("0502659fe2a5"), bytes.fromhex("091090a9c94d135ef5ac")
        number = bytes.fromhex("0008ff")
        told = self.describe([packet(*parts) for parts in (
            (1, created, issuer, number), (17, created, issuer, number * 2),
            (22, created + issuer, b"", number * 2), (1, created, b"", number),
            *((key, created, issuer, number * count) for key in (0, 2, 3, 16, 18, 19, 20, 21, 99)
              for count in (1, 2)),
            (1, b"", issuer, number), (1, b"", created + issuer, number),
            (1, created * 2, issuer, number),
            (1, created, created + issuer + issuer[:-1] + b"x", number),
            (1, bytes.fromhex("0402659fe2"), issuer, number), (1, created + b"\0", issuer, number),
            (1, created + b"\x20\2", issuer, number), (1, created, issuer, b""),
            (1, bytes.fromhex("0582659fe2a5"), issuer, number),  # marked as critical
            (1, created, b"\t\x90" + issuer[2:], number),
            (1, created, issuer, number[:-1]), (1, created, issuer, number + b"x"),
            (1, created, issuer, number * 2), (17, created, issuer, number))] + [
                packet(1, created, issuer, number) + b"x", packet(1, created, issuer, number) * 2,
                OLD[:-3], OLD[:-4], OLD + OLD, OLD.replace(b"\3\5", b"\3\6")])
        self.assertEqual(told.count(b"Key ID"), 7, told)

    def test_a_spoilt_signature_is_told_of_as_rpm_tells_if_rpm_tells_of_it(self) -> None:
        chance = random.Random(5)
        bad = []
        for _ in range(1000):
            signature = bytearray(chance.choice([OLD, NEW]))
            for _ in range(chance.randrange(1, 3)):
                signature[chance.randrange(min(30, len(signature)))] = chance.getrandbits(8)
            signature[3 if signature[2] == 4 else 4] = 0  # rpm knows this kind only: of a file
            bad.append(package(b"x", binary(rpmdbs.SIGPGP, bytes(signature))))
        self.write_sqlite(bad)
        query = r"%{SIGPGP:pgpsig} %{SIGPGP}\n"
        rows = list(zip(self.query(query).split(b"\n"), ask(self.database, query).split(b"\n")))
        self.assertGreater(sum(b"Key ID" in real for _, real in rows), 500)
        for ours, real in rows:
            if not real.startswith(b"(not an OpenPGP signature)"):
                self.assertEqual(ours, real)

    def describe(self, signatures: Sequence[bytes]) -> bytes:
        self.write_sqlite([package(b"p%d" % place, binary(rpmdbs.SIGPGP, signature))
                           for place, signature in enumerate(signatures)])
        return self.check(queries=[r"%{NAME} %{SIGPGP:pgpsig} %{SIGPGP}\n"])


def packet(key: int, signed: bytes, loose: bytes, numbers: bytes) -> bytes:
    """Return a signature of version 4."""
    body = b"\4\0%c\x08%s%s%s%sVi%s" % (key, struct.pack(">H", len(signed)), signed,
                                       struct.pack(">H", len(loose)), loose, numbers)
    return b"\x88%c%s" % (len(body), body)
