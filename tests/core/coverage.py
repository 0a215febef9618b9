"""Whether the catalogue covers what is known to be collected elsewhere; see test_catalogue.py.

All take plain data and return faults as sentences.
"""
import fnmatch
import json
import os
import re
from typing import Any, Dict, List, Set, Tuple

from insights_mini.core.collect import commandline

KINDS = ("command", "file", "glob")
Spec = Dict[str, Any]
Fact = Tuple[str, str, str, str]  # name, kind, target, alias of the pre-command


def read(folder: str, name: str) -> Any:
    with open(os.path.join(folder, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def read_specs(folder: str) -> List[Spec]:
    return [spec for area in read(folder, "catalogue")["areas"]
            for spec in read(folder, area)["specs"]]


def read_facts(path: str) -> List[Fact]:
    facts = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                name, kind, target, alias, _, _ = line.rstrip("\n").split("\t")
                facts.append((name, kind, target.replace("<LF>", "\n"), alias.replace("-", "")))
    return facts


def kind_of(spec: Spec) -> str:
    return next(kind for kind in KINDS if kind in spec)


def targets(spec: Spec) -> List[str]:
    value = spec[kind_of(spec)]
    return value if isinstance(value, list) else [value]


def samples(kind: str, target: str) -> List[str]:
    """Return paths that a file or glob target of the facts names."""
    if kind == "file":
        if "*" not in target:
            return [target]
        path = target.replace("()*", "").replace("().*", "x")
        path = path.replace("(errors|errors\\.2.*)", "errors")
        path = re.sub(r"\\\.", ".", re.sub(r"\.[*+]|\\w\+", "x1", path))
        return [path.rstrip("$")]
    path = re.sub(r"\[0-9\]\*?|\[a-f0-9_\]\*", "0", target)
    return [path.replace("*", "x1")]


def expand_group(spec: Spec, manifest: Any) -> List[str]:
    return [string for item in spec.get("keep", [])
            for string in (manifest["keeps"][item[1:]]["strings"] if item[:1] == "@" else [item])]


def words_of(line: str) -> List[str]:
    """Return the fixed words that a pre-command may print."""
    return [word.strip("'") for word in re.findall(r"echo ('[^']*'|[^\s\"$;|&]+)", line)
            if word.strip("'") != "--"] + re.findall(r"(?<=in )(/etc/pki/[^;*]+)", line)


class Covered:
    def __init__(self, specs: List[Spec], pre_commands: Dict[str, str]) -> None:
        self.same = {(kind_of(s), t, s.get("pre_command", "")) for s in specs for t in targets(s)}
        self.members: Set[str] = set()
        self.globs: List[str] = []
        self.expressions: List[str] = []
        self.paths: Set[str] = set()
        for spec in specs:
            for target in targets(spec):
                if "command" in spec:
                    self.add_command(target.replace("{CONTAINER_MOUNT_POINT}", "/"),
                                     pre_commands.get(spec.get("pre_command", ""), ""))
                elif "glob" in spec:
                    self.globs.append(target)
                elif "*" in target:
                    self.expressions.append(target)
                else:
                    self.paths.add(target)

    def add_command(self, line: str, pre_line: str) -> None:
        for word in words_of(pre_line) if pre_line else [""]:
            self.members.add(self.member(line + " " + word if word else line))
        if "echo --" in pre_line:
            self.members.add(self.member(line))

    @staticmethod
    def member(line: str) -> str:
        return commandline.mangle(line.encode("utf-8")).decode()

    def has(self, fact: Fact) -> bool:
        _, kind, target, alias = fact
        if (kind, target, alias) in self.same:
            return True
        if kind == "command":
            return not alias and self.member(
                target.replace("{CONTAINER_MOUNT_POINT}", "/")) in self.members
        return all(self.has_path(path) for path in samples(kind, target))

    def has_path(self, path: str) -> bool:
        if path in self.paths:
            return True
        parts = path.split("/")
        for pattern in self.globs:
            wanted = pattern.split("/")
            if len(wanted) == len(parts) and all(map(fnmatch.fnmatchcase, parts, wanted)):
                return True
        for pattern in self.expressions:
            wanted = pattern.split("/")
            if len(wanted) == len(parts) and all(re.match(w, p) if "*" in w else w == p
                                                 for p, w in zip(parts, wanted)):
                return True
        return False


def check_coverage(folder: str, facts: List[Fact]) -> List[str]:
    """Every fact is covered or left out with a reason, and never both."""
    faults: List[str] = []
    data = read(folder, "left-out")
    rows = data["left_out"]
    if set(data) != {"about", "left_out"}:
        faults.append("left-out.json: has %s" % sorted(data))
    keys = [(row["name"], row["target"]) for row in rows]
    if keys != sorted(set(keys)):
        faults.append("left-out.json: not sorted by name and target, or one stands twice")
    known = {(name, target) for name, _, target, _ in facts}
    for row in rows:
        if set(row) != {"name", "target", "why"} or len(row["why"]) < 15:
            faults.append("left-out.json: %s: wants name, target and why" % row.get("name"))
        if (row["name"], row["target"]) not in known:
            faults.append("left-out.json: %s: no such row: %s" % (row["name"], row["target"]))
    covered = Covered(read_specs(folder), read(folder, "catalogue")["pre_commands"])
    for fact in facts:
        held, left = covered.has(fact), (fact[0], fact[2]) in keys
        if held == left:
            faults.append("%s %s %s: is %s" % (
                *fact[:3], "covered and left out" if held else "neither covered nor left out"))
    return faults


WHOLE = {"INFO", "DEBUG oslo.messaging._drivers.impl_rabbit"}  # would keep nearly everything


def check_kept(folder: str, rules: Any) -> List[str]:
    """Each string that some rules keep of a source holds one that the catalogue keeps of it."""
    faults = []
    manifest = read(folder, "catalogue")
    specs = read_specs(folder)
    kept = [(Covered([spec], manifest["pre_commands"]), expand_group(spec, manifest))
            for spec in specs]
    for kind in KINDS:
        for entry in rules[kind + "s"]:
            fact = ("", kind, entry[kind], entry.get("pre_command", ""))
            ours = [keep for covered, keep in kept if entry.get("pattern") and covered.has(fact)]
            if any(not keep for keep in ours):
                continue
            faults += ["%s: lines with %r are no longer kept" % (entry["symbolic_name"], pattern)
                       for pattern in entry.get("pattern") or () if ours and pattern not in WHOLE
                       and not any(string in pattern for keep in ours for string in keep)]
    return sorted(set(faults))
