"""The wrapper's whole course: settings, root check, log, lock, the phases, the exit status."""
import os
from typing import Callable, List, Mapping, Optional

from insights_mini import log, sources
from insights_mini.eggs import BUILT_IN, Egg
from insights_mini.exits import FAILED, INTERRUPTED, OK, Failure, reason
from insights_mini.paths import Paths, find_paths
from insights_mini.settings import find_dangers
from insights_mini.version import VERSION
from insights_mini.wrapper.chain import Chain
from insights_mini.wrapper.child import Signals
from insights_mini.wrapper.phases import RunPhase, Start, run_phases

Keep = Callable[[Egg, Paths, log.Log], None]


def run(argv: List[str], environ: Mapping[str, str], run_phase: RunPhase) -> int:
    """Run the wrapper and return its exit status; `run_phase` is the built-in egg."""
    console = log.Console(log.INFO)
    try:
        return run_or_fail(argv, environ, run_phase, console)
    except Failure as failure:
        console.line(log.ERROR, str(failure))
        return failure.status


def run_or_fail(argv: List[str], environ: Mapping[str, str], run_phase: RunPhase,
                console: log.Console) -> int:
    loaded = sources.load(argv, environ, find_paths(environ))
    if loaded.help:
        return print_help(loaded.help)
    settings = loaded.settings
    console.level = log.console_level(settings)
    console.out = 2 if settings.pipes else 1
    if os.geteuid() != 0 and not settings.unprivileged:
        log.write(2, "Insights client must be run as root.\n")
        return FAILED
    for warning in (*loaded.warnings, *find_dangers(settings)):
        console.line(log.WARNING, warning)

    signals = Signals()
    start = Start(run_phase, loaded, argv, environ)
    if settings.acts:
        status = run_with_eggs(start, find_paths(environ), signals, log.Log(console))
    else:
        status = run_collection(start, find_paths(environ), signals, console)
    return INTERRUPTED if signals.interrupted and status != OK else status


def run_collection(start: Start, paths: Paths, signals: Signals, console: log.Console) -> int:
    """Run the phases that may write: with the log, and as the only run on this host."""
    from insights_mini.wrapper import lock, rotation
    settings = start.loaded.settings
    journal = log.Log(console, log.try_open_file(log.choose_file(settings, paths), True, console),
                      log.file_level(settings))
    # Without their values, of which one may be a secret.
    flags = [word.partition("=")[0] for word in start.argv if word.startswith("-")]
    journal.debug("insights-mini %s starts: %s" % (VERSION, " ".join(flags)))
    held = lock.take(paths.lock, journal)
    try:
        rotation.recover(paths, journal)
        return run_with_eggs(start, paths, signals, journal, rotation.keep)
    finally:
        lock.release(held)


def run_with_eggs(start: Start, paths: Paths, signals: Signals, journal: log.Log,
                  keep: Optional[Keep] = None) -> int:
    """Run the phases with the eggs of this host; `keep` gets the one that did the work."""
    with Chain(start.loaded.settings, paths, start.environ, journal) as chain:
        outcome = run_phases(chain.find, start, signals, journal)
        if outcome.worker is not None and keep is not None:
            if outcome.worker != BUILT_IN:
                journal.info("The work was done by %s" % str(outcome.worker))
            keep(outcome.worker, paths, journal)
    return outcome.status


def print_help(text: str) -> int:
    """Print the help; a reader that went away, such as a pager, is no error."""
    try:
        log.write_all(1, text.encode("utf-8"))
    except BrokenPipeError:
        pass
    except OSError as error:
        raise Failure("cannot write to standard output", reason(error))
    return OK
