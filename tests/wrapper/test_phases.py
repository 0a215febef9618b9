"""The protocol of wrapper and eggs: what each ending of a phase leads to."""
import os
import signal
import sys
import time
from typing import Callable, List, Mapping, Sequence, Tuple, Union

from insights_mini import log
from insights_mini.eggs import Egg
from insights_mini.exits import FAILED, OK
from insights_mini.settings import Settings
from insights_mini.sources import Loaded
from insights_mini.version import VERSION
from insights_mini.wrapper.phases import PHASES, Start, run_phases
from tests.test_log import captured
from tests.wrapper.test_child import ChildCase, die, hang

Outcome = Union[int, Callable[[], int]]
EGGS = (Egg("first egg", "3.0"), Egg("second egg", "2.0"), Egg("third egg", "1.0"))
PRE, UPDATE, POST, COLLECT = PHASES


class PhasesCase(ChildCase):
    def setUp(self) -> None:
        super().setUp()
        self.settings = Settings()

    def play(self, *outcomes: Outcome, eggs: Sequence[Egg] = EGGS[:1]) -> int:
        """Run the phases with an egg whose first run ends so, whose second so, and the rest well.

        What was run is in `self.ran` afterwards, what was printed in `self.out` and `self.err`.
        """
        loaded = Loaded(self.settings, (), "")
        journal = self.path("journal")
        with open(journal, "w"):
            pass

        def run_phase(phase: str, given: Loaded, environ: Mapping[str, str]) -> int:
            assert given is loaded
            assert environ == {"KEPT": "as it was", "INSIGHTS_PHASE": phase,
                               "INSIGHTS_EGG": environ["INSIGHTS_EGG"],
                               "INSIGHTS_CLIENT_VERSION": VERSION,
                               "INSIGHTS_CLIENT_FILE": os.path.abspath(sys.argv[0])}
            assert environ["INSIGHTS_EGG"] in [egg.name for egg in eggs]
            with open(journal, "r+") as file:
                number = len(file.readlines())
                file.write(phase + "\n")
            outcome = outcomes[number] if number < len(outcomes) else 0
            return outcome if isinstance(outcome, int) else outcome()

        with captured() as got:
            outcome = run_phases(lambda: eggs, Start(run_phase, loaded, [], {"KEPT": "as it was"}),
                                 self.signals,
                                 log.Log(log.Console(log.console_level(self.settings))))
        self.worker = outcome.worker
        self.out, self.err = got.out.decode(), got.err.decode()
        with open(journal) as file:
            self.ran = file.read().split()
        return outcome.status


class Failing(PhasesCase):
    ENDINGS: Tuple[Tuple[Outcome, str], ...] = (
        (1, "exit status 1"), (7, "exit status 7"), (99, "exit status 99"),
        (die(signal.SIGKILL), "SIGKILL"), (die(signal.SIGSEGV), "SIGSEGV"))

    def test_a_failed_phase_of_the_only_egg_is_one_line_and_ends_the_run(self) -> None:
        for outcome, why in self.ENDINGS:
            with self.subTest(why):
                self.assertEqual(self.play(0, outcome), FAILED)
                self.assertEqual(self.ran, [PRE, UPDATE])
                self.assertEqual(self.err.count("\n"), 1)
                for part in ("ERROR: first egg 3.0", UPDATE, why):
                    self.assertIn(part, self.err)
                self.assertEqual(self.out, "")

    def test_a_phase_that_hangs_is_a_failed_one(self) -> None:
        self.settings = Settings(phase_timeout=0.3)
        self.assertEqual(self.play(hang), FAILED)
        self.assertEqual(self.ran, [PRE])
        self.assertEqual(self.err.count("\n"), 1)
        self.assertIn("time limit", self.err)

    def test_a_phase_that_ends_well_but_at_its_limit_is_a_failed_one(self) -> None:
        def work() -> int:
            signal.signal(signal.SIGTERM, lambda number, frame: os._exit(100))
            return hang()

        self.settings = Settings(phase_timeout=1.0)
        self.assertEqual(self.play(work), FAILED)
        self.assertIn("time limit", self.err)

    def test_the_next_egg_takes_over_in_the_same_phase(self) -> None:
        for outcome, why in self.ENDINGS:
            with self.subTest(why):
                self.assertEqual(self.play(0, outcome, eggs=EGGS[:2]), OK)
                self.assertEqual(self.ran, [PRE, UPDATE, UPDATE, POST, COLLECT])

    def test_an_egg_that_failed_is_not_used_again(self) -> None:
        self.settings = Settings(debug_phases=True)
        self.assertEqual(self.play(0, 1, 0, die(signal.SIGKILL), 0, 0, eggs=EGGS), OK)
        self.assertEqual(self.ran, [PRE, UPDATE, UPDATE, POST, POST, COLLECT])
        starts = [line for line in self.out.splitlines() if line.endswith(" starts")]
        self.assertEqual(starts, ["phase %s: %s %s starts" % (phase, egg.name, egg.version)
                                  for phase, egg in zip(self.ran, (
                                      EGGS[0], EGGS[0], EGGS[1], EGGS[1], EGGS[2], EGGS[2]))])
        self.assertEqual(self.err.count("\n"), 2)

    def test_the_run_fails_when_every_egg_has_failed(self) -> None:
        self.assertEqual(self.play(1, 1, 1, eggs=EGGS), FAILED)
        self.assertEqual(self.ran, [PRE] * 3)
        self.assertEqual(self.err.count("\n"), 3)

    def test_without_any_egg_the_run_fails(self) -> None:
        self.assertEqual(self.play(eggs=()), FAILED)
        self.assertEqual(self.ran, [])


class Ending(PhasesCase):
    def test_a_status_from_100_on_ends_the_run_with_its_rest(self) -> None:
        for status, expected in ((100, 0), (101, 1), (102, 2), (230, 30), (255, 55)):
            with self.subTest(str(status)):
                self.assertEqual(self.play(0, status, eggs=EGGS), expected)
                self.assertEqual(self.ran, [PRE, UPDATE])
                self.assertEqual(self.out + self.err, "")

    def test_phases_that_end_with_0_are_all_run_in_their_order(self) -> None:
        self.assertEqual(PHASES, ("pre_update", "update", "post_update", "collect_and_output"))
        self.assertEqual(self.play(), OK)
        self.assertEqual(self.ran, list(PHASES))
        self.assertEqual(self.out + self.err, "")

    def test_the_collecting_phase_has_the_time_of_the_collection_on_top(self) -> None:
        def work() -> int:
            time.sleep(1.6)
            return 0

        self.settings = Settings(phase_timeout=1.5, max_time=600.0)
        self.assertEqual(self.play(0, 0, 0, work), OK)

    def test_debug_phases_tells_which_egg_ran_and_how_it_ended(self) -> None:
        self.settings = Settings(debug_phases=True)
        self.play(0, 100)
        self.assertEqual(self.out.splitlines(), [
            "phase pre_update: first egg 3.0 starts",
            "phase pre_update: first egg 3.0 ended: exit status 0",
            "phase update: first egg 3.0 starts",
            "phase update: first egg 3.0 ended: exit status 100"])

    def test_the_egg_that_did_the_last_phase_is_told_and_only_after_a_whole_run(self) -> None:
        for outcomes, worker in (([], EGGS[0]), ([0, 1], EGGS[1]), ([0, 0, 0, 1], EGGS[1]),
                                 ([0, 0, 0, 100], EGGS[0]), ([100], None), ([0, 0, 0, 101], None),
                                 ([1, 1], None)):
            with self.subTest(outcomes=outcomes):
                self.play(*outcomes, eggs=EGGS[:2])
                self.assertEqual(self.worker, worker)


class Signalled(PhasesCase):
    def send(self, number: int, then: Callable[[], int]) -> Callable[[], int]:
        """Return the work of a phase that has the wrapper sent a signal."""
        wrapper = os.getpid()

        def work() -> int:
            os.kill(wrapper, number)
            return then()
        return work

    def answer(self, status: int) -> Callable[[], int]:
        """Return work that ends with this status once its signal to the wrapper comes back."""
        send = self.send(signal.SIGTERM, hang)

        def work() -> int:
            signal.signal(signal.SIGTERM, lambda number, frame: os._exit(status))
            return send()
        return work

    def test_a_phase_that_dies_of_it_is_one_line_and_no_egg_takes_over(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number.name):
                self.signals.received = None
                self.assertEqual(self.play(0, self.send(number, hang), eggs=EGGS), FAILED)
                self.assertEqual(self.ran, [PRE, UPDATE])
                self.assertEqual(self.err.splitlines(), [
                    "ERROR: stopped by %s; no archive was written" % number.name])

    def test_a_phase_that_has_said_so_itself_is_not_talked_over(self) -> None:
        self.assertEqual(self.play(self.answer(101), eggs=EGGS), FAILED)
        self.assertEqual(self.signals.received, signal.SIGTERM)
        self.assertEqual(self.ran, [PRE])
        self.assertEqual(self.err, "")

    def test_a_phase_that_was_just_done_with_the_run_is_a_success(self) -> None:
        self.assertEqual(self.play(self.answer(100), eggs=EGGS), OK)
        self.assertEqual(self.ran, [PRE])

    def test_a_phase_that_was_just_done_does_not_hide_that_the_run_was_stopped(self) -> None:
        self.assertEqual(self.play(self.answer(0), eggs=EGGS), FAILED)
        self.assertEqual(self.ran, [PRE])
        self.assertEqual(self.err.count("\n"), 1, self.err)
        self.assertIn("stopped by SIGTERM", self.err)

    def test_a_signal_between_two_phases_starts_no_further_phase(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(self.play(), FAILED)
        self.assertEqual(self.ran, [])
        self.assertIn("stopped by SIGTERM", self.err)


class Order(PhasesCase):
    def test_the_game_itself_notes_every_run(self) -> None:
        endings: List[Outcome] = [0, 0, 0, 1]
        self.assertEqual(self.play(*endings), FAILED)
        self.assertEqual(self.ran, list(PHASES))
