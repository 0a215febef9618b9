"""Where the floors meet: the short way of --version, and a phase that runs alone."""
import hashlib
import json
import os
import subprocess
import sys
import unittest

from insights_mini import bundle, start
from insights_mini.core.phases import run_alone
from insights_mini.exits import FAILED
from insights_mini.paths import find_paths
from tests.support import Product, Scratch
from tests.test_log import captured

READ = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from insights_mini import bundle
print(json.dumps(hashlib.sha256(bundle.read_whole()).hexdigest()))
"""
LOAD_KEYS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from insights_mini import trust
print(json.dumps([name for name, content in trust.load_keys(sys.argv[2].encode())]))
"""


class Alone(Scratch):
    def test_an_egg_in_the_environment_or_in_one_of_the_places_takes_the_long_way(self) -> None:
        environ = {"INSIGHTS_CONF_DIR": self.path("etc"), "INSIGHTS_STATE_DIR": self.path("state")}
        self.assertTrue(start.is_alone(environ))
        self.assertTrue(start.is_alone(dict(environ, EGGS="x", INSIGHTS_EGG="x")))
        for value in ("", "x"):
            self.assertFalse(start.is_alone(dict(environ, EGG=value)))
        paths = find_paths(environ)
        for place in (paths.new_egg, paths.stable_egg, paths.rpm_egg):
            with self.subTest(place):
                os.makedirs(os.path.dirname(place), exist_ok=True)
                os.symlink("nowhere", place)
                self.assertFalse(start.is_alone(environ))
                os.unlink(place)

    def test_without_a_word_about_folders_the_places_are_the_usual_ones(self) -> None:
        paths = find_paths({})
        there = any(map(os.path.lexists, (paths.new_egg, paths.stable_egg, paths.rpm_egg)))
        self.assertEqual(start.is_alone({}), not there)


class Whole(Scratch):
    def test_a_checkout_has_no_file_to_compare_an_egg_with(self) -> None:
        self.assertEqual(bundle.read_whole(), b"")

    def test_the_product_reads_itself_to_the_last_byte(self) -> None:
        with open(Product.build(), "rb") as file:
            expected = hashlib.sha256(file.read()).hexdigest()
        self.assertEqual(self.ask(READ), expected)

    def test_a_product_without_a_publishers_key_trusts_the_file_only(self) -> None:
        path = self.write("etc/key.gpg", b"key")
        self.assertEqual(self.ask(LOAD_KEYS, path), [path])

    def ask(self, script: str, *arguments: str) -> object:
        """Run a script with the built product in the path and return what it prints."""
        return json.loads(subprocess.check_output(
            [sys.executable, "-I", "-c", script, Product.build(), *arguments]).decode())


class PhaseAlone(Scratch):
    def run_phase(self, *argv: str, **environ: str) -> int:
        given = {"INSIGHTS_CONF_DIR": self.path("etc"), "INSIGHTS_STATE_DIR": self.path("state"),
                 "INSIGHTS_LOG_DIR": self.path("log"), "TMPDIR": self.folder}
        with captured() as got:
            status = run_alone("pre_update", list(argv), dict(given, **environ))
        self.said = got
        return status

    def test_an_egg_that_does_not_know_the_options_has_failed_and_does_not_end_the_run(
            self) -> None:
        """Another egg shall try: 100 and more would end the run."""
        self.write("etc/insights-client.conf", "[insights-client]\nmax_time=soon\n")
        for argv, environ in ((["--option-of-tomorrow"], {"INSIGHTS_CONF_DIR": self.folder}),
                              (["--max-time", "soon"], {"INSIGHTS_CONF_DIR": self.folder}),
                              (["--offline"], {"INSIGHTS_MAX_TIME": "soon"}),
                              (["--offline"], {})):
            with self.subTest(argv, environ=environ):
                self.assertEqual(self.run_phase(*argv, **environ), FAILED)
                self.assertEqual(self.said.out, b"")
                self.assertTrue(self.said.err.startswith(b"ERROR: "))
                self.assertEqual(self.said.err.count(b"\n"), 1)

    def test_what_it_knows_it_does(self) -> None:
        self.assertEqual(self.run_phase("--version"), 100)
        self.assertIn(b"Core: ", self.said.out)
        self.assertEqual(self.run_phase("--offline"), 0)


if __name__ == "__main__":
    unittest.main()
