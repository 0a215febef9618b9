"""What a whole run leaves: the egg that did it as STABLE, and its version, even when killed."""
import os
import resource
import signal
import unittest
from typing import Dict, Optional, Tuple

from insights_mini import eggs, log, paths, statefiles
from insights_mini.eggs import BUILT_IN, ENV, NEW, ORIGINAL, OURS, RPM, STABLE, Egg
from insights_mini.log import DEBUG, Console, Log
from insights_mini.paths import Paths
from insights_mini.wrapper import rotation
from tests.killing import RANDOM, Entry, Tree, put, quick_folder, take, walk
from tests.support import Scratch
from tests.test_log import captured

FRESH, FRESH_SIGNATURE = b"the new egg\n" * 50, b"its signature"
KEPT, KEPT_SIGNATURE = b"the egg before\n" * 40, b"its own signature"
MODULES = (rotation, statefiles, paths, eggs, log)
NEWEST, LAST, NOTED = b"newest.egg", b"last_stable.egg", b"insights-mini.versions"


class RotationCase(Scratch):
    def setUp(self) -> None:
        super().setUp()
        folder = os.fsencode(self.folder)
        self.paths = Paths(folder + b"/etc", folder + b"/state", folder + b"/log", folder + b"/tmp")
        self.state = self.paths.state_dir

    def fill(self, **files: bytes) -> None:
        """Fill the state folder: new, new_asc, stable, stable_asc, versions."""
        names = {"new": NEWEST, "new_asc": NEWEST + b".asc", "stable": LAST,
                 "stable_asc": LAST + b".asc", "versions": NOTED}
        put(self.state, {names[key]: Entry(0o600, content) for key, content in files.items()})

    def fill_both(self) -> None:
        self.fill(new=FRESH, new_asc=FRESH_SIGNATURE, stable=KEPT, stable_asc=KEPT_SIGNATURE)

    def egg(self, name: str = NEW, version: str = "2.0", content: bytes = FRESH,
            format: str = OURS, signature: bytes = FRESH_SIGNATURE) -> Egg:
        """Return an egg whose private copy has this content."""
        source = {NEW: self.paths.new_egg, STABLE: self.paths.stable_egg}.get(name, b"/none/egg")
        return Egg(name, version, format, os.fsencode(self.write("copy/0.pyz", content)), source,
                   signature)

    def keep(self, egg: Egg) -> str:
        """Keep an egg and return what was said about it on standard error."""
        with captured() as got:
            rotation.keep(egg, self.paths, Log(Console(DEBUG)))
        self.assertEqual(got.out, b"")
        return got.err.decode()

    def warned(self, egg: Egg) -> str:
        """Keep an egg, which must cost one warning; return that."""
        lines = [line for line in self.keep(egg).splitlines() if line.startswith("WARNING: ")]
        self.assertEqual(len(lines), 1, lines)
        return lines[0]

    def contents(self) -> Dict[bytes, bytes]:
        return {name: entry.content for name, entry in take(self.state).items()}


class NotKept(RotationCase):
    def test_an_egg_whose_signature_was_not_checked_leaves_all_as_it_was(self) -> None:
        self.fill_both()
        before = self.contents()
        for name in (ENV, NEW, STABLE, RPM):
            self.assertEqual(self.keep(self.egg(name, signature=b"")), "")
            self.assertEqual(self.contents(), before)

    def test_a_new_that_is_another_one_by_now_is_left_alone(self) -> None:
        for new in (b"yet another egg", FRESH[:-1], FRESH + b"x", b""):
            self.fill(new=new, new_asc=b"signature", stable=KEPT, stable_asc=KEPT_SIGNATURE)
            before = self.contents()
            self.assertEqual(self.keep(self.egg()), "")
            self.assertEqual(self.contents(), {**before, NOTED: b"ours 2.0\n"})

    def test_a_new_that_has_gone_is_no_trouble(self) -> None:
        """An egg in the original's format makes itself STABLE."""
        self.fill(stable=FRESH, stable_asc=FRESH_SIGNATURE)
        self.assertEqual(self.keep(self.egg()), "")
        self.assertEqual(self.contents(), {LAST: FRESH, LAST + b".asc": FRESH_SIGNATURE,
                                           NOTED: b"ours 2.0\n"})

    def test_a_new_that_is_a_link_or_a_folder_by_now_is_left_alone(self) -> None:
        elsewhere = self.write("elsewhere", FRESH)
        os.mkdir(self.state)
        os.symlink(elsewhere, self.paths.new_egg)
        self.keep(self.egg())
        self.assertEqual(sorted(os.listdir(self.state)), sorted([NEWEST, NOTED]))
        os.unlink(self.paths.new_egg)
        os.mkdir(self.paths.new_egg)
        self.keep(self.egg())
        self.assertEqual(sorted(os.listdir(self.state)), sorted([NEWEST, NOTED]))

    def test_only_new_becomes_stable(self) -> None:
        for name in (ENV, STABLE, RPM):
            self.fill_both()
            before = self.contents()
            self.assertEqual(self.keep(self.egg(name)), "")
            self.assertEqual(self.contents(), {**before, NOTED: b"ours 2.0\n"})


class Unwritable(RotationCase):
    def test_a_private_copy_that_has_gone_costs_a_warning_and_leaves_the_pairs(self) -> None:
        self.fill_both()
        before = self.contents()
        egg = self.egg()
        os.unlink(egg.path)
        self.assertIn("cannot keep NEW egg 2.0", self.warned(egg))
        self.assertEqual(self.contents(), {**before, NOTED: b"ours 2.0\n"})

    def test_a_state_folder_that_cannot_be_written_costs_a_warning_that_names_it(self) -> None:
        os.symlink("/proc/none", self.state)
        said = self.warned(self.egg())
        for part in ("cannot keep NEW egg 2.0", self.path("state")):
            self.assertIn(part, said)

    def test_of_the_built_in_egg_only_the_log_tells_for_the_lock_has_warned(self) -> None:
        os.symlink("/proc/none", self.state)
        said = self.keep(BUILT_IN)
        self.assertIn("cannot keep built-in egg", said)
        self.assertNotIn("WARNING", said)

    def test_something_in_the_place_of_stable_costs_a_warning_and_new_stays(self) -> None:
        self.fill(new=FRESH, new_asc=FRESH_SIGNATURE)
        os.mkdir(self.paths.stable_egg)
        self.assertIn("cannot keep NEW egg 2.0", self.warned(self.egg()))
        os.rmdir(self.paths.stable_egg)
        statefiles.recover_pair(self.paths.stable_egg)
        self.assertEqual(self.contents(), {NEWEST: FRESH, NEWEST + b".asc": FRESH_SIGNATURE,
                                           NOTED: b"ours 2.0\n"})

    def test_a_full_disk_costs_a_warning_and_both_pairs_stay(self) -> None:
        """FAULTS 40. Files can hold 100 bytes here: enough for the version, not for the egg."""
        self.fill_both()
        before = self.contents()
        egg = self.egg()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
                os.dup2(writer, 2)
                rotation.keep(egg, self.paths, Log(Console(DEBUG)))
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        self.assertTrue(said.startswith(b"WARNING: cannot keep NEW egg 2.0"), said)
        rotation.recover(self.paths, Log(Console(DEBUG)))
        self.assertEqual(self.contents(), {**before, NOTED: b"ours 2.0\n"})

    def test_rubbish_among_the_versions_costs_a_warning_that_says_what_to_do(self) -> None:
        for content in (b"rubbish\n", b"ours 9.0\n\xff\n", b"\0" * 10):
            for egg in (self.egg(), BUILT_IN):
                self.fill(new=FRESH, new_asc=FRESH_SIGNATURE, versions=content)
                before = self.contents()
                said = self.warned(egg)
                self.assertIn(os.fsdecode(self.paths.versions), said)
                self.assertIn("remove it", said)
                self.assertEqual(self.contents(), before)

    def test_mending_what_cannot_be_mended_is_no_trouble(self) -> None:
        for name in (b"", b"/none"):
            os.makedirs(self.paths.new_egg + b".next" + name)
        with captured() as got:
            rotation.recover(self.paths, Log(Console(DEBUG)))
        self.assertIn(b"cannot look after", got.err)
        self.assertNotIn(b"WARNING", got.err)


class Kept(RotationCase):
    def test_new_becomes_stable_with_its_signature_and_its_version_is_noted(self) -> None:
        for before in ({}, {"stable": KEPT}, {"stable": KEPT, "stable_asc": KEPT_SIGNATURE}):
            self.fill(new=FRESH, new_asc=FRESH_SIGNATURE, **before)
            self.assertIn("NEW egg 2.0 is STABLE now", self.keep(self.egg()))
            self.assertEqual(take(self.state), {
                LAST: Entry(0o600, FRESH), LAST + b".asc": Entry(0o600, FRESH_SIGNATURE),
                NOTED: Entry(0o600, b"ours 2.0\n")})

    def test_the_signature_that_was_checked_is_kept_and_not_one_that_lies_there_now(self) -> None:
        self.fill(new=FRESH, new_asc=b"swapped meanwhile")
        self.keep(self.egg())
        self.assertEqual(self.contents()[LAST + b".asc"], FRESH_SIGNATURE)

    def test_a_version_is_noted_only_if_none_as_high_was(self) -> None:
        for before, egg, after in (
                (None, self.egg(STABLE), b"ours 2.0\n"),
                (b"", self.egg(STABLE), b"ours 2.0\n"),
                (b"ours 1.9\n", self.egg(STABLE), b"ours 2.0\n"),
                (b"ours 2.0\n", self.egg(STABLE), b"ours 2.0\n"),
                (b"ours 2.0.0\n", self.egg(STABLE), b"ours 2.0.0\n"),
                (b"ours 2.1\n", self.egg(STABLE), b"ours 2.1\n"),
                (b"ours 10.0\n", self.egg(ENV), b"ours 10.0\n"),
                (b"original 9.0\n", self.egg(RPM), b"original 9.0\nours 2.0\n"),
                (b"original 3.0\nours 2.1\n", self.egg(RPM, "3.0-1", format=ORIGINAL),
                 b"original 3.0-1\nours 2.1\n"),
                (b"ours 2.1\n", self.egg(RPM, "unknown", format=ORIGINAL),
                 b"original unknown\nours 2.1\n"),
                (None, BUILT_IN, b"ours %s\n" % BUILT_IN.version.encode()),
                (b"ours 999.0\n", BUILT_IN, b"ours 999.0\n")):
            with self.subTest(before=before, egg=str(egg)):
                self.fill(**({} if before is None else {"versions": before}))
                self.assertNotIn("WARNING", self.keep(egg))
                self.assertEqual(self.contents()[NOTED], after)
                eggs.read_versions(self.paths.versions)

    def test_a_version_that_is_noted_already_is_not_written_again(self) -> None:
        self.fill(versions=b"ours 2.0\n")
        before = os.stat(self.paths.versions).st_ino
        self.keep(self.egg(STABLE))
        self.assertEqual(os.stat(self.paths.versions).st_ino, before)


class Recovered(RotationCase):
    def test_each_place_in_which_something_is_installed_is_mended(self) -> None:
        for path in (self.paths.new_egg, self.paths.stable_egg, self.paths.cached_rules):
            folder, name = os.path.split(path)
            with self.subTest(name):
                put(folder, {name: Entry(0o600, b"n"), name + b".asc": Entry(0o600, b"old"),
                             name + b".asc.next": Entry(0o600, b"s")})
                rotation.recover(self.paths, Log(Console(log.NOTHING)))
                self.assertEqual(take(folder), {name: Entry(0o600, b"n"),
                                                name + b".asc": Entry(0o600, b"s")})


class Killed(RotationCase):
    """A kill before each line of what keeps an egg."""

    def setUp(self) -> None:
        super().setUp()
        self.state = os.path.join(quick_folder(self), b"state")
        self.paths = self.paths._replace(state_dir=self.state)

    def pair(self, tree: Tree, name: bytes) -> Optional[Tuple[bytes, bytes]]:
        if name not in tree or name + b".asc" not in tree:
            return None
        return tree[name].content, tree[name + b".asc"].content

    def test_after_a_kill_at_any_line_the_egg_is_there_whole_and_keeping_it_again_finishes(
            self) -> None:
        journal = Log(Console(log.NOTHING))
        egg = self.egg()
        fresh, kept = (FRESH, FRESH_SIGNATURE), (KEPT, KEPT_SIGNATURE)
        places = []
        for number in walk(lambda: rotation.keep(egg, self.paths, journal), MODULES,
                           self.fill_both):
            with self.subTest(line=number):
                rotation.recover(self.paths, journal)
                tree = take(self.state)
                new, stable = self.pair(tree, NEWEST), self.pair(tree, LAST)
                self.assertIn(stable, (kept, fresh))
                self.assertIn(new, (fresh, None))
                self.assertIn(fresh, (new, stable))
                self.assertFalse([name for name in tree if b".next" in name])
                places.append((new == fresh, stable == fresh))
                left = NEW if NEWEST in tree else STABLE  # what the next run finds and runs
                self.keep(self.egg(left))
                self.assertEqual(self.tidy(), {LAST: FRESH, LAST + b".asc": FRESH_SIGNATURE,
                                               NOTED: b"ours 2.0\n"})
        self.assertEqual(set(places), {(True, False), (True, True), (False, True)})
        self.assertGreater(places.count((True, False)), 30)  # else nothing was walked

    def tidy(self) -> Dict[bytes, bytes]:
        """Return the contents but for what a kill may leave although nobody needs it: a list of
        versions half written, and the signature of a NEW that is STABLE by now."""
        return {name: content for name, content in self.contents().items()
                if not (name.startswith(NOTED) and RANDOM.search(name))
                and name != NEWEST + b".asc"}


if __name__ == "__main__":
    unittest.main()
