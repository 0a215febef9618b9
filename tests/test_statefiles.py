"""Files of our own, whole or not at all: also a pair of two files, whenever a run is killed."""
import os
import resource
import signal
import stat
import unittest
from typing import Callable, Dict, List, Optional, Tuple

from insights_mini import log, paths, statefiles
from insights_mini.statefiles import recover_pair, write_pair, write_private
from tests.killing import Entry, Tree, essence, killed_at, put, quick_folder, take, walk
from tests.support import Scratch

MODULES = (statefiles, paths, log)
OLD, NEW = (b"old content", b"old signature"), (b"new content\n" * 100, b"new signature")
Pair = Tuple[Optional[bytes], Optional[bytes]]


class StateCase(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(os.umask, os.umask(0))
        self.state = os.fsencode(self.path("state"))
        self.egg = os.path.join(self.state, b"newest.egg")

    def make(self, content: Optional[bytes], signature: Optional[bytes], **more: bytes) -> None:
        """Fill the state folder with a pair and other files, such as next=b"..."."""
        given: Dict[bytes, Optional[bytes]] = {b"newest.egg": content,
                                               b"newest.egg.asc": signature}
        given.update((b"newest.egg." + os.fsencode(name.replace("_", ".")), text)
                     for name, text in more.items())
        put(self.state, {name: Entry(0o600, text) for name, text in given.items()
                         if text is not None})

    def names(self) -> List[bytes]:
        return sorted(os.listdir(self.state))

    def pair(self) -> Pair:
        tree = take(self.state)
        return tuple(tree[name].content if name in tree else None  # type: ignore[return-value]
                     for name in (b"newest.egg", b"newest.egg.asc"))

    def limited(self, work: Callable[[], None]) -> bytes:
        """Do the work in a child whose files can hold 200 bytes; return the error's name."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
                work()
            except OSError as error:
                os.write(writer, type(error).__name__.encode())
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        return said


class Synced(StateCase):
    def test_a_file_system_that_cannot_sync_a_folder_is_no_error_but_a_missing_one_is(self) -> None:
        statefiles.sync_folder(b"/proc")
        with self.assertRaises(FileNotFoundError):
            statefiles.sync_folder(os.fsencode(self.path("none")))


class Single(StateCase):
    def test_a_full_disk_is_an_error_and_leaves_the_old_file_and_nothing_else(self) -> None:
        self.make(OLD[0], None)
        self.assertEqual(self.limited(lambda: write_private(self.egg, NEW[0])), b"OSError")
        self.assertEqual((self.names(), self.pair()), ([b"newest.egg"], (OLD[0], None)))

    def test_without_replace_a_file_that_is_there_stays(self) -> None:
        self.make(OLD[0], None)
        with self.assertRaises(FileExistsError):
            write_private(self.egg, NEW[0], replace=False)
        self.assertEqual((self.names(), self.pair()), ([b"newest.egg"], (OLD[0], None)))

    def test_a_folder_in_the_way_and_a_folder_that_cannot_be_made_are_errors(self) -> None:
        os.makedirs(self.egg)
        with self.assertRaises(OSError):
            write_private(self.egg, b"x")
        self.assertEqual(self.names(), [b"newest.egg"])
        blocked = os.path.join(os.fsencode(self.write("file", "x")), b"egg")
        with self.assertRaises(OSError):
            write_private(blocked, b"x")

    def test_a_link_is_replaced_and_what_it_leads_to_is_not_touched(self) -> None:
        """FAULTS 37."""
        victim = self.write("victim", "precious")
        os.mkdir(self.state)
        os.symlink(victim, self.egg)
        write_private(self.egg, b"x")
        with open(victim) as file:
            self.assertEqual(file.read(), "precious")
        self.assertFalse(os.path.islink(self.egg))

    def test_any_umask_gives_0600_in_a_folder_0700(self) -> None:
        """FAULTS 50."""
        for umask in (0, 0o022, 0o777):
            os.umask(umask)
            path = os.path.join(os.fsencode(self.path("state%o" % umask)), b"file")
            write_private(path, b"x")
            with self.subTest("%o" % umask):
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
                self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)


class Pairs(StateCase):
    def test_a_full_disk_is_an_error_and_leaves_the_old_pair(self) -> None:
        for content, signature in ((NEW[0], b"s"), (b"c", b"s" * 1000)):
            self.make(*OLD)
            with self.subTest(len(content)):
                self.assertEqual(self.limited(lambda c=content, s=signature: write_pair(  # type: ignore[misc]
                    self.egg, c, s)), b"OSError")
                recover_pair(self.egg)
                self.assertEqual(self.pair(), OLD)
                self.assertEqual(self.names(), [b"newest.egg", b"newest.egg.asc"])

    def test_a_place_that_cannot_be_written_is_an_error(self) -> None:
        self.write("state", "a file")
        with self.assertRaises(OSError):
            write_pair(self.egg, *NEW)
        recover_pair(self.egg)  # nothing there to recover: no error

    def test_what_was_not_yet_written_is_taken_back(self) -> None:
        for old in (OLD, (OLD[0], None), (None, None)):
            for left in ({"next_0123456789ab": b"x"}, {"next": NEW[0]},
                         {"next": NEW[0], "asc_next_0123456789ab": b"x"},
                         {"next": NEW[0], "asc_next": NEW[1]}):
                with self.subTest(old=old, left=sorted(left)):
                    self.make(*old, **left)
                    recover_pair(self.egg)
                    self.assertEqual(self.pair(), old)
                    self.assertEqual(len(self.names()), 2 - old.count(None))

    def test_what_held_already_is_finished(self) -> None:
        self.make(NEW[0], OLD[1], asc_next=NEW[1])
        recover_pair(self.egg)
        self.assertEqual((self.pair(), len(self.names())), (NEW, 2))

    def test_what_is_of_other_files_is_not_touched(self) -> None:
        self.make(*OLD)
        others = [b"newest.eggs.next", b"last_stable.egg.next", b"last_stable.egg.asc.next",
                  b"newest.egg.nextdoor", b"x.newest.egg.next", b"newest.egg.asc.nextdoor"]
        for name in others:
            with open(os.path.join(self.state, name), "wb"):
                pass
        write_pair(self.egg, *NEW)
        recover_pair(self.egg)
        self.assertEqual((self.pair(), self.names()), (
            NEW, sorted([b"newest.egg", b"newest.egg.asc", *others])))

    def test_a_pair_is_0600_in_a_folder_0700_and_nothing_is_beside_it(self) -> None:
        write_pair(self.egg, *OLD)
        self.assertEqual(take(self.state), {
            b"newest.egg": Entry(0o600, OLD[0]), b"newest.egg.asc": Entry(0o600, OLD[1])})
        self.assertEqual(stat.S_IMODE(os.stat(self.state).st_mode), 0o700)

    def test_a_pair_is_replaced_whatever_its_modes_were(self) -> None:
        self.make(*OLD)
        for name in self.names():
            os.chmod(os.path.join(self.state, name), 0o644)
        write_pair(self.egg, *NEW)
        self.assertEqual((self.pair(), {entry.mode for entry in take(self.state).values()}),
                         (NEW, {0o600}))


class Killed(StateCase):
    """A kill before each line of what writes a pair, and before each line of what mends it."""

    CASES: Tuple[Pair, ...] = ((None, None), OLD, (OLD[0], None))

    def setUp(self) -> None:
        super().setUp()
        self.state = os.path.join(quick_folder(self), b"state")
        self.egg = os.path.join(self.state, b"newest.egg")

    def states(self) -> List[Tree]:
        """Return all states, each once, in which a kill leaves a folder with the old pair."""
        found = {}
        for _ in walk(lambda: write_pair(self.egg, *NEW), MODULES, lambda: self.make(*OLD)):
            tree = take(self.state)
            found[essence(tree)] = tree
        return list(found.values())

    def check(self, old: Pair) -> bool:
        """Recover; the pair is the old or the new one, nothing is beside it. True for the new."""
        recover_pair(self.egg)
        pair = self.pair()
        self.assertIn(pair, (old, NEW))
        self.assertEqual(len(self.names()), 2 - pair.count(None), self.names())
        return pair == NEW

    def test_after_a_kill_at_any_line_the_pair_is_the_old_or_the_new_one_and_never_mixed(
            self) -> None:
        for old in self.CASES:
            results = []
            for number in walk(lambda: write_pair(self.egg, *NEW), MODULES,
                               lambda old=old: self.make(*old)):  # type: ignore[misc]
                with self.subTest(old=old, line=number):
                    results.append(self.check(old))
            self.assertEqual(results, sorted(results), "a new pair was lost again")
            self.assertGreater(results.count(False), 30)  # else nothing was walked
            self.assertGreater(results.count(True), 3)

    def test_after_a_kill_at_any_line_of_the_mending_it_can_be_mended_once_more(self) -> None:
        states = self.states()
        self.assertGreater(len(states), 6)
        for state in states:
            put(self.state, state)
            expected = self.check(OLD)
            for number in walk(lambda: recover_pair(self.egg), MODULES,
                               lambda state=state: put(self.state, state)):  # type: ignore[misc]
                with self.subTest(state=sorted(state), line=number):
                    self.assertEqual(self.check(OLD), expected)

    def test_after_a_kill_at_any_line_the_pair_can_be_written_again(self) -> None:
        for state in self.states():
            put(self.state, state)
            write_pair(self.egg, b"third", b"its signature")
            with self.subTest(sorted(state)):
                self.assertEqual((self.pair(), len(self.names())),
                                 ((b"third", b"its signature"), 2))

    def test_the_walk_itself_kills_and_sees_an_error(self) -> None:
        self.assertTrue(killed_at(1, lambda: recover_pair(self.egg), MODULES))
        self.assertFalse(killed_at(10000, lambda: recover_pair(self.egg), MODULES))
        with self.assertRaises(AssertionError):
            killed_at(10000, lambda: write_private(b"/proc/none", b""), MODULES)


if __name__ == "__main__":
    unittest.main()
