"""What an egg is and in which order eggs are tried; whatever a zip holds, reading it is bounded."""
import io
import itertools
import os
import random
import sys
import tempfile
import time
import tracemalloc
import unittest
import zipfile
import zipimport
import zlib
from typing import Dict, List, Optional, Sequence, Tuple, Union

from insights_mini import eggs
from insights_mini.eggs import BUILT_IN, ENV, NEW, ORIGINAL, OURS, RPM, STABLE, Egg, Unfit
from tests.support import Product, Scratch

Entries = Sequence[Tuple[str, Union[str, bytes]]]
V1 = "insights/client/phase/v1.py"
CODE = "insights_mini/version.py"
LOCAL, CENTRAL = b"PK\3\4", b"PK\1\2"  # how the two headers of an entry begin (APPNOTE.TXT, 4.3)


def make_zip(entries: Entries, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip with these entries, of which several may have one name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def make_ours(version: str, main: str = "", more: Entries = ()) -> bytes:
    """Return an egg in our format that does no more than `main`."""
    return make_zip([("__main__.py", main), (CODE, '"""x"""\nVERSION = "%s"\n' % version), *more])


def make_original(version: Optional[str] = "3.0.8", release: Optional[str] = None,
                  code: str = "") -> bytes:
    """Return an egg in the original's format."""
    texts = [("insights/VERSION", version), ("insights/RELEASE", release)]
    return make_zip([(V1, code), *((name, text) for name, text in texts if text is not None)])


def patch(content: bytes, signature: bytes, at: int, value: bytes, name: str = CODE) -> bytes:
    """Return a zip with other bytes in the local or the central header of the entry of a name."""
    start = content.index(signature)
    size = 30 if signature == LOCAL else 46
    while content[start + size:start + size + len(name)] != name.encode():
        start = content.index(signature, start + 1)
    return content[:start + at] + value + content[start + at + len(value):]


def make_bomb(head: bytes) -> bytes:
    """Return an egg whose version.py begins with `head` and unpacks to four gigabytes of zeros."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = squeezer.compress(head) + squeezer.flush(zlib.Z_FULL_FLUSH)
    block = squeezer.compress(bytes(1 << 20)) + squeezer.flush(zlib.Z_FULL_FLUSH)
    content = make_zip([("__main__.py", ""), (CODE, first + block * 4095 + squeezer.flush())])
    size = (0xFFFFFFF0).to_bytes(4, "little")
    for signature, method, unpacked in ((LOCAL, 8, 22), (CENTRAL, 10, 24)):
        content = patch(content, signature, method, b"\x08\0")
        content = patch(content, signature, unpacked, size)
    return content


class Refused(unittest.TestCase):
    def refuse(self, content: bytes, why: str) -> None:
        with self.assertRaises(Unfit) as caught:
            eggs.identify(content)
        self.assertIn(why, caught.exception.why)

    def test_what_is_no_zip_is_told_so(self) -> None:
        whole = make_ours("1.0")
        for name, content in (("nothing", b""), ("text", b"x" * 1000), ("zeros", bytes(70000)),
                              ("only the magic", b"PK\3\4"), ("cut off", whole[:-30]),
                              ("its end far from the end", whole + bytes(65600)),
                              ("gzip", b"\x1f\x8b" + bytes(100))):
            with self.subTest(name):
                self.assertFalse(eggs.looks_like_zip(content))
                self.refuse(content, "is no zip")

    def test_a_broken_zip_is_told_so(self) -> None:
        whole = make_ours("1.0")
        packed = make_zip([("__main__.py", ""), (CODE, 'VERSION = "1.0"\n' * 9)],
                          zipfile.ZIP_DEFLATED)
        end = whole.index(eggs.END_OF_ZIP)
        cases = {
            "only the end": eggs.END_OF_ZIP + b"\xff" * 18,
            "the end cut off": whole[:end + 10],
            "without its beginning": whole[whole.index(CENTRAL):],
            "no central directory": whole[:end].replace(CENTRAL, b"PK\0\0") + whole[end:],
            "no local header": whole.replace(LOCAL, b"PK\0\0"),
            "other local name": patch(whole, LOCAL, 30, b"X"),
            "a bad checksum": patch(patch(whole, CENTRAL, 16, b"1234"), LOCAL, 14, b"1234"),
            "changed content": whole.replace(b"VERSION = ", b"VERSION  ="),
            "encrypted": patch(patch(whole, CENTRAL, 8, b"\1\0"), LOCAL, 6, b"\1\0"),
            "strongly encrypted": patch(patch(whole, CENTRAL, 8, b"\x41\0"), LOCAL, 6, b"\x41\0"),
            "patched data": patch(patch(whole, CENTRAL, 8, b"\x20\0"), LOCAL, 6, b"\x20\0"),
            "of a later zip": patch(whole, CENTRAL, 6, b"\xff\0"),
            "broken deflate": packed.replace(packed[packed.index(CODE.encode()) + len(CODE):][:9],
                                             b"\xff" * 9),
            "an offset out of the file": patch(whole, CENTRAL, 42, b"\xff\xff\xff\x7f"),
            "an offset at its last byte": patch(whole, CENTRAL, 42,
                                                (len(whole) - 1).to_bytes(4, "little")),
            "a broken extra field": self.with_extra(b"\1\0\x18\0" + bytes(3)),
            "sizes that a short extra field lacks": patch(
                self.with_extra(b"\1\0\0\0"), CENTRAL, 24, b"\xff" * 4),
        }
        for name, content in cases.items():
            with self.subTest(name):
                self.refuse(content, "is a broken zip")

    def test_what_is_packed_otherwise_than_python_can_run_it_is_refused(self) -> None:
        """bzip2 (12) and LZMA (14) too: zipfile knows them, but the interpreter's zipimport not."""
        whole = make_ours("1.0")
        for method in (1, 6, 9, 12, 14, 93, 95, 98, 99, 0xFFFF):
            value = method.to_bytes(2, "little")
            with self.subTest(method=method):
                self.refuse(patch(patch(whole, CENTRAL, 10, value), LOCAL, 8, value), "is packed")
        for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            for entries in ([("__main__.py", ""), (CODE, 'VERSION = "1.0"\n')],
                            [(V1, ""), ("insights/VERSION", "3.0")]):
                self.refuse(make_zip(entries, method), "is packed")

    def with_extra(self, extra: bytes) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("__main__.py", "")
            entry = zipfile.ZipInfo(CODE)
            entry.extra = extra
            archive.writestr(entry, 'VERSION = "1.0"\n')
        return file.getvalue()

    def test_a_zip_that_is_no_egg_is_told_so(self) -> None:
        for entries in ([], [("x", "y")], [("__main__.py", "")], [(CODE, 'VERSION = "1.0"')],
                        [("__main__.py/", ""), (CODE, 'VERSION = "1.0"')],
                        [("x/__main__.py", ""), ("x/" + CODE, 'VERSION = "1.0"')],
                        [("/" + V1, "")], [("./" + V1, "")], [("insights/client/phase/v2.py", "")],
                        [("insights/VERSION", "3.0"), ("insights/__init__.py", "")],
                        [("insights\\client\\phase\\v1.py", "")]):
            with self.subTest(entries=entries):
                self.refuse(make_zip(entries), "is no egg")

    def test_an_egg_of_ours_must_tell_a_version_that_can_be_compared(self) -> None:
        for line in ("", 'VERSION = "', 'VERSION = ""', 'VERSION = "x"', 'VERSION = "1.x"',
                     'VERSION = "1."', 'VERSION = ".1"', 'VERSION = "1.2.3.4.5"', 'VERSION = 1.0',
                     "VERSION = '1.0'", ' VERSION = "1.0"', 'XVERSION = "1.0"',
                     'VERSION = "1.0 beta"', 'VERSION = "1234567890"', 'VERSION="1.0"',
                     'VERSION = "\u0661.0"', "\0" * eggs.LONGEST + '\nVERSION = "1.0"',
                     '#' * (eggs.LONGEST - 12) + '\nVERSION = "1.0"\n'):
            with self.subTest(line[:20]):
                self.refuse(make_zip([("__main__.py", ""), (CODE, line)]), "does not tell")

    def test_of_an_entry_of_gigabytes_only_the_beginning_is_unpacked(self) -> None:
        bomb = make_bomb(b"")
        self.assertLess(len(bomb), eggs.LARGEST)
        tracemalloc.start()
        try:
            started = time.monotonic()
            self.refuse(bomb, "does not tell")
            self.assertEqual(eggs.identify(make_bomb(b'VERSION = "1.0"\n')), (OURS, "1.0"))
            self.assertLess(time.monotonic() - started, 5)
            self.assertLess(tracemalloc.get_traced_memory()[1], 4 * eggs.LARGEST)
        finally:
            tracemalloc.stop()

    def test_no_mutation_of_an_egg_ends_in_another_error_or_takes_long(self) -> None:
        """Seeded. All that comes out is what an egg may be, or Unfit."""
        chance = random.Random(4)
        fields = (b"\0", b"\1", b"\xff", b"\xff" * 2, b"\xff" * 4, b"\0" * 4, b"\xfe\xff\xff\x7f",
                  b"\x08\0", b"\x0c\0", b"\x0e\0", LOCAL, CENTRAL, eggs.END_OF_ZIP, b"PK\6\6",
                  b"PK\6\7", b"\1\0\x18\0", b"\1\0\0\0", b"../", b"\x99\x01")
        seeds = [make_zip([("__main__.py", "pass"), (CODE, 'VERSION = "1.0"\n')], method)
                 for method in (0, 8, 12, 14)]
        seeds += [make_zip([(V1, "pass"), ("insights/VERSION", "3.0.8\n"),
                            ("insights/RELEASE", "1\n")], method) for method in (0, 8, 12, 14)]
        seeds.append(self.with_extra(b"\1\0\x18\0" + bytes(24)))
        slowest = 0.0
        results = {"fit": 0, "unfit": 0}
        for number in range(2500):
            content = bytearray(seeds[number % len(seeds)])
            for _ in range(chance.choice((1, 1, 2, 3, 8))):
                at = chance.randrange(len(content))
                if chance.random() < 0.3:  # in a header: there it matters
                    places = [i for i in range(len(content) - 4) if content[i:i + 2] == b"PK"]
                    at = min(chance.choice(places or [at]) + chance.randrange(50),
                             len(content) - 1)
                way = chance.randrange(5)
                if way == 0:
                    content[at] = chance.randrange(256)
                elif way == 1:
                    content[at] ^= 1 << chance.randrange(8)
                elif way == 2:
                    field = chance.choice(fields)
                    content[at:at + len(field)] = field
                elif way == 3:
                    del content[at:at + chance.choice((1, 2, 4, 30))]
                else:
                    content[at:at] = content[at:at + chance.choice((1, 4, 46))]
                if not content:
                    content = bytearray(b"PK")
            started = time.monotonic()
            with self.subTest(number, content=bytes(content)):
                try:
                    found = "%s %s" % eggs.identify(bytes(content))
                    self.assertTrue(eggs.VERSION_LINE.fullmatch(found))
                    results["fit"] += 1
                except Unfit as error:
                    self.assertTrue(error.why.startswith(("is ", "does not ")), error.why)
                    results["unfit"] += 1
            slowest = max(slowest, time.monotonic() - started)
        self.assertLess(slowest, 2)
        self.assertGreater(min(results.values()), 200, results)  # else the mutations are no good


class Identified(unittest.TestCase):
    def test_an_egg_of_ours_is_known_by_its_two_files_and_gives_its_version(self) -> None:
        for version in ("0", "1.0", "0.1.0", "1.2.3.4", "123456789.0"):
            with self.subTest(version):
                self.assertEqual(eggs.identify(make_ours(version)), (OURS, version))
        first = make_zip([("__main__.py", ""), (CODE, 'VERSION = "1"\nVERSION = "2"\n')])
        self.assertEqual(eggs.identify(first), (OURS, "1"))

    def test_the_built_product_is_an_egg_with_this_version(self) -> None:
        with open(Product.build(), "rb") as file:
            self.assertEqual(eggs.identify(file.read()), (OURS, BUILT_IN.version))

    def test_an_egg_of_the_original_tells_its_version_or_unknown(self) -> None:
        for version, release, expected in (
                ("3.0.8", None, "3.0.8"), ("3.0.8\n", "1\n", "3.0.8-1"), (" 3.0.8 ", "", "3.0.8"),
                ("3.0.8", "1.el7", "3.0.8-1.el7"), (None, "7", "7"), (None, None, "unknown"),
                ("", "", "unknown"), ("3.0\n3.1", None, "unknown"), ("3.0 8", None, "unknown"),
                ("3.0\x1b[2J", None, "unknown"), ("9" * 81, None, "unknown"),
                ("9" * 80, None, "9" * 80), ("\u0663.0", None, "unknown"),
                ("x" * 100000, None, "unknown"), ("../3", None, "unknown")):
            with self.subTest(version=version, release=release):
                self.assertEqual(eggs.identify(make_original(version, release)),
                                 (ORIGINAL, expected))

    def test_what_has_both_formats_is_ours(self) -> None:
        both = [(V1, ""), ("insights/VERSION", "9.0"), ("__main__.py", ""),
                (CODE, 'VERSION = "1.0"\n')]
        for entries in (both, both[::-1]):
            self.assertEqual(eggs.identify(make_zip(entries)), (OURS, "1.0"))

    def test_a_line_for_the_shell_before_the_zip_and_a_comment_after_it_do_not_matter(self) -> None:
        content = make_ours("1.0")
        self.assertEqual(eggs.identify(b"#!/usr/bin/env python3\n" + content), (OURS, "1.0"))
        commented = content[:-2] + (65535).to_bytes(2, "little") + b"c" * 65535
        self.assertTrue(eggs.looks_like_zip(commented))
        self.assertEqual(eggs.identify(commented), (OURS, "1.0"))

    def test_packed_entries_are_read(self) -> None:
        for entries, expected in (([("__main__.py", ""), (CODE, 'VERSION = "1.0"\n')],
                                   (OURS, "1.0")),
                                  ([(V1, ""), ("insights/VERSION", "3.0\n")], (ORIGINAL, "3.0"))):
            self.assertEqual(eggs.identify(make_zip(entries, zipfile.ZIP_DEFLATED)), expected)

    def test_of_two_entries_with_one_name_the_one_that_would_run_counts(self) -> None:
        """The interpreter takes the last one."""
        more: Entries = [(CODE, 'VERSION = "2.0"\n')]
        with self.assertWarns(UserWarning):
            content = make_ours("1.0", more=more)
        with tempfile.NamedTemporaryFile(suffix=".pyz") as file:
            file.write(content)
            file.flush()
            runs = zipimport.zipimporter(file.name).get_data(os.path.join(file.name, CODE))
        self.assertEqual(runs, b'VERSION = "2.0"\n')
        self.assertEqual(eggs.identify(content), (OURS, "2.0"))

    def test_names_of_any_language_beside_it_do_no_harm(self) -> None:
        self.assertEqual(eggs.identify(make_ours("1.0", more=[("caf\u00e9", ""), ("\u65e5", "")])),
                         (OURS, "1.0"))


class Versions(unittest.TestCase):
    def test_numbers_are_what_is_compared(self) -> None:
        for version, expected in (("1.10", [1, 10]), ("1.0", [1]), ("1", [1]), ("0.1.0", [0, 1]),
                                  ("", []), ("0", []), ("unknown", []), ("007", [7]),
                                  ("3.0.8-1.el7", [3, 0, 8, 1, 7]), ("1.0.0.1", [1, 0, 0, 1])):
            with self.subTest(version):
                self.assertEqual(eggs.numbers(version), expected)

    def test_each_version_of_a_row_is_older_than_those_after_it_and_as_old_as_its_likes(
            self) -> None:
        row = (("", "unknown", "0", "0.0"), ("0.0.1",), ("0.1", "0.1.0"), ("0.1.1",),
               ("0.9",), ("0.10",), ("1", "1.0", "1.0.0.0", "01"), ("1.0.1",), ("1.9",),
               ("1.10", "1.10-0"), ("1.10-1",), ("2",), ("10.0",), ("999999999",))
        for (number, group), (other, likes) in itertools.product(enumerate(row), repeat=2):
            for one, two in itertools.product(group, likes):
                with self.subTest(one=one, two=two):
                    self.assertEqual(eggs.is_older(one, two), number < other)


def egg(text: str) -> Egg:
    """Return an egg given as "NEW 1.0" (our format) or "NEW o3.0" (the original's)."""
    name, version = text.split()
    names = {"ENV": ENV, "NEW": NEW, "STABLE": STABLE, "RPM": RPM}
    return Egg(names[name], version.lstrip("o"), ORIGINAL if version[0] == "o" else OURS, b"/x")


class Order(unittest.TestCase):
    """CONTRACT.md section 3.2, with a built-in egg of version 2.0."""

    own = Egg("built-in egg", "2.0")
    TABLE = (
        ("", "built-in"),
        ("ENV 1.0", "ENV built-in"), ("ENV 3.0", "ENV built-in"), ("ENV o1", "ENV built-in"),
        # NEW and STABLE: passed over when older than what runs, by version only in one format
        ("NEW 1.0", "built-in"), ("NEW 2.0", "NEW built-in"), ("NEW 2.1", "NEW built-in"),
        ("NEW o1.0", "NEW built-in"), ("NEW 1.10", "built-in"), ("NEW 10.0", "NEW built-in"),
        ("STABLE 1.9.9", "built-in"), ("STABLE 2.0.0", "STABLE built-in"),
        ("STABLE 2.0.1", "STABLE built-in"), ("STABLE o0.1", "STABLE built-in"),
        ("NEW 3.0, STABLE 2.5", "NEW STABLE built-in"),
        ("NEW 2.5, STABLE 3.0", "NEW STABLE built-in"),
        ("NEW 1.0, STABLE 3.0", "STABLE built-in"), ("NEW 1.0, STABLE 1.0", "built-in"),
        ("NEW o3, STABLE 2.5", "NEW STABLE built-in"),
        ("NEW 2.5, STABLE o3", "NEW STABLE built-in"),
        # the shipped ones: the file of the package and the built-in one, the higher version first
        ("RPM 1.0", "built-in RPM"), ("RPM 2.0", "built-in RPM"), ("RPM 3.0", "RPM built-in"),
        ("RPM o1.0", "RPM built-in"),
        ("STABLE 3.0, RPM 2.5", "STABLE RPM built-in"),
        ("STABLE 2.5, RPM 3.0", "RPM STABLE built-in"),
        ("STABLE 2.5, RPM 1.0", "STABLE built-in RPM"),
        ("STABLE 2.5, RPM 2.5", "STABLE RPM built-in"),
        ("STABLE 1.0, RPM 1.5", "built-in RPM"),
        ("STABLE o3.1, RPM o3.0", "STABLE RPM built-in"),
        ("STABLE o3.0, RPM o3.1", "RPM STABLE built-in"),
        ("STABLE o3.0, RPM 9.0", "STABLE RPM built-in"),
        ("STABLE 3.0, RPM o9.0", "STABLE RPM built-in"),
        ("STABLE o3.0, RPM 1.0", "STABLE built-in RPM"),
        ("NEW 2.1, STABLE 2.2, RPM 2.3", "NEW RPM STABLE built-in"),
        ("ENV 1.0, NEW 1.0, STABLE 1.0, RPM 1.0", "ENV built-in RPM"),
        ("ENV o1, NEW o4, STABLE o3, RPM o2", "ENV NEW STABLE RPM built-in"),
    )

    def test_they_are_tried_as_the_contract_says(self) -> None:
        for given, expected in self.TABLE:
            found = [egg(text) for text in given.split(", ") if text]
            for some in itertools.permutations(found):
                with self.subTest(given, order=[each.name for each in some]):
                    ordered = eggs.put_in_order(some, self.own)
                    self.assertEqual(" ".join(each.name.split()[0] for each in ordered), expected)

    def test_in_every_combination_the_rules_hold(self) -> None:
        kinds = (None, "1.0", "2.0", "3.0", "o3.0", "o3.1")
        for new, stable, rpm, env in itertools.product(kinds, kinds, kinds, (None, "1.0", "o1")):
            given = {"ENV": env, "NEW": new, "STABLE": stable, "RPM": rpm}
            found = [egg("%s %s" % item) for item in given.items() if item[1]]
            with self.subTest(**given):
                self.check(found, eggs.put_in_order(found, self.own))

    def check(self, found: List[Egg], ordered: List[Egg]) -> None:
        place: Dict[str, int] = {each.name: number for number, each in enumerate(ordered)}
        self.assertEqual(len(place), len(ordered), "an egg is there twice")
        self.assertEqual(ordered.count(self.own), 1)
        self.assertLessEqual(set(ordered), {self.own, *found})
        for each in found:
            too_old = (each.name in (NEW, STABLE) and each.format == OURS
                       and each.version == "1.0")
            self.assertEqual(each.name in place, not too_old)
        if ENV in place:
            self.assertEqual(place[ENV], 0)
        if NEW in place:
            self.assertEqual(place[NEW], int(ENV in place))
        rest = [each for each in ordered if each.name not in (ENV, NEW)]
        for first, second in itertools.combinations(rest, 2):
            if first.format == second.format:
                self.assertFalse(eggs.is_older(first.version, second.version))
            elif STABLE in (first.name, second.name):
                self.assertEqual(first.name, STABLE)

    def test_the_built_in_egg_of_this_file_is_the_one_that_is_usual(self) -> None:
        self.assertEqual(eggs.put_in_order([]), [BUILT_IN])


class Noted(Scratch):
    def read(self, content: Optional[bytes]) -> Dict[str, str]:
        path = self.path("versions")
        if content is not None:
            self.write("versions", content)
        return eggs.read_versions(os.fsencode(path))

    def test_a_file_that_cannot_be_understood_is_no_empty_one(self) -> None:
        for content in (b"ours", b"ours 1.0 x\n", b"theirs 1.0\n", b"\n", b"ours 1.0\n\nours 2\n",
                        b"ours \xff\n", b"OURS 1.0\n", b"ours  1.0\n", b" ours 1.0\n",
                        b"ours 1.0\0\n", b"\0" * 100, b"ours " + b"1" * 81,
                        b"ours 1.0\nrubbish", b"\xef\xbb\xbfours 1.0\n"):
            with self.subTest(content[:20]), self.assertRaises(Unfit) as caught:
                self.read(content)
            self.assertIn("none of ours", caught.exception.why)

    def test_what_is_no_small_file_is_refused(self) -> None:
        with self.assertRaises(Unfit) as caught:
            self.read(b"ours 1.0\n" * eggs.LONGEST)
        self.assertIn("larger than", caught.exception.why)
        os.unlink(self.path("versions"))
        for make, why in ((os.mkdir, "is a directory"), (os.mkfifo, "is a FIFO")):
            make(self.path("versions"))
            with self.assertRaises(Unfit) as caught:
                self.read(None)
            self.assertIn(why, caught.exception.why)
            (os.rmdir if make is os.mkdir else os.unlink)(self.path("versions"))

    def test_a_file_that_is_not_there_or_empty_tells_of_nothing(self) -> None:
        self.assertEqual(self.read(None), {})
        self.assertEqual(self.read(b""), {})

    def test_what_was_noted_is_read_by_format(self) -> None:
        for content, expected in ((b"ours 1.0\n", {"ours": "1.0"}),
                                  (b"ours 1.0", {"ours": "1.0"}),
                                  (b"original 3.0.8-1\nours 0.1.0\n",
                                   {"ours": "0.1.0", "original": "3.0.8-1"}),
                                  (b"original unknown\r\n", {"original": "unknown"})):
            self.assertEqual(self.read(content), expected)


class Command(unittest.TestCase):
    def test_an_egg_of_ours_is_a_file_that_runs_and_the_originals_is_driven(self) -> None:
        path = b"/tmp/\xff x/0.pyz"
        self.assertEqual(eggs.command(Egg(NEW, "1", OURS, path), "/usr/bin/python3"),
                         ["/usr/bin/python3", os.fsdecode(path)])
        self.assertEqual(eggs.command(Egg(NEW, "1", ORIGINAL, path), sys.executable),
                         [sys.executable, "-c", eggs.DRIVER])

    def test_an_egg_is_shown_by_its_name_and_version(self) -> None:
        self.assertEqual(str(Egg(STABLE, "1.2")), "STABLE egg 1.2")


if __name__ == "__main__":
    unittest.main()
