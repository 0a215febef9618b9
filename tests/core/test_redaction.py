"""From settings and exclusions to what enforces them; the key and replacements that are kept."""
import json
import os
import stat
from typing import Any, FrozenSet, Sequence, Tuple

from insights_mini.core.exclusions.load import Exclusions, Loaded
from insights_mini.core.redact import HOSTNAME, IPV4, IPV6, MAC
from insights_mini.core.redaction import (
    Redaction,
    choose_kinds,
    find_hit,
    keep_replacements,
    make_redaction,
)
from insights_mini.exits import Failure
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from tests.support import Scratch

ADDRESSES = frozenset((IPV4, IPV6, MAC))
KINDS: Tuple[Tuple[Settings, FrozenSet[str]], ...] = (  # the settings, and what they obfuscate
    (Settings(), frozenset()),
    (Settings(obfuscate=True), ADDRESSES),
    (Settings(obfuscate=True, obfuscate_hostname=True), ADDRESSES | {HOSTNAME}),
    (Settings(obfuscation_list=(IPV4,)), frozenset((IPV4,))),
    (Settings(obfuscate=True, obfuscate_hostname=True, obfuscation_list=(MAC, IPV6)),
     frozenset((MAC, IPV6))),
    (Settings(obfuscation_list=(HOSTNAME,)), frozenset((HOSTNAME,))),
)
BROKEN = (b"", b"{", b"[]", b"{}", b"null", b'{"key": "zz", "pairs": []}', b'{"key": "00"}',
          b'{"key": 5, "pairs": []}', b'{"key": "00", "pairs": [["ipv4", "10.1.2.3"]]}',
          b'{"key": "00", "pairs": 5}', b"\xff\xfe", b'{"key": null, "pairs": []}')
TEXT = b"kolibri.vogel.test kolibri 10.1.2.3 10.1.2.4 2001:db8::5 52:54:00:12:34:56\n"
OWN = ["kolibri.vogel.test"]
LEAKS = (  # what the owner forbids, what stands in a member all the same, the rule that is named
    (Exclusions(keywords=(b"zebra",)), Settings(), b"a zebra\n", "keyword0"),
    (Exclusions(patterns=(b"lion", b"zebra")), Settings(), b"a zebra\n", "pattern 1"),
    (Exclusions(), Settings(obfuscate=True, obfuscate_hostname=True), b"on kolibri\n", "hostname"),
    (Exclusions(), Settings(obfuscate=True), b"from 10.1.2.3\n", "obfuscation"),
)


class Redactions(Scratch):
    def paths(self) -> Paths:
        folder = self.folder.encode()
        return Paths(folder, folder + b"/state", folder, folder)

    def make(self, settings: Settings, exclusions: Exclusions = Exclusions(),  # noqa: B008
             own: Sequence[str] = ()) -> Redaction:
        made = make_redaction(settings, self.paths(), Loaded(exclusions, (), ()),
                              list(own) or OWN)
        self.addCleanup(made.guard.end)
        return made

    def hide(self, settings: Settings, text: bytes = TEXT) -> bytes:
        """Return a text as a run with these settings would store it."""
        made = self.make(settings)
        assert made.policy.obfuscator is not None
        hidden = made.policy.obfuscator.resolve(made.policy.make_cleaner()(text))
        keep_replacements(settings, self.paths(), made.policy)
        return hidden

    def read_kept(self) -> Any:
        with open(self.path("state", "obfuscation.json"), "rb") as file:
            return json.loads(file.read().decode("utf-8"))

    def test_kept_replacements_that_cannot_be_understood_end_the_run_with_one_line(self) -> None:
        for content in BROKEN:
            with self.subTest(content):
                path = self.write("state/obfuscation.json", content)
                with self.assertRaises(Failure) as caught:
                    self.make(Settings(obfuscate=True, obfuscation_key="keep"))
                self.assertIn(path, str(caught.exception))
                self.assertIn("remove it", caught.exception.remedy)

    def test_kept_replacements_that_cannot_be_read_end_the_run_with_one_line(self) -> None:
        os.mkdir(self.path("state"))
        os.mkfifo(self.path("state", "obfuscation.json"))
        with self.assertRaises(Failure) as caught:
            self.make(Settings(obfuscate=True, obfuscation_key="keep"))
        self.assertIn("a FIFO", str(caught.exception))

    def test_replacements_that_cannot_be_kept_end_the_run_with_one_line(self) -> None:
        self.write("state", "a file where the folder should be")
        settings = Settings(obfuscate=True)
        policy = self.make(settings).policy
        keep_replacements(settings, self.paths(), policy)
        with self.assertRaises(Failure) as caught:
            keep_replacements(settings._replace(obfuscation_key="keep"), self.paths(), policy)
        self.assertIn(self.path("state"), str(caught.exception))
        self.assertIn("obfuscation_key", caught.exception.remedy)

    def test_nothing_is_kept_unless_that_is_wanted(self) -> None:
        self.hide(Settings(obfuscate=True))
        self.make(Settings(obfuscation_key="keep"))
        self.assertFalse(os.path.lexists(self.path("state")))

    def test_what_is_kept_is_for_its_owner_only_and_not_written_through_a_link(self) -> None:
        """FAULTS 11."""
        victim = self.write("victim", "untouched")
        os.mkdir(self.path("state"))
        before = os.umask(0)
        try:
            self.hide(Settings(obfuscate=True, obfuscation_key="keep"))
        finally:
            os.umask(before)
        path = self.path("state", "obfuscation.json")
        self.assertEqual(stat.S_IMODE(os.lstat(path).st_mode), 0o600)
        os.unlink(path)
        made = self.make(Settings(obfuscate=True, obfuscation_key="keep"))
        os.symlink(victim, path)
        keep_replacements(Settings(obfuscate=True, obfuscation_key="keep"), self.paths(),
                          made.policy)
        self.assertTrue(os.path.isfile(path) and not os.path.islink(path))
        with open(victim, "rb") as file:
            self.assertEqual(file.read(), b"untouched")

    def test_the_same_replacements_in_two_runs_when_they_are_kept(self) -> None:
        settings = Settings(obfuscate=True, obfuscate_hostname=True, obfuscation_key="keep")
        first = self.hide(settings)
        kept = self.read_kept()
        self.assertEqual(self.hide(settings), first)
        for number, original in enumerate(TEXT.split()):  # whatever is met first
            self.assertEqual(self.hide(settings, original), first.split()[number])
        self.assertEqual(self.read_kept(), kept)
        for original in TEXT.split():
            self.assertNotIn(original, first.split())

    def test_other_replacements_in_each_run_when_they_are_not_kept(self) -> None:
        """FAULTS 18."""
        settings = Settings(obfuscate=True, obfuscate_hostname=True)
        self.assertEqual(len({self.hide(settings) for _ in range(4)}), 4)

    def test_the_settings_choose_what_is_obfuscated_and_the_list_goes_before_the_switches(
            self) -> None:
        for settings, kinds in KINDS:
            with self.subTest(settings.obfuscation_list):
                self.assertEqual(choose_kinds(settings), kinds)
                self.assert_hides(settings, kinds)

    def assert_hides(self, settings: Settings, kinds: FrozenSet[str]) -> None:
        obfuscator = self.make(settings).policy.obfuscator
        if not kinds:
            self.assertIsNone(obfuscator)
            return
        assert obfuscator is not None
        for kind, original in ((IPV4, b"10.1.2.3"), (IPV6, b"2001:db8::5"),
                               (MAC, b"52:54:00:12:34:56"), (HOSTNAME, b"kolibri")):
            self.assertEqual(original in obfuscator.hide(b"at " + original), kind not in kinds)

    def test_the_proof_finds_what_the_owner_forbids_and_names_the_rule_but_no_value(self) -> None:
        for exclusions, settings, content, rule in LEAKS:
            with self.subTest(rule):
                made = self.make(settings, exclusions)
                self.assertIsNone(find_hit(made))
                if made.policy.obfuscator:
                    made.policy.obfuscator.hide(b"10.1.2.3")
                made.proof.read(b"etc/x", content)
                told = find_hit(made)
                assert told is not None
                self.assertIn("etc/x", told)
                self.assertIn(rule, told)
                self.assertNotIn(content.split()[1].decode(), told)

    def test_a_hit_in_a_name_does_not_show_that_name(self) -> None:
        for exclusions in (Exclusions(keywords=(b"zebra",)), Exclusions(patterns=(b"zebra",))):
            made = self.make(Settings(), exclusions)
            made.proof.read(b"etc/zebra", b"etc/zebra")
            told = find_hit(made)
            assert told is not None
            self.assertNotIn("zebra", told)

    def test_secrets_are_masked_unless_that_is_switched_off_and_passwords_always(self) -> None:
        for on in (True, False):
            cleaned = self.make(Settings(redact_secrets=on)).policy.make_cleaner()(
                b"password=hunter2\nhttp://bob:s3cret9@h/\n")
            self.assertNotIn(b"hunter2", cleaned)
            self.assertEqual(b"s3cret9" not in cleaned, on)
