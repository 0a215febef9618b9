"""Chooses the collection rules: --from-file, --from-stdin, the cache, the fallback, the catalogue.

What of them is collected is scope.py's matter. Rules that the user named must be right, or the run
fails. The cache and the fallback degrade: when one is unusable, or no trusted key has signed it, a
warning says why and the next one serves.
"""
import os
from typing import List, Optional

from insights_mini import hostfiles, trust
from insights_mini.core.catalogue import load_catalogue
from insights_mini.core.scope import narrow
from insights_mini.core.specs import BadRules, Rules, parse_rules
from insights_mini.exits import Failure
from insights_mini.log import Log, show
from insights_mini.paths import Paths
from insights_mini.settings import Settings

SECONDS = 20.0  # for each run of gpg
LARGEST = 16 * 1024 * 1024
SHOWN = 20  # problems of one file printed; there may be thousands


def load_rules(settings: Settings, paths: Paths, log: Log) -> Rules:
    """Return the rules of this run, with the specs that it shall collect; raise Failure."""
    return narrow(choose_rules(settings, paths, log), settings)


def choose_rules(settings: Settings, paths: Paths, log: Log) -> Rules:
    if settings.from_file:
        name = os.fsencode(settings.from_file)
        return parse_or_fail(read_or_fail(name), show(name))
    if settings.from_stdin:
        return parse_or_fail(read_stdin(), "on standard input")
    for path in (paths.cached_rules, paths.fallback_rules):
        rules = try_file(path, settings, paths, log)
        if rules is not None:
            return rules
    return load_catalogue()


def read_or_fail(path: bytes) -> bytes:
    try:
        return hostfiles.read_small(path, LARGEST)
    except hostfiles.Unreadable as error:
        raise Failure("cannot read the collection rules %s" % show(path), error.why,
                      "check --from-file")


def read_stdin() -> bytes:
    with open(0, "rb", closefd=False) as pipe:
        content = pipe.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Failure("the collection rules on standard input are too large",
                      "more than %d bytes" % LARGEST)
    return content


def parse_or_fail(text: bytes, shown: str) -> Rules:
    try:
        return parse_rules(text)
    except BadRules as error:
        raise Failure("the collection rules %s cannot be used" % shown, describe(error.problems))


def try_file(path: bytes, settings: Settings, paths: Paths, log: Log) -> Optional[Rules]:
    """Return the rules of a file, or None where there is none that may be used.

    What stands in the rules is run as root, so a file that others could have written is not used,
    nor one without the signature of a trusted key beside it. What was checked is what is used.
    """
    try:
        content = hostfiles.read_small(path, LARGEST)
        hostfiles.check_guarded(path)
        if settings.no_gpg:
            log.warning("the signature of the rules in %s is not checked" % show(path))
        else:
            trust.vouch(content, trust.read_signature(path + b".asc"),
                        trust.load_keys(paths.public_keys), paths.temp_dir, SECONDS)
        rules = parse_rules(content)
    except hostfiles.Unreadable as error:
        if not error.absent:
            log.warning("the rules in %s are not used: %s" % (show(path), error.why))
        return None
    except trust.Untrusted as error:
        log.warning("the rules in %s are not used: %s; %s" % (
            show(path), error.why, error.remedy or "put them there anew, with their signature"))
        return None
    except BadRules as error:
        log.warning("the rules in %s are not used: %s" % (show(path), describe(error.problems)))
        return None
    log.debug("collection rules: %s, version %s" % (show(path), rules.version))
    return rules


def describe(problems: List[str]) -> str:
    more = len(problems) - SHOWN
    return "; ".join(problems[:SHOWN]) + ("; and %d more" % more if more > 0 else "")
