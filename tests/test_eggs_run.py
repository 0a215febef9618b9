"""Whole runs with eggs that may run: which one does, how it is driven, and what it leaves."""
import json
import os
import signal
import stat
import subprocess
import sys
import time
import unittest
from typing import Callable, Dict, List, Sequence, Tuple

from insights_mini.version import VERSION
from tests.eggcase import BUILT_IN, ENV, KEYS, NEW, PATIENCE, PLACES, RPM, STABLE, EggCase
from tests.eggmaker import (
    COLLECT,
    HANG,
    KILLED,
    PHASES,
    TRACEBACK,
    RealEgg,
    leave,
    original,
    ours,
)
from tests.support import Done, is_alive, load_build

FAIL, STOP, STOP_FAILED = leave(1), leave(100), leave(101)

Make = Callable[..., bytes]


def every(place: str, phases: Sequence[str] = PHASES) -> List[Tuple[str, str]]:
    return [(place, phase) for phase in phases]


class Order(EggCase):
    def test_a_signed_egg_of_any_place_does_the_work_and_the_archive_names_it(self) -> None:
        real = RealEgg.make("7.0.0")
        for place in PLACES:
            self.refresh()
            self.put(place, real if place == NEW else ours("7.0.0"))
            with self.subTest(place):
                done = self.run_eggs()
                self.assertEqual((done.status, done.err), (0, b""))
                self.assertIn("The work was done by %s 7.0.0\n" % place, done.text)
                if place == NEW:
                    self.assert_worker(done, place, "7.0.0")
                else:
                    self.assertEqual(self.marks(), every(place))

    def test_the_order_is_that_of_the_places_and_between_stable_and_the_shipped_of_versions(
            self) -> None:
        new, old, equal = "9.0.0", "0.0.9", VERSION
        foreign = "3.0.1-1"
        rows: List[Tuple[Dict[str, str], List[str]]] = [
            ({ENV: old, NEW: "9.10", STABLE: "9.9", RPM: "9.8"}, [ENV, NEW, STABLE, RPM]),
            ({ENV: old, NEW: new, STABLE: "9.9", RPM: "9.10"}, [ENV, NEW, RPM, STABLE]),
            ({NEW: equal, STABLE: new}, [NEW, STABLE]),
            ({NEW: old, STABLE: old, RPM: old}, []),
            ({NEW: old, STABLE: new, RPM: old}, [STABLE]),
            ({STABLE: foreign, RPM: new}, [STABLE, RPM]),
            ({NEW: "0.0.1-1", STABLE: new, RPM: foreign}, [NEW, STABLE, RPM]),
        ]
        for row, order in rows:
            self.refresh()
            for number, (place, version) in enumerate(row.items()):
                make = original if "-" in version else ours
                self.put(place, make(version, "%d; sys.exit(1)" % number))
            with self.subTest(row=row):
                done = self.run_eggs("--version")
                self.assertEqual(done.status, 0, done.text)
                self.assertEqual(self.marks(), [(place, "pre_update") for place in order])
                self.assertIn("Core: %s\n" % VERSION, done.text)

    def test_each_egg_takes_over_where_the_one_before_failed_and_none_is_used_again(self) -> None:
        eggs = zip((ENV, NEW, STABLE, RPM), PHASES, ("9.0", "9.3", "9.2", "9.1"),
                   (FAIL, TRACEBACK, KILLED, leave(99)))
        for place, phase, version, action in eggs:
            self.put(place, ours(version, **{phase: action}))
        done = self.run_eggs()
        self.assertEqual(self.marks(), [
            (ENV, "pre_update"), (NEW, "pre_update"), (NEW, "update"), (STABLE, "update"),
            (STABLE, "post_update"), (RPM, "post_update"), (RPM, COLLECT)])
        self.assert_worker(done)
        lines = [line for line in done.err.decode().splitlines() if line.startswith("ERROR: ")]
        self.assertEqual(len(lines), 4, done.text)
        for line, words in zip(lines, (
                "ENV egg 9.0 failed in phase pre_update: exit status 1",
                "NEW egg 9.3 failed in phase update: exit status 1",
                "STABLE egg 9.2 failed in phase post_update: it was killed by SIGKILL",
                "RPM egg 9.1 failed in phase collect_and_output: exit status 99")):
            self.assertIn(words, line)

    def test_an_older_egg_is_passed_over_and_the_debugging_of_phases_says_so(self) -> None:
        for place in (NEW, STABLE):
            self.refresh()
            self.put(place, ours("0.0.9"))
            with self.subTest(place):
                done = self.run_eggs("--debug-phases")
                self.assert_worker(done)
                self.assertEqual(done.err, b"")
                told = done.text
                self.assertIn("%s 0.0.9 is passed over: it is older than built-in egg %s\n" % (
                    place, VERSION), told)
                self.assertIn("the order they are tried: built-in egg %s\n" % VERSION, told)
                self.assertEqual(self.marks(), [])

    def test_the_debugging_of_phases_tells_which_egg_ran_and_how_it_ended(self) -> None:
        self.put(NEW, ours("9.1", update=leave(3)))
        text = self.run_eggs("--debug-phases").out.decode()
        told = ["eggs in the order they are tried: NEW egg 9.1, built-in egg " + VERSION]
        for phase, name, status in (("pre_update", "NEW egg 9.1", 0), ("update", "NEW egg 9.1", 3),
                                    *((phase, "%s %s" % (BUILT_IN, VERSION), 0)
                                      for phase in PHASES[1:])):
            told += ["phase %s: %s starts" % (phase, name),
                     "phase %s: %s ended: exit status %d" % (phase, name, status)]
        found = [line for line in text.splitlines() if line.startswith(("phase ", "eggs "))]
        self.assertEqual(found, told)

    def test_the_same_bytes_in_two_places_run_once(self) -> None:
        egg = ours("9.0.0", FAIL)
        for places in ((NEW, STABLE), tuple(PLACES)):
            self.refresh()
            for place in places:
                self.put(place, egg)
            with self.subTest(places=places):
                self.assert_worker(self.run_eggs())
                self.assertEqual(self.marks(), [(places[0], "pre_update")])

    def test_an_egg_named_in_the_environment_that_is_new_too_runs_once(self) -> None:
        self.environ["EGG"] = self.put(NEW, ours("9.0.0", FAIL))
        self.assert_worker(self.run_eggs())
        self.assertEqual(self.marks(), [(ENV, "pre_update")])

    def test_bytes_that_are_signed_in_one_place_only_run_from_there(self) -> None:
        egg = ours("9.0.0")
        self.put(NEW, egg, "stranger")
        self.put(STABLE, egg)
        done = self.run_eggs()
        self.assert_warnings(done, [(self.path(PLACES[NEW]), "is by a key")])
        self.assertEqual(self.marks(), every(STABLE))

    def test_the_running_file_itself_needs_no_signature_in_any_place(self) -> None:
        self.environ["EGG"] = self.argv()[1]
        done = self.run_eggs()
        self.assertEqual(done.err, b"")
        self.assert_worker(done)

    def test_a_stick_may_belong_to_anybody_if_what_is_on_it_is_signed(self) -> None:
        path = self.put(ENV, ours("9.0.0"))
        os.chmod(path, 0o666)
        os.chmod(os.path.dirname(path), 0o777)
        for given in (path, os.path.relpath(path, self.folder)):
            done = self.run_eggs(EGG=given)
            self.assertEqual((done.status, done.err), (0, b""))
        self.assertEqual(self.marks(), every(ENV) * 2)
        self.assertTrue(os.path.exists(path))


class PublisherKey(EggCase):
    """A build with the publisher's key in it, on a host that has no file of keys."""

    def refresh(self) -> None:
        super().refresh()
        os.unlink(self.path(KEYS))
        build = load_build()
        self.write("built.pyz", build.pack(dict(build.list_entries(),
                                                **{"conf/publisher.gpg": self.public})))

    def argv(self, *arguments: str) -> List[str]:
        return [sys.executable, self.path("built.pyz"), *arguments]

    def test_it_vouches_without_any_file_on_the_host(self) -> None:
        self.put(NEW, ours("9.0.0"))
        done = self.run_eggs()
        self.assertEqual((done.status, done.err, self.marks()), (0, b"", every(NEW)))

    def test_it_does_not_vouch_for_what_others_have_signed_and_a_broken_file_is_not_passed_over(
            self) -> None:
        path = self.put(NEW, ours("9.0.0"), "stranger")
        done = self.run_eggs()
        self.assert_worker(done)
        self.assert_warnings(done, [(path, "is by a key that is not trusted here")])
        self.put(NEW, ours("9.0.0"))
        self.write(KEYS, b"garbage")
        done = self.run_eggs()
        self.assert_worker(done)
        self.assert_warnings(done, [(path, "holds no public key")])


class Unsigned(EggCase):
    def test_an_unsigned_egg_runs_only_where_this_is_asked_for_with_a_warning_each_run(
            self) -> None:
        path = self.put(NEW, ours("9.0.0"), None)
        runs: List[Tuple[Sequence[str], Dict[str, str]]] = [
            (["--no-gpg"], {}), ([], {"BYPASS_GPG": "True"}), ([], {"BYPASS_GPG": "true"})]
        for number, (arguments, environ) in enumerate(runs, 1):
            with self.subTest(arguments=arguments, environ=environ):
                done = self.run_eggs(*arguments, **environ)
                self.assertEqual(done.status, 0, done.text)
                self.assert_warnings(done, [(path, "the signature of .* is not checked")])
                self.assertEqual(self.marks(), every(NEW) * number)
        self.assertEqual(sorted(os.listdir(self.path("state"))),
                         ["insights-mini.lock", "newest.egg"])

    def test_other_values_of_that_variable_ask_for_nothing(self) -> None:
        path = self.put(NEW, ours("9.0.0"), None)
        for value in ("", "False", "1", "yes"):
            with self.subTest(value):
                done = self.run_eggs("--version", BYPASS_GPG=value)
                self.assert_warnings(done, [(path, "cannot read the signature")])
        self.assertEqual(self.marks(), [])

    def test_others_must_not_be_able_to_change_an_egg_that_is_not_checked(self) -> None:
        for place in (ENV, NEW):
            self.refresh()
            path = self.put(place, ours("9.0.0"), None)
            os.chmod(path, 0o646)
            with self.subTest(place):
                done = self.run_eggs("--no-gpg")
                self.assert_warnings(done, [(path, "others than root can write")])
                self.assert_worker(done)
        self.assertEqual(self.marks(), [])


class Keeping(EggCase):
    def state(self) -> Dict[str, bytes]:
        """Return what lies in the state folder, besides the lock."""
        found = {}
        for name in os.listdir(self.path("state")):
            if name != "insights-mini.lock":
                with open(self.path("state", name), "rb") as file:
                    found[name] = file.read()
        return found

    def test_after_a_whole_run_new_is_stable_and_does_the_next_run_as_that(self) -> None:
        egg = ours("9.0.0")
        signature = self.sign(egg)
        self.put(STABLE, ours("8.0.0"))
        self.put(NEW, egg, signature)
        for place in (NEW, STABLE):
            done = self.run_eggs()
            self.assertEqual((done.status, done.err), (0, b""), place)
            self.assertEqual(self.state(), {
                "last_stable.egg": egg, "last_stable.egg.asc": signature,
                "insights-mini.versions": b"ours 9.0.0\n"})
            for name in self.state():
                mode = os.stat(self.path("state", name)).st_mode
                self.assertEqual(stat.S_IMODE(mode), 0o600, name)
        self.assertEqual(self.marks(), every(NEW) + every(STABLE))

    def test_the_highest_version_of_each_format_that_did_a_run_is_remembered(self) -> None:
        expected: Dict[str, str] = {"ours": VERSION}
        for place, make, version, format in (
                (ENV, None, "", ""), (ENV, ours, "9.9", "ours"),
                (ENV, ours, "9.10", "ours"), (ENV, ours, "9.9.9", ""),
                (NEW, original, "3.0.1-2", "original"), (ENV, original, "3.0.0-7", "")):
            self.environ.pop("EGG", None)
            if make is not None:
                self.put(place, make(version))
            if format:
                expected[format] = version
            self.assertEqual(self.run_eggs().status, 0)
            with self.subTest(version):
                self.assertEqual(self.state()["insights-mini.versions"].decode(), "".join(
                    "%s %s\n" % item for item in sorted(expected.items())))

    def test_what_did_no_whole_run_stays_what_it_is(self) -> None:
        for phase, action in (("pre_update", STOP), ("pre_update", STOP_FAILED), (COLLECT, FAIL),
                              (COLLECT, STOP_FAILED)):
            self.refresh()
            egg = ours("9.0.0", **{phase: action})
            self.put(NEW, egg)
            with self.subTest(phase, action=action):
                self.run_eggs()
                state = self.state()
                self.assertEqual(state.pop("insights-mini.versions", b"ours 0.1.0\n"),
                                 b"ours %s\n" % VERSION.encode())
                self.assertEqual(sorted(state), ["newest.egg", "newest.egg.asc"])

    def test_an_act_without_a_collection_is_the_eggs_but_keeps_nothing(self) -> None:
        self.put(NEW, RealEgg.make("7.0.0"))
        done = self.run_product("--version")
        self.assertEqual(done, Done(0, b"Client: %s\nCore: 7.0.0\n" % VERSION.encode(), b""))
        self.assertEqual(sorted(self.state()), ["newest.egg", "newest.egg.asc"])
        self.assertEqual(os.listdir(self.path("tmp")), [])


class Foreign(EggCase):
    """An egg in the original's format."""

    def put_original(self, default: str = "sys.exit(0)", **phases: str) -> str:
        self.refresh()
        return self.put(ENV, original("3.0.1-1", default, **phases))

    def test_its_exit_status_decides_as_the_protocol_says(self) -> None:
        rows = (("sys.exit(0)", 0, PHASES), ("return", 0, PHASES), (STOP, 0, PHASES[:1]),
                (STOP_FAILED, 1, PHASES[:1]), (leave(230), 30, PHASES[:1]))
        for action, status, phases in rows:
            self.put_original(action)
            with self.subTest(action):
                done = self.run_eggs()
                self.assertEqual((done.status, done.err), (status, b""))
                self.assertEqual(self.marks(), every(ENV, phases))
                self.assertFalse(os.path.exists(self.path("out")))

    def test_when_it_fails_the_next_egg_takes_over_in_the_same_phase(self) -> None:
        rows = ((leave(7), "exit status 7"), (FAIL, "exit status 1"), (TRACEBACK, "exit status 1"),
                (KILLED, "killed by SIGKILL"), (leave(99), "exit status 99"))
        for number, (action, told) in enumerate(rows):
            phase = PHASES[number % len(PHASES)]
            self.put_original(**{phase: action})
            with self.subTest(action):
                done = self.run_eggs("--debug-phases")
                self.assert_worker(done)
                self.assertEqual(self.marks(), every(ENV, PHASES[:PHASES.index(phase) + 1]))
                error, = [line for line in done.err.decode().splitlines() if "ERROR" in line]
                self.assertIn("ENV egg 3.0.1-1 failed in phase %s: " % phase, error)
                self.assertIn(told, error)
                self.assertIn("phase %s: built-in egg %s starts" % (phase, VERSION), done.text)

    def test_when_it_hangs_it_ends_with_all_that_it_has_started(self) -> None:
        for seconds in (1, 4, 16, 60):  # the first that lets it begin on a busy host
            self.put_original(update=HANG)
            done = self.run_eggs(INSIGHTS_PHASE_TIMEOUT=str(seconds))
            if os.path.exists(self.path("pids")):
                break
        self.assert_worker(done)
        self.assertIn("failed in phase update: it was stopped at its time limit", done.text)
        for number in self.read_pids():
            self.assertFalse(is_alive(number))

    def read_pids(self) -> List[int]:
        with open(self.path("pids")) as file:
            return [int(word) for word in file.read().split()]

    def test_what_it_has_started_ends_with_it_in_the_good_case_too(self) -> None:
        self.put_original(update=HANG.replace("time.sleep(600)", "sys.exit(0)"))
        self.assertEqual(self.run_eggs().status, 0)
        for number in self.read_pids():
            self.assertFalse(is_alive(number))

    def test_what_it_prints_passes_through_on_both_streams(self) -> None:
        self.put_original(collect_and_output=(
            "os.write(1, b'out \\xff\\n'); os.write(2, b'err \\0\\n')"))
        done = self.run_eggs("--quiet")
        self.assertEqual(done, Done(0, b"out \xff\n", b"err \0\n"))

    def test_it_gets_arguments_and_environment_as_the_protocol_says(self) -> None:
        path = self.put_original(
            "import json; print(json.dumps([sys.argv[1:], dict(os.environ), sys.path]))",
            update=TRACEBACK)
        done = self.run_eggs("--quiet", "--display-name", "ü x", PYTHONPATH="/nowhere", MINE="ü")
        self.assertEqual(done.status, 0, done.text)
        argv, environ, places = json.loads(done.out.decode())
        self.assertEqual([os.fsencode(word).decode() for word in argv],
                         self.command("--quiet", "--display-name", "ü x"))
        copy = environ["PYTHONPATH"]
        self.assertNotEqual(copy, path)
        self.assertTrue(copy.startswith(self.path("tmp", "insights-eggs-")), copy)
        self.assertEqual(places[0], copy)
        self.assertNotIn("", places)
        self.assertEqual(environ["INSIGHTS_PHASE"], "pre_update")
        self.assertEqual(os.fsencode(environ["MINE"]).decode(), "ü")

    def test_nothing_in_the_current_folder_is_taken_for_a_module(self) -> None:
        for name in ("os", "sys", "insights", "requests", "json", "site", "encodings",
                     "sitecustomize", "insights_mini"):
            self.write(name + ".py", "raise SystemExit('%s.py of the current folder')" % name)
        for make in (original, ours):
            self.refresh()
            self.put(ENV, make("9.0-1" if make is original else "9.0", (
                "import json\ntry: import requests\nexcept ImportError: pass\n")))
            with self.subTest(make.__name__):
                done = self.run_eggs()
                self.assertEqual((done.status, done.err), (0, b""))
                self.assertEqual(self.marks(), every(ENV))

    def test_rules_on_standard_input_reach_it(self) -> None:
        self.put_original(collect_and_output="print(sys.stdin.read().upper())")
        done = self.run_product("--offline", "--quiet", "--from-stdin", stdin=b"rules\n")
        self.assertEqual(done, Done(0, b"RULES\n\n", b""))

    def test_rules_on_standard_input_reach_the_egg_that_takes_over(self) -> None:
        self.put_original(update=FAIL)
        with open(self.rules(["/bin/echo hi"]), "rb") as file:
            rules = file.read()
        done = self.run_product("--offline", "--from-stdin", "--output-dir", self.path("out"),
                                stdin=rules)
        self.assert_worker(done)


class Signals(EggCase):
    def begin(self, make: Make = ours) -> "subprocess.Popen[bytes]":
        """Start a run with an egg that hangs while it collects; return when it does."""
        self.refresh()
        self.put(NEW, make("9.0", **{COLLECT: HANG}))
        child = self.start_product(*self.command())
        until = time.monotonic() + PATIENCE
        while not os.path.exists(self.path("pids")):
            self.assertIsNone(child.poll())
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)
        with open(self.path("pids")) as file:
            self.pids = [int(word) for word in file.read().split()]
        return child

    def await_end(self, number: int) -> None:
        """Wait until a process, which is not ours to wait for, is gone."""
        until = time.monotonic() + PATIENCE
        while is_alive(number):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)

    def test_a_signal_ends_the_run_the_egg_and_what_it_has_started(self) -> None:
        for number, status, make in (
                (signal.SIGINT, 130, ours), (signal.SIGINT, 130, original),
                (signal.SIGTERM, 1, original), (signal.SIGHUP, 1, ours)):
            child = self.begin(make)
            with self.subTest(number.name, make=make.__name__):
                child.send_signal(number)
                self.assertEqual(child.wait(PATIENCE), status)
                assert child.stderr is not None
                self.assertEqual(child.stderr.read().decode(), (
                    "ERROR: stopped by %s; no archive was written\n" % number.name))
                for pid in self.pids:
                    self.await_end(pid)
                self.assertEqual(os.listdir(self.path("tmp")), [])
                self.assertFalse(os.path.exists(self.path("out")))
                self.assertFalse(os.path.exists(self.path(PLACES[STABLE])))
                self.assertTrue(os.path.exists(self.path(PLACES[NEW])))

    def test_what_a_killed_run_left_is_swept_by_the_next_one(self) -> None:
        child = self.begin()
        child.kill()
        child.wait(PATIENCE)
        left, = os.listdir(self.path("tmp"))
        self.assertTrue(left.startswith("insights-eggs-"))
        os.killpg(self.pids[0], signal.SIGKILL)  # nobody is left to do that
        self.await_end(self.pids[0])
        os.unlink(self.path(PLACES[NEW]))
        self.assert_worker(self.run_eggs())

    def test_the_folder_of_a_live_run_is_not_swept(self) -> None:
        child = self.begin(original)
        before = os.listdir(self.path("tmp"))
        done = self.run_product(*self.command(), INSIGHTS_STATE_DIR=self.path("other state"))
        self.assert_worker(done)
        self.assertEqual(os.listdir(self.path("tmp")), before)
        child.terminate()
        self.assertEqual(child.wait(PATIENCE), 1)


if __name__ == "__main__":
    unittest.main()
