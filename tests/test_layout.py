"""The house rules that code review would otherwise have to keep: arrows, budgets, top level."""
import ast
import os
import unittest
from typing import Dict, Set

from tests.support import TOP

SOURCE = os.path.join(TOP, "src", "insights_mini")


def read_imports() -> Dict[str, Set[str]]:
    """Return what each module of the project imports of the project, by dotted name."""
    found: Dict[str, Set[str]] = {}
    for folder, _, names in os.walk(SOURCE):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                module = os.path.relpath(path, SOURCE)[:-3].replace(os.sep, ".")
                with open(path, encoding="utf-8") as file:
                    tree = ast.parse(file.read())
                found[module] = {imported for node in ast.walk(tree)
                                 for imported in imported_by(node)}
    return found


def imported_by(node: ast.AST) -> Set[str]:
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("insights_mini"):
        base = (node.module or "")[len("insights_mini"):].lstrip(".")
        return {(base + "." + alias.name).lstrip(".") for alias in node.names}
    if isinstance(node, ast.Import):
        return {alias.name[len("insights_mini."):] for alias in node.names
                if alias.name.startswith("insights_mini.")}
    return set()


class Layout(unittest.TestCase):
    def assert_no_arrow(self, source: str, target: str) -> None:
        for module, imports in read_imports().items():
            if module.startswith(source):
                for imported in imports:
                    self.assertFalse(imported.startswith(target),
                                     "%s imports %s" % (module, imported))

    def test_wrapper_and_core_never_import_each_other(self) -> None:
        self.assert_no_arrow("wrapper.", "core")
        self.assert_no_arrow("core.", "wrapper")

    def test_the_foundation_imports_no_floor_but_where_they_meet(self) -> None:
        for module, imports in read_imports().items():
            if "." not in module and module != "start":
                for imported in imports:
                    self.assertFalse(imported.startswith(("wrapper", "core")), module)

    def test_the_road_never_turns_back(self) -> None:
        self.assert_no_arrow("core.collect.", "core.redact")
        self.assert_no_arrow("core.collect.", "core.archive")
        self.assert_no_arrow("core.collect.", "core.output")
        self.assert_no_arrow("core.redact.", "core.collect")
        self.assert_no_arrow("core.redact.", "core.archive")
        self.assert_no_arrow("core.redact.", "hostfiles")
        self.assert_no_arrow("core.redact.", "process")
        self.assert_no_arrow("core.archive", "core.collect")
        self.assert_no_arrow("core.archive", "core.redact")
        self.assert_no_arrow("core.specs", "core.collect")

    def test_the_check_itself_sees_the_arrows_that_exist(self) -> None:
        imports = read_imports()
        self.assertIn("core.collect.plan", imports["core.collection"])
        self.assertIn("wrapper.main.run", imports["start"])

    def test_the_wrapper_stays_under_600_lines(self) -> None:
        lines = 0
        for name in os.listdir(os.path.join(SOURCE, "wrapper")):
            if name.endswith(".py"):
                with open(os.path.join(SOURCE, "wrapper", name), encoding="utf-8") as file:
                    lines += len(file.readlines())
        self.assertLess(lines, 600)
        self.assertGreater(lines, 100)

    def test_no_module_has_more_than_350_lines_and_each_says_what_it_is(self) -> None:
        for folder, _, names in os.walk(SOURCE):
            for name in names:
                if name.endswith(".py"):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        text = file.read()
                    self.assertLessEqual(text.count("\n"), 350, name)
                    self.assertTrue(ast.get_docstring(ast.parse(text)), name)

    def test_the_top_level_holds_what_was_agreed_and_nothing_else(self) -> None:
        agreed = {"src", "build.py", "tests", "insights-mini.pyz", "conf", "README.md"}
        there = {name for name in os.listdir(TOP) if not name.startswith(".")}
        self.assertEqual(there - {"__pycache__"}, agreed)

    def test_only_the_standard_library_is_imported(self) -> None:
        foreign = {"requests", "yaml", "six", "dataclasses", "pkg_resources", "setuptools"}
        for folder, _, names in os.walk(SOURCE):
            for name in names:
                if name.endswith(".py"):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        tree = ast.parse(file.read())
                    for node in ast.walk(tree):
                        if isinstance(node, ast.Import):
                            self.assertFalse({a.name.split(".")[0] for a in node.names} & foreign)
