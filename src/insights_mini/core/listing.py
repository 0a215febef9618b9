"""The table of --list-specs: what the rules name, and what each is for."""
from insights_mini.core.catalogue import load_catalogue
from insights_mini.core.rules import load_rules
from insights_mini.log import Log, printable, show
from insights_mini.paths import Paths
from insights_mini.settings import Settings

HEADINGS = ("SYMBOLIC NAME", "KIND", "TARGET", "WHAT IT IS FOR")


def list_specs(settings: Settings, paths: Paths, log: Log) -> str:
    """Return the table, with purposes for the names that the bundled catalogue knows."""
    purposes = load_catalogue().purposes
    rows = [HEADINGS]
    for spec in load_rules(settings, paths, log).specs:
        rows.append((printable(spec.name), spec.kind, printable(show(spec.target)),
                     purposes.get(spec.name, "")))
    names, kinds, targets = (max(len(row[i]) for row in rows) for i in range(3))
    targets = min(targets, 60)
    lines = ("  ".join((row[0].ljust(names), row[1].ljust(kinds), row[2].ljust(targets), row[3]))
             for row in rows)
    return "".join(line.rstrip() + "\n" for line in lines)
