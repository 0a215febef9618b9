"""--dry-run: what would be collected, and what would not by which rule; opens and runs nothing.

Of the host it lists folders only, to expand expressions and globs.
"""
from typing import List, Mapping, Optional

from insights_mini.core.collect import plan
from insights_mini.core.exclusions.match import Excluder
from insights_mini.core.origin import open_origin
from insights_mini.core.rules import load_rules
from insights_mini.core.specs import FILE
from insights_mini.log import Log, printable, show
from insights_mini.paths import Paths
from insights_mini.settings import Settings


def describe_run(settings: Settings, paths: Paths, environ: Mapping[str, str],
                 log: Log) -> str:
    """Return a line for each thing that would be collected or left out; raise Failure."""
    origin = open_origin(settings, paths, environ)
    for warning in origin.loaded.warnings:
        log.warning(warning)
    rules = load_rules(settings, paths, log)
    planned = plan.make_plan(rules, stand_in, Excluder(origin.loaded.exclusions, origin.root))
    lines = []
    tasks = [task for task in planned.tasks
             if task.kind != FILE or origin.root.exists(task.label)]
    for task in tasks:
        names = ", ".join(sorted({rules.specs[place].name for place in task.specs}))
        verb = "open" if task.kind == FILE else "run " if origin.root.runs else "read"
        lines.append("%s  %s  (%s)" % (verb, show(task.label), names))
    for skip in planned.skips:
        if skip.outcome == plan.EXCLUDED:
            spec = rules.specs[skip.spec]
            lines.append("not   %s  (%s)  excluded by: %s" % (
                show(spec.target), spec.name, skip.detail))
    excluded = sum(1 for skip in planned.skips if skip.outcome == plan.EXCLUDED)
    others = len(planned.skips) - excluded + len(planned.tasks) - len(tasks)
    lines.append("%d to open or run, %d excluded, %d absent or not %s" % (
        len(tasks), excluded, others, "installed" if origin.root.runs else "to be had from disk"))
    origin.root.close()
    return "".join(printable(line) + "\n" for line in lines)


def stand_in(line: bytes) -> Optional[List[bytes]]:
    """Stand for the output of a pre-command, which is not run."""
    return [b"<each line that the pre-command prints>"]
