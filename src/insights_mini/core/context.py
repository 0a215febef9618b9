"""What a phase works with, and how it prints what was asked for."""
from typing import Mapping, NamedTuple

from insights_mini.exits import STOP_DONE, Failure, reason
from insights_mini.log import Log, write_all
from insights_mini.paths import Paths
from insights_mini.settings import Settings


class Context(NamedTuple):
    settings: Settings
    paths: Paths
    environ: Mapping[str, str]
    log: Log


def enter(context: Context) -> Context:
    """Return the context for work with the service: settings with what the host's subscription
    adds. From here on a signal ends the work as a Stopped."""
    from insights_mini.core import signals
    from insights_mini.core.server.autoconfig import configure
    signals.raise_stopped()
    settings, faults = configure(context.settings, context.paths)
    for fault in faults:
        context.log.debug(fault)  # the update phase warns of it
    return context._replace(settings=settings)


def print_result(text: str) -> int:
    """Print what was asked for; unlike a message, it must arrive. Returns the phase's status."""
    try:
        write_all(1, text.encode("utf-8"))
    except BrokenPipeError:
        pass  # the reader has seen enough, as with a pager
    except OSError as error:
        raise Failure("cannot write to standard output", reason(error))
    return STOP_DONE
