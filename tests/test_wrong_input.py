"""Wrong input: one clear line that names the thing, a status that says so, and nothing written."""
import os
from typing import Any, Dict, NamedTuple, Tuple

from tests.support import Done, HostCase


class Wrong(NamedTuple):
    """A mistake of the user's. `{0}` in arguments, environment and words is the scratch folder."""

    what: str
    arguments: Tuple[str, ...]
    status: int
    words: Tuple[str, ...]
    environ: Tuple[Tuple[str, str], ...] = ()
    conf: str = ""
    stdin: bytes = b""


RULES_FILE = {"version": "1", "files": [{"file": "/etc/hostname", "symbolic_name": "hostname"}]}
OFFLINE = ("--offline", "--from-file", "{0}/rules.json")

VALUES = (
    Wrong("a bad number on the command line", OFFLINE + ("--cmd-timeout", "soon"), 2,
          ("'soon'", "cmd_timeout", "on the command line", "number of seconds")),
    Wrong("a number that is no time", OFFLINE + ("--max-time", "nan"), 2,
          ("'nan'", "max_time", "number of seconds")),
    Wrong("a size below one byte", OFFLINE + ("--max-size", "0"), 2,
          ("'0'", "max_size", "number of bytes")),
    Wrong("a size in a unit that is none", OFFLINE + ("--max-member", "5X"), 2,
          ("'5X'", "max_member", "number of bytes")),
    Wrong("a bad number in the environment", OFFLINE, 2,
          ("'many'", "max_read", "in the environment"), (("INSIGHTS_MAX_READ", "many"),)),
    Wrong("a bad number in the configuration file", OFFLINE, 2,
          ("'-3'", "max_time", "{0}/etc/insights-client.conf"),
          conf="[insights-client]\nmax_time=-3\n"),
    Wrong("neither true nor false", OFFLINE, 2, ("'perhaps'", "keep_archive", "true or false"),
          (("INSIGHTS_KEEP_ARCHIVE", "perhaps"),)),
    Wrong("a compressor that is none", OFFLINE + ("--compressor", "zip"), 2,
          ("'zip'", "compressor", "gz, bz2, xz, none")),
    Wrong("a preset that is none", OFFLINE + ("--preset", "tiny"), 2,
          ("'tiny'", "preset", "minimal, default, full")),
    Wrong("an area that is none", OFFLINE + ("--areas", "storage,netwrk"), 2,
          ("no area named netwrk", "did you mean network?")),
    Wrong("an area that is none, in the configuration file", OFFLINE, 2,
          ("no area named 0", "the areas are", "network", "storage"),
          conf="[insights-client]\nnot_areas=0\n"),
    Wrong("a line that is no setting", OFFLINE, 2,
          ("line 2", "{0}/etc/insights-client.conf"), conf="[insights-client]\nwhatever\n"),
    Wrong("settings without a section", OFFLINE, 2,
          ("line 1", "{0}/etc/insights-client.conf"), conf="max_time=3\n"),
    Wrong("a configuration file that is not there", OFFLINE + ("--conf", "{0}/none.conf"), 2,
          ("{0}/none.conf", "No such file")),
    Wrong("a configuration file that is a folder", OFFLINE + ("--conf", "{0}/etc"), 2,
          ("{0}/etc", "a directory")),
    Wrong("an unknown option", OFFLINE + ("--no-such-option",), 2, ("--no-such-option",)),
    Wrong("an option without its value", ("--offline", "--from-file"), 2, ("--from-file",)),
    Wrong("a stray word", OFFLINE + ("everything",), 2, ("everything",)),
)

CONFLICTS = (
    Wrong("two places for the archive",
          OFFLINE + ("--output-dir", "{0}/out", "--output-file", "{0}/out/a.tar.gz"), 2,
          ("--output-dir", "--output-file")),
    Wrong("standard output and a folder", OFFLINE + ("--to-stdout", "--output-dir", "{0}/out"), 2,
          ("--to-stdout", "--output-dir")),
    Wrong("two sources of rules", OFFLINE + ("--from-stdin",), 2, ("--from-file", "--from-stdin")),
    Wrong("areas and other areas", OFFLINE + ("--areas", "boot", "--not-areas", "time"), 2,
          ("--areas", "--not-areas")),
    Wrong("names and an area", OFFLINE + ("--run-these", "hostname", "--areas", "boot"), 2,
          ("--run-these", "--areas")),
    Wrong("names and a preset", OFFLINE + ("--run-these", "hostname"), 2,
          ("--run-these", "--preset"), (("INSIGHTS_PRESET", "full"),)),
    Wrong("JSON of nothing", OFFLINE + ("--json",), 2, ("--json", "--list-specs")),
    Wrong("a schedule on and off", ("--enable-schedule", "--disable-schedule"), 2,
          ("--enable-schedule", "--disable-schedule")),
    Wrong("a payload of no type", ("--payload", "{0}/rules.json"), 2,
          ("--payload", "--content-type")),
    *(Wrong("no network, and " + flag, ("--offline", flag), 2, ("--offline", flag)) for flag in (
        "--to-json", "--status", "--test-connection", "--checkin", "--unregister",
        "--check-results", "--diagnosis", "--register", "--force-reregister")),
)

PLACES = (
    Wrong("a folder in a folder that is missing", OFFLINE + ("--output-dir", "{0}/no/where"), 1,
          ("{0}/no/where", "No such file")),
    Wrong("a file in a folder that is missing",
          OFFLINE + ("--output-file", "{0}/no/where/a.tar"), 1, ("{0}/no/where", "No such file")),
    Wrong("an output folder that cannot be written", OFFLINE + ("--output-dir", "/proc"), 1,
          ("/proc",)),
    Wrong("an output folder that cannot be made", OFFLINE + ("--output-dir", "/proc/new"), 1,
          ("/proc/new",)),
    Wrong("an output folder that is a file", OFFLINE + ("--output-dir", "{0}/rules.json"), 1,
          ("{0}/rules.json", "not a folder")),
    Wrong("an output file that exists", OFFLINE + ("--output-file", "{0}/rules.json"), 1,
          ("{0}/rules.json", "exists")),
    Wrong("an output file that is a folder", OFFLINE + ("--output-file", "{0}/out"), 1,
          ("{0}/out", "exists")),
    Wrong("an output file that is a dangling link", OFFLINE + ("--output-file", "{0}/dangling"), 1,
          ("{0}/dangling", "exists")),
    Wrong("a TMPDIR that is missing", OFFLINE, 1, ("{0}/nowhere", "No such file", "TMPDIR"),
          (("TMPDIR", "{0}/nowhere"),)),
)

RULES = (
    Wrong("a rules file that is missing", ("--offline", "--from-file", "{0}/none.json"), 1,
          ("{0}/none.json", "No such file")),
    Wrong("a rules file that is a folder", ("--offline", "--from-file", "{0}/etc"), 1,
          ("{0}/etc", "a directory")),
    Wrong("a rules file that is a FIFO", ("--offline", "--from-file", "{0}/fifo"), 1,
          ("{0}/fifo", "a FIFO")),
    Wrong("no rules at all", ("--offline", "--from-stdin"), 1, ("standard input", "not JSON")),
    Wrong("rules cut off", ("--offline", "--from-stdin"), 1, ("standard input", "not JSON"),
          stdin=b'{"version": "1", "files": ['),
    Wrong("rules that are a web page", ("--offline", "--from-stdin"), 1, ("not JSON",),
          stdin=b"<html>Moved</html>\n"),
    Wrong("rules that are not UTF-8", ("--offline", "--from-stdin"), 1, ("UTF-8",),
          stdin=b'{"version": "\xff"}'),
    Wrong("rules nested without end", ("--offline", "--from-stdin"), 1, ("nested",),
          stdin=b"[" * 200000),
    Wrong("rules that are a list", ("--offline", "--from-stdin"), 1, ("a JSON object", "a list"),
          stdin=b"[]"),
    Wrong("areas of which the rules have nothing", OFFLINE + ("--areas", "boot"), 2,
          ("nothing of the collection rules is left", "areas")),
    Wrong("a name that no spec has", OFFLINE + ("--run-these", "hostname,host"), 1,
          ("no spec named host;", "did you mean hostname?")),
)

SHAPELESS = {
    "commands": [{"command": 5, "symbolic_name": "no_line"}, "df", {"symbolic_name": "nothing"}],
    "files": [{"file": "etc/hosts", "symbolic_name": "relative"},
              {"file": "/etc/hosts", "symbolic_name": "misspelt", "patern": ["x"]},
              {"file": "/etc/(*", "symbolic_name": "expression"}],
    "globs": {"glob": "/etc/*"},
    "pre_commands": [],
    "extra": 1,
}
FAULTS = ("version", "commands[0] (no_line)", "commands[1]", "commands[2] (nothing)",
          "files[0] (relative)", "files[1] (misspelt)", "'patern'", "files[2] (expression)",
          "globs", "pre_commands", "'extra'")


class WrongInput(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.write("rules.json", RULES_FILE)
        os.mkfifo(self.path("fifo"))
        os.symlink(self.path("gone"), self.path("dangling"))

    def here(self, text: str) -> str:
        return text.replace("{0}", self.folder)

    def run_wrong(self, wrong: Wrong) -> Done:
        conf = self.path("etc", "insights-client.conf")
        if wrong.conf:
            self.write("etc/insights-client.conf", wrong.conf)
        elif os.path.exists(conf):
            os.unlink(conf)
        environ: Dict[str, Any] = {name: self.here(value) for name, value in wrong.environ}
        return self.run_product(*map(self.here, wrong.arguments), stdin=wrong.stdin, **environ)

    def check(self, cases: Tuple[Wrong, ...]) -> None:
        for wrong in cases:
            with self.subTest(wrong.what):
                self.assert_refused(self.run_wrong(wrong), wrong.status, wrong.words)

    def assert_refused(self, done: Done, status: int, words: Tuple[str, ...]) -> None:
        self.assertEqual(done.status, status, done.text)
        self.assertEqual(done.out, b"")
        lines = done.err.decode().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("ERROR: "), lines)
        for word in words:
            self.assertIn(self.here(word), lines[0])
        self.assertEqual(self.leftovers(), [])
        self.assertFalse(os.path.lexists(self.path("no")))
        self.assertFalse(os.path.lexists(self.path("gone")))

    def test_a_wrong_value_is_named_with_its_option_and_where_it_was_set(self) -> None:
        self.check(VALUES)

    def test_options_that_contradict_each_other_are_named_before_anything_runs(self) -> None:
        self.check(CONFLICTS)

    def test_a_place_that_cannot_take_the_archive_is_named_and_left_as_it_is(self) -> None:
        with open(self.path("rules.json"), "rb") as file:
            before = file.read()
        self.check(PLACES)
        with open(self.path("rules.json"), "rb") as file:
            self.assertEqual(file.read(), before)

    def test_rules_that_cannot_be_used_are_named_with_the_reason(self) -> None:
        self.check(RULES)

    def test_every_problem_of_a_rules_file_is_told_in_one_line(self) -> None:
        path = self.write("shapeless.json", SHAPELESS)
        done = self.run_product("--offline", "--from-file", path)
        self.assert_refused(done, 1, FAULTS + (path,))

    def test_an_unknown_option_in_the_file_is_a_warning_and_the_run_goes_on(self) -> None:
        self.write("etc/insights-client.conf", "[insights-client]\nmax_tiem=5\nsecret=tOpSecret\n")
        members = self.collect(self.path("rules.json"), INSIGHTS_COLOUR="green")
        self.assertIn("etc/hostname", members)
        lines = self.done.err.decode().splitlines()
        self.assertEqual(len(lines), 3, lines)
        for line, words in zip(lines, (("max_tiem", "insights-client.conf"),
                                       ("secret", "insights-client.conf"),
                                       ("colour", "in the environment"))):
            self.assertTrue(line.startswith("WARNING: "), line)
            for word in words:
                self.assertIn(word, line)
        self.assertNotIn("tOpSecret", self.done.text)

    def test_a_known_option_in_the_older_section_is_read(self) -> None:
        self.write("etc/insights-client.conf", "[redhat-access-insights]\ndisplay_name=older\n")
        self.assertEqual(self.collect(self.path("rules.json"))["display_name"], b"older")
