"""The bundled catalogue, conf/specs/: by areas, one line of purpose a spec.

In a checkout each area is a file, for those who edit it; build.py checks all of them and packs them
as rows of one, so that nothing of it has to be checked when a run starts.
"""
import json
from typing import Any, Dict, Iterator, Tuple

from insights_mini import bundle
from insights_mini.core.specs import COMMAND, FILE, GLOB, Rules, Spec
from insights_mini.options import DEFAULT
from insights_mini.settings import parse_size

KINDS = (COMMAND, FILE, GLOB)


def load_catalogue() -> Rules:
    """Return the bundled catalogue as rules."""
    manifest = read_json("catalogue")
    groups = {"@" + name: tuple(string.encode("utf-8") for string in group["strings"])
              for name, group in manifest["keeps"].items()}
    specs = []
    for area, kind, row in list_rows(manifest):
        keep = tuple(string for item in row.get("keep") or ()
                     for string in groups.get(item) or (item.encode("utf-8"),))
        most, targets = row.get("most"), row[kind]
        for target in [targets] if isinstance(targets, str) else targets:
            specs.append(Spec(
                row["name"], kind, target.encode("utf-8"), keep, row.get("pre_command") or "",
                parse_size(most) if most else 0, float(row.get("slow") or 0), area,
                row.get("preset") or DEFAULT, row["for"]))
    return Rules(manifest["version"], tuple(specs),
                 {alias: line.encode("utf-8") for alias, line in manifest["pre_commands"].items()},
                 tuple(manifest["areas"]))


def list_rows(manifest: Dict[str, Any]) -> Iterator[Tuple[str, str, Dict[str, Any]]]:
    """Give area, kind and row of each spec: commands first, then files and globs, in each area."""
    packed = "fields" in manifest
    for area in manifest["areas"]:
        specs = [] if packed else read_json(area)["specs"]
        for kind in KINDS:
            yield from ((area, kind, spec) for spec in specs if kind in spec)
            if packed:
                fields = [kind, *manifest["fields"]]
                for row in manifest["areas"][area].get(kind, ()):
                    yield area, kind, dict(zip(fields, row))


def read_json(name: str) -> Dict[str, Any]:
    data: Dict[str, Any] = json.loads(bundle.read("specs/%s.json" % name).decode("utf-8"))
    return data
