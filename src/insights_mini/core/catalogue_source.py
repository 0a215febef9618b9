"""The catalogue, conf/specs/, as it is edited: loaded, checked, and packed for the product.

For build.py and the tests; the product has none of this and relies on it. The check takes decoded
JSON and returns every fault as a sentence with its file and its spec.
"""
import json
import os
import re
from collections import OrderedDict
from typing import Any, Container, Dict, Iterable, Iterator, List, Mapping, Set, Tuple

from insights_mini.core.collect import commandline
from insights_mini.core.specs import COMMAND, FILE, GLOB, check_entry, is_text
from insights_mini.options import FULL, MINIMAL

KINDS = (COMMAND, FILE, GLOB)  # what a spec is, and the name of its target
FIELDS = ("name", "for", "keep", "preset", "most", "slow", "pre_command")  # what else a spec has
ASIDE = ("catalogue", "left-out")  # files of the folder that are no areas
MANIFEST = ("version", "areas", "pre_commands", "keeps", "meta_specs")
GROUP = "@"    # begins an item of a keep list that stands for a group of strings
LONGEST = 70   # characters of what a spec is for
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")
SIZE = re.compile(r"[1-9][0-9]{0,3}[KM]\Z")
FOLDER = "conf/specs/%s.json"

Labelled = Tuple[str, str, Mapping[str, Any]]  # file and name, area, spec


def load(folder: str) -> Tuple[Any, Dict[str, Any]]:
    """Return the manifest, and what each file of an area holds; ValueError if one is no JSON."""
    files = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            try:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    files[name[:-5]] = json.load(file, object_pairs_hook=make_object)
            except ValueError as error:
                raise ValueError("conf/specs/%s: is not JSON: %s" % (name, error))
    manifest = files.get("catalogue")
    return manifest, {name: data for name, data in files.items() if name not in ASIDE}


def make_object(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """Return an object of JSON with its keys in order; ValueError where one is there twice."""
    made = OrderedDict(pairs)
    if len(made) < len(pairs):
        twice = next(key for key, _ in pairs if [other for other, _ in pairs].count(key) > 1)
        raise ValueError("'%s' is twice in one object: %s" % (twice, dump(pairs[0])[:60]))
    return made


def find_faults(manifest: Any, files: Mapping[str, Any]) -> List[str]:
    """Return what is wrong; `files` are those of areas, by their names without the suffix."""
    faults = [FOLDER % "catalogue" + ": " + fault for fault in check_manifest(manifest, files)]
    if faults:
        return faults  # without the manifest nothing else can be judged
    sound: List[Labelled] = []
    for area in manifest["areas"]:
        where = FOLDER % area
        form = list(check_area(files[area], area))
        faults += ["%s: %s" % (where, fault) for fault in form]
        for number, spec in enumerate([] if form else files[area]["specs"]):
            name = spec.get("name") if isinstance(spec, dict) else None
            label = "%s, %s" % (where, name if is_text(name) else "specs[%d]" % number)
            found = ["%s: %s" % (label, fault) for fault in check_spec(spec, manifest)]
            faults += found
            if not found:
                sound.append((label, area, spec))
    return faults or [*find_clashes(sound), *find_unused(sound, manifest)]


def check_manifest(manifest: Any, files: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(manifest, dict) or set(manifest) != set(MANIFEST):
        yield "must be an object of %s and nothing else" % ", ".join(MANIFEST)
        return
    if not is_text(manifest["version"]):
        yield "version: a string is required"
    areas = manifest["areas"]
    if not isinstance(areas, list) or sorted(map(str, areas)) != sorted(files):
        yield "areas: must be a list with each file of the folder once: " + ", ".join(sorted(files))
    for key in ("pre_commands", "keeps", "meta_specs"):
        if not isinstance(manifest[key], dict):
            yield key + ": must be an object"
            return
    for alias, line in manifest["pre_commands"].items():
        if not is_text(line):
            yield "pre_commands, %s: a shell line is required" % alias
        else:
            for fault in check_words(line):
                yield "pre_commands, %s: %s" % (alias, fault)
    for name, group in manifest["keeps"].items():
        where = "keeps, %s: " % name
        if not isinstance(group, dict) or set(group) != {"why", "strings"}:
            yield where + "must be an object of why and strings"
        elif not is_text(group["why"]):
            yield where + "why: the reason is required"
        else:
            for fault in check_strings(group["strings"], ()):
                yield where + "strings" + fault


def check_area(data: Any, area: str) -> Iterator[str]:
    if not isinstance(data, dict) or set(data) != {"area", "about", "specs"}:
        yield "must be an object of area, about and specs"
    elif data["area"] != area:
        yield "area: must be the name of the file"
    elif not is_text(data["about"]):
        yield "about: a line is required"
    elif not isinstance(data["specs"], list) or not data["specs"]:
        yield "specs: must be a list that is not empty"


def check_strings(value: Any, groups: Container[str]) -> Iterator[str]:
    """Give what is wrong with strings to keep, some of which may name groups."""
    if not isinstance(value, list) or not value:
        yield ": must be a list that is not empty"
        return
    for item in value:
        if not is_text(item) or "\n" in item:
            yield ": strings of one line are required, none of them empty"
        elif item.startswith(GROUP) and item[1:] not in groups:
            yield ": unknown group %s" % item
    if len(set(map(str, value))) < len(value):
        yield ": something is in it twice"


def check_spec(spec: Any, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Give what is wrong with a spec as it stands in the file of an area."""
    kinds = [kind for kind in KINDS if isinstance(spec, dict) and kind in spec]
    if len(kinds) != 1:
        yield "must be an object with one of " + ", ".join(KINDS)
        return
    kind = kinds[0]
    for key in sorted(set(spec) - {kind, *FIELDS}):
        yield "unknown key '%s'" % key
    if not isinstance(spec.get("name"), str) or not NAME.match(spec["name"]):
        yield "name: a word of letters, digits, _ and - is required"
    purpose = spec.get("for")
    if not is_text(purpose) or "\n" in purpose or purpose != purpose.strip():
        yield "for: a line that says what it is for is required"
    elif len(purpose) > LONGEST:
        yield "for: has %d characters, more than %d" % (len(purpose), LONGEST)
    if "keep" in spec:
        for fault in check_strings(spec["keep"], manifest["keeps"]):
            yield "keep" + fault
    if "preset" in spec and spec["preset"] not in (MINIMAL, FULL):
        yield "preset: must be %s or %s, or not be there" % (MINIMAL, FULL)
    if "most" in spec and not SIZE.match(str(spec["most"])):
        yield "most: must be a size such as \"512K\" or \"4M\""
    yield from check_command(spec, kind, manifest)
    targets = spec[kind] if isinstance(spec[kind], list) else [spec[kind]]
    if not targets or len(set(map(str, targets))) < len(targets):
        yield "%s: must be a string, or a list with each target once" % kind
    for target in targets:
        yield from check_target(target, kind)


def check_command(spec: Mapping[str, Any], kind: str, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Give what is wrong with the fields that only commands have."""
    for key in ("slow", "pre_command"):
        if key in spec and kind != COMMAND:
            yield "%s: only a command can have it" % key
    slow = spec.get("slow", 1)
    if isinstance(slow, bool) or not isinstance(slow, (int, float)) or not 0 < slow < 1000:
        yield "slow: must be a number of seconds above 0"
    if "pre_command" in spec and str(spec["pre_command"]) not in manifest["pre_commands"]:
        yield "pre_command: unknown pre-command %s" % spec["pre_command"]


def check_target(target: Any, kind: str) -> Iterator[str]:
    faults, _ = check_entry({kind: target, "symbolic_name": "x"}, kind)
    yield from faults
    if faults or kind != COMMAND:
        return
    for fault in check_words(target):
        yield "command: " + fault
    if not commandline.mangle(target.encode("utf-8")):
        yield "command: has no name in the archive"


def check_words(line: str) -> Iterator[str]:
    """Give what is wrong with a command line or a shell line."""
    word = commandline.find_forbidden(line.encode("utf-8"))
    if word:
        yield "%s is never run" % word.decode("ascii")
    try:
        commandline.split_words(line.encode("utf-8"))
    except ValueError:
        yield "a quote is not closed"


def find_clashes(specs: Iterable[Labelled]) -> Iterator[str]:
    """Give what is there twice, and names that stand for two things."""
    names: Dict[str, Tuple[str, Any]] = {}
    rows: Dict[Tuple[Any, ...], str] = {}
    members: Dict[bytes, str] = {}
    for label, area, spec in specs:
        about = (area, spec.get("preset"))
        if names.setdefault(spec["name"], about) != about:
            yield "%s: the name is used with another area or preset, in %s" % (
                label, names[spec["name"]][0])
        kind = next(kind for kind in KINDS if kind in spec)
        for target in spec[kind] if isinstance(spec[kind], list) else [spec[kind]]:
            row = (spec["name"], kind, target, spec.get("pre_command"))
            if row in rows:
                yield "%s: is there twice: %s" % (label, target)
            rows[row] = label
            if kind == COMMAND:
                member = commandline.mangle(target.encode("utf-8"))
                if members.setdefault(member, target) != target:
                    yield "%s: has the same name in the archive: %s and %s" % (
                        label, target, members[member])


def find_unused(specs: Iterable[Labelled], manifest: Mapping[str, Any]) -> Iterator[str]:
    """Give the groups and the pre-commands that no spec has a use for."""
    used: Dict[str, Set[str]] = {"keeps": set(), "pre_commands": set()}
    for _, _, spec in specs:
        used["keeps"].update(item[1:] for item in spec.get("keep", ()) if item.startswith(GROUP))
        used["pre_commands"].add(spec.get("pre_command", ""))
    for key, names in used.items():
        for name in sorted(set(manifest[key]) - names):
            yield "%s: %s, %s: no spec has a use for it" % (FOLDER % "catalogue", key, name)


def pack(manifest: Any, files: Mapping[str, Any]) -> bytes:
    """Return a catalogue without faults as one JSON text, but for what is "about" an area.

    Below area and kind stands a row for each spec: its target, then the "fields" as far as it has
    them. An order among specs of different kinds means nothing and is lost; the reason "why" a
    group of strings is kept stays with those who edit it.
    """
    areas = []
    for area in manifest["areas"]:
        tables: Dict[str, List[str]] = {kind: [] for kind in KINDS}
        for spec in files[area]["specs"]:
            kind = next(kind for kind in KINDS if kind in spec)
            row = [spec[kind], *(spec.get(field, 0) for field in FIELDS)]
            while not row[-1]:
                row.pop()
            tables[kind].append(dump(row))
        areas.append("%s:{%s}" % (dump(area), ",\n".join(
            "%s:[\n%s]" % (dump(kind), ",\n".join(tables[kind]))
            for kind in KINDS if tables[kind])))
    head = OrderedDict((key, value) for key, value in manifest.items() if key != "areas")
    head["keeps"] = OrderedDict((name, {"strings": group["strings"]})
                                for name, group in manifest["keeps"].items())
    return ('%s,\n"fields":%s,\n"areas":{\n%s}}\n' % (
        dump(head)[:-1], dump(FIELDS), ",\n".join(areas))).encode("utf-8")


def dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
