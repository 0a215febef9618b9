"""The four phases of the egg, each a function that returns a status of CONTRACT.md section 3.

What a phase works with is built here and handed on; nothing below looks at the environment by
itself. What only one phase needs is imported by that phase, so that the light ones stay light; the
conductor of the long road, from specs to archive, is collection.py.
"""
import os
from typing import List, Mapping, NamedTuple

from insights_mini import log, sources
from insights_mini.exits import FAILED, OK, STOP_DONE, STOP_FAILED, USAGE, Failure, Stopped, reason
from insights_mini.log import Log, write_all
from insights_mini.paths import Paths, find_paths
from insights_mini.settings import Settings
from insights_mini.version import VERSION, describe


class Context(NamedTuple):
    """What a phase works with."""

    settings: Settings
    paths: Paths
    environ: Mapping[str, str]
    log: Log


def run_alone(phase: str, argv: List[str], environ: Mapping[str, str]) -> int:
    """Run one phase in a process of its own, as the protocol starts an egg.

    The wrapper has understood the settings; if this egg does not, it is the wrong egg for them, and
    another one shall try.
    """
    try:
        loaded = sources.load(argv, environ, find_paths(environ))
    except Failure as failure:
        log.Console(log.INFO).line(log.ERROR, str(failure))
        return FAILED
    return run(phase, loaded, environ)


def run(phase: str, loaded: sources.Loaded, environ: Mapping[str, str]) -> int:
    """Run one phase and return its exit status; only here are errors caught and told."""
    context = make_context(loaded, environ)
    try:
        if phase not in PHASES:
            raise Failure("unknown phase '%s'" % phase)
        return PHASES[phase](context)
    except Failure as failure:
        context.log.error(str(failure))
        return STOP_DONE + failure.status
    except Stopped as stopped:
        context.log.error("stopped by %s; no archive was written" % stopped.name)
        return STOP_FAILED
    except Exception as error:  # noqa: BLE001  # a fault of ours: the wrapper tells the user, the log tells us
        context.log.trace(error)
        return FAILED


def make_context(loaded: sources.Loaded, environ: Mapping[str, str]) -> Context:
    paths = find_paths(environ)
    settings = loaded.settings
    console = log.Console(log.console_level(settings), out=2 if settings.to_stdout else 1)
    console.live = (console.level == log.INFO and os.isatty(2) and
                    (environ.get("TERM") or "dumb") != "dumb")
    file = None
    if not settings.acts:
        file = log.try_open_file(log.choose_file(settings, paths), False,
                                 log.Console(log.NOTHING))  # the wrapper has warned already
    return Context(settings, paths, environ,
                   Log(console, file, log.file_level(settings)))


def pre_update(context: Context) -> int:
    """Do what is asked for instead of a collection."""
    if context.settings.version:
        return print_result(describe(context.environ.get("INSIGHTS_CLIENT_VERSION", VERSION)))
    if context.settings.list_specs:
        from insights_mini.core.listing import list_specs
        return print_result(list_specs(context.settings, context.paths, context.log))
    if context.settings.validate:
        from insights_mini.core.validation import validate
        valid, text = validate(context.settings, context.paths, context.log)
        print_result(text)
        return STOP_DONE if valid else STOP_FAILED
    if context.settings.dry_run:
        from insights_mini.core.dryrun import describe_run
        return print_result(describe_run(context.settings, context.paths, context.log))
    if not context.settings.no_upload:
        raise Failure("this version cannot upload yet",
                      remedy="add --offline, --output-dir, --output-file or --to-stdout",
                      status=USAGE)
    return OK


def print_result(text: str) -> int:
    """Print what was asked for; unlike a message, it must arrive."""
    try:
        write_all(1, text.encode("utf-8"))
    except BrokenPipeError:
        pass  # the reader has seen enough, as with a pager
    except OSError as error:
        raise Failure("cannot write to standard output", reason(error))
    return STOP_DONE


def update(context: Context) -> int:
    """Fetch a newer egg and newer rules, where the network may be used."""
    settings = context.settings
    if settings.auto_update and not settings.offline:
        from insights_mini.core import signals
        from insights_mini.core.update import update as fetch
        signals.raise_stopped()
        fetch(settings, context.paths, context.environ, context.log)
    return OK


def post_update(context: Context) -> int:
    """Nothing to do: this version knows no registration."""
    return OK


def collect_and_output(context: Context) -> int:
    """Collect into an archive and keep it."""
    from insights_mini.core.collection import collect_archive
    collect_archive(context.settings, context.paths, context.environ, context.log)
    return OK


PHASES = {
    "pre_update": pre_update,
    "update": update,
    "post_update": post_update,
    "collect_and_output": collect_and_output,
}
