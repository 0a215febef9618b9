"""The bundled catalogue, conf/specs/: by areas, one line of purpose a spec.

In a checkout each area is a file, for those who edit it; build.py packs all of them as rows of one.
"""
import json
from typing import Any, Dict, Iterator, List, NamedTuple

from insights_mini import bundle
from insights_mini.core.specs import COMMAND, FILE, GLOB


class Catalogue(NamedTuple):
    """`rules` has the form of uploader.json; `purposes` says by symbolic name what a spec is for.
    """

    rules: Dict[str, Any]
    purposes: Dict[str, str]


def load_catalogue() -> Catalogue:
    """Return the bundled catalogue as rules."""
    manifest = json.loads(bundle.read("specs/catalogue.json").decode("utf-8"))
    lists: Dict[str, List[Dict[str, Any]]] = {COMMAND: [], FILE: [], GLOB: []}
    purposes = {}
    for spec in list_specs(manifest):
        purposes[spec["name"]] = spec["for"]
        kind = next(kind for kind in lists if kind in spec)
        targets = spec[kind] if isinstance(spec[kind], list) else [spec[kind]]
        for target in targets:
            entry = {kind: target, "symbolic_name": spec["name"], "pattern": spec.get("keep", [])}
            if "pre_command" in spec:
                entry["pre_command"] = spec["pre_command"]
            lists[kind].append(entry)
    rules = {"version": manifest["version"], "commands": lists[COMMAND], "files": lists[FILE],
             "globs": lists[GLOB], "pre_commands": manifest["pre_commands"],
             "meta_specs": manifest["meta_specs"]}
    return Catalogue(rules, purposes)


def list_specs(manifest: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
    """Give each spec as those who edit the catalogue see it."""
    for area in manifest["areas"]:
        if "fields" not in manifest:
            yield from json.loads(bundle.read("specs/%s.json" % area).decode("utf-8"))["specs"]
            continue
        for kind, rows in manifest["areas"][area].items():
            for row in rows:
                yield dict(zip([kind, *manifest["fields"]], row))
