"""Where things lie on the host, and the environment that moves them."""
import os
import stat
import unittest

from insights_mini.paths import find_paths, make_private_folder
from tests.support import Scratch


class Defaults(unittest.TestCase):
    def test_without_an_environment_everything_lies_where_administrators_know_it(self) -> None:
        for environ in ({}, {"INSIGHTS_CONF_DIR": "", "INSIGHTS_STATE_DIR": "",
                             "INSIGHTS_LOG_DIR": "", "TMPDIR": ""}):
            paths = find_paths(environ)
            self.assertEqual(paths.conf_dir, b"/etc/insights-client")
            self.assertEqual(paths.state_dir, b"/var/lib/insights")
            self.assertEqual(paths.log_dir, b"/var/log/insights-client")
            self.assertEqual(paths.temp_dir, b"/var/tmp")

    def test_files_have_their_names_of_the_contract(self) -> None:
        paths = find_paths({})
        self.assertEqual(paths.configuration, b"/etc/insights-client/insights-client.conf")
        self.assertEqual(paths.cached_rules, b"/etc/insights-client/.cache.json")
        self.assertEqual(paths.fallback_rules, b"/etc/insights-client/.fallback.json")
        self.assertEqual(paths.log_file, b"/var/log/insights-client/insights-client.log")
        self.assertTrue(paths.lock.startswith(b"/var/lib/insights/"))


class Environment(unittest.TestCase):
    def test_each_variable_moves_its_folder_and_no_other(self) -> None:
        for variable, field in (("INSIGHTS_CONF_DIR", "conf_dir"),
                                ("INSIGHTS_STATE_DIR", "state_dir"),
                                ("INSIGHTS_LOG_DIR", "log_dir"), ("TMPDIR", "temp_dir")):
            with self.subTest(variable):
                moved = find_paths({variable: "/somewhere/else"})
                self.assertEqual(moved, find_paths({})._replace(**{field: b"/somewhere/else"}))

    def test_a_relative_folder_is_taken_from_where_the_run_was_started(self) -> None:
        expected = os.path.join(os.fsencode(os.getcwd()), b"here")
        self.assertEqual(find_paths({"TMPDIR": "here"}).temp_dir, expected)

    def test_a_folder_whose_name_is_not_utf_8_keeps_its_bytes(self) -> None:
        name = b"/tmp/\xff\xfe caf\xc3\xa9"
        self.assertEqual(find_paths({"INSIGHTS_LOG_DIR": os.fsdecode(name)}).log_dir, name)


class PrivateFolders(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(os.umask, os.umask(0))

    def mode(self, *parts: str) -> int:
        return stat.S_IMODE(os.stat(self.path(*parts)).st_mode)

    def make(self, *parts: str) -> None:
        make_private_folder(os.fsencode(self.path(*parts)))

    def test_a_file_in_the_way_is_an_error_and_keeps_its_mode(self) -> None:
        self.write("file", "x", mode=0o600)
        with self.assertRaises(OSError):
            self.make("file", "log")
        self.assertEqual(self.mode("file"), 0o600)

    def test_a_folder_that_is_there_keeps_its_mode(self) -> None:
        os.mkdir(self.path("there"), 0o750)
        os.mkdir(self.path("there", "log"), 0o755)
        self.make("there", "log")
        self.assertEqual((self.mode("there"), self.mode("there", "log")), (0o750, 0o755))

    def test_under_umask_0_the_folder_is_private_and_those_above_are_not_writable(self) -> None:
        """FAULTS 50."""
        self.make("a", "b", "log")
        self.assertEqual(self.mode("a", "b", "log"), 0o700)
        self.assertEqual((self.mode("a"), self.mode("a", "b")), (0o755, 0o755))

    def test_under_umask_077_the_folders_above_can_be_passed(self) -> None:
        os.umask(0o077)
        self.make("a", "log")
        self.assertEqual((self.mode("a"), self.mode("a", "log")), (0o755, 0o700))
