"""Keeps what a whole run has proven: the version of the egg that did it, and NEW as STABLE."""
import os

from insights_mini import eggs, hostfiles
from insights_mini.exits import reason
from insights_mini.log import Log
from insights_mini.paths import Paths
from insights_mini.statefiles import recover_pair, write_pair


def recover(paths: Paths, log: Log) -> None:
    """Mend what a run left that was killed while it installed something."""
    for path in (paths.new_egg, paths.stable_egg, paths.cached_rules):
        try:
            recover_pair(path)
        except OSError as error:
            log.debug("cannot look after %s: %s" % (os.fsdecode(path), reason(error)))


def keep(egg: eggs.Egg, paths: Paths, log: Log) -> None:
    """Remember that this egg has done a whole run; NEW becomes STABLE. Costs at most a warning.

    An egg whose signature was not checked proves nothing, and stays what it is.
    """
    if egg != eggs.BUILT_IN and not egg.signature:
        return
    try:
        eggs.note_version(egg, paths.versions)
        if egg.name == eggs.NEW and rotate(egg, paths):
            log.debug("%s is STABLE now" % str(egg))
    except (OSError, hostfiles.Unreadable) as error:
        why = reason(error) if isinstance(error, OSError) else error.why
        tell = log.debug if egg == eggs.BUILT_IN else log.warning  # of that the lock has warned
        tell("cannot keep %s in %s: %s" % (egg, os.fsdecode(paths.state_dir), why))
    except eggs.Unfit as error:
        log.warning("%s %s; remove it" % (os.fsdecode(paths.versions), error.why))


def rotate(egg: eggs.Egg, paths: Paths) -> bool:
    """Make the egg that ran, from its private copy, STABLE, and remove NEW; tell whether it did.

    Raises OSError, and Unreadable where that copy has gone.

    NEW is removed after STABLE is whole, so that a kill leaves one of them or both. A NEW that came
    in meanwhile, or one that the egg itself has moved, is not touched.
    """
    content = hostfiles.read_small(egg.path, eggs.LARGEST)
    try:
        if hostfiles.read_small(egg.source, eggs.LARGEST, follow=False) != content:
            return False
    except hostfiles.Unreadable:
        return False
    write_pair(paths.stable_egg, content, egg.signature)
    os.unlink(egg.source)
    os.unlink(egg.source + b".asc")
    return True
