"""The scope of a run: the specs that --run-these, or --areas, --not-areas and --preset leave.

Only the bundled catalogue knows areas and presets. To rules from elsewhere they apply by symbolic
name, and only where they are asked for: by default all that such rules name is collected.
"""
from typing import Collection

from insights_mini.core.catalogue import load_catalogue
from insights_mini.core.specs import Rules
from insights_mini.exits import FAILED, USAGE, Failure
from insights_mini.options import DEFAULT, FULL, MINIMAL
from insights_mini.settings import Settings

WITHIN = {MINIMAL: (MINIMAL,), DEFAULT: (MINIMAL, DEFAULT, ""), FULL: (MINIMAL, DEFAULT, FULL, "")}


def narrow(rules: Rules, settings: Settings) -> Rules:
    """Return the rules with only the specs that the settings ask for; raise Failure."""
    wanted = settings.run_these
    if wanted:
        refuse_unknown(wanted, {spec.name for spec in rules.specs},
                       "the collection rules have no spec named %s", "see --list-specs", FAILED)
        return rules._replace(specs=tuple(spec for spec in rules.specs if spec.name in wanted))
    named, preset = settings.areas or settings.not_areas, settings.preset
    if not rules.areas and preset == DEFAULT:
        preset = FULL
    if named or preset == MINIMAL:
        rules = explain(rules)
        refuse_unknown(named, rules.areas, "the catalogue has no area named %s",
                       "the areas are " + ", ".join(rules.areas), USAGE)
    specs = tuple(spec for spec in rules.specs if spec.preset in WITHIN[preset] and (
        not named or (spec.area in named) == bool(settings.areas)))
    if rules.specs and not specs:
        raise Failure("nothing of the collection rules is left to collect",
                      "areas, not_areas and preset leave out all of it", "see --list-specs", USAGE)
    return rules._replace(specs=specs)


def explain(rules: Rules) -> Rules:
    """Return the rules with what the catalogue says of their names: area, preset and purpose."""
    if rules.areas:
        return rules
    catalogue = load_catalogue()
    known = {spec.name: spec for spec in catalogue.specs}
    pairs = ((spec, known.get(spec.name, spec)) for spec in rules.specs)
    return rules._replace(areas=catalogue.areas, specs=tuple(
        spec._replace(area=like.area, preset=like.preset, purpose=like.purpose)
        for spec, like in pairs))


def refuse_unknown(names: Collection[str], known: Collection[str], what: str, otherwise: str,
                   status: int) -> None:
    """Raise a Failure that names what is not known, and what may have been meant."""
    unknown = [name for name in names if name not in known]
    if unknown:
        import difflib  # late: only for this message
        near = difflib.get_close_matches(unknown[0], sorted(known), 1)
        raise Failure(what % ", ".join(unknown), "",
                      "did you mean %s?" % near[0] if near else otherwise, status)
