"""--validate: reads the exclusion and tags files as a run would, and says what they mean."""
from typing import List, Tuple

from insights_mini.core.exclusions.load import Exclusions, Loaded, load_exclusions
from insights_mini.core.exclusions.match import Excluder
from insights_mini.core.rules import load_rules
from insights_mini.core.specs import Rules
from insights_mini.core.tags import load_tags
from insights_mini.exits import Failure
from insights_mini.log import Log, printable, show
from insights_mini.paths import Paths
from insights_mini.settings import Settings


def validate(settings: Settings, paths: Paths, log: Log) -> Tuple[bool, str]:
    """Return whether the files are right, and the whole answer in plain words."""
    lines: List[str] = []
    faults: List[str] = []
    try:
        loaded = load_exclusions(settings, paths)
        lines += describe(loaded)
        faults += loaded.warnings
        lines += find_strangers(loaded.exclusions, load_rules(settings, paths, log))
    except Failure as failure:
        faults.append(str(failure))
    try:
        tags = load_tags(settings, paths)
        lines.append("Tags: %d" % len(tags))
    except Failure as failure:
        faults.append(str(failure))
    lines += ["ERROR: " + fault for fault in faults]
    lines.append("Something has to be mended." if faults else "Everything is understood.")
    return not faults, "".join(printable(line) + "\n" for line in lines)


def describe(loaded: Loaded) -> List[str]:
    """Say what a run would leave out and take out."""
    if not loaded.sources:
        return ["No exclusion file: everything the rules name is collected; passwords and secrets "
                "are masked."]
    lines = ["Read: " + ", ".join(show(path) for path in loaded.sources)]
    exclusions = loaded.exclusions
    for title, items in (
            ("Never opened or run (files)", exclusions.files),
            ("Never opened or run (commands)", exclusions.commands),
            ("Never opened or run (components)", exclusions.components),
            ("Lines left out that contain", [show(item) for item in exclusions.patterns]),
            ("Lines left out that match the expression", exclusions.regex)):
        lines += ["%s: %s" % (title, item) for item in items]
    lines += ["Replaced by keyword%d: %s" % (number, show(keyword))
              for number, keyword in enumerate(exclusions.keywords)]
    return lines


def find_strangers(exclusions: Exclusions, rules: Rules) -> List[str]:
    """Name the entries that leave out nothing of what the rules name."""
    strangers = []
    for kind, entries in (("files", exclusions.files), ("commands", exclusions.commands),
                          ("components", exclusions.components)):
        for entry in entries:
            alone = Exclusions(**{kind: (entry,)})  # type: ignore[arg-type]
            excluder = Excluder(alone)
            if not any(matches(excluder, name, target) for name, target in
                       ((spec.name, spec.target) for spec in rules.specs)):
                strangers.append("NOTE: matches no spec of the rules (%s): %s" % (kind, entry))
    return strangers


def matches(excluder: Excluder, name: str, target: bytes) -> bool:
    return bool(excluder.spec(name, target) or excluder.command(target, target.split()) or
                (target.startswith(b"/") and excluder.path(target)))
