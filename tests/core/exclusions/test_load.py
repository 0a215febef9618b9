"""The exclusion files as a whole: what is wrong in one stops the run, and says where."""
import os
import socket
from typing import Any, Dict, NamedTuple, Tuple

from insights_mini.core.exclusions.load import LARGEST, Exclusions, Loaded, load_exclusions
from insights_mini.exits import Failure
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from tests.support import Scratch

CLASSIC, FILES, CONTENTS = "remove.conf", "file-redaction.yaml", "file-content-redaction.yaml"
EXPLICIT = ((CLASSIC, "remove_file"), (FILES, "redaction_file"),
            (CONTENTS, "content_redaction_file"))
COMPONENT = "insights.specs.default.DefaultSpecs."


class Wrong(NamedTuple):
    what: str
    text: str
    line: int
    column: int
    problem: str


WRONG_FILES = (
    Wrong("an unknown key", "files:\n- /a\nhosts:\n- /b\n", 3, 1, "unknown key"),
    Wrong("a key that is the beginning of another", "files:\n- /a\nfile:\n- /b\n", 3, 1, "unknown"),
    Wrong("a key that an item above contains", "files:\n- /a/paths\npaths:\n- /b\n", 3, 1,
          "unknown"),
    Wrong("a key that a quoted item above contains", "files:\n- '#paths'\n\npaths: []\n", 4, 1,
          "unknown"),
    Wrong("a key of the other file", "files:\n- /a\nkeywords:\n- b\n", 3, 1, "unknown key"),
    Wrong("a key in upper case", "Files:\n- /a\n", 1, 1, "unknown key"),
    Wrong("a wrong value behind an item with the key's name", "commands:\n- ls files\nfiles: /a\n",
          3, 1, "list of strings"),
    Wrong("a number for a list", "files: 5\n", 1, 8, ""),
    Wrong("a number in a list", "files:\n- /a\n- 5\n", 3, 3, ""),
    Wrong("a truth value", "commands:\n- yes\n", 2, 3, ""),
    Wrong("a null written out", "commands:\n- null\n", 2, 3, ""),
    Wrong("nothing behind a dash", "files:\n- /a\n-\n- /b\n", 3, 1, "no string"),
    Wrong("a text for a list", "# files\nfiles: /a\n", 2, 1, "list of strings"),
    Wrong("a mapping for a list", "files:\n  a: b\n", 1, 1, "list of strings"),
    Wrong("nothing behind the last dash", "files:\n- /a\n- # b\n\n", 3, 1, "no string"),
    Wrong("a list in a list", "files:\n- - /a\n", 2, 3, "no string"),
    Wrong("a list in brackets", "files: [/a, [/b]]\n", 1, 13, "no string"),
    Wrong("a mapping in a list", "files:\n- /a\n-\n  a: b\n", 4, 3, "no string"),
    Wrong("a mapping in brackets", "files: [\n  /a, /b, {}]\n", 2, 11, "no string"),
    Wrong("a list at the top", "- /a\n", 1, 1, "no mapping"),
    Wrong("a text at the top", "/a\n", 1, 1, "no mapping"),
    Wrong("a tab", "files:\n\t- /a\n", 2, 1, "tab"),
    Wrong("a key for the second time", "files:\n- /a\nfiles:\n- /b\n", 3, 1, "same key"),
    Wrong("an empty item", "files:\n- ''\n", 2, 3, "empty item"),
    Wrong("an item of blanks", "commands:\n- '  '\n", 2, 3, "empty item"),
    Wrong("a text over lines", "files:\n- |\n  /a\n  /b\n", 2, 3, "more than a line"),
    Wrong("a line end in quotes", "files:\n- /a\n- \"/a\\n/b\"\n", 3, 3, "more than a line"),
    Wrong("an item that swallows the next", "files:\n- /a\n  - /b\n", 2, 3, "goes on"),
    Wrong("an item that swallows the next, as a comment has it",
          "# /a - /b\nfiles:\n-  /a\n  - /b\n", 3, 4, "goes on"),
    Wrong("an open quote", "files:\n- '/a\n", 2, 3, "quote"),
    Wrong("an anchor", "files:\n- &a /a\n", 2, 3, ""),
    Wrong("a component of the core's other kind", "components:\n- insights.specs.Specs.hosts\n",
          2, 3, "no component"),
    Wrong("a component without its place", "components:\n- %sa\n- hosts\n" % COMPONENT, 3, 3,
          "no component"),
    Wrong("a component without its name", "components:\n- %s\n" % COMPONENT, 2, 3, "no component"),
    Wrong("a component in a component", "components:\n- %sa.b\n" % COMPONENT, 2, 3, "no component"),
    Wrong("a component with a blank", "components:\n- '%sa b'\n" % COMPONENT, 2, 3,
          "no component"),
)

WRONG_CONTENTS = (
    Wrong("an unknown key", "keywords:\n- a\nkeyword:\n- b\n", 3, 1, "unknown key"),
    Wrong("a key of the other file", "commands:\n- a\n", 1, 1, "unknown key"),
    Wrong("regex at the top", "regex:\n- a\n", 1, 1, "unknown key"),
    Wrong("regex beside other keys", "patterns:\n  regex:\n  - a\n  fixed:\n  - b\n", 4, 3,
          "nothing else"),
    Wrong("regex misspelt", "patterns:\n  regexp:\n  - a\n", 2, 3, "nothing else"),
    Wrong("no regex in the mapping", "patterns: {}\n", 1, 1, "nothing else"),
    Wrong("regex without a list", "patterns:\n  regex:\n", 2, 3, "list of strings"),
    Wrong("regex with a text", "patterns:\n  regex: a\n", 2, 3, "list of strings"),
    Wrong("regex with a number", "patterns:\n  regex: [a, 1]\n", 2, 14, ""),
    Wrong("regex for keywords", "keywords:\n  regex: [a]\n", 1, 1, "list of strings"),
    Wrong("an empty expression", "patterns:\n  regex: ['']\n", 2, 11, "empty item"),
    Wrong("an empty keyword", "keywords: [a, '']\n", 1, 15, "empty item"),
    Wrong("a number as a keyword", "keywords:\n- a\n- 12345\n", 3, 3, ""),
    Wrong("a date as a keyword", "keywords:\n- 2020-01-01\n", 2, 3, ""),
    Wrong("a keyword over lines", "keywords:\n- |\n  a\n  b\n", 2, 3, "more than a line"),
    Wrong("a tab", "patterns:\n\t- a\n", 2, 1, "tab"),
    Wrong("a key for the second time", "patterns: [a]\npatterns: [b]\n", 2, 1, "same key"),
)

WRONG_EXPRESSIONS = (
    Wrong("a group that stays open", "patterns:\n  regex:\n  - a\n  - 'b('\n", 4, 5,
          "its character 2, a ("),
    Wrong("a class that is none", "patterns:\n  regex:\n  - '[[:numeral:]]'\n", 3, 5, "class"),
    Wrong("a lookahead", "patterns:\n  regex: ['a', 'b', '(?=c)']\n", 2, 21, "(?"),
    Wrong("a back-reference", "patterns:\n  regex:\n  - '(a)\\1'\n", 3, 5, "back-reference"),
)

WRONG_CLASSIC = (
    Wrong("no section", "files=/a\n", 1, 0, "section"),
    Wrong("another section", "[remove]\nfiles=/a\n[keep]\n", 3, 0, "section"),
    Wrong("an unknown key", "[remove]\nfile=/a\n", 2, 0, "unknown key"),
    Wrong("a key for the second time", "[remove]\nfiles=/a\nfiles=/b\n", 3, 0, "second time"),
    Wrong("a line that is no key", "[remove]\n/etc/hosts\n", 2, 0, "neither key"),
    Wrong("an expression that does not compile", "[remove]\nregex=a\n b(\n", 3, 2,
          "its character 2, a ("),
    Wrong("an expression behind its key", "[remove]\nregex = b(\n", 2, 9, "its character 2"),
    Wrong("items without a comma", "[remove]\nfiles=/a\n /b\n", 3, 0, "not parted"),
)

SECRET = "hunter2"
TELLING = (  # what must be refused, and must not be repeated in the message
    (CONTENTS, "keywords: hunter2\n"), (CONTENTS, "keywords:\n- 'hunter2\n"),
    (CONTENTS, "keywords:\n- &hunter2 b\n"), (CONTENTS, "keywords:\n- *hunter2\n"),
    (CONTENTS, "keywords:\n- hunter2: a\n"), (CONTENTS, "keywords:\n- !hunter2 b\n"),
    (CONTENTS, "patterns:\n  regex:\n  - 'hunter2('\n"), (CONTENTS, "keywords:\nhunter2:\n- a\n"),
    (CONTENTS, "patterns:\n  hunter2:\n  - a\n"), (CONTENTS, "keywords:\n- [hunter2]\n"),
    (CONTENTS, "patterns:\n  regex:\n  - '[[:hunter2:]]'\n"), (CONTENTS, "keywords: [hunter2\n"),
    (CONTENTS, "keywords:\n- a\nhunter2\n"), (CONTENTS, "keywords:\n- \"\\hunter2\"\n"),
    (CLASSIC, "[remove]\nkeywords=a\nhunter2\n"), (CLASSIC, "[remove]\nregex=hunter2(\n"),
)


def named(option: str, path: str) -> Settings:
    """Return settings of which one option names a file."""
    values: Dict[str, Any] = {option: path}
    return Settings()._replace(**values)


class Loading(Scratch):
    def load(self, settings: Settings = Settings()) -> Loaded:  # noqa: B008  # it is constant
        return load_exclusions(settings, self.paths())

    def paths(self) -> Paths:
        folder = self.folder.encode()
        return Paths(folder, folder + b"/state", folder + b"/log", folder + b"/tmp")

    def refuse(self, settings: Settings = Settings()) -> str:  # noqa: B008  # it is constant
        with self.assertRaises(Failure) as caught:
            self.load(settings)
        message = str(caught.exception)
        self.assertEqual(caught.exception.status, 1)
        self.assertTrue(caught.exception.remedy, message)
        self.assertEqual(len(message.splitlines()), 1, message)
        return message

    def refuse_all(self, name: str, cases: Tuple[Wrong, ...]) -> None:
        for case in cases:
            for text in (case.text, case.text.replace("\n", "\r\n"), "\ufeff" + case.text):
                with self.subTest(case.what, text=text):
                    path = self.write(name, text)
                    message = self.refuse()
                    place = "%s, line %d%s: " % (
                        path, case.line, ", column %d" % case.column if case.column else "")
                    self.assertIn(place, message)
                    self.assertIn(case.problem, message)
        os.unlink(self.path(name))

    def test_a_wrong_file_redaction_yaml_is_refused_with_line_column_and_remedy(self) -> None:
        self.refuse_all(FILES, WRONG_FILES)

    def test_a_wrong_file_content_redaction_yaml_is_refused_with_line_column_and_remedy(
            self) -> None:
        self.refuse_all(CONTENTS, WRONG_CONTENTS)

    def test_an_expression_in_yaml_that_does_not_compile_is_refused_with_its_line(self) -> None:
        self.refuse_all(CONTENTS, WRONG_EXPRESSIONS)

    def test_a_wrong_remove_conf_is_refused_with_its_line_and_a_remedy(self) -> None:
        """FAULTS 25."""
        self.refuse_all(CLASSIC, WRONG_CLASSIC)

    def test_one_wrong_file_is_enough(self) -> None:
        self.write(FILES, "files: [/a]\n")
        self.write(CONTENTS, "keywords: {}\n")
        self.assertIn(self.path(CONTENTS), self.refuse())
        self.write(FILES, "nonsense: [/a]\n")
        self.write(CONTENTS, "keywords: [a]\n")
        self.assertIn(self.path(FILES), self.refuse())

    def test_no_message_shows_what_a_file_of_contents_hides(self) -> None:
        """FAULTS 10."""
        for name, text in TELLING:
            with self.subTest(text):
                path = self.write(name, text)
                self.assertNotIn(SECRET, self.refuse())
                os.unlink(path)

    def test_a_file_that_cannot_be_read_is_refused_and_named(self) -> None:
        for name, _ in EXPLICIT:
            for what in ("a directory", "a FIFO", "a socket", "No such file", "larger"):
                with self.subTest(name, what=what):
                    path = self.path(name)
                    self.put(what, path)
                    message = self.refuse()
                    self.assertIn(path, message)
                    self.assertIn(what, message)
                    os.rename(path, path + what.replace(" ", "_") + name)

    def put(self, what: str, path: str) -> None:
        """Put something at a path that is no file of a sensible size."""
        if what == "a directory":
            os.mkdir(path)
        elif what == "a FIFO":
            os.mkfifo(path)
        elif what == "a socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
        elif what == "larger":
            with open(path, "wb") as file:
                file.truncate(LARGEST + 1)
        else:
            os.symlink(path + ".gone", path)

    def test_a_file_that_may_not_be_read_is_refused(self) -> None:
        os.chmod(self.folder, 0o755)
        self.write(CLASSIC, "[remove]\nfiles=/a\n")
        self.refuse_to_nobody()

    def test_a_folder_that_may_not_be_searched_could_hold_a_file_and_is_refused(self) -> None:
        self.refuse_to_nobody()

    def refuse_to_nobody(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("needs root to become nobody")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setuid(65534)
                self.load()
            except Failure as failure:
                status = 0 if "Permission denied" in str(failure) else 2
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_a_file_that_was_named_must_be_there(self) -> None:
        for name, option in EXPLICIT:
            with self.subTest(option):
                for path in (self.path("gone"), self.path("gone", "deeper")):
                    message = self.refuse(named(option, path))
                    self.assertIn(path, message)
                    self.assertIn("No such file", message)
                self.write(name, "not read")
                self.assertIn("gone", self.refuse(named(option, self.path("gone"))))
                os.unlink(self.path(name))

    def test_a_file_that_was_named_is_read_instead_of_the_default(self) -> None:
        for (name, option), text in zip(EXPLICIT, (
                "[remove]\nfiles=/%s\n", "files: [/%s]\n", "keywords: [/%s]\n")):
            with self.subTest(option):
                self.write(name, text % "default")
                path = self.write("elsewhere", text % "named")
                loaded = self.load(named(option, path))
                self.assertEqual(loaded.sources, (path.encode(),))
                self.assertIn("/named", str(loaded.exclusions))
                self.assertNotIn("default", str(loaded.exclusions))
                os.unlink(self.path(name))

    def test_remove_conf_is_not_read_beside_yaml_and_a_warning_says_so(self) -> None:
        self.write(CLASSIC, "[remove]\nfiles=/classic\nkeywords=classic\n")
        for name, text in ((FILES, "files: [/a]\n"), (CONTENTS, "keywords: [a]\n"),
                           (FILES, ""), (CONTENTS, "# nothing yet\n")):
            with self.subTest(name, text=text):
                path = self.write(name, text)
                loaded = self.load()
                self.assertEqual(loaded.sources, (path.encode(),))
                self.assertNotIn("classic", str(loaded.exclusions))
                self.assertEqual(len(loaded.warnings), 1)
                self.assertIn(self.path(CLASSIC), loaded.warnings[0])
                self.assertIn("not read", loaded.warnings[0])
                os.unlink(path)

    def test_whatever_remove_conf_is_beside_yaml_it_does_not_matter(self) -> None:
        self.write(FILES, "files: [/a]\n")
        for what in ("wrong", "a FIFO", "No such file"):
            with self.subTest(what):
                if os.path.lexists(self.path(CLASSIC)):
                    os.unlink(self.path(CLASSIC))
                if what == "wrong":
                    self.write(CLASSIC, "nonsense\n")
                else:
                    self.put(what, self.path(CLASSIC))
                for settings in (Settings(), named("remove_file", self.path(CLASSIC))):
                    loaded = self.load(settings)
                    self.assertEqual(loaded.exclusions, Exclusions(files=("/a",)))
                    self.assertEqual(len(loaded.warnings), 1, loaded.warnings)

    def test_any_mode_but_0600_is_a_warning_that_names_file_and_mode(self) -> None:
        for name, text in ((CLASSIC, "[remove]\nfiles=/a\n"), (FILES, "files: [/a]\n"),
                           (CONTENTS, "keywords: [a]\n")):
            for mode in (0o644, 0o640, 0o660, 0o700, 0o400, 0o4600):
                with self.subTest(name, mode=oct(mode)):
                    path = self.write(name, text, mode)
                    loaded = self.load()
                    self.assertEqual(len(loaded.warnings), 1)
                    self.assertIn(path, loaded.warnings[0])
                    self.assertIn("%04o" % mode, loaded.warnings[0])
                    self.assertIn("0600", loaded.warnings[0])
                    self.assertNotEqual(loaded.exclusions, Exclusions())
            os.chmod(path, 0o600)
            self.assertEqual(self.load().warnings, ())
            os.unlink(path)

    def test_the_mode_that_counts_is_that_of_the_file_behind_a_link(self) -> None:
        path = self.write("real", "files: [/a]\n")
        os.symlink(path, self.path(FILES))
        self.assertEqual(self.load().warnings, ())
        os.chmod(path, 0o644)
        self.assertEqual(len(self.load().warnings), 1)

    def test_without_any_file_nothing_is_excluded(self) -> None:
        self.assertEqual(self.load(), Loaded(Exclusions(), (), ()))

    def test_a_file_that_says_nothing_excludes_nothing(self) -> None:
        for text in ("", "\n", "# only this\n", "---\n", "files:\ncommands: []\ncomponents:\n"):
            with self.subTest(text):
                self.write(FILES, text)
                self.assertEqual(self.load().exclusions, Exclusions())

    def test_the_classic_file_is_understood_as_a_whole(self) -> None:
        self.write(CLASSIC, "[remove]\nfiles=/etc/a, hosts\ncommands=/bin/ls -l, df\n"
                            "patterns=one,Müller\nkeywords=two,three\nregex=[[:digit:]]+x\n")
        exclusions = self.load().exclusions
        self.assertEqual(exclusions._replace(expressions=()), Exclusions(
            files=("/etc/a", "hosts"), commands=("/bin/ls -l", "df"),
            patterns=(b"one", "Müller".encode()), keywords=(b"two", b"three"),
            regex=("[[:digit:]]+x",)))
        self.assertEqual(len(exclusions.expressions), 1)

    def test_both_yaml_files_are_understood_together(self) -> None:
        self.write(FILES, "files:\n- /etc/a b\ncommands:\n- /bin/ls -l\ncomponents:\n"
                          "- %shosts\n- %sdf__al\n" % (COMPONENT, COMPONENT))
        self.write(CONTENTS, "patterns:\n- one\n- 'a - b'\nkeywords:\n- Müller\n- '10'\n")
        loaded = self.load()
        self.assertEqual(loaded.exclusions, Exclusions(
            files=("/etc/a b",), commands=("/bin/ls -l",), components=("hosts", "df__al"),
            patterns=(b"one", b"a - b"), keywords=("Müller".encode(), b"10")))
        self.assertEqual(set(loaded.sources),
                         {self.path(FILES).encode(), self.path(CONTENTS).encode()})

    def test_expressions_in_yaml_keep_their_order_and_their_wording(self) -> None:
        self.write(CONTENTS, "patterns:\n  regex:\n  - '[[:digit:]]+x'\n  - 'a|b'\n")
        exclusions = self.load().exclusions
        self.assertEqual(exclusions.regex, ("[[:digit:]]+x", "a|b"))
        self.assertEqual(len(exclusions.expressions), 2)
        self.assertEqual(exclusions.patterns, ())
