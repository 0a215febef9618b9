"""What the owner excludes is neither opened nor run, under whatever name it turns up."""
import os
import signal
from types import FrameType
from typing import List, NamedTuple, Optional, Sequence, Tuple

from insights_mini import process
from insights_mini.core.collect import plan, work
from insights_mini.core.collect.plan import EXCLUDED, Plan, make_plan
from insights_mini.core.exclusions.load import Exclusions
from insights_mini.core.exclusions.match import Excluder
from insights_mini.core.roots.running import HOST
from insights_mini.core.specs import COMMAND, FILE, GLOB, Rules, Spec
from insights_mini.core.spool import Store
from tests.support import Scratch


class Case(NamedTuple):
    """An entry, and what it must (or must not) block; {0} is the scratch folder."""

    what: str
    entry: str
    target: str
    kind: str = COMMAND


FORBIDDEN_FILES = (
    Case("by its path", "{0}/secret", "{0}/secret", FILE),
    Case("by its symbolic name", "spec", "{0}/secret", FILE),
    Case("with dots on the way", "{0}/secret", "{0}/sub/../secret", FILE),
    Case("with a dot on the way", "{0}/secret", "{0}/./secret", FILE),
    Case("with two slashes", "{0}/secret", "{0}//secret", FILE),
    Case("excluded with dots", "{0}/sub/../secret", "{0}/secret", FILE),
    Case("excluded with a slash at the end", "{0}/sub/", "{0}/sub/x.conf", FILE),
    Case("through a link", "{0}/secret", "{0}/link", FILE),
    Case("through a link to a link", "{0}/secret", "{0}/link2", FILE),
    Case("through a linked folder", "{0}/sub/x.conf", "{0}/linked/x.conf", FILE),
    Case("through dots behind a linked folder", "{0}/secret", "{0}/linked/../secret", FILE),
    Case("excluded by the name of a link", "{0}/link", "{0}/secret", FILE),
    Case("excluded through a linked folder", "{0}/linked/x.conf", "{0}/sub/x.conf", FILE),
    Case("as a hard link", "{0}/secret", "{0}/hard", FILE),
    Case("excluded by the name of a hard link", "{0}/hard", "{0}/secret", FILE),
    Case("in a folder", "{0}/sub", "{0}/sub/x.conf", FILE),
    Case("deep in a folder", "{0}", "{0}/sub/x.conf", FILE),
    Case("in a linked folder", "{0}/linked", "{0}/sub/x.conf", FILE),
    Case("by a glob", "{0}/sub/*.conf", "{0}/sub/x.conf", FILE),
    Case("by a glob with a question mark", "{0}/sub/?.conf", "{0}/sub/x.conf", FILE),
    Case("by a glob with brackets", "{0}/sub/[a-z].conf", "{0}/sub/x.conf", FILE),
    Case("by a glob, through a link", "{0}/sub/*.conf", "{0}/linked/x.conf", FILE),
    Case("by a glob through a linked folder", "{0}/linked/*.conf", "{0}/sub/x.conf", FILE),
    Case("a glob as the rules write it", "{0}/sub/*", "{0}/sub/*", GLOB),
    Case("a file that a glob finds", "{0}/sub/x.conf", "{0}/sub/*", GLOB),
    Case("a file that a glob finds through a link", "{0}/sub/x.conf", "{0}/linked/*", GLOB),
    Case("a folder in which a glob finds", "{0}/sub", "{0}/sub/*", GLOB),
    Case("an expression as the rules write it", "{0}/sub/.*conf", "{0}/sub/.*conf", FILE),
    Case("a file that an expression finds", "{0}/sub/x.conf", "{0}/sub/.*conf", FILE),
    Case("a file that an expression finds in a folder", "{0}/sub/x.conf", "{0}/s.*b/x.*", FILE),
    Case("with a blank in its name", "{0}/a b/my file", "{0}/a b/my file", FILE),
    Case("with a blank in its name, found by a glob", "{0}/a b/my file", "{0}/a b/*", GLOB),
    Case("with a blank in its name, with dots", "{0}/a b/my file", "{0}/sub/../a b/my file", FILE),
    Case("with a blank in its folder's name", "{0}/a b", "{0}/a b/*", GLOB),
    Case("by a glob with a blank", "{0}/a b/*", "{0}/a b/my file", FILE),
    Case("with a quote in its name", "{0}/it's", "{0}/it*", GLOB),
    Case("with brackets in its name", "{0}/[x]", "{0}/*x*", GLOB),
    Case("with a backslash in its name", "{0}/a\\b", "{0}/a*", GLOB),
)

OPEN_FILES = (
    Case("a longer name", "{0}/secret", "{0}/secrets", FILE),
    Case("a shorter name", "{0}/secrets", "{0}/secret", FILE),
    Case("the same name elsewhere", "{0}/secret", "{0}/sub/secret", FILE),
    Case("another case", "{0}/SECRET", "{0}/secret", FILE),
    Case("an entry without a folder", "secret", "{0}/secret", FILE),
    Case("an entry with a part of the symbolic name", "spe", "{0}/secret", FILE),
    Case("an entry with more than the symbolic name", "spec2", "{0}/secret", FILE),
    Case("a folder with a longer name", "{0}/su", "{0}/sub/x.conf", FILE),
    Case("a glob that does not match", "{0}/sub/*.cfg", "{0}/sub/x.conf", FILE),
    Case("what stands in the folder of an excluded file", "{0}/sub/x.conf", "{0}/sub/secret",
         FILE),
    Case("what is not there, but excluded", "{0}/gone", "{0}/secret", FILE),
    Case("what a command entry only mentions", "/bin/cat {0}/secret", "{0}/secret", FILE),
    Case("an empty folder's neighbour", "{0}/a", "{0}/a b/my file", FILE),
)

FORBIDDEN_COMMANDS = (
    Case("by its symbolic name", "spec", "/bin/ls -l /"),
    Case("by its whole line", "/bin/ls -l /", "/bin/ls -l /"),
    Case("by its whole line without a path", "ls -l /", "ls -l /"),
    Case("written with other blanks", "/bin/ls  -l   /", "/bin/ls -l /"),
    Case("in the rules with other blanks", "/bin/ls -l /", "/bin/ls  -l  /"),
    Case("in the rules with quotes", "/bin/ls -l /", "/bin/ls '-l' \"/\""),
    Case("by its program", "/bin/ls", "/bin/ls -l /"),
    Case("by its first words", "/bin/ls -l", "/bin/ls -l /"),
    Case("with a shell", "/bin/ls -l /", "/bin/sh -c '/bin/ls -l /'"),
    Case("with a shell, by its program", "/bin/ls", "/bin/sh -c '/bin/ls'"),
    Case("with a shell in a shell", "/bin/ls -l /", "/bin/sh -c \"/bin/sh -c '/bin/ls -l /'\""),
    Case("in a pipe", "/bin/ls -l /", "/bin/sh -c '/bin/ls -l / | /bin/cat'"),
    Case("behind another one", "/bin/ls -l /", "/bin/sh -c 'true ; /bin/ls -l /'"),
    Case("with find", "/bin/ls -l", "/usr/bin/find / -exec /bin/ls -l {} +"),
    Case("with env", "/bin/ls", "/usr/bin/env A=b /bin/ls -l"),
    Case("before a semicolon", "/bin/ls", "/bin/sh -c '/bin/ls; true'"),
    Case("behind a semicolon", "/bin/ls", "/bin/sh -c 'true;/bin/ls'"),
    Case("before a pipe", "/bin/ls", "/bin/sh -c '/bin/ls|/bin/cat'"),
    Case("behind an and", "/bin/ls", "/bin/sh -c 'true&&/bin/ls'"),
    Case("in parentheses", "/bin/ls", "/bin/sh -c '(/bin/ls)'"),
    Case("in a substitution", "/bin/ls -l", "/bin/sh -c 'echo \"$(/bin/ls -l)\"'"),
    Case("in backticks", "/bin/ls", "/bin/sh -c 'echo `/bin/ls`'"),
    Case("with all its words before a semicolon", "/bin/ls -l /", "/bin/sh -c '/bin/ls -l /;true'"),
    Case("under the other folder, the entry longer", "/usr/bin/ls", "/bin/ls -l /"),
    Case("under the other folder, the rule longer", "/bin/ls", "/usr/bin/ls -l /"),
    Case("under a folder where it is not", "/sbin/ls -l", "/bin/ls -l /"),
    Case("found on the path", "/bin/ls -l", "ls -l /"),
    Case("found on the path, the entry longer", "/usr/bin/ls -l", "ls -l /"),
    Case("found on the path by a shell", "/bin/ls", "/bin/sh -c 'ls -l /'"),
    Case("the name of the host", "/bin/hostname", "/bin/hostname"),
    Case("the name of the host under the other folder", "/usr/bin/hostname", "/bin/hostname"),
)

COMMANDS_ON_FILES = (
    Case("as an argument", "{0}/secret", "/bin/cat {0}/secret"),
    Case("with dots", "{0}/secret", "/bin/cat {0}/sub/../secret"),
    Case("by a link", "{0}/secret", "/bin/cat {0}/link"),
    Case("by a hard link", "{0}/secret", "/bin/cat {0}/hard"),
    Case("in an excluded folder", "{0}/sub", "/bin/cat {0}/sub/x.conf"),
    Case("by a glob entry", "{0}/sub/*.conf", "/bin/cat {0}/sub/x.conf"),
    Case("among other arguments", "{0}/secret", "/bin/grep -h x /dev/null {0}/secret"),
    Case("in quotes", "{0}/secret", "/bin/cat \"{0}/secret\""),
    Case("with a blank in its name", "{0}/a b/my file", "/bin/cat '{0}/a b/my file'"),
    Case("in a shell", "{0}/secret", "/bin/sh -c 'cat {0}/secret'"),
    Case("in a shell, in quotes", "{0}/secret", "/bin/sh -c 'cat \"{0}/secret\"'"),
    Case("in a shell before a semicolon", "{0}/secret", "/bin/sh -c 'cat {0}/secret;true'"),
    Case("in a shell before a pipe", "{0}/secret", "/bin/sh -c 'cat {0}/secret|cat'"),
    Case("as the input of a shell", "{0}/secret", "/bin/sh -c 'cat <{0}/secret'"),
    Case("behind an equals sign", "{0}/secret", "/bin/dd if={0}/secret"),
    Case("as the value of an option", "{0}/secret", "/bin/grep --file={0}/secret x"),
)

OPEN_COMMANDS = (
    Case("another option", "/bin/ls -l", "/bin/ls -a /"),
    Case("a longer option", "/bin/ls -l", "/bin/ls -la /"),
    Case("fewer words", "/bin/ls -l /", "/bin/ls -l"),
    Case("another order", "/bin/ls -l -a", "/bin/ls -a -l"),
    Case("another program", "/bin/ls -l", "/bin/cat -l"),
    Case("a program with a longer name", "/bin/ca", "/bin/cat /dev/null"),
    Case("a part of the symbolic name", "spe", "/bin/ls -l /"),
    Case("the symbolic name as an argument", "spec2", "/bin/echo spec2"),
    Case("a file with a longer name", "{0}/secret", "/bin/cat {0}/secrets"),
    Case("a folder that only begins alike", "{0}/su", "/bin/cat {0}/sub/x.conf"),
    Case("another name of a program with many", "{0}/one", "{0}/two -x"),
    Case("a shell, though there is no pre-command to run", "/bin/sh", "/bin/ls /"),
    Case("what the command of an entry reads", "/bin/cat {0}/secret", "/bin/ls {0}/secret"),
    Case("the same program in a folder of its own", "/bin/ls", "{0}/ls -l"),
)


def give_up(number: int, frame: Optional[FrameType]) -> None:
    raise TimeoutError("the answer does not come")


class Matching(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, give_up))
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_REAL, 20, 5)
        for name in ("secret", "secrets", "sub/x.conf", "sub/secret", "a b/my file", "it's", "[x]",
                     "a\\b"):
            self.write(name, "content of %s\n" % name)
        for name in ("multi", "ls"):
            self.write(name, "#!/bin/sh\n", 0o755)
        for link, target in (("link", "secret"), ("link2", "link"), ("linked", "sub"),
                             ("one", "multi"), ("two", "multi")):
            os.symlink(target, self.path(link))
        os.link(self.path("secret"), self.path("hard"))
        self.asked: List[bytes] = []

    def here(self, text: str) -> str:
        return text.replace("{0}", self.folder)

    def make(self, exclusions: Exclusions, specs: Sequence[Spec],
             pre_commands: Tuple[Tuple[str, str], ...] = ()) -> Plan:
        def run_pre_command(line: bytes) -> Optional[List[bytes]]:
            self.asked.append(line)
            return [b"one", b"two"]

        rules = Rules("1", tuple(specs), {alias: self.here(line).encode()
                                          for alias, line in pre_commands})
        return make_plan(rules, run_pre_command, Excluder(exclusions))

    def one(self, case: Case, name: str = "spec") -> Plan:
        """Return the plan for the one spec of a case; the entry stands in both lists in turn."""
        entry = self.here(case.entry)
        specs = [Spec(name, case.kind, self.here(case.target).encode())]
        as_file = self.make(Exclusions(files=(entry,)), specs)
        as_command = self.make(Exclusions(commands=(entry,)), specs)
        self.assertEqual(as_file, as_command)
        return as_file

    def assert_blocks(self, cases: Sequence[Case]) -> None:
        for case in cases:
            with self.subTest(case.what, entry=case.entry, target=case.target):
                planned = self.one(case)
                entry = self.here(case.entry)
                self.assertIn((EXCLUDED, entry), [skip[1:] for skip in planned.skips])
                touched = [task.label for task in planned.tasks]
                if case.kind == GLOB or "*" in case.target:
                    forbidden = os.path.realpath(entry.rstrip("*"))
                    touched = [label for label in touched
                               if os.path.realpath(label.decode()).startswith(forbidden)]
                self.assertEqual(touched, [])

    def assert_leaves(self, cases: Sequence[Case]) -> None:
        for case in cases:
            with self.subTest(case.what, entry=case.entry, target=case.target):
                planned = self.one(case)
                self.assertEqual(planned.skips, ())
                self.assertEqual(len(planned.tasks), 1)

    def test_a_file_is_blocked_under_every_name_it_has(self) -> None:
        """FAULTS 26."""
        self.assert_blocks(FORBIDDEN_FILES)

    def test_two_slashes_at_the_start_of_a_path_neither_hide_it_nor_hold_up_the_run(self) -> None:
        self.assert_blocks([
            Case("a file", "{0}/secret", "/{0}/secret", FILE),
            Case("an entry", "/{0}/secret", "{0}/secret", FILE),
            Case("an argument", "{0}/secret", "/bin/cat /{0}/secret"),
        ])
        self.assert_leaves([
            Case("another file", "{0}/secret", "/{0}/secrets", FILE),
            Case("a share", "{0}/secret", "/bin/echo //server/share"),
            Case("two slashes alone", "{0}/secret", "/bin/echo //"),
        ])

    def test_a_command_is_blocked_in_every_form_it_can_take(self) -> None:
        """FAULTS 26."""
        self.assert_blocks([case for case in FORBIDDEN_COMMANDS if "host" not in case.entry])

    def test_the_command_that_is_answered_without_running_it_can_be_excluded_too(self) -> None:
        for case in FORBIDDEN_COMMANDS:
            if "host" in case.entry:
                with self.subTest(case.what):
                    planned = self.one(case, "hostname")
                    self.assertEqual(planned.tasks, ())
                    self.assertEqual(planned.skips[0].outcome, EXCLUDED)

    def test_a_command_that_names_an_excluded_file_is_blocked(self) -> None:
        """FAULTS 26."""
        self.assert_blocks(COMMANDS_ON_FILES)

    def test_files_that_are_only_similar_stay(self) -> None:
        self.assert_leaves(OPEN_FILES[:1] + OPEN_FILES[2:-2])
        self.assert_leaves(OPEN_FILES[1:2] + OPEN_FILES[-1:])

    def test_a_file_stays_that_the_entry_for_a_command_only_mentions(self) -> None:
        self.assert_leaves(OPEN_FILES[-2:-1])

    def test_commands_that_are_only_similar_stay(self) -> None:
        self.assert_leaves(OPEN_COMMANDS)

    def test_a_component_blocks_the_specs_of_its_name_and_no_others(self) -> None:
        specs = [Spec(name, FILE, self.path("sub", "x.conf").encode())
                 for name in ("hosts", "hosts2", "host")]
        planned = self.make(Exclusions(components=("hosts",)), specs)
        self.assertEqual([(skip.spec, skip.outcome) for skip in planned.skips], [(0, EXCLUDED)])
        self.assertIn("hosts", planned.skips[0].detail)
        self.assertEqual(planned.tasks[0].specs, (1, 2))

    def test_an_entry_blocks_every_spec_of_its_symbolic_name(self) -> None:
        specs = [Spec("net", FILE, self.path("secret").encode()),
                 Spec("net", COMMAND, b"/bin/ls -l"), Spec("net", GLOB, self.path("*").encode())]
        self.assertEqual(self.make(Exclusions(files=("net",)), specs).tasks, ())
        self.assertEqual(self.make(Exclusions(commands=("net",)), specs).tasks, ())
        self.assertEqual(self.make(Exclusions(components=("net",)), specs).tasks, ())

    def test_what_a_glob_and_an_expression_find_beside_an_excluded_file_stays(self) -> None:
        entry = Exclusions(files=(self.path("sub", "x.conf"),))
        for kind, target in ((GLOB, "{0}/sub/*"), (FILE, "{0}/sub/.*")):
            with self.subTest(kind):
                planned = self.make(entry, [Spec("spec", kind, self.here(target).encode())])
                self.assertEqual([task.label for task in planned.tasks],
                                 [self.path("sub", "secret").encode()])
                self.assertEqual([skip.outcome for skip in planned.skips], [EXCLUDED])

    def test_a_name_that_is_not_utf_8_can_be_excluded_by_a_glob_and_by_its_folder(self) -> None:
        folder = os.path.join(self.folder.encode(), b"odd\xff")
        os.mkdir(folder)
        with open(os.path.join(folder, b"x\xfe.conf"), "wb"):
            pass
        for entry in (self.path("odd*"), self.path("odd?", "*.conf"), os.fsdecode(folder)):
            with self.subTest(repr(entry)):
                planned = self.make(Exclusions(files=(entry,)), [
                    Spec("spec", GLOB, self.path("odd*", "*").encode())])
                self.assertEqual(planned.tasks, ())

    def test_the_pre_command_of_an_excluded_command_is_not_run(self) -> None:
        for what, entry, target, line in (
            ("by its symbolic name", "spec", "/bin/ls -l", "echo x"),
            ("by its whole line", "/bin/ls -l", "/bin/ls -l", "echo x"),
            ("by its program", "/bin/ls", "/bin/ls -l", "echo x"),
            ("by its program in another folder", "/usr/bin/ls", "/bin/ls -l", "echo x"),
            ("by its program, found on the path", "/bin/ls", "ls -l", "echo x"),
            ("the pre-command itself", "echo x", "/bin/ls -l", "echo x"),
            ("what the pre-command runs", "/bin/cat", "/bin/ls -l", "/bin/cat /dev/null"),
            ("what the pre-command reads", "{0}/secret", "/bin/ls -l", "cat {0}/secret"),
            ("what it reads in a pipe", "{0}/secret", "/bin/ls -l", "cat <{0}/secret|sort"),
        ):
            with self.subTest(what):
                del self.asked[:]
                planned = self.make(
                    Exclusions(commands=(self.here(entry),)),
                    [Spec("spec", COMMAND, target.encode(), (), "pre")], (("pre", line),))
                self.assertEqual(planned.tasks, ())
                self.assertEqual([skip.outcome for skip in planned.skips], [EXCLUDED])
                self.assertEqual(self.asked, [])

    def test_a_pre_command_still_runs_once_for_another_command_that_needs_it(self) -> None:
        specs = [Spec("first", COMMAND, b"/bin/ls -l", (), "pre"),
                 Spec("second", COMMAND, b"/bin/ls -a", (), "pre"),
                 Spec("third", COMMAND, b"/bin/ls -i", (), "pre")]
        planned = self.make(Exclusions(commands=("first",)), specs, (("pre", "echo x"),))
        self.assertEqual(self.asked, [b"echo x"])
        self.assertEqual([task.label for task in planned.tasks], [
            b"/bin/ls -a one", b"/bin/ls -a two", b"/bin/ls -i one", b"/bin/ls -i two"])

    def test_a_command_that_a_pre_command_makes_is_blocked_alone(self) -> None:
        """FAULTS 26."""
        for entry in ("/bin/ls -l two", "/bin/ls  -l two", "/usr/bin/ls -l two"):
            with self.subTest(entry):
                planned = self.make(Exclusions(commands=(entry,)), [
                    Spec("spec", COMMAND, b"/bin/ls -l", (), "pre")], (("pre", "echo x"),))
                self.assertEqual([task.label for task in planned.tasks], [b"/bin/ls -l one"])
                self.assertEqual(planned.skips, (plan.Skip(0, EXCLUDED, entry),))

    def test_a_file_that_becomes_a_link_to_an_excluded_one_later_is_not_read(self) -> None:
        for way in (os.symlink, os.link):
            with self.subTest(way.__name__):
                path = self.write("innocent", "x\n")
                excluder = Excluder(Exclusions(files=(self.path("secret"),)))
                task = make_plan(Rules("1", (Spec("spec", FILE, path.encode()),), {}),
                                 lambda line: None, excluder).tasks[0]
                os.unlink(path)
                way(self.path("secret"), path)
                means = work.Means(
                    make_cleaner=lambda: (bytes, {}), forbidden=excluder.forbidden_inodes(),
                    store=Store(self.folder.encode()), stop=process.Stop(), environ={},
                    host="", forbids=excluder.path, root=HOST, cmd_timeout=1.0,
                    deadline=float("inf"), max_member=1 << 20, max_read=1 << 20,
                    find_grep=lambda: None)
                result = work.collect(task, means, lambda: None)
                self.assertEqual((result.outcome, result.spool), (EXCLUDED, None))
                os.unlink(path)
