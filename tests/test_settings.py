"""The table of options: it agrees with Settings; how values are read; conflicts, implications."""
import unittest
from typing import Dict, Tuple

from insights_mini.exits import USAGE, Failure
from insights_mini.options import COMPRESSORS, LEVELS, OPTIONS, PRESETS, Option
from insights_mini.settings import Settings, Value, make_settings, parse_value

TYPES = {"flag": bool, "text": str, "choice": str, "names": tuple, "seconds": float, "size": int,
         "number": int, "optional": str}
KIB, MIB, GIB = 1024, 1024 ** 2, 1024 ** 3


def option(name: str) -> Option:
    return next(row for row in OPTIONS if row.name == name)


class Table(unittest.TestCase):
    def test_table_and_settings_have_the_same_names_and_each_once(self) -> None:
        names = [row.name for row in OPTIONS]
        self.assertEqual(sorted(names), sorted(Settings._fields))
        self.assertEqual(len(names), len(set(names)))

    def test_no_flag_stands_for_two_options(self) -> None:
        flags = [flag for row in OPTIONS for flag in row.flags] + ["--help", "-h"]
        self.assertEqual(len(flags), len(set(flags)))

    def test_the_long_flag_of_an_option_is_its_name(self) -> None:
        for row in OPTIONS:
            if row.flags:
                self.assertEqual(row.flags[0], "--" + row.name.replace("_", "-"))

    def test_every_default_has_the_type_of_its_kind(self) -> None:
        for row in OPTIONS:
            with self.subTest(row.name):
                default = getattr(Settings(), row.name)
                self.assertIs(type(default), TYPES[row.kind])
                if row.kind == "choice":
                    self.assertIn(default, row.choices)

    def test_every_option_has_an_explanation_of_one_sentence(self) -> None:
        for row in OPTIONS:
            with self.subTest(row.name):
                self.assertGreater(len(row.help), 10)
                self.assertNotIn("\n", row.help)
                self.assertNotIn("%", row.help)

    def test_an_action_has_a_flag(self) -> None:
        for row in OPTIONS:
            if row.action:
                self.assertTrue(row.flags, row.name)


class Values(unittest.TestCase):
    def refuse(self, name: str, *texts: str) -> None:
        for text in texts:
            with self.subTest(name, text=text), self.assertRaises(ValueError) as caught:
                parse_value(option(name), text)
            self.assertTrue(str(caught.exception))

    def accept(self, name: str, cases: Tuple[Tuple[str, Value], ...]) -> None:
        for text, expected in cases:
            with self.subTest(name, text=text):
                value = parse_value(option(name), text)
                self.assertEqual(value, expected)
                self.assertIs(type(value), type(expected))

    def test_what_is_no_boolean_is_refused(self) -> None:
        self.refuse("quiet", "", "2", "-1", "10", "maybe", "tru", "yes please", "none", "y", "n",
                    "true,", "0.0")

    def test_booleans_are_read_in_all_spellings(self) -> None:
        for words, expected in ((("true", "yes", "on", "1"), True),
                                (("false", "no", "off", "0"), False)):
            for word in words:
                self.accept("quiet", tuple((text, expected) for text in (
                    word, word.upper(), word.capitalize(), " %s\t" % word)))

    def test_what_is_no_number_of_seconds_is_refused(self) -> None:
        self.refuse("cmd_timeout", "", "0", "-1", "-0.5", "abc", "1m", "1,5", "nan", "inf", "-inf",
                    "1e400", "5 s")

    def test_seconds_are_read_with_fractions(self) -> None:
        self.accept("cmd_timeout", (("1", 1.0), ("0.5", 0.5), (" 120 ", 120.0), ("1e2", 100.0)))

    def test_what_is_no_size_is_refused(self) -> None:
        self.refuse("max_size", "", "0", "0M", "-1", "-5M", "1.5G", "M", "B", "M5", "5X", "5 5",
                    "0x10", "5MM", "1e3", "five")

    def test_sizes_are_read_in_all_units(self) -> None:
        self.accept("max_size", (
            ("1", 1), ("4096", 4096), ("1k", KIB), ("1K", KIB), ("500M", 500 * MIB),
            ("500MB", 500 * MIB), ("500MiB", 500 * MIB), ("2g", 2 * GIB), ("1T", KIB * GIB),
            (" 7m ", 7 * MIB)))

    def test_what_is_none_of_the_choices_is_refused_with_the_choices(self) -> None:
        self.refuse("compressor", "", "zip", "gzip", "gz,xz", "g")
        self.refuse("loglevel", "", "TRACE", "10")
        self.refuse("preset", "", "tiny", "minimal,full")
        for name, choices in (("compressor", COMPRESSORS), ("loglevel", LEVELS),
                              ("preset", PRESETS)):
            with self.assertRaises(ValueError) as caught:
                parse_value(option(name), "wrong")
            for choice in choices:
                self.assertIn(choice, str(caught.exception))

    def test_choices_are_read_in_any_case_and_given_in_ours(self) -> None:
        self.accept("compressor", (("GZ", "gz"), ("none", "none"), (" xz ", "xz")))
        self.accept("loglevel", (("debug", "DEBUG"), ("Warning", "WARNING")))

    def test_names_are_split_at_commas_and_stripped(self) -> None:
        self.accept("run_these", (
            ("", ()), (",", ()), ("uptime", ("uptime",)), ("a,b", ("a", "b")),
            (" a , b ,, ", ("a", "b"))))

    def test_text_is_taken_as_it_is_but_for_blanks_around_it(self) -> None:
        self.accept("output_dir", (("", ""), (" /a b ", "/a b"), ("100%", "100%"), ("#x", "#x")))


class Conflicts(unittest.TestCase):
    PAIRS: Tuple[Tuple[Dict[str, Value], str, str], ...] = (
        ({"output_dir": "a", "output_file": "b"}, "--output-dir", "--output-file"),
        ({"to_stdout": True, "output_dir": "a"}, "--to-stdout", "--output-dir"),
        ({"to_stdout": True, "output_file": "a"}, "--to-stdout", "--output-file"),
        ({"from_file": "a", "from_stdin": True}, "--from-file", "--from-stdin"),
        ({"areas": ("a",), "not_areas": ("b",)}, "--areas", "--not-areas"),
        ({"areas": ("a",), "run_these": ("b",)}, "--areas", "--run-these"),
        ({"not_areas": ("a",), "run_these": ("b",)}, "--not-areas", "--run-these"),
        ({"preset": "minimal", "run_these": ("b",)}, "--preset", "--run-these"),
        ({"preset": "full", "run_these": ("b",)}, "--preset", "--run-these"),
        ({"analyze_mountpoint": "a", "analyze_container": True}, "--analyze-mountpoint",
         "--analyze-container"),
        ({"analyze_mountpoint": "a", "register": True}, "--analyze-mountpoint", "--register"),
        ({"analyze_container": True, "enable_schedule": True}, "--analyze-container",
         "--enable-schedule"),
    )

    def test_options_that_exclude_each_other_are_refused_by_name(self) -> None:
        for values, one, other in self.PAIRS:
            with self.subTest(one + " " + other), self.assertRaises(Failure) as caught:
                make_settings(values)
            self.assertIn(one, str(caught.exception))
            self.assertIn(other, str(caught.exception))
            self.assertEqual(caught.exception.status, USAGE)

    def test_all_conflicts_are_reported_at_once(self) -> None:
        with self.assertRaises(Failure) as caught:
            make_settings({"output_dir": "a", "output_file": "b", "from_file": "c",
                           "from_stdin": True})
        for flag in ("--output-dir", "--output-file", "--from-file", "--from-stdin"):
            self.assertIn(flag, str(caught.exception))

    def test_an_option_that_needs_another_one_is_refused_without_it(self) -> None:
        for values, needs in (({"json": True}, "--json needs --list-specs"),
                              ({"payload": "x"}, "--payload needs --content-type")):
            with self.assertRaises(Failure) as caught:
                make_settings(dict(values))
            self.assertIn(needs, str(caught.exception))
        self.assertTrue(make_settings({"json": True, "list_specs": True}).pipes)

    def test_one_of_the_two_alone_is_no_conflict(self) -> None:
        for values, _, _ in self.PAIRS:
            for name in values:
                make_settings({name: values[name]})


class Implications(unittest.TestCase):
    def test_nothing_is_implied_where_nothing_is_set(self) -> None:
        self.assertEqual(make_settings({}), Settings())

    def test_what_never_uploads_keeps_the_archive(self) -> None:
        cases: Tuple[Dict[str, Value], ...] = (
            {"offline": True}, {"no_upload": True}, {"output_dir": "a"}, {"output_file": "a"},
            {"analyze_mountpoint": "a"}, {"analyze_container": True})
        for values in cases:
            with self.subTest(str(values)):
                settings = make_settings(values)
                self.assertTrue(settings.no_upload)
                self.assertTrue(settings.keep_archive)
                self.assertFalse(settings.quiet)

    def test_to_stdout_is_quiet_and_keeps_a_second_copy_only_if_asked(self) -> None:
        for values, kept in (({"to_stdout": True}, False),
                             ({"to_stdout": True, "offline": True}, False),
                             ({"to_stdout": True, "keep_archive": True}, True)):
            with self.subTest(str(values)):
                settings = make_settings(dict(values))
                self.assertTrue(settings.no_upload)
                self.assertTrue(settings.quiet)
                self.assertEqual(settings.keep_archive, kept)

    def test_an_upload_keeps_the_archive_only_if_asked(self) -> None:
        self.assertFalse(make_settings({"quiet": True}).keep_archive)
        self.assertTrue(make_settings({"keep_archive": True}).keep_archive)
        self.assertFalse(make_settings({"keep_archive": True}).no_upload)
