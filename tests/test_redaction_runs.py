"""Whole runs of the product on what their owner forbids: nothing of it is touched, nothing shows.

Whether a file was opened is seen by a lease on it, which the kernel takes back when anybody opens
it; whether a command was run, by the trace that it would leave.
"""
import bz2
import fcntl
import gzip
import json
import os
import signal
import stat
import subprocess
import sys
from typing import Any, Dict, Iterable, List, Tuple

from tests.support import Done, HostCase, read_archive_bytes

FILES, CONTENTS = "etc/file-redaction.yaml", "etc/file-content-redaction.yaml"
HOST = "Kolibri.vogel.test"
NAMED = "import os,socket,sys;socket.sethostname(sys.argv[1]);os.execv(sys.argv[2],sys.argv[2:])"
ALL: Dict[str, Any] = {"INSIGHTS_OBFUSCATE": "true", "INSIGHTS_OBFUSCATE_HOSTNAME": "true"}
KEEP: Dict[str, Any] = dict(ALL, INSIGHTS_OBFUSCATION_KEY="keep")
ADDRESSES = ("10.77.66.55", "2001:db8:77::55", "52:54:00:ab:cd:ef")
SEEDS = ("zebra", "Müller", "drop-this", "SN-48151623", "kolibri", "vogel.test", "tresor",
         "hunter2", *ADDRESSES)

WRONG = (  # a file, what is wrong in it, and what the message must have
    ("etc/remove.conf", "files=/a\n", "line 1"),
    ("etc/remove.conf", "[remove]\nfile=/a\n", "line 2"),
    ("etc/remove.conf", "[remove]\nregex=a(\n", "line 2"),
    (FILES, "files:\n- /a\n- 5\n", "line 3, column 3"),
    (FILES, "files:\n\t- /a\n", "line 2, column 1"),
    (CONTENTS, "keywords:\n- a\nkeywords:\n- b\n", "line 3, column 1"),
    (CONTENTS, "patterns:\n  regex: [a]\n  more: [b]\n", "line 3, column 3"),
    (CONTENTS, "patterns:\n  regex:\n  - '[[:nothing:]]'\n", "line 3, column 5"),
)


class Trap:
    """Leases on files; tells which of them were opened by anybody."""

    def __init__(self, case: HostCase, paths: Iterable[str]) -> None:
        before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # how the kernel tells of it
        case.addCleanup(signal.signal, signal.SIGIO, before)
        self.files = {path: os.open(path, os.O_RDWR) for path in paths}
        for descriptor in self.files.values():
            case.addCleanup(os.close, descriptor)
            try:
                fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            except OSError as error:
                case.skipTest("this file system has no leases: %s" % error.strerror)

    def opened(self) -> List[str]:
        return [path for path, descriptor in self.files.items()
                if fcntl.fcntl(descriptor, fcntl.F_GETLEASE) != fcntl.F_WRLCK]


class RedactionCase(HostCase):
    host = ""

    def argv(self, *arguments: str) -> List[str]:
        plain = super().argv(*arguments)
        if not self.host:
            return plain
        return ["unshare", "--uts", sys.executable, "-c", NAMED, self.host, *plain]

    def name_host(self, name: str) -> None:
        """Give the product another host name to run under, or skip the test."""
        try:
            probe = subprocess.call(["unshare", "--uts", "true"], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
        except OSError:
            probe = 1
        if probe:
            self.skipTest("needs root and unshare to give the run a host name of its own")
        self.host = name

    def read_report(self) -> Any:
        """Return the report beside the archive of the last collection."""
        with open(self.path("collected", self.only(".redactions.json")), "rb") as file:
            return json.loads(file.read().decode("utf-8"))

    def only(self, suffix: str) -> str:
        names = [name for name in os.listdir(self.path("collected")) if name.endswith(suffix)]
        self.assertEqual(len(names), 1, names)
        return names[0]

    def read_log(self) -> str:
        try:
            with open(self.path("log", "insights-client.log"), "rb") as file:
                return file.read().decode("utf-8")
        except FileNotFoundError:
            return ""

    def find(self, members: Dict[str, bytes], ending: str) -> bytes:
        """Return the one member whose name ends like this."""
        found = [content for name, content in members.items() if name.endswith(ending)]
        self.assertEqual(len(found), 1, sorted(members))
        return found[0]

    def assert_stopped(self, done: Done, *words: str) -> None:
        """A run that ended with one line, and left neither archive nor report."""
        self.assertEqual(done.status, 1, done.text)
        lines = done.err.decode("utf-8").splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("ERROR: "), lines)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertEqual([name for name in self.leftovers() if os.path.isfile(self.path(name))],
                         [])


class Refusing(RedactionCase):
    def setUp(self) -> None:
        super().setUp()
        self.file = self.write("data/file", "content\n")
        self.trace = self.path("trace")
        self.wanted = self.rules(
            files=[self.file], commands=["/bin/sh -c 'echo x > %s'" % self.trace])

    def test_a_wrong_exclusion_file_is_one_line_before_anything_is_opened_or_run(self) -> None:
        """FAULTS 25."""
        trap = Trap(self, [self.file])
        for name, text, place in WRONG:
            with self.subTest(name, text=text):
                path = self.write(name, text)
                done = self.run_product("--offline", "--from-file", self.wanted)
                self.assert_stopped(done, path, place, "nothing is collected")
                self.assertEqual(done.out, b"")
                os.unlink(path)
        self.assertEqual(trap.opened(), [])
        self.assertFalse(os.path.lexists(self.trace))
        self.assertNotIn("Traceback", self.read_log())

    def test_an_exclusion_file_that_cannot_be_read_is_one_line(self) -> None:
        os.symlink("gone", self.path(FILES))
        self.assert_stopped(self.run_product("--offline", "--from-file", self.wanted),
                            self.path(FILES), "No such file")
        os.unlink(self.path(FILES))
        os.mkfifo(self.path(CONTENTS))
        self.assert_stopped(self.run_product("--offline", "--from-file", self.wanted),
                            self.path(CONTENTS), "FIFO")
        os.unlink(self.path(CONTENTS))
        self.assert_stopped(self.run_product("--offline", "--from-file", self.wanted,
                                             INSIGHTS_REMOVE_FILE=self.path("gone")),
                            self.path("gone"), "No such file")
        self.assertFalse(os.path.lexists(self.trace))

    def test_the_trap_sees_the_run_that_opens_the_file(self) -> None:
        trap = Trap(self, [self.file])
        self.collect(self.wanted)
        self.assertEqual(trap.opened(), [self.file])
        self.assertTrue(os.path.exists(self.trace))

    def test_a_dry_run_opens_and_runs_nothing_and_names_the_rule(self) -> None:
        secret = self.write("data/secret", "x\n")
        self.write(FILES, "files:\n- %s\n" % secret)
        wanted = self.rules(files=[self.file, secret],
                            commands=["/bin/sh -c 'echo x > %s'" % self.trace],
                            pre_commands={"p": "echo x > %s" % self.trace})
        trap = Trap(self, [self.file, secret])
        done = self.run_product("--dry-run", "--from-file", wanted)
        self.assertEqual(done.status, 0, done.text)
        self.assertEqual(trap.opened(), [])
        self.assertFalse(os.path.lexists(self.trace))
        text = done.out.decode()
        self.assertIn("open  %s  (f0)\n" % self.file, text)
        self.assertIn("not   %s  (f1)  excluded by: %s\n" % (secret, secret), text)
        self.assertEqual(self.leftovers(), [])
        self.assertFalse(os.path.lexists(self.path("log")))

    def test_validate_ends_with_0_or_1_and_says_why(self) -> None:
        self.write(FILES, "files:\n- f0\n- /no/such\n")
        for mode, status in ((0o600, 0), (0o644, 1)):
            os.chmod(self.path(FILES), mode)
            done = self.run_product("--validate", "--from-file", self.wanted)
            self.assertEqual(done.status, status, done.text)
            self.assertIn(b"Never opened or run (files): f0\n", done.out)
            self.assertIn(b"NOTE: matches no spec of the rules (files): /no/such\n", done.out)
            self.assertEqual(b"ERROR: " in done.out, status == 1)
        self.assertFalse(os.path.lexists(self.trace))

    def test_a_loose_mode_is_a_warning_in_a_run(self) -> None:
        self.write("etc/remove.conf", "[remove]\nkeywords=content\n", 0o644)
        members = self.collect(self.wanted)
        self.assertEqual(self.find(members, "data/file"), b"keyword0\n")
        warnings = self.done.err.decode().splitlines()
        self.assertEqual(len(warnings), 1, warnings)
        self.assertTrue(warnings[0].startswith("WARNING: " + self.path("etc", "remove.conf")))

    def test_remove_conf_beside_yaml_is_a_warning_in_a_run(self) -> None:
        self.write("etc/remove.conf", "[remove]\nfiles=f0\n")
        self.write(CONTENTS, "keywords: [content]\n")
        self.assertEqual(self.find(self.collect(self.wanted), "data/file"), b"keyword0\n")
        self.assertIn(b"remove.conf is not read", self.done.err)


class Excluding(RedactionCase):
    def test_an_excluded_file_is_never_opened_and_an_excluded_command_never_run(self) -> None:
        """FAULTS 26."""
        secret, open_file = self.write("data/secret", "x\n"), self.write("data/open", "y\n")
        hard, link = self.path("data", "hard"), self.path("data", "link")
        os.link(secret, hard)
        os.symlink(secret, link)
        trace = self.path("trace")
        self.write(FILES, "files:\n- %s\ncommands:\n- touch %s\n- c1\ncomponents:\n"
                          "- insights.specs.default.DefaultSpecs.c2\n" % (secret, trace))
        wanted = self.rules(
            files=[secret, link, hard, self.path("data", "..", "data", "secret"), open_file,
                   self.path("data", ".*")],
            globs=[self.path("data", "*")],
            commands=["/bin/sh -c 'true ; touch %s'" % trace, "/bin/sh -c 'echo > %s'" % trace,
                      "/bin/dd if=/dev/null of=%s" % trace, "/bin/cat " + secret,
                      "/bin/cat " + hard])
        trap = Trap(self, [secret])
        members = self.collect(wanted)
        self.assertEqual(trap.opened(), [])
        self.assertFalse(os.path.lexists(trace))
        self.assertEqual([name for name in members if "data/" in name], [open_file[1:]])
        self.assertEqual(json.loads(members["blacklist_report"].decode())["excluded"],
                         len(self.read_report()["left_out"]))
        self.assertNotIn(self.folder, members["blacklist_report"].decode())

    def test_the_pre_command_of_an_excluded_command_leaves_no_trace(self) -> None:
        trace = self.path("trace")
        self.write(FILES, "commands:\n- /bin/echo\n")
        wanted = self.write("rules.json", {
            "version": "1", "pre_commands": {"p": "echo x | tee %s" % trace},
            "commands": [{"command": "/bin/echo a", "symbolic_name": "e", "pre_command": "p"}]})
        self.collect(wanted)
        self.assertFalse(os.path.lexists(trace))
        os.unlink(self.path(FILES))
        self.assertEqual(self.collect(wanted)["insights_commands/echo_a_x"], b"a x\n")
        self.assertTrue(os.path.lexists(trace))


class Hiding(RedactionCase):
    """Everything forbidden is seeded everywhere, and looked for everywhere."""

    def seed(self) -> str:
        """Write a host full of what is forbidden, and the exclusions; return the rules."""
        lines = "".join("seen %s here\n" % seed for seed in SEEDS if seed not in (
            "hunter2", "kolibri", "vogel.test", "tresor"))
        lines += "host %s and %s and KOLIBRI\npassword=hunter2\nfine\n" % (HOST, HOST.upper())
        for name in ("plain", "zebra-stripes", "Müller/x", "with-drop-this", "SN-48151623",
                     "on-kolibri.vogel.test", "at-10.77.66.55", "tresor"):
            self.write("data/%s.conf" % name, lines)
        self.write("data/only.conf", "drop-this\n")
        self.write("etc/tags.yaml", "owner: zebra\nzebra:\n- drop-this\n- %s\n- 'at %s'\n" % (
            HOST, ADDRESSES[0]))
        self.write(FILES, "files:\n- %s\n" % self.path("data", "tresor.conf"))
        self.write(CONTENTS, "patterns:\n- drop-this\n- SN-48151623\nkeywords:\n- zebra\n"
                             "- Müller\n")
        return self.rules(
            files=["/etc/hostname"], globs=[self.path("data", "*.conf"),
                                            self.path("data", "M*", "*.conf")],
            commands=["/bin/echo zebra at %s" % ADDRESSES[0], "/bin/echo on %s" % HOST,
                      "/bin/echo drop-this", "/bin/hostname", "/bin/uname -n",
                      "/no/such/zebra drop-this", "/bin/sh -c 'echo %s'" % " ".join(ADDRESSES)])

    def run_seeded(self, *arguments: str) -> Tuple[Dict[str, bytes], bytes]:
        """Return the members of a run, and the whole archive unpacked."""
        self.name_host(HOST)
        wanted = self.seed()
        members = self.collect(wanted, "--verbose", *arguments, INSIGHTS_LOGLEVEL="DEBUG", **ALL)
        with open(self.path("collected", self.only(".tar.gz")), "rb") as file:
            return members, gzip.decompress(file.read())

    def assert_hidden(self, text: bytes, where: str) -> None:
        lowered = text.lower()
        found = [seed for seed in SEEDS if seed.lower().encode() in lowered]
        self.assertEqual(found, [], where)

    def test_nothing_forbidden_is_in_the_archive_nor_in_a_name(self) -> None:
        """FAULTS 5, 6, 13."""
        members, unpacked = self.run_seeded()
        for name, content in members.items():
            self.assert_hidden(content, name)
            self.assert_hidden(name.encode("utf-8", "surrogateescape"), "a name")
        self.assert_hidden(unpacked, "the archive")
        for name in os.listdir(self.path("collected")):
            self.assert_hidden(name.encode(), "the name of the archive")
        self.assertEqual(self.find(members, "data/plain.conf").count(b"seen keyword"), 2)
        self.assertTrue(self.find(members, "data/plain.conf").endswith(
            b"password=********\nfine\n"))
        self.assertIn(b"keyword0", members["tags.json"])
        self.assertNotIn("only.conf", " ".join(members))

    def test_nothing_forbidden_is_in_the_log_at_its_most_verbose_nor_on_the_console(self) -> None:
        """FAULTS 10."""
        self.run_seeded()
        for line in self.read_log().splitlines():
            if "tresor" not in line:  # the rule itself, for the owner, as in the report
                self.assert_hidden(line.encode(), "the log")
        for shown in (self.done.out + self.done.err).splitlines():
            if b"tresor" not in shown:
                self.assert_hidden(shown, "the console")

    def test_a_display_name_does_not_replace_what_is_hidden(self) -> None:
        """FAULTS 7."""
        members, unpacked = self.run_seeded("--display-name", "Sperber")
        self.assertEqual(members["display_name"], b"Sperber")
        self.assert_hidden(unpacked, "the archive")

    def test_a_display_name_shows_nothing_forbidden_itself(self) -> None:
        """FAULTS 7."""
        members, _ = self.run_seeded(
            "--display-name", "zebra on %s at %s" % (HOST, ADDRESSES[0]))
        self.assert_hidden(members["display_name"], "display_name")
        self.assertTrue(members["display_name"].startswith(b"keyword0 on "))

    def test_what_is_given_on_the_command_line_is_hidden_in_the_log_too(self) -> None:
        """FAULTS 10."""
        self.run_seeded("--display-name", "zebra on %s at %s" % (HOST, ADDRESSES[0]))
        for seed in ("zebra", "kolibri", ADDRESSES[0]):
            for text in (self.read_log(), self.done.text):
                self.assertNotIn(seed, text.lower())

    def test_the_name_that_the_owner_gives_the_archive_is_not_shown_inside_it(self) -> None:
        """FAULTS 6."""
        self.name_host(HOST)
        wanted = self.seed()
        path = self.path("out", "%s-zebra.tar.gz" % HOST)
        done = self.run_product("--offline", "--from-file", wanted, "--output-file", path, **ALL)
        self.assertEqual(done.status, 0, done.text)
        with open(path, "rb") as file:
            self.assert_hidden(gzip.decompress(file.read()), "the archive")

    def test_the_name_of_the_host_can_be_a_keyword_and_is_not_in_the_name_of_the_archive(
            self) -> None:
        self.name_host("zebra.stall")
        self.write(CONTENTS, "keywords:\n- zebra\n")
        members = self.collect(self.rules(commands=["/bin/uname -n"]))
        self.assertEqual(members["insights_commands/uname_-n"], b"keyword0.stall\n")
        self.assertTrue(self.only(".tar.gz").startswith("insights-keyword0.stall-"))
        self.assertNotIn("zebra", self.done.text)

    def test_what_the_name_of_a_command_makes_of_a_forbidden_word_does_not_show(self) -> None:
        """FAULTS 6."""
        self.write(CONTENTS, "keywords:\n- John Doe\n- home/bob\n")
        members = self.collect(self.rules(commands=[
            "/bin/echo 'John Doe'", "/bin/echo /home/bob",
            "/bin/echo %s" % ADDRESSES[1], "/bin/echo %s" % ADDRESSES[2]]), **ALL)
        names = " ".join(members)
        for leak in ("John_Doe", "home.bob", "2001_db8_77", "52_54_00_ab_cd_ef"):
            self.assertNotIn(leak, names)

    def test_what_the_configuration_holds_of_the_client_itself_does_not_show(self) -> None:
        """FAULTS 24."""
        path = self.write("etc/insights-client.conf", "[insights-client]\nusername=bob\n"
                          "password=hunter2\nproxy=http://bob:hunter3@proxy.test:3128\n")
        members = self.collect(self.rules(files=[path]), "--verbose",
                               HTTPS_PROXY="http://bob:hunter4@proxy.test:3128")
        content = self.find(members, "insights-client.conf")
        for text in (content.decode(), self.read_log(), self.done.text):
            for secret in ("hunter2", "hunter3", "hunter4"):
                self.assertNotIn(secret, text)
        self.assertIn(b"password=********", content)


    def test_a_message_about_the_rules_does_not_show_what_is_forbidden(self) -> None:
        """FAULTS 10."""
        self.write(CONTENTS, "keywords:\n- zebra\n")
        bad = self.write("zebra.json", {"version": "1", "files": [
            {"file": "/etc/zebra", "symbolic_name": "zebra", "more": 1}]})
        done = self.run_product("--offline", "--from-file", bad)
        self.assert_stopped(done, "keyword0.json", "unknown key 'more'")
        self.assertNotIn("zebra", done.text + self.read_log())


class Contents(RedactionCase):
    def collect_file(self, content: str, exclusions: str, **environ: Any) -> Dict[str, bytes]:
        path = self.write("data/file", content)
        self.write(CONTENTS, exclusions)
        return self.collect(self.rules(files=[path]), **environ)

    def test_lines_with_a_pattern_go_and_keywords_are_replaced_by_their_number(self) -> None:
        members = self.collect_file(
            "one\nsecret two\nblue zebras\nzebra\r\nlast secret",
            "patterns:\n- secret\nkeywords:\n- lion\n- zebra\n")
        self.assertEqual(self.find(members, "data/file"), b"one\nblue keyword1s\nkeyword1\r\n")
        self.assertEqual(self.read_report()["members"], {
            self.path("data", "file")[1:]: {"pattern 0": 2, "keyword1": 2}})

    def test_lines_that_match_an_expression_go(self) -> None:
        members = self.collect_file("serial 123\nserial x\nSN99\nfine\n", "patterns:\n  regex:\n"
                                    "  - 'serial[[:space:]]+[[:digit:]]'\n  - '^SN[0-9]{2}$'\n")
        self.assertEqual(self.find(members, "data/file"), b"serial x\nfine\n")

    def test_the_classic_file_does_the_same(self) -> None:
        path = self.write("data/file", "one\nsecret two\nzebra\nserial 12\n")
        self.write("etc/remove.conf", "[remove]\npatterns=secret,other\nkeywords=lion,zebra\n"
                                      "regex=serial [[:digit:]]+\n")
        members = self.collect(self.rules(files=[path]))
        self.assertEqual(self.find(members, "data/file"), b"one\nkeyword1\n")

    def test_a_pattern_that_matches_everything_leaves_the_member_out(self) -> None:
        """FAULTS 1."""
        for exclusions in ("patterns:\n- e\n- o\n", "patterns:\n  regex:\n  - .\n  - '^$'\n"):
            with self.subTest(exclusions):
                members = self.collect_file("one\ntwo\nthree\n", exclusions)
                self.assertEqual([name for name in members if "file" in name], [])

    def test_the_words_of_the_archive_itself_can_be_forbidden_and_the_run_still_ends_well(
            self) -> None:
        for exclusions in ("patterns:\n- password\n", "patterns:\n- remote\n- core\n",
                           "patterns:\n  regex:\n  - .\n", "keywords:\n- version\n- client\n",
                           "keywords:\n- secret\n- patterns\n"):
            with self.subTest(exclusions):
                members = self.collect_file("one\npassword x\nclient secret\n", exclusions)
                self.assertTrue({"branch_info", "version_info", "blacklist_report"} <= set(members))
                for name in ("branch_info", "version_info", "blacklist_report"):
                    json.loads(members[name].decode())
                self.assertNotIn(b"password x", b"".join(members.values()))

    def test_the_layout_of_the_archive_stays_whatever_is_a_keyword(self) -> None:
        """FAULTS 55."""
        self.write(CONTENTS, "keywords:\n- insights\n- commands\n- info\n")
        members = self.collect(self.rules(commands=["/bin/echo insights"]))
        self.assertIn("insights_commands/echo_keyword0", members)
        self.assertIn("branch_info", members)

    def test_a_text_that_looks_like_a_mark_of_obfuscation_cannot_put_a_keyword_together(
            self) -> None:
        members = self.collect_file(
            "from 10.1.2.3\nze\0\2ffffff\3bra\n\0\2000000\3\n", "keywords: [zebra]\n", **ALL)
        self.assertNotIn(b"zebra", self.find(members, "data/file"))

    def test_the_blacklist_report_has_counts_and_nothing_else(self) -> None:
        secret = self.write("data/secret", "x\n")
        path = self.write("data/file", "drop 1\ndrop 2\nzebra zebra\npassword=x\n%s\n" %
                          ADDRESSES[0])
        self.write(FILES, "files:\n- %s\n" % secret)
        self.write(CONTENTS, "patterns: [drop]\nkeywords: [zebra]\n")
        members = self.collect(self.rules(files=[path, secret]), **ALL)
        self.assertEqual(json.loads(members["blacklist_report"].decode()), {
            "excluded": 1, "patterns": 2, "regex": 0, "keywords": 2, "passwords": 1,
            "secrets": 0, "obfuscated": 1})


class Proving(RedactionCase):
    """A keyword that only JSON completes, with the backslash that it puts before a quote."""

    def setUp(self) -> None:
        super().setUp()
        path = self.write("data/file", "peer 192.0.2.7\nsecretvalue\n")
        self.write("etc/tags.yaml", "owner: 'the zebra\"stall'\n")
        self.write(CONTENTS, "keywords:\n- 'zebra\\\"stall'\n")
        self.wanted = self.rules(files=[path])

    def test_an_archive_that_still_has_a_pattern_is_deleted_and_member_and_rule_are_named(
            self) -> None:
        done = self.run_product("--offline", "--from-file", self.wanted, "--output-dir",
                                self.path("out"), "--redaction-report", self.path("out", "r"),
                                **ALL)
        self.assert_stopped(done, "tags.json", "keyword0", "not kept")
        self.assertEqual(self.leftovers(), [])
        for value in ("zebra", "stall", "192.0.2.7"):
            self.assertNotIn(value, done.text + self.read_log())

    def test_not_a_byte_of_it_goes_to_standard_output(self) -> None:
        done = self.run_product("--to-stdout", "--from-file", self.wanted, **ALL)
        self.assert_stopped(done, "tags.json", "keyword0")
        self.assertEqual(done.out, b"")
        self.assertEqual(self.leftovers(), [])

    def test_a_clean_one_goes_to_standard_output_and_leaves_nothing_behind(self) -> None:
        self.write(CONTENTS, "keywords:\n- secretvalue\n")
        done = self.run_product("--to-stdout", "--from-file", self.wanted, **ALL)
        self.assertEqual(done.status, 0, done.text)
        members = read_archive_bytes(done.out)
        self.assertEqual(self.find(members, "data/file"), b"peer 10.230.230.1\nkeyword0\n")
        self.assertEqual(self.leftovers(), [])

    def test_the_report_that_was_asked_for_stays_when_the_archive_went_to_standard_output(
            self) -> None:
        self.write(CONTENTS, "keywords:\n- secretvalue\n")
        for environ in (dict(ALL, INSIGHTS_OBFUSCATE_HOSTNAME="no"), ALL):
            with self.subTest(environ):
                report = self.path("report" + environ["INSIGHTS_OBFUSCATE_HOSTNAME"])
                done = self.run_product("--to-stdout", "--from-file", self.wanted,
                                        "--redaction-report", report, **environ)
                self.assertEqual(done.status, 0, done.text)
                self.assertTrue(os.path.exists(report))
                self.assertEqual(stat.S_IMODE(os.stat(report).st_mode), 0o600)


class Reporting(RedactionCase):
    def setUp(self) -> None:
        super().setUp()
        path = self.write("data/file", "zebra\npeer 192.0.2.7 and 192.0.2.9\n")
        self.write(CONTENTS, "keywords:\n- zebra\n")
        self.wanted = self.rules(files=[path], globs=[self.path("collected", "*"),
                                                      self.path("out", "*")])

    def test_the_report_lies_beside_the_archive_for_the_owner_only_and_never_in_it(self) -> None:
        """FAULTS 11."""
        self.addCleanup(os.umask, os.umask(0))
        for turn in range(2):
            members = self.collect(self.wanted, **ALL)
            self.assertEqual([name for name in members if "redactions" in name], [])
            self.assertNotIn(b"192.0.2.7", b"".join(members.values()))
            name = self.only(".redactions.json")
            self.assertEqual(name, self.only(".tar.gz") + ".redactions.json")
            mode = os.stat(self.path("collected", name)).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600, turn)
            report = self.read_report()
            self.assertLessEqual({"192.0.2.7", "192.0.2.9"},
                                 {item["original"] for item in report["obfuscation"]})
            self.assertEqual(report["members"][self.path("data", "file")[1:]],
                             {"keyword0": 1, "obfuscated": 2})

    def test_a_report_of_an_earlier_run_is_not_collected(self) -> None:
        """FAULTS 11."""
        first = self.path("out", "a.tar.gz")
        done = self.run_product("--offline", "--from-file", self.wanted, "--output-file", first,
                                **ALL)
        self.assertEqual(done.status, 0, done.text)
        self.assertTrue(os.path.exists(first + ".redactions.json"))
        members = self.collect(self.wanted, **ALL)
        joined = b"".join(members.values())
        for original in (b"192.0.2.7", b"zebra"):
            self.assertNotIn(original, joined)

    def test_the_report_goes_where_it_is_asked_for_and_nowhere_else(self) -> None:
        report = self.path("report.json")
        self.collect(self.wanted, "--redaction-report", report, **ALL)
        self.assertEqual(stat.S_IMODE(os.stat(report).st_mode), 0o600)
        self.assertEqual([name for name in os.listdir(self.path("collected"))
                          if name.endswith(".json")], [])

    def test_a_report_that_cannot_be_written_leaves_no_archive(self) -> None:
        report = self.write("report.json", "mine")
        done = self.run_product("--offline", "--from-file", self.wanted, "--output-dir",
                                self.path("out"), "--redaction-report", report)
        self.assert_stopped(done, report, "--redaction-report")
        with open(report, "rb") as file:
            self.assertEqual(file.read(), b"mine")

    def test_a_run_that_had_nothing_to_redact_leaves_no_report(self) -> None:
        os.unlink(self.path(CONTENTS))
        clean = self.write("data/clean", "fine\n")
        self.collect(self.rules(files=[clean]))
        self.assertEqual([name for name in os.listdir(self.path("collected"))
                          if name.endswith(".json")], [])


class RepeatingCase(RedactionCase):
    """Packs one host again and again."""

    def setUp(self) -> None:
        super().setUp()
        self.name_host(HOST)
        lines = "".join("%s 10.9.%d.1 52:54:00:00:00:%02x 2001:db8::%x zebra lion x%d.vogel.test\n"
                        % (HOST, i, i, i + 1, i) for i in range(40))
        self.write(CONTENTS, "patterns:\n- ' 10.9.7.1'\nkeywords: [zebra, lion, zebra lion]\n")
        names = [self.write("data/%d" % number, lines[number * 70:]) for number in range(6)]
        self.wanted = self.rules(files=names, commands=["/bin/cat " + name for name in names])

    def pack(self, **environ: Any) -> bytes:
        path = self.path("out", "a.tar.bz2")
        done = self.run_product("--offline", "--from-file", self.wanted, "--output-file", path,
                                **environ)
        self.assertEqual(done.status, 0, done.text)
        with open(path, "rb") as file:
            content = bz2.decompress(file.read())
        os.unlink(path)
        os.unlink(path + ".redactions.json")
        return content


class Repeating(RepeatingCase):
    def test_a_key_that_is_kept_gives_the_same_replacements_and_a_new_one_others(self) -> None:
        """FAULTS 18."""
        first = self.pack(**KEEP)
        self.assertEqual(self.pack(**KEEP), first)
        state = self.path("state", "obfuscation.json")
        self.assertEqual(stat.S_IMODE(os.stat(state).st_mode), 0o600)
        self.assertNotEqual(self.pack(**ALL), self.pack(**ALL))
        os.unlink(state)
        self.assertNotEqual(self.pack(**KEEP), first)
