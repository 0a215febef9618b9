"""Collection rules: the form of uploader.json (CONTRACT.md section 4), checked and made into Specs.

Parsing is pure and reports every problem of the text at once, each naming its entry. An unknown key
is a problem too: a misspelt "pattern" would otherwise collect what should have been filtered.
"""
import json
import re
from typing import Any, Dict, List, NamedTuple, Tuple

COMMAND, FILE, GLOB = "command", "file", "glob"

LISTS = (("commands", COMMAND), ("files", FILE), ("globs", GLOB))
KEYS = {
    COMMAND: {"command", "pattern", "symbolic_name", "pre_command", "image"},
    FILE: {"file", "pattern", "symbolic_name", "image"},
    GLOB: {"glob", "pattern", "symbolic_name", "image"},
}
TOP = {"version", "commands", "files", "globs", "pre_commands", "meta_specs"}


class Spec(NamedTuple):
    """One entry: what to collect, and which lines of it to keep (all where `keep` is empty).

    What stands behind `pre_command` only the bundled catalogue knows.
    """

    name: str      # the symbolic name
    kind: str      # COMMAND, FILE or GLOB
    target: bytes  # command line, path, path with regular expressions, or shell glob
    keep: Tuple[bytes, ...] = ()
    pre_command: str = ""
    most: int = 0      # bytes kept of it, where that is less than of others; else 0
    slow: float = 0.0  # seconds for a command that is known to hang; else 0
    area: str = ""
    preset: str = ""
    purpose: str = ""


class Rules(NamedTuple):
    """`areas` are those of the bundled catalogue; rules from elsewhere have none."""

    version: str
    specs: Tuple[Spec, ...]
    pre_commands: Dict[str, bytes]
    areas: Tuple[str, ...] = ()


class BadRules(Exception):
    """The text is no set of rules; `problems` names everything that is wrong with it."""

    def __init__(self, problems: List[str]) -> None:
        super().__init__(problems)
        self.problems = problems


def parse_rules(text: bytes) -> Rules:
    """Return the rules that a JSON text holds; raise BadRules."""
    try:
        data = json.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadRules(["it is not UTF-8 (byte %d)" % error.start])
    except ValueError as error:
        raise BadRules(["it is not JSON: %s" % error])
    except RecursionError:
        raise BadRules(["it is nested too deeply"])
    return make_rules(data)


def make_rules(data: Any) -> Rules:
    """Return the rules that a decoded JSON value holds; raise BadRules."""
    if not isinstance(data, dict):
        raise BadRules(["it must be a JSON object, not %s" % kind_of(data)])
    problems = ["unknown key '%s'" % key for key in sorted(set(data) - TOP)]
    version = data.get("version")
    if not isinstance(version, str) or not version:
        problems.append("version: a string is required")
    pre_commands = check_pre_commands(data.get("pre_commands", {}), problems)
    if not isinstance(data.get("meta_specs", {}), dict):
        problems.append("meta_specs: must be an object")
    specs = []
    for key, kind in LISTS:
        entries = data.get(key, [])
        if not isinstance(entries, list):
            problems.append("%s: must be a list, not %s" % (key, kind_of(entries)))
            continue
        for number, entry in enumerate(entries):
            label = "%s[%d]" % (key, number)
            faults, spec = check_entry(entry, kind)
            if isinstance(entry, dict) and isinstance(entry.get("symbolic_name"), str):
                label += " (%s)" % entry["symbolic_name"]
            problems.extend("%s: %s" % (label, fault) for fault in faults)
            specs.append(spec)
    if problems:
        raise BadRules(problems)
    return Rules(str(version), tuple(specs), pre_commands)


NO_SPEC = Spec("", "", b"")


def check_pre_commands(value: Any, problems: List[str]) -> Dict[str, bytes]:
    if not isinstance(value, dict):
        problems.append("pre_commands: must be an object, not %s" % kind_of(value))
        return {}
    checked = {}
    for alias, line in value.items():
        if is_text(line):
            checked[alias] = line.encode("utf-8")
        else:
            checked[alias] = b":"
            problems.append("pre_commands (%s): a non-empty shell line is required" % alias)
    return checked


def check_entry(entry: Any, kind: str) -> Tuple[List[str], Spec]:
    """Return what is wrong with one entry, and the spec it makes if nothing is."""
    if not isinstance(entry, dict):
        return ["must be an object, not %s" % kind_of(entry)], NO_SPEC
    faults = ["unknown key '%s'" % key for key in sorted(set(entry) - KEYS[kind])]
    target, name = entry.get(kind, ""), entry.get("symbolic_name", "")
    if not is_text(name):
        faults.append("symbolic_name: a non-empty string is required")
    if not is_text(target):
        faults.append("%s: a non-empty string without NUL is required" % kind)
    elif kind != COMMAND and not target.startswith("/"):
        faults.append("%s: must be an absolute path" % kind)
    elif kind == FILE:
        faults += check_expressions(target)
    patterns = entry.get("pattern", [])
    if not isinstance(patterns, list) or not all(map(is_encodable, patterns)):
        faults.append("pattern: must be a list of strings")
    pre_command = entry.get("pre_command", "")
    if pre_command is None:
        pre_command = ""
    if not isinstance(pre_command, str):
        faults.append("pre_command: must be a string")
    if not isinstance(entry.get("image", False), bool):
        faults.append("image: must be true or false")
    if faults:
        return faults, NO_SPEC
    keep = tuple(pattern.encode("utf-8") for pattern in patterns)
    return [], Spec(name, kind, target.encode("utf-8"), keep, pre_command)


def check_expressions(path: str) -> List[str]:
    """Return what does not compile in a path with regular expressions."""
    if "*" not in path:
        return []
    faults = []
    for part in path.split("/"):
        try:
            re.compile(part.encode("utf-8"))
        except (re.error, ValueError, OverflowError, RecursionError) as error:
            faults.append("file: '%s' is no regular expression (%s)" % (part[:80], error))
    return faults


def is_encodable(value: Any) -> bool:
    """Tell whether a value is a string that can be written as UTF-8."""
    try:
        return isinstance(value, str) and value.encode("utf-8") is not None
    except UnicodeEncodeError:
        return False


def is_text(value: Any) -> bool:
    return is_encodable(value) and bool(value.strip()) and "\0" not in value


def kind_of(value: Any) -> str:
    """Return the JSON name of a value's type."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false",
             int: "a number", float: "a number"}
    return names.get(type(value), "null")
