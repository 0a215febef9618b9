"""The four phases of the egg, each a function that returns a status of CONTRACT.md section 3.

What a phase works with is built here and handed on; nothing below looks at the environment by
itself. What only one phase needs is imported by that phase, so that the light ones stay light; the
conductor of the long road, from specs to archive, is collection.py.
"""
import os
from typing import List, Mapping

from insights_mini import log, sources
from insights_mini.core.context import Context, enter, print_result
from insights_mini.exits import FAILED, OK, STOP_DONE, STOP_FAILED, Failure, Stopped
from insights_mini.paths import find_paths
from insights_mini.settings import Settings


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
    except MemoryError:
        context.log.error("out of memory, or this user may have no more threads; end something "
                          "else, or raise the limits (ulimit -a)")
        return STOP_FAILED
    except Exception as error:  # noqa: BLE001  # a fault of ours: the wrapper tells the user, the log tells us
        context.log.trace(error)
        return FAILED


def make_context(loaded: sources.Loaded, environ: Mapping[str, str]) -> Context:
    paths = find_paths(environ)
    settings = loaded.settings
    console = log.Console(log.console_level(settings), out=2 if settings.pipes else 1)
    console.live = (console.level == log.INFO and os.isatty(2) and
                    (environ.get("TERM") or "dumb") != "dumb")
    file = None
    if not settings.acts:
        file = log.try_open_file(log.choose_file(settings, paths), False,
                                 log.Console(log.NOTHING))  # the wrapper has warned already
    return Context(settings, paths, environ,
                   log.Log(console, file, log.file_level(settings)))


def pre_update(context: Context) -> int:
    """Do what is asked for instead of a collection."""
    from insights_mini.core.actions import act
    status = act(context)
    return OK if status is None else status


def update(context: Context) -> int:
    """Fetch a newer egg and newer rules, where the network may be used."""
    settings = context.settings
    if settings.auto_update and not (settings.offline or settings.acts or settings.unregister):
        from insights_mini.core import signals
        from insights_mini.core.update import update as fetch
        signals.raise_stopped()
        fetch(*context)
    return OK


def post_update(context: Context) -> int:
    """Do what there is to do about the registration of this host."""
    settings = context.settings
    asked = settings.status or settings.unregister
    if asked or needs_registration(settings) or settings.group:
        context = enter(context)
        settings = context.settings
    if settings.group and not asked:
        from insights_mini.core.server.api import is_platform
        if is_platform(settings):
            from insights_mini.core.tags import set_group
            set_group(settings, context.paths, settings.group)
    if not (asked or needs_registration(settings)):
        return OK
    from insights_mini.core.registration import Registration
    registration = Registration(*context)
    if settings.status:
        registered, text = registration.describe()
        print_result(text)
        return STOP_DONE if registered else STOP_FAILED
    return registration.unregister() if settings.unregister else registration.settle()


def needs_registration(settings: Settings) -> bool:
    """Tell whether this run registers its host, or uploads what only a registered one may."""
    return settings.register or settings.force_reregister or not (
        settings.no_upload or settings.payload)


def collect_and_output(context: Context) -> int:
    """Collect into an archive, or take the one that was named, and upload or keep it."""
    settings, paths, environ, log = context
    if settings.payload:
        from insights_mini.core.delivery import deliver_payload
        deliver_payload(*enter(context))
        return OK
    from insights_mini.core.collection import collect_archive
    if settings.no_upload:
        collect_archive(settings, paths, environ, log)
        return OK
    from insights_mini.core.delivery import deliver
    from insights_mini.core.registration import Registration
    context = enter(context)
    deliver(collect_archive(*context, branch=Registration(*context).find_branch()), *context)
    return OK


PHASES = {
    "pre_update": pre_update,
    "update": update,
    "post_update": post_update,
    "collect_and_output": collect_and_output,
}
