"""Command line, environment, configuration file: precedence, and what each kind of fault says."""
import json
import os
import re
import socket
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from insights_mini import sources
from insights_mini.exits import USAGE, Failure
from insights_mini.options import OPTIONS, Option
from insights_mini.paths import RESERVED, find_paths
from insights_mini.settings import Settings, Value
from tests.support import Scratch

SECRET = "s3cr3t-w0rd"
NOBODY = 65534

# For each kind: text and value as set in the file, in the environment, on the command line.
SAMPLES: Dict[str, Tuple[Tuple[str, Value], ...]] = {
    "text": (("/file", "/file"), ("/environment", "/environment"), ("/flag", "/flag")),
    "names": (("a", ("a",)), ("b,c", ("b", "c")), ("d", ("d",))),
    "seconds": (("11", 11.0), ("12", 12.0), ("13", 13.0)),
    "number": (("2", 2), ("3", 3), ("4", 4)),
    "optional": (("a", "a"), ("b", "b"), ("c", "c")),
    "size": (("1K", 1024), ("2K", 2048), ("3K", 3072)),
}


def samples(option: Option) -> Tuple[Tuple[str, Value], ...]:
    if option.kind == "choice":
        default = getattr(Settings(), option.name)
        others = [choice for choice in option.choices if choice != default]
        others += [default, others[0]]
        return tuple((choice, choice) for choice in others)
    if option.choices:
        first, second = option.choices[:2]
        return ((first, (first,)), ("%s, %s" % (first, second), (first, second)))
    return SAMPLES[option.kind]


class SourcesCase(Scratch):
    def load(self, argv: Sequence[str] = (), environ: Optional[Mapping[str, str]] = None,
             file: Optional[str] = None) -> sources.Loaded:
        if file is not None:
            self.write("insights-client.conf", file)
        return sources.load(list(argv), dict(environ or {}),
                            find_paths({"INSIGHTS_CONF_DIR": self.folder}))

    def refuse(self, argv: Sequence[str] = (),
             environ: Optional[Mapping[str, str]] = None, file: Optional[str] = None) -> str:
        """Load, which must fail as wrong usage; return the message, which must be one line."""
        with self.assertRaises(Failure) as caught:
            self.load(argv, environ, file)
        self.assertEqual(caught.exception.status, USAGE)
        message = str(caught.exception)
        self.assertNotIn("\n", message.rstrip("\n"))
        return message

    @property
    def conf(self) -> str:
        return self.path("insights-client.conf")


def section(*lines: str) -> str:
    return "[insights-client]\n" + "".join(line + "\n" for line in lines)


class WrongValues(SourcesCase):
    CASES = (("quiet", "maybe"), ("cmd_timeout", "soon"), ("max_size", "big"),
             ("compressor", "zip"), ("loglevel", "loud"), ("phase_timeout", "-3"))

    def test_a_wrong_value_in_the_file_names_option_value_and_file(self) -> None:
        for name, value in self.CASES:
            with self.subTest(name):
                message = self.refuse(file=section("%s = %s" % (name, value)))
                for part in (name, value, self.conf):
                    self.assertIn(part, message)

    def test_a_wrong_value_in_the_environment_names_option_value_and_place(self) -> None:
        for name, value in self.CASES:
            with self.subTest(name):
                message = self.refuse(environ={"INSIGHTS_" + name.upper(): value})
                for part in (name, value, "environment"):
                    self.assertIn(part, message)

    def test_a_wrong_value_on_the_command_line_names_option_value_and_place(self) -> None:
        for name, value in self.CASES:
            flags = next(option.flags for option in OPTIONS if option.name == name)
            if flags and name != "quiet":
                with self.subTest(name):
                    message = self.refuse(["%s=%s" % (flags[0], value)])
                    for part in (name, value, "command line"):
                        self.assertIn(part, message)

    def test_a_wrong_value_says_what_was_expected(self) -> None:
        for value, file in (("true or false", "quiet = maybe"), ("seconds", "max_time = soon"),
                            ("bytes", "max_size = big"), ("bz2", "compressor = zip")):
            self.assertIn(value, self.refuse(file=section(file)))

    def test_a_wrong_value_is_an_error_even_where_another_source_comes_first(self) -> None:
        self.refuse(["--quiet"], file=section("quiet = maybe"))
        self.refuse(["--quiet"], {"INSIGHTS_QUIET": "maybe"})

    def test_an_indented_line_after_an_option_is_never_shown(self) -> None:
        """It continues the value before it, and may be a password."""
        for name in ("quiet", "cmd_timeout", "output_dir"):
            with self.subTest(name):
                message = self.refuse(file=section("%s = yes" % name, "  password = " + SECRET))
                self.assertNotIn(SECRET, message)


class WrongCommandLines(SourcesCase):
    def test_what_argparse_refuses_is_one_line_and_exit_status_2(self) -> None:
        for argv, part in ((["--no-such-flag"], "--no-such-flag"), (["stray"], "stray"),
                           (["--compressor"], "--compressor"), (["--quiet=yes"], "--quiet"),
                           (["--off"], "--off"), (["-x"], "-x"), (["--", "-q"], "-q")):
            with self.subTest(str(argv)):
                message = self.refuse(argv)
                self.assertIn(part, message)
                self.assertIn("--help", message)

    def test_conflicts_between_sources_are_found(self) -> None:
        message = self.refuse(["--output-dir", "a"], {"INSIGHTS_OUTPUT_FILE": "b"})
        self.assertIn("--output-dir", message)
        self.assertIn("--output-file", message)


class UnknownNames(SourcesCase):
    def test_an_unknown_name_is_a_warning_that_never_shows_the_value(self) -> None:
        loaded = self.load(environ={"INSIGHTS_TOKEN": SECRET},
                           file=section("passwort = " + SECRET, "quiet = yes"))
        self.assertEqual(len(loaded.warnings), 2)
        file, environment = sorted(loaded.warnings)
        self.assertIn("passwort", file)
        self.assertIn(self.conf, file)
        self.assertIn("token", environment)
        self.assertIn("environment", environment)
        self.assertNotIn(SECRET, "".join(loaded.warnings))
        self.assertTrue(loaded.settings.quiet)

    def test_an_action_is_unknown_outside_the_command_line(self) -> None:
        for option in OPTIONS:
            if option.action:
                with self.subTest(option.name):
                    loaded = self.load(environ={"INSIGHTS_" + option.name.upper(): "1"},
                                       file=section("%s = 1" % option.name))
                    self.assertEqual(len(loaded.warnings), 2)
                    self.assertEqual(loaded.settings, Settings())

    def test_variables_that_move_folders_are_no_options(self) -> None:
        loaded = self.load(environ=dict.fromkeys(RESERVED, "/x"))
        self.assertEqual(loaded.warnings, ())

    def test_variables_of_others_are_not_looked_at(self) -> None:
        loaded = self.load(environ={"QUIET": "maybe", "insights_quiet": "maybe", "PATH": "/bin"})
        self.assertEqual(loaded.settings, Settings())
        self.assertEqual(loaded.warnings, ())


class BrokenFiles(SourcesCase):
    def test_a_broken_line_is_named_by_number_and_never_shown(self) -> None:
        for label, content, number in (
                ("no section", "password = %s\n" % SECRET, 1),
                ("no equals sign", section("quiet = no", SECRET), 3),
                ("no name", section("= " + SECRET), 2),
                ("the same name twice", section("password = a", "password = " + SECRET), 3),
                ("the same section twice", section() + section("password = " + SECRET), 2),
                ("a section that never closes", "[insights-client\npassword = %s\n" % SECRET, 1),
                ("other characters", "\x00\x01" + SECRET, 1)):
            with self.subTest(label):
                message = self.refuse(file=content)
                self.assertNotIn(SECRET, message)
                self.assertNotIn("password", message)
                self.assertIn(self.conf, message)
                self.assertTrue(re.search(r"\bline %d\b" % number, message), message)

    def test_a_file_in_utf_16_is_refused_in_one_line(self) -> None:
        self.write("insights-client.conf", section("password = " + SECRET).encode("utf-16"))
        self.assertIn("line 1", self.refuse())

    def test_what_is_no_readable_file_is_refused_in_one_line(self) -> None:
        os.mkfifo(self.path("fifo"))
        os.mkdir(self.path("folder"))
        os.symlink("loop", self.path("loop"))
        self.write("large", b"#" * (1024 * 1024 + 1))
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path("socket"))
        for name, why in (("fifo", "FIFO"), ("folder", "directory"), ("loop", "symbolic link"),
                          ("large", "larger"), ("socket", "socket"), ("missing", "No such file"),
                          ("../../../../../../dev/zero", "device")):
            path = self.path(name)
            with self.subTest(name):
                message = self.refuse(["--conf", path])
                self.assertIn(path, message)
                self.assertIn(why, message)
                if name != "missing":
                    os.symlink(path, self.conf)
                    self.assertIn(why, self.refuse())
                    os.unlink(self.conf)

    def test_a_file_that_this_user_may_not_read_stops_the_run(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        os.chmod(self.folder, 0o755)
        self.write("insights-client.conf", section("quiet = yes"), mode=0o600)
        message = in_child_of(NOBODY, self)
        self.assertIn(self.conf, message)
        self.assertIn("Permission denied", message)


def in_child_of(user: int, case: SourcesCase) -> str:
    """Load the settings as another user, in a forked child; return the message of its failure."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        message = "no failure"
        try:
            os.setgroups([])
            os.setresuid(user, user, user)
            case.load()
        except Failure as failure:
            message = str(failure)
        except BaseException as error:  # noqa: BLE001 - nothing may escape into the tests above
            message = repr(error)
        finally:
            os.write(writer, json.dumps(message).encode("ascii"))
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    return str(json.loads(content.decode("ascii")))


class Precedence(SourcesCase):
    def test_without_any_source_every_option_has_its_default(self) -> None:
        loaded = self.load()
        self.assertEqual(loaded.settings, Settings())
        self.assertEqual((loaded.warnings, loaded.help), ((), ""))

    def test_command_line_before_environment_before_file_before_default(self) -> None:
        for option in OPTIONS:
            if option.action or option.kind == "flag":
                continue
            (in_file, file_value), (in_environ, environ_value) = samples(option)[:2]
            file = section("%s = %s" % (option.name, in_file))
            environ = {"INSIGHTS_" + option.name.upper(): in_environ}
            with self.subTest(option.name):
                self.assertNotEqual(getattr(Settings(), option.name), file_value)
                self.assertEqual(self.value(option, (), {}, file), file_value)
                self.assertEqual(self.value(option, (), environ, file), environ_value)
                self.assertEqual(self.value(option, (), environ, ""), environ_value)
                for flag in option.flags:
                    text, flag_value = samples(option)[2]
                    for argv in ([flag, text], ["%s=%s" % (flag, text)]):
                        self.assertEqual(self.value(option, argv, environ, file), flag_value)

    def test_what_the_file_says_of_this_host_is_not_said_of_another_one(self) -> None:
        file = section("display_name=Bastion\ntags_file=/etc/tags\ncompressor=xz\n")
        for argv in ([], ["--analyze-container"], ["--analyze-mountpoint", "/mnt"]):
            other = len(argv) == 2
            with self.subTest(argv):
                for environ, name in (({}, "" if other else "Bastion"),
                                      ({"INSIGHTS_DISPLAY_NAME": "Dead"}, "Dead")):
                    settings = self.load(argv, environ, file).settings
                    self.assertEqual(settings.display_name, name)
                    self.assertEqual(settings.tags_file, "" if other else "/etc/tags")
                    self.assertEqual(settings.compressor, "xz")
                settings = self.load([*argv, "--display-name", "Given"], {}, file).settings
                self.assertEqual(settings.display_name, "Given")

    def test_the_same_holds_for_flags(self) -> None:
        for option in OPTIONS:
            if option.action or option.kind != "flag":
                continue
            yes, no = (section("%s = %s" % (option.name, word)) for word in ("yes", "no"))
            on, off = ({"INSIGHTS_" + option.name.upper(): word} for word in ("on", "off"))
            with self.subTest(option.name):
                self.assertIs(self.value(option, (), {}, yes), True)
                self.assertIs(self.value(option, (), off, yes), False)
                self.assertIs(self.value(option, (), on, no), True)
                for flag in option.flags:
                    self.assertIs(self.value(option, [flag], off, no), True)
                self.assertIs(self.value(option, (), {}, no), False)

    def value(self, option: Option, argv: Sequence[str], environ: Dict[str, str],
              file: str) -> object:
        if option.name == "obfuscate_hostname":  # it needs the other
            environ = dict(environ, INSIGHTS_OBFUSCATE="yes")
        loaded = self.load(argv, environ, file)
        self.assertEqual(loaded.warnings, ())
        return getattr(loaded.settings, option.name)

    def test_booleans_are_read_in_all_spellings_from_file_and_environment(self) -> None:
        for words, expected in ((("true", "yes", "on", "1", "TRUE", "Yes", "oN"), True),
                                (("false", "no", "off", "0", "FALSE", "No", "oFF"), False)):
            for word in words:
                with self.subTest(word):
                    self.assertIs(self.load(file=section("quiet = " + word)).settings.quiet,
                                  expected)
                    self.assertIs(self.load(environ={"INSIGHTS_QUIET": word}).settings.quiet,
                                  expected)

    def test_of_a_flag_given_twice_the_last_one_counts(self) -> None:
        loaded = self.load(["--compressor", "xz", "--compressor", "bz2"])
        self.assertEqual(loaded.settings.compressor, "bz2")


class Files(SourcesCase):
    def test_the_older_section_name_is_read(self) -> None:
        loaded = self.load(file="[redhat-access-insights]\nquiet = yes\n")
        self.assertTrue(loaded.settings.quiet)

    def test_the_newer_section_comes_first_where_there_are_both(self) -> None:
        for order in ((0, 1), (1, 0)):
            parts = (section("compressor = xz"), "[redhat-access-insights]\ncompressor = bz2\n")
            loaded = self.load(file="".join(parts[i] for i in order))
            self.assertEqual(loaded.settings.compressor, "xz")

    def test_sections_of_others_are_not_looked_at(self) -> None:
        loaded = self.load(file="[other]\nquiet = maybe\n" + section("silent = yes"))
        self.assertEqual(loaded.settings, Settings(silent=True))
        self.assertEqual(loaded.warnings, ())

    def test_files_as_editors_leave_them_are_read(self) -> None:
        text = section("# comment", "; comment", "", "QUIET: yes", "display_name = 100%")
        for label, content in (("unix", text.encode()),
                               ("dos", text.replace("\n", "\r\n").encode()),
                               ("bom", text.encode("utf-8-sig")),
                               ("no last newline", text.rstrip("\n").encode())):
            with self.subTest(label):
                self.write("insights-client.conf", content)
                settings = self.load().settings
                self.assertEqual(settings, Settings(quiet=True, display_name="100%"))

    def test_a_value_that_is_not_utf_8_keeps_its_bytes(self) -> None:
        self.write("insights-client.conf", b"[insights-client]\noutput_dir = /\xff\xe9\n")
        self.assertEqual(os.fsencode(self.load().settings.output_dir), b"/\xff\xe9")

    def test_conf_names_another_file_and_the_default_one_is_not_read(self) -> None:
        other = self.write("other.conf", section("silent = yes"))
        for argv in (["--conf", other], ["-c", other], ["--conf=" + other]):
            with self.subTest(str(argv)):
                settings = self.load(argv, file=section("quiet = yes")).settings
                self.assertTrue(settings.silent)
                self.assertFalse(settings.quiet)
                self.assertEqual(settings.conf, other)

    def test_the_file_that_conf_names_is_the_one_that_messages_name(self) -> None:
        other = self.write("other.conf", section("quiet = maybe"))
        self.assertIn(other, self.refuse(["--conf", other]))


class Help(SourcesCase):
    def test_help_names_every_flag_with_its_explanation(self) -> None:
        text = self.load(["--help"]).help
        words = " ".join(text.split())
        for option in OPTIONS:
            for flag in option.flags:
                with self.subTest(flag):
                    self.assertIn(flag, text)
                    self.assertIn(option.help, words)

    def test_help_comes_even_where_the_file_is_broken(self) -> None:
        for argv in (["--help"], ["-h"], ["--quiet", "--help"]):
            self.assertTrue(self.load(argv, {"INSIGHTS_QUIET": "maybe"}, "broken").help)


class Completeness(SourcesCase):
    def test_the_samples_reach_every_kind_of_option(self) -> None:
        kinds: List[str] = sorted({option.kind for option in OPTIONS})
        self.assertEqual(kinds, sorted(list(SAMPLES) + ["choice", "flag"]))
