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
from insights_mini.paths import find_paths
from insights_mini.settings import OPTIONS, Settings
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


def read_code(source: bytes) -> List[Tuple[str, int]]:
    """Return each statement and expression with its line, but for docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
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
        public = self.write("public", self.signer.export(self.key)).encode()
        with open(self.product, "rb") as file:
            content = file.read()
        trust.vouch(content, self.product + b".asc", public, self.folder.encode(), 30.0)
        with self.assertRaises(trust.Untrusted):
            trust.vouch(content + b"x", self.product + b".asc", public, self.folder.encode(), 30.0)


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

    def test_it_holds_every_source_and_every_file_of_conf(self) -> None:
        expected = {"__main__.py"}
        for top, start in (("src", "src"), ("conf", "")):
            for folder, _, names in os.walk(os.path.join(TOP, top)):
                expected.update(os.path.relpath(os.path.join(folder, name),
                                                os.path.join(TOP, start))
                                for name in names if "__pycache__" not in folder)
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
                    self.assertEqual(read_code(source), read_code(entry), path)
                    if not shown.startswith("insights_mini/core/"):
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

    def test_data_in_it_is_that_of_the_sources(self) -> None:
        with open(os.path.join(TOP, "conf", "specs", "network.json"), "rb") as file:
            specs = json.loads(file.read().decode("utf-8"))["specs"]
        packed = self.entries["conf/specs/network.json"].decode("utf-8")
        self.assertEqual(json.loads(packed)["specs"], specs)

    def test_it_is_smaller_than_promised(self) -> None:
        self.assertLess(len(self.product), 400 * 1000)


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
