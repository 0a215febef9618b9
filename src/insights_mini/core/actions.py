"""What can be asked for instead of a collection: one function each, named in ACTIONS.

Each returns the status of the phase. What an action needs is imported by it, so that the light ones
stay light.
"""
from typing import Callable, Optional, Tuple

from insights_mini.core.context import Context, enter, print_result
from insights_mini.exits import STOP_DONE, STOP_FAILED
from insights_mini.log import show
from insights_mini.version import VERSION, describe


def act(context: Context) -> Optional[int]:
    """Do what is asked for, and return the status of the phase; None if nothing is."""
    for name, action in ACTIONS:
        if getattr(context.settings, name):
            return action(context)
    return None


def print_versions(context: Context) -> int:
    return print_result(describe(context.environ.get("INSIGHTS_CLIENT_VERSION", VERSION)))


def list_specs(context: Context) -> int:
    from insights_mini.core import listing
    return print_result(listing.list_specs(context.settings, context.paths, context.log))


def validate(context: Context) -> int:
    from insights_mini.core import validation
    valid, text = validation.validate(context.settings, context.paths, context.log)
    print_result(text)
    return STOP_DONE if valid else STOP_FAILED


def describe_run(context: Context) -> int:
    from insights_mini.core import dryrun
    return print_result(dryrun.describe_run(*context))


def enable_schedule(context: Context) -> int:
    from insights_mini.core import schedule
    schedule.enable(context.settings, context.paths, context.environ, schedule.Host(), context.log)
    return STOP_DONE


def disable_schedule(context: Context) -> int:
    from insights_mini.core import schedule
    schedule.disable(schedule.Host(), context.log)
    return STOP_DONE


def answer(context: Context) -> int:
    """Print what the service found out about this host, or its diagnosis."""
    from insights_mini.core import results
    return print_result(results.answer(*enter(context)))


def check_in(context: Context) -> int:
    from insights_mini.core.facts import collect_facts
    from insights_mini.core.registration import Registration
    Registration(*enter(context)).check_in(
        lambda: collect_facts(context.settings, context.paths, context.log))
    return STOP_DONE


def test_connection(context: Context) -> int:
    from insights_mini.core.server import connectiontest
    reached = connectiontest.test_connection(*context,
                                             say=lambda line: print_result(line + "\n"))
    return STOP_DONE if reached else STOP_FAILED


def write_support(context: Context) -> int:
    from insights_mini.core import support
    return print_result("Archive saved at %s\n" % show(support.write_support(*context)))


ACTIONS: Tuple[Tuple[str, Callable[[Context], int]], ...] = (
    ("version", print_versions), ("list_specs", list_specs), ("validate", validate),
    ("dry_run", describe_run), ("enable_schedule", enable_schedule),
    ("disable_schedule", disable_schedule), ("show_results", answer), ("check_results", answer),
    ("diagnosis", answer), ("checkin", check_in),
    ("test_connection", test_connection), ("support", write_support))
