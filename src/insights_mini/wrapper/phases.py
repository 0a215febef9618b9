"""The protocol between wrapper and eggs: four phases, each tried with one egg after the other."""
import os
import signal
import sys
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from insights_mini import log
from insights_mini.eggs import Egg, command
from insights_mini.exits import FAILED, OK, STOP_DONE, reason
from insights_mini.sources import Loaded
from insights_mini.version import VERSION
from insights_mini.wrapper import child

PHASES = ("pre_update", "update", "post_update", "collect_and_output")
AFTER_UPDATE = "post_update"
RunPhase = Callable[[str, Loaded, Mapping[str, str]], int]


class Start(NamedTuple):
    """What each phase of a run is started with; `built_in` runs one of the built-in egg."""

    built_in: RunPhase
    loaded: Loaded
    argv: Sequence[str]
    environ: Mapping[str, str]


class Outcome(NamedTuple):
    """The wrapper's exit status, and the egg that did the last phase, if it came to its end."""

    status: int
    worker: Optional[Egg] = None


def run_phases(find_eggs: Callable[[], Sequence[Egg]], start: Start, signals: child.Signals,
               log: log.Log) -> Outcome:
    """Run all phases.

    A phase ends with 0: the next phase; with 100 or more: the run ends, with that status modulo
    100; with anything else, or by a signal or at its limit: this egg has failed, and the next one
    takes over in the same phase for the rest of the run. The eggs are looked for once more after
    the update, which may have brought a new one.
    """
    usable = list(find_eggs())
    failed: List[Egg] = []
    for phase in PHASES:
        if phase == AFTER_UPDATE:
            usable = [egg for egg in find_eggs() if egg not in failed]
        status = FAILED
        received = signals.check()
        if received is not None:
            return Outcome(end_by_signal(child.Ending(OK), received, log))
        while usable:
            ending = run_one(usable[0], phase, start, signals, log)
            received = signals.check()
            if received is not None and not is_whole(phase, ending):
                return Outcome(end_by_signal(ending, received, log))
            if not ending.signal and not ending.over_limit and (
                    ending.status == OK or ending.status >= STOP_DONE):
                status = ending.status
                break
            log.error("%s failed in phase %s: %s; the log may tell more" % (
                usable[0], phase, describe(ending)))
            failed.append(usable.pop(0))
        else:
            return Outcome(FAILED)
        if status > STOP_DONE or (status == STOP_DONE and phase != PHASES[-1]):
            return Outcome(status % 100)
    return Outcome(OK, usable[0])


def is_whole(phase: str, ending: child.Ending) -> bool:
    """Tell whether the run is done, so that a signal came too late."""
    return phase == PHASES[-1] and ending == child.Ending(OK)


def run_one(egg: Egg, phase: str, start: Start, signals: child.Signals,
            log: log.Log) -> child.Ending:
    settings = start.loaded.settings
    tell = log.info if settings.debug_phases else log.debug
    tell("phase %s: %s starts" % (phase, egg))
    environ = dict(start.environ, INSIGHTS_PHASE=phase, INSIGHTS_EGG=egg.name,
                   INSIGHTS_CLIENT_VERSION=VERSION,
                   INSIGHTS_CLIENT_FILE=os.path.abspath(sys.argv[0]))

    def work() -> int:
        if egg.path:
            return execute(egg, start.argv, environ)
        return start.built_in(phase, start.loaded, environ)

    seconds = (settings.last_phase_seconds if phase == PHASES[-1] else settings.phase_timeout)
    # In a group of its own an egg could not read rules that are typed in.
    ending = child.run(work, seconds, signals, group=bool(egg.path) and not settings.from_stdin)
    tell("phase %s: %s ended: %s" % (phase, egg, describe(ending)))
    return ending


def execute(egg: Egg, argv: Sequence[str], environ: Dict[str, str]) -> int:
    """Become the egg; an exit status is returned only when that fails."""
    python = sys.executable or "/usr/bin/python3"
    try:
        os.execve(python, [*command(egg, python), *argv],  # noqa: S606  # no shell is wanted
                  dict(environ, PYTHONPATH=os.fsdecode(egg.path)))
    except OSError as error:
        log.write(2, "cannot start %s: %s\n" % (python, reason(error)))
    return FAILED


def describe(ending: child.Ending) -> str:
    if ending.over_limit:
        return "it was stopped at its time limit"
    if ending.signal:
        return "it was killed by %s" % signal.Signals(ending.signal).name
    return "exit status %d" % ending.status


def end_by_signal(ending: child.Ending, number: int, log: log.Log) -> int:
    """Return the exit status after a signal; speak only if the phase has not done so itself."""
    name = signal.Signals(number).name
    if ending.signal:
        log.error("stopped by %s; no archive was written" % name)
    elif ending.status < STOP_DONE:
        log.error("stopped by %s" % name)
    return ending.status % 100 if ending.status >= STOP_DONE else FAILED
