"""The protocol between wrapper and eggs: four phases, each tried with one egg after the other."""
import signal
from typing import Callable, Mapping, Sequence

from insights_mini.eggs import Egg
from insights_mini.exits import FAILED, OK, STOP_DONE
from insights_mini.log import Log
from insights_mini.sources import Loaded
from insights_mini.wrapper import child

PHASES = ("pre_update", "update", "post_update", "collect_and_output")
RunPhase = Callable[[str, Loaded, Mapping[str, str]], int]


def run_phases(eggs: Sequence[Egg], run_phase: RunPhase, loaded: Loaded,
               environ: Mapping[str, str], signals: child.Signals, log: Log) -> int:
    """Run all phases and return the wrapper's exit status.

    A phase ends with 0: the next phase; with 100 or more: the run ends, with that status modulo
    100; with anything else, or by a signal or at its limit: this egg has failed, and the next one
    takes over in the same phase for the rest of the run.
    """
    usable = list(eggs)
    for phase in PHASES:
        status = FAILED
        received = signals.get_received()
        if received is not None:
            return end_by_signal(child.Ending(OK), received, log)
        while usable:
            ending = run_one(usable[0], phase, run_phase, loaded, environ, signals, log)
            received = signals.get_received()
            if received is not None and not is_whole(phase, ending):
                return end_by_signal(ending, received, log)
            if not ending.signal and not ending.over_limit and (
                    ending.status == OK or ending.status >= STOP_DONE):
                status = ending.status
                break
            log.error("%s %s failed in phase %s: %s; the log may tell more" % (
                usable[0].name, usable[0].version, phase, describe(ending)))
            del usable[0]
        else:
            return FAILED
        if status >= STOP_DONE:
            return status % 100
    return OK


def is_whole(phase: str, ending: child.Ending) -> bool:
    """Tell whether the run is done, so that a signal came too late."""
    return phase == PHASES[-1] and ending == child.Ending(OK)


def run_one(egg: Egg, phase: str, run_phase: RunPhase, loaded: Loaded,
            environ: Mapping[str, str], signals: child.Signals, log: Log) -> child.Ending:
    settings = loaded.settings
    tell = log.info if settings.debug_phases else log.debug
    tell("phase %s: %s %s starts" % (phase, egg.name, egg.version))

    def work() -> int:
        return run_phase(phase, loaded, dict(environ, INSIGHTS_PHASE=phase))

    seconds = settings.phase_timeout
    if phase == PHASES[-1]:
        seconds += settings.max_time
    ending = child.run(work, seconds, signals)
    tell("phase %s: %s %s ended: %s" % (phase, egg.name, egg.version, describe(ending)))
    return ending


def describe(ending: child.Ending) -> str:
    if ending.over_limit:
        return "it was stopped at its time limit"
    if ending.signal:
        return "it was killed by %s" % signal.Signals(ending.signal).name
    return "exit status %d" % ending.status


def end_by_signal(ending: child.Ending, number: int, log: Log) -> int:
    """Return the exit status after a signal; speak only if the phase has not done so itself."""
    name = signal.Signals(number).name
    if ending.signal:
        log.error("stopped by %s; no archive was written" % name)
    elif ending.status < STOP_DONE:
        log.error("stopped by %s" % name)
    return ending.status % 100 if ending.status >= STOP_DONE else FAILED
