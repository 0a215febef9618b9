"""The wrapper's whole course: settings, root check, log, lock, the phases, the exit status."""
import os
from typing import List, Mapping

from insights_mini import log, sources
from insights_mini.eggs import find_eggs
from insights_mini.exits import FAILED, INTERRUPTED, OK, Failure, reason
from insights_mini.paths import find_paths
from insights_mini.version import VERSION
from insights_mini.wrapper.child import Signals
from insights_mini.wrapper.phases import RunPhase, run_phases


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
    console.out = 2 if settings.to_stdout else 1
    if os.geteuid() != 0 and not settings.unprivileged:
        log.write(2, "Insights client must be run as root.\n")
        return FAILED
    for warning in loaded.warnings:
        console.line(log.WARNING, warning)

    signals = Signals()
    if settings.acts:
        status = run_phases(find_eggs(), run_phase, loaded, environ, signals, log.Log(console))
    else:
        status = run_collection(run_phase, loaded, argv, environ, signals, console)
    return INTERRUPTED if signals.interrupted and status != OK else status


def run_collection(run_phase: RunPhase, loaded: sources.Loaded, argv: List[str],
                   environ: Mapping[str, str], signals: Signals, console: log.Console) -> int:
    """Run the phases that may write: with the log, and as the only run on this host."""
    from insights_mini.wrapper import lock
    settings, paths = loaded.settings, find_paths(environ)
    journal = log.Log(console, log.try_open_file(log.choose_file(settings, paths), True, console),
                      log.file_level(settings))
    # Without their values, of which one may be a secret.
    flags = [word.partition("=")[0] for word in argv if word.startswith("-")]
    journal.debug("insights-mini %s starts: %s" % (VERSION, " ".join(flags)))
    held = lock.take(paths.lock, journal)
    try:
        return run_phases(find_eggs(), run_phase, loaded, environ, signals, journal)
    finally:
        lock.release(held)


def print_help(text: str) -> int:
    """Print the help; a reader that went away, such as a pager, is no error."""
    try:
        log.write_all(1, text.encode("utf-8"))
    except BrokenPipeError:
        pass
    except OSError as error:
        raise Failure("cannot write to standard output", reason(error))
    return OK
