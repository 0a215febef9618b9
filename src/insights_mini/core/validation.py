"""--validate: reads the exclusion and tags files as a run would, and says what they mean."""
from typing import List, NamedTuple, Tuple

from insights_mini.core.collect import expand
from insights_mini.core.collect.commandline import MOUNT_POINT
from insights_mini.core.exclusions.load import Exclusions, Loaded, check_mode, load_exclusions
from insights_mini.core.exclusions.match import Excluder, in_short, split
from insights_mini.core.roots.running import HOST
from insights_mini.core.rules import choose_rules
from insights_mini.core.specs import COMMAND, FILE, Rules, Spec
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
        faults += [fault for path in loaded.sources for fault in check_mode(path)]
        lines += ["NOTE: " + warning for warning in loaded.warnings if warning not in faults]
        lines += find_strangers(loaded.exclusions, choose_rules(settings, paths, log))
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


class Target(NamedTuple):
    """A spec, the paths it expands to or what it would run, as words with their line."""

    spec: Spec
    paths: List[bytes]
    runs: List[Tuple[bytes, List[bytes]]]


def find_strangers(exclusions: Exclusions, rules: Rules) -> List[str]:
    """Name the entries that leave out nothing of what the rules name."""
    everything = Excluder(exclusions)
    targets = [target for target in (expand_spec(spec, rules) for spec in rules.specs)
               if matches(everything, target)]
    return ["NOTE: matches no spec of the rules (%s): %s" % (kind, entry)
            for kind in ("files", "commands", "components") for entry in getattr(exclusions, kind)
            if not matches_any(Excluder(Exclusions()._replace(**{kind: (entry,)})), targets)]


def expand_spec(spec: Spec, rules: Rules) -> Target:
    """List what a spec stands for on this host, as plan.py does, but run nothing."""
    if spec.kind != COMMAND:
        expanded = expand.expand_file if spec.kind == FILE else expand.expand_glob
        return Target(spec, expanded(spec.target, HOST), [])
    line = spec.target.replace(MOUNT_POINT, b"/")
    runs = [(line, split(line))]
    if spec.pre_command in rules.pre_commands:
        before = rules.pre_commands[spec.pre_command]
        runs.append((before, [b"sh", b"-c", before]))
    return Target(spec, [], runs)


def matches_any(excluder: Excluder, targets: List[Target]) -> bool:
    return any(matches(excluder, target) for target in targets)


def matches(excluder: Excluder, target: Target) -> bool:
    """Tell whether an entry leaves out a spec or some of what it stands for.

    What a pre-command would print is not known, so any argument counts.
    """
    spec, paths, runs = target
    if excluder.spec(spec.name, spec.target) or any(map(excluder.path, paths)) or any(
            excluder.command(line, words) for line, words in runs):
        return True
    if not spec.pre_command:
        return False
    program, *rest = runs[0][1]
    return any(wanted[:len(rest) + 1] == [in_short(program), *rest]
               for wanted, _ in excluder.commands)
