"""The wrapper's whole course: settings, root check, log, lock, the phases, the exit status."""
import os
import sys
from typing import List, Mapping

from insights_mini import log, sources
from insights_mini.eggs import find_eggs
from insights_mini.exits import FAILED, INTERRUPTED, OK, Failure
from insights_mini.paths import Paths, find_paths
from insights_mini.settings import Settings
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
    paths = find_paths(environ)
    loaded = sources.load(argv, environ, paths)
    if loaded.help:
        return print_help(loaded.help)
    settings = loaded.settings
    console.level = log.console_level(settings)
    if os.geteuid() != 0 and not settings.unprivileged:
        log.write(2, "Insights client must be run as root.\n")
        return FAILED
    for warning in loaded.warnings:
        console.line(log.WARNING, warning)

    signals = Signals()
    if settings.version or settings.list_specs:
        status = run_phases(find_eggs(), run_phase, settings, argv, environ, signals,
                            log.Log(console))
    else:
        status = run_collection(run_phase, settings, argv, environ, signals, paths, console)
    return INTERRUPTED if signals.interrupted else status


def run_collection(run_phase: RunPhase, settings: Settings, argv: List[str],
                   environ: Mapping[str, str], signals: Signals, paths: Paths,
                   console: log.Console) -> int:
    """Run the phases that may write: with the log, and as the only run on this host."""
    from insights_mini.wrapper import lock
    journal = log.Log(console, log.try_open_file(log.choose_file(settings, paths), True, console),
                      log.file_level(settings))
    journal.debug("insights-mini starts: " + " ".join(argv))
    held = lock.take(paths.lock, journal)
    try:
        return run_phases(find_eggs(), run_phase, settings, argv, environ, signals, journal)
    finally:
        lock.release(held)


def print_help(text: str) -> int:
    """Print the help; a reader that went away, such as a pager, is no error."""
    log.write(1, text)
    return OK
