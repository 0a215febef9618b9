"""The build: the same bytes from anywhere, nothing missing, a check that names what is stale."""
import ast
import glob
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from typing import Any, Dict, List, Tuple

from insights_mini import sources, trust
from insights_mini.core.catalogue import load_catalogue
from insights_mini.options import OPTIONS
from insights_mini.paths import find_paths
from insights_mini.settings import Settings
from tests.signing import Signer
from tests.support import TOP, Product, Scratch, load_build

NAMES = ("python3.6", "python3.7", "python3.8", "python3.9", "python3.10", "python3.11",
         "python3.12", "python3.13")


def find_interpreters() -> List[Tuple[str, str]]:
    """Return (version, path) of one Python of each minor version that really runs."""
    folder = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    found: Dict[str, str] = {}
    for candidate in [sys.executable, *(shutil.which(name) or "" for name in NAMES),
                      *sorted(glob.glob(os.path.join(folder, "versions", "3.*", "bin",
                                                     "python3")))]:
        try:
            said = subprocess.check_output(
                [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                stderr=subprocess.DEVNULL).decode().strip()
        except (OSError, subprocess.CalledProcessError):
            continue  # no such name, or a stub for a version that is not there
        if "python" + said in NAMES:
            found.setdefault(said, candidate)
    return sorted(found.items(), key=lambda item: int(item[0].split(".")[1]))


def read_code(source: bytes, typed: bool = True) -> List[Tuple[str, int]]:
    """Return each statement and expression with its line, but for docstrings.

    Where it is not to be typed, also without the types of parameters and results.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if not typed and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        if not typed and isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
                node, False) is not None:
            del node.body[0]
    return [(ast.dump(node), node.lineno) for node in ast.walk(tree)
            if isinstance(node, (ast.stmt, ast.expr))]


class BuildCase(Scratch):
    """Builds in a copy of the tree, so that the tree itself stays as it is."""

    def setUp(self) -> None:
        super().setUp()
        self.tree = self.path("tree")
        os.mkdir(self.tree)
        shutil.copy(os.path.join(TOP, "build.py"), self.tree)
        for name in ("src", "conf"):
            shutil.copytree(os.path.join(TOP, name), os.path.join(self.tree, name),
                            ignore=shutil.ignore_patterns("__pycache__"))

    def build(self, *arguments: str, python: str = sys.executable, cwd: str = "/",
              umask: int = 0o022, script: str = "", **environ: str) -> Tuple[int, str]:
        """Run build.py; return its exit status and all that it said."""
        argv = [python, script or os.path.join(self.tree, "build.py"), *arguments]
        before = os.umask(umask)
        try:
            done = subprocess.run(argv, cwd=cwd, env=dict(os.environ, **environ), check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        finally:
            os.umask(before)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def built(self, **how: Any) -> bytes:
        """Build afresh and return the bytes."""
        product = os.path.join(self.tree, "insights-mini.pyz")
        if os.path.exists(product):
            os.unlink(product)
        self.assertEqual(self.build(**how), (0, ""))
        with open(product, "rb") as file:
            return file.read()

    def change(self, name: str, old: str, new: str) -> None:
        path = os.path.join(self.tree, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))


class Check(BuildCase):
    def setUp(self) -> None:
        super().setUp()
        self.built()

    def assert_stale(self, name: str) -> None:
        status, said = self.build("--check")
        self.assertEqual(status, 1, said)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertIn(name, said)

    def test_a_changed_source_is_stale_and_the_first_such_entry_is_named(self) -> None:
        self.change("src/insights_mini/paths.py", "/var/tmp", "/var/tmp2")
        self.assert_stale("insights_mini/paths.py")
        self.change("src/insights_mini/hostfiles.py", "256 * 1024", "128 * 1024")
        self.assert_stale("insights_mini/hostfiles.py")

    def test_a_new_or_a_missing_file_is_stale_and_named(self) -> None:
        with open(os.path.join(self.tree, "conf", "new.conf"), "w"):
            pass
        self.assert_stale("conf/new.conf")
        os.unlink(os.path.join(self.tree, "conf", "new.conf"))
        os.unlink(os.path.join(self.tree, "src", "insights_mini", "core", "listing.py"))
        self.assert_stale("insights_mini/core/listing.py")

    def test_a_changed_template_is_stale_and_named(self) -> None:
        self.change("conf/insights-client.conf", "#quiet=False", "#quiet=True")
        self.assert_stale("conf/insights-client.conf")

    def test_a_product_that_is_broken_missing_or_packed_otherwise_is_stale(self) -> None:
        product = os.path.join(self.tree, "insights-mini.pyz")
        with zipfile.ZipFile(product) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        for label in ("deflated", "no zip", "empty", "missing"):
            with self.subTest(label):
                os.unlink(product)
                if label == "deflated":
                    with zipfile.ZipFile(product, "w", zipfile.ZIP_DEFLATED) as archive:
                        for name, content in entries.items():
                            archive.writestr(name, content)
                elif label != "missing":
                    with open(product, "wb") as file:
                        file.write(b"no zip at all" if label == "no zip" else b"")
                self.assert_stale("insights-mini.pyz")
                if label == "missing":
                    self.assertFalse(os.path.exists(product))

    def test_a_check_changes_nothing_and_is_silent_where_all_is_as_built(self) -> None:
        self.assertEqual(self.build("--check"), (0, ""))
        self.change("src/insights_mini/paths.py", "/var/tmp", "/var/tmp2")
        with open(os.path.join(self.tree, "insights-mini.pyz"), "rb") as file:
            before = file.read()
        self.assertEqual(self.build("--check")[0], 1)
        with open(os.path.join(self.tree, "insights-mini.pyz"), "rb") as file:
            self.assertTrue(file.read() == before)

    def test_files_that_python_leaves_beside_the_sources_are_not_packed(self) -> None:
        os.mkdir(os.path.join(self.tree, "conf", "__pycache__"))
        for name in ("src/insights_mini/x.pyc", "conf/__pycache__/x.pyc"):
            with open(os.path.join(self.tree, name), "wb"):
                pass
        self.assertEqual(self.build("--check"), (0, ""))


def armour(kind: str, body: bytes = b"mQ==") -> bytes:
    return ("-----BEGIN PGP %s-----\n\n" % kind).encode() + body + b"\n-----END PGP-----\n"


class PublisherKey(BuildCase):
    """Keys of a few bytes: the build looks at their outside only, gpg at the rest."""

    PUBLIC = b"\x99\x00\x02\x04."  # a packet with tag 6 and two bytes; the next: the same, newer
    NEWER = b"\xc6\x02\x04."
    NAME = b"\xb4\x01x"
    ASK = ("import sys; sys.path.insert(0, sys.argv[1]); from insights_mini import bundle; "
           "sys.stdout.buffer.write(bundle.read('publisher.gpg'))")

    def ask(self) -> Tuple[int, bytes]:
        """Return what the built file hands out as its publisher's key, and the exit status."""
        done = subprocess.run(
            [sys.executable, "-c", self.ASK, os.path.join(self.tree, "insights-mini.pyz")],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/", check=False)
        return done.returncode, done.stdout

    def test_a_file_that_is_no_public_key_is_refused_in_one_line_and_nothing_is_written(
            self) -> None:
        os.unlink(os.path.join(self.tree, "conf", "insights-client.conf"))
        self.write("tree/insights-mini.pyz.asc", "signature of an older build")
        secret = "SECRET key, which must never be published"
        for label, content, why in (
                ("empty", b"", "is empty"),
                ("large", self.PUBLIC * 2 ** 18, "larger than 1 MiB"),
                ("large armour", armour("PUBLIC KEY BLOCK", b"x" * 2 ** 20), "larger than 1 MiB"),
                ("text", b"my key\n", "no OpenPGP public key"),
                ("signature", b"\x88\x01x", "no OpenPGP public key"),
                ("armoured signature", armour("SIGNATURE"), "no OpenPGP public key"),
                ("armour within a line", b"> " + armour("PUBLIC KEY BLOCK"),
                 "no OpenPGP public key"),
                ("key of ssh", b"ssh-rsa AAAA\n", "no OpenPGP public key"),
                ("name first", self.NAME + self.PUBLIC, "no OpenPGP public key"),
                ("cut off", self.PUBLIC[:-1], "no OpenPGP public key"),
                ("header only", b"\x99", "no OpenPGP public key"),
                ("reserved tag", self.PUBLIC + b"\x80\x01x", "no OpenPGP public key"),
                ("text behind it", self.PUBLIC + b"text", "no OpenPGP public key"),
                ("no end", b"\x9b" + self.PUBLIC, "no OpenPGP public key"),
                ("secret", b"\x95\x00\x02\x04.", secret),
                ("secret, newer form", b"\xc5\x02\x04.", secret),
                ("secret, cut off", b"\x95\x00\x02\x04", secret),
                ("secret behind a public one", self.PUBLIC + self.NAME + b"\x95\x00\x01\x04",
                 secret),
                ("secret subkey", self.PUBLIC + b"\x9d\x00\x01\x04", secret),
                ("secret and large", b"\xc5\xff\x00\x20\x00\x00" + bytes(2 ** 21), secret),
                ("armoured secret", armour("PRIVATE KEY BLOCK"), secret),
                ("armoured secret of old", armour("SECRET KEY BLOCK"), secret),
                ("both armoured", armour("PUBLIC KEY BLOCK") + armour("PRIVATE KEY BLOCK"), secret),
                ("both", self.PUBLIC + armour("PRIVATE KEY BLOCK"), secret)):
            path = self.write("key", content)
            more = {"text": ("--check",), "secret": ("--sign", "nobody")}.get(label, ())
            with self.subTest(label):
                status, said = self.build("--publisher-key", path, *more)
                self.assertEqual((status, said.count("\n")), (1, 1), said)
                self.assertIn(why, said)
                self.assertIn(path, said)
                self.assert_untouched()

    def assert_untouched(self) -> None:
        self.assertEqual(sorted(os.listdir(self.tree)),
                         ["build.py", "conf", "insights-mini.pyz.asc", "src"])
        self.assertNotIn("insights-client.conf", os.listdir(os.path.join(self.tree, "conf")))

    def test_a_file_that_cannot_be_read_is_refused_too(self) -> None:
        for path, why in ((self.path("none"), "No such file"), (self.folder, "Is a directory"),
                          ("", "No such file")):
            status, said = self.build("--publisher-key", path)
            self.assertEqual((status, said.count("\n")), (1, 1), said)
            self.assertIn(why, said)
            self.assertNotIn("insights-mini.pyz", os.listdir(self.tree))

    def test_the_product_hands_out_the_key_as_it_was_given(self) -> None:
        for label, content in (
                ("binary", self.PUBLIC), ("newer form", self.NEWER),
                ("with all that belongs to it", self.PUBLIC + self.NAME + b"\x88\x01x\xb9\0\1x"),
                ("two", self.PUBLIC + self.NEWER),
                ("armoured", armour("PUBLIC KEY BLOCK")),
                ("armoured with line ends of Windows and words before it",
                 b"Key of\r\nour site\r\n\r\n" + armour("PUBLIC KEY BLOCK").replace(
                     b"\n", b"\r\n"))):
            with self.subTest(label):
                path = self.write("key", content)
                self.assertEqual(self.build("--publisher-key", path), (0, ""))
                self.assertEqual(self.ask(), (0, content))
                self.assertEqual(self.build("--check", "--publisher-key", path), (0, ""))

    def test_without_the_option_there_is_none_even_where_conf_has_one(self) -> None:
        path = self.write("key", self.PUBLIC)
        for where in ("", "tree/conf/publisher.gpg"):
            if where:
                self.write(where, b"\x95\x00\x02\x04.")
            self.built()
            status, content = self.ask()
            self.assertNotEqual(status, 0)
            self.assertEqual(content, b"")
            self.assertEqual(self.build("--check", "--publisher-key", path), (
                1, "stale: insights-mini.pyz differs first in conf/publisher.gpg\n"))

    def test_a_check_tells_one_key_from_another_and_from_none(self) -> None:
        path = self.write("key", self.PUBLIC)
        self.assertEqual(self.build("--publisher-key", path), (0, ""))
        stale = (1, "stale: insights-mini.pyz differs first in conf/publisher.gpg\n")
        self.assertEqual(self.build("--check"), stale)
        other = self.write("other", self.NEWER)
        self.assertEqual(self.build("--check", "--publisher-key", other), stale)


class Specs(BuildCase):
    def refuse(self, *lines: str) -> None:
        status, said = self.build()
        self.assertEqual((status, said.count("\n")), (1, len(lines)), said)
        for line, begin in zip(said.splitlines(), lines):
            self.assertTrue(line.startswith(begin), said)
        self.assertFalse(os.path.exists(os.path.join(self.tree, "insights-mini.pyz")))

    def test_a_catalogue_with_faults_is_refused_and_each_is_told_with_file_and_spec(self) -> None:
        self.change("conf/specs/system.json", '"for": "distribution', '"fro": "distribution')
        self.refuse("conf/specs/system.json, os_release: unknown key 'fro'",
                    "conf/specs/system.json, os_release: for: a line")
        self.change("conf/specs/system.json", '"file": "/etc/os-release"', '"file": }')
        self.refuse("conf/specs/system.json: is not JSON: ")
        os.unlink(os.path.join(self.tree, "conf", "specs", "system.json"))
        self.refuse("conf/specs/catalogue.json: areas: must be a list with each file of the folder")

    def test_what_is_left_out_and_why_is_not_packed(self) -> None:
        before = self.built()
        self.write("tree/conf/specs/left-out.json", {"about": "x", "left_out": []})
        self.assertTrue(self.built() == before)

    def test_a_changed_spec_is_stale(self) -> None:
        self.built()
        self.change("conf/specs/sap.json", '"for": "', '"for": "x')
        self.assertEqual(self.build("--check"), (
            1, "stale: insights-mini.pyz differs first in conf/specs/catalogue.json\n"))


class Signing(BuildCase):
    def setUp(self) -> None:
        super().setUp()
        signer = Signer.find()
        if signer is None:
            self.skipTest("no gpg")
        self.addCleanup(signer.close)
        self.signer = signer
        self.key = signer.make("publisher")
        self.product = os.path.join(self.tree, "insights-mini.pyz").encode()

    def test_a_key_that_is_not_there_signs_nothing_and_leaves_no_older_signature(self) -> None:
        for older in (False, True):
            if older:
                self.write("tree/insights-mini.pyz.asc", "old")
            status, said = self.build("--sign", "nobody", GNUPGHOME=self.signer.home)
            self.assertNotEqual(status, 0)
            self.assertIn("nobody", said)
            self.assertFalse(os.path.exists(self.product + b".asc"))

    def test_without_gpg_it_says_so(self) -> None:
        status, said = self.build("--sign", self.key, PATH="/none")
        self.assertEqual((status, said), (1, "cannot run gpg: install gnupg\n"))

    def test_the_signature_is_one_that_the_product_itself_trusts(self) -> None:
        for _ in range(2):  # once more replaces it
            self.assertEqual(self.build("--sign", self.key, GNUPGHOME=self.signer.home), (0, ""))
        keys = [("public", self.signer.export(self.key))]
        with open(self.product, "rb") as file:
            content = file.read()
        signature = trust.read_signature(self.product + b".asc")
        trust.vouch(content, signature, keys, self.folder.encode(), 30.0)
        with self.assertRaises(trust.Untrusted):
            trust.vouch(content + b"x", signature, keys, self.folder.encode(), 30.0)

    def test_the_key_that_is_built_in_vouches_for_the_build_and_a_secret_one_is_not_built_in(
            self) -> None:
        home = self.signer.home
        for options in ((), ("--armor",)):
            secret = self.write("secret", self.signer.run(
                *options, "--export-secret-keys", self.key))
            status, said = self.build("--publisher-key", secret, "--sign", self.key, GNUPGHOME=home)
            self.assertEqual(status, 1)
            self.assertIn("SECRET", said)
            self.assertFalse(os.path.exists(self.product))
        for armoured in (False, True):
            public = self.write("public", self.signer.export(self.key, armour=armoured))
            self.assertEqual(self.build("--publisher-key", public, "--sign", self.key,
                                        GNUPGHOME=home), (0, ""))
            with zipfile.ZipFile(os.fsdecode(self.product)) as archive:
                inside = [("inside", archive.read("conf/publisher.gpg"))]
            with open(self.product, "rb") as file:
                trust.vouch(file.read(), trust.read_signature(self.product + b".asc"), inside,
                            self.folder.encode(), 30.0)
            os.unlink(self.product)


class SameBytes(BuildCase):
    def test_the_bytes_do_not_depend_on_folder_umask_locale_time_or_order(self) -> None:
        expected = self.built()
        moved = self.path("an other folder caf\u00e9")
        for label, how in (
                ("again", {}), ("from within", {"cwd": self.tree}), ("umask 077", {"umask": 0o077}),
                ("umask 0", {"umask": 0}), ("C locale", {"LC_ALL": "C"}),
                ("time zone", {"TZ": "Pacific/Auckland"}), ("hash seed", {"PYTHONHASHSEED": "7"}),
                ("no docstrings", {"PYTHONOPTIMIZE": "2"}),
                ("relative", {"cwd": self.path(), "script": "tree/build.py"})):
            with self.subTest(label):
                self.assertTrue(self.built(**how) == expected)
        for folder, _, names in os.walk(self.tree):
            for name in names:
                os.utime(os.path.join(folder, name), (1, 1))
                os.chmod(os.path.join(folder, name), 0o600)
        shutil.move(self.tree, moved)
        self.tree = moved
        self.assertTrue(self.built() == expected)

    def test_the_bytes_are_the_same_from_every_python_on_this_host(self) -> None:
        expected = self.built()
        interpreters = find_interpreters()
        self.assertIn("%d.%d" % sys.version_info[:2], [version for version, _ in interpreters])
        for version, python in interpreters:
            with self.subTest(version):
                self.assertTrue(self.built(python=python) == expected)

    def test_the_product_that_other_tests_run_is_what_build_py_writes(self) -> None:
        with open(Product.build(), "rb") as file:
            product = file.read()
        with zipfile.ZipFile(Product.build()) as archive:
            sources_then = {name: archive.read(name) for name in archive.namelist()}
        self.built()
        with zipfile.ZipFile(os.path.join(self.tree, "insights-mini.pyz")) as archive:
            sources_now = {name: archive.read(name) for name in archive.namelist()}
        if sources_then == sources_now:  # else the sources changed since the product was built
            self.assertTrue(self.built() == product)

    def test_the_file_can_be_executed_whatever_the_umask(self) -> None:
        for umask in (0, 0o022, 0o077):
            self.built(umask=umask)
            mode = os.stat(os.path.join(self.tree, "insights-mini.pyz")).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o755)
        self.assertEqual([name for name in os.listdir(self.tree) if name.endswith(".part")], [])


class Content(Scratch):
    def setUp(self) -> None:
        super().setUp()
        with open(Product.build(), "rb") as file:
            self.product = file.read()
        with zipfile.ZipFile(Product.build()) as archive:
            self.infos = archive.infolist()
            self.entries = {info.filename: archive.read(info) for info in self.infos}

    def test_entries_are_stored_and_sorted_with_one_time_and_mode(self) -> None:
        names = [info.filename for info in self.infos]
        self.assertEqual(names, sorted(set(names)))
        self.assertEqual({info.compress_type for info in self.infos}, {zipfile.ZIP_STORED})
        self.assertEqual({info.date_time for info in self.infos}, {(1980, 1, 1, 0, 0, 0)})
        self.assertEqual({info.external_attr >> 16 for info in self.infos}, {0o644})
        self.assertEqual({info.create_system for info in self.infos}, {3})

    def test_it_begins_with_the_line_that_finds_python3(self) -> None:
        self.assertTrue(self.product.startswith(b"#!/usr/bin/env python3\nPK"))

    def test_it_holds_every_source_and_every_file_of_conf_but_what_embeds_it(self) -> None:
        expected = {"__main__.py"}
        for top, start in (("src", "src"), ("conf", "")):
            for folder, _, names in os.walk(os.path.join(TOP, top)):
                expected.update(os.path.relpath(os.path.join(folder, name),
                                                os.path.join(TOP, start))
                                for name in names if "__pycache__" not in folder)
        areas = {name for name in expected if name.startswith("conf/specs/")}
        self.assertGreater(len(areas), 20)
        expected -= areas - {"conf/specs/catalogue.json"}
        embedding = {name for name in expected if name.startswith(
            ("conf/dracut/", "conf/kickstart/", "conf/mkosi/", "conf/rear/"))}
        self.assertEqual(len(embedding), 5)
        expected -= embedding
        expected -= {"insights_mini/core/catalogue_source.py"}
        self.assertEqual(set(self.entries), expected)
        self.assertEqual(self.entries["__main__.py"], self.entries["insights_mini/__main__.py"])

    def test_code_in_it_is_that_of_the_sources_line_by_line_but_for_what_only_people_read(
            self) -> None:
        compared = stripped = 0
        for folder, _, names in os.walk(os.path.join(TOP, "src")):
            for name in names:
                path = os.path.join(folder, name)
                shown = os.path.relpath(path, os.path.join(TOP, "src"))
                entry = self.entries.get(shown)
                if entry is not None:
                    with open(path, "rb") as file:
                        source = file.read()
                    core = shown.startswith("insights_mini/core/")
                    self.assertEqual(read_code(source, typed=not core), read_code(entry), path)
                    if not core:
                        self.assertEqual(source, entry, shown)
                    compared += 1
                    stripped += entry != source
        self.assertGreater(compared - stripped, 15)
        self.assertGreater(stripped, 30)

    def test_strings_that_are_no_docstrings_stay_as_they_are(self) -> None:
        source = (b'"""Docs."""\nX = """a\n    # b\n      c"""  # gone\n\n\n'
                  b'def f(a=(\n        "x",\n        # gone\n'
                  b'        "y")):\n    """Docs,\n    long."""\n    # gone\n'
                  b'    return ("a  # b"\n            "c")\n')
        self.assertEqual(load_build().strip_words(source), (
            b'""\nX = """a\n    # b\n      c"""\n\n\ndef f(a=(\n\t\t"x",\n\n\t\t"y")):\n\t""\n\n\n'
            b'\treturn ("a  # b"\n\t\t\t"c")\n'))

    def test_only_types_of_parameters_and_results_go_and_each_line_keeps_its_number(self) -> None:
        strip = load_build().strip_types
        for source, packed in (
                ("def f(): pass", "def f(): pass"),
                ("def f(a: int, b: str = 5, c=6) -> None: pass", "def f(a, b=5, c=6): pass"),
                ("def f(a, *b: int, c: T, d: T=1, **e: T)->T : pass",
                 "def f(a, *b, c, d=1, **e): pass"),
                ("def f(a: 'A, b: c = d', *, b: \"->):\" = ':') -> 'L[int]': pass",
                 "def f(a, *, b=':'): pass"),
                ("def f(a: D[s, T[int, ...]] = {1: 2, 3: (4, lambda: 5)}, b: A = x[1:2]): pass",
                 "def f(a={1: 2, 3: (4, lambda: 5)}, b=x[1:2]): pass"),
                ("def f(a: A = lambda: 0, b: B = lambda x=lambda: {1: 2}, *y: x, c: C = 1): pass",
                 "def f(a=lambda: 0, b=lambda x=lambda: {1: 2}, *y: x, c=1): pass"),
                ("def f(b: B, a: lambda x, y=1: 0 = 3) -> lambda x: x: pass",
                 "def f(b, a=3): pass"),
                ("def f(a: A if x else B = 1 if y else 2, b: x.y[z](1) = -1): pass",
                 "def f(a=1 if y else 2, b=-1): pass"),
                ("def f(a: A = f'){x:>{y}}', b: B = 1): pass", "def f(a=f'){x:>{y}}', b=1): pass"),
                ("@d(x, y=lambda a: b)\ndef f(a: int) -> int: x: int = 5; return x",
                 "@d(x, y=lambda a: b)\ndef f(a): x: int = 5; return x"),
                ("def f() -> None:\n    async def g(a: A,\n    ) -> A:\n"
                 "        def h(\u00e9: A, \u00fc: B): pass",
                 "def f():\n    async def g(a,\n    ):\n        def h(\u00e9, \u00fc): pass"),
                ("def f(a: D[\n        str,  # why\n        int], b: T\n      ) -> int: pass",
                 "def f(a\n\n, b\n      ): pass"),
                ("def f(a: A  # why: not\n      = 5,\n      b: B =  # c\n          6): pass",
                 "def f(a\n=5,\n      b\n=6): pass"),
                ("def f(a: T,\n      b: T = 7) -> D[\n        str, int]: return b\nx: T",
                 "def f(a,\n      b=7\n): return b\nx: T"),
                ("def f(a: T) \\\n        -> T: return a\nf(1)", "def f(a\n): return a\nf(1)"),
                ("def f(a: T, b: '''\n  :''', c: T = '''\n  x'''): pass\n'''def f(a: T): pass'''",
                 "def f(a, b\n, c='''\n  x'''): pass\n'''def f(a: T): pass'''"),
                ("class A(B):\n    a: int\n    b: L[int] = []\n    def f(self, a: T) -> T: pass",
                 "class A(B):\n    a: int\n    b: L[int] = []\n    def f(self, a): pass"),
                ("x: D[str, int] = {}\ny = x[1:2], {a: b for a in c}, lambda d: e  # def f(a: b)",
                 "x: D[str, int] = {}\ny = x[1:2], {a: b for a in c}, lambda d: e  # def f(a: b)")):
            with self.subTest(source):
                self.assertEqual(strip(source.encode()).decode(), packed)
                self.assertEqual(read_code(source.encode(), typed=False),
                                 read_code(packed.encode()))

    def test_the_catalogue_in_it_is_that_of_the_checkout(self) -> None:
        script = ("import sys; sys.path.insert(0, sys.argv[1]); "
                  "from insights_mini.core.catalogue import load_catalogue; "
                  "rules = load_catalogue(); "
                  "print(ascii((*rules[:1], tuple(map(tuple, rules.specs)), *rules[2:])))")
        said = subprocess.check_output([sys.executable, "-c", script, Product.build()], cwd="/")
        rules = load_catalogue()
        self.assertEqual(ast.literal_eval(said.decode("ascii")),
                         (*rules[:1], tuple(map(tuple, rules.specs)), *rules[2:]))
        self.assertGreater(len(rules.specs), 400)

    def test_each_spec_is_a_line_of_the_packed_catalogue_with_all_that_its_area_says(self) -> None:
        text = self.entries["conf/specs/catalogue.json"].decode("utf-8")
        packed = json.loads(text)
        rows = [json.JSONDecoder().raw_decode(line)[0] for line in text.splitlines()
                if line.startswith("[")]
        listed = []
        with open(os.path.join(TOP, "conf", "specs", "catalogue.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        self.assertEqual(sorted(packed["areas"]), sorted(manifest.pop("areas")))
        for area, tables in packed.pop("areas").items():
            with open(os.path.join(TOP, "conf", "specs", area + ".json"), encoding="utf-8") as file:
                edited = json.load(file)["specs"]
            for kind in ("command", "file", "glob"):
                found = [dict(zip([kind, *packed["fields"]], row)) for row in tables.get(kind, [])]
                self.assertEqual([{key: value for key, value in spec.items() if value != 0}
                                  for spec in found],
                                 [spec for spec in edited if kind in spec], (area, kind))
                listed += tables.get(kind, [])
        self.assertEqual(rows, listed)
        self.assertTrue(all(row[-1] != 0 for row in rows))
        del packed["fields"]
        for group in manifest["keeps"].values():
            self.assertTrue(group.pop("why"))
        self.assertEqual(packed, manifest)

    def test_it_is_smaller_than_promised(self) -> None:
        self.assertLess(len(self.product), 660 * 1000)


class Template(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.text: str = load_build().make_template()

    def test_the_committed_template_is_the_generated_one(self) -> None:
        with open(os.path.join(TOP, "conf", "insights-client.conf"), encoding="utf-8") as file:
            self.assertEqual(file.read(), self.text)

    def test_every_option_is_there_once_with_its_explanation_and_default(self) -> None:
        settings = re.findall(r"^# (.+)\n#(\w+)=(.*)$", self.text, re.MULTILINE)
        shown = {name: (explanation, default) for explanation, name, default in settings}
        expected = [option for option in OPTIONS if not option.action]
        self.assertEqual(sorted(name for _, name, _ in settings),
                         sorted(option.name for option in expected))
        self.assertEqual(sorted(re.findall(r"^#(\w+)=", self.text, re.MULTILINE)),
                         sorted(shown))
        for option in expected:
            with self.subTest(option.name):
                explanation, _ = shown[option.name]
                self.assertEqual(explanation.lower(), option.help.lower())

    def load(self, text: str) -> Settings:
        self.write("insights-client.conf", text)
        loaded = sources.load([], {}, find_paths({"INSIGHTS_CONF_DIR": self.folder}))
        self.assertEqual(loaded.warnings, ())
        return loaded.settings

    def test_the_template_itself_changes_nothing(self) -> None:
        self.assertEqual(self.load(self.text), Settings())

    def test_the_defaults_it_shows_are_the_real_ones(self) -> None:
        self.assertEqual(self.load(re.sub(r"^#(\w+=)", r"\1", self.text, flags=re.MULTILINE)),
                         Settings())

    def test_no_line_is_too_long_to_be_read(self) -> None:
        for line in self.text.splitlines():
            self.assertLessEqual(len(line), 120)
