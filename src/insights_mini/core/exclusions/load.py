"""Reads the owner's exclusion files (CONTRACT.md section 6).

Whatever is wrong with one is a Failure: collecting what its owner forbade is worse than not
collecting.

If either of the two YAML files exists, remove.conf is not read. What reads a form is imported when
there is a file in that form, which most hosts do not have.
"""
import os
import stat
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from insights_mini import hostfiles
from insights_mini.exits import Failure
from insights_mini.log import show
from insights_mini.paths import Paths
from insights_mini.settings import Settings

LARGEST = 1024 * 1024
COMPONENT = "insights.specs.default.DefaultSpecs."


class Exclusions(NamedTuple):
    """What is left out (files, commands, components) and what is taken out of the rest."""

    files: Tuple[str, ...] = ()
    commands: Tuple[str, ...] = ()
    components: Tuple[str, ...] = ()    # symbolic names
    patterns: Tuple[bytes, ...] = ()    # fixed strings
    regex: Tuple[str, ...] = ()         # POSIX extended expressions as the owner wrote them
    expressions: Tuple[bytes, ...] = ()  # the same for Python's re
    keywords: Tuple[bytes, ...] = ()


class Loaded(NamedTuple):
    exclusions: Exclusions
    sources: Tuple[bytes, ...]  # the files that were read
    warnings: Tuple[str, ...]


def load_exclusions(settings: Settings, paths: Paths) -> Loaded:
    """Return what the owner forbids, and the files that say so; raise Failure."""
    names = choose_files(settings, paths)
    contents = {kind: read(path, explicit) for kind, (path, explicit) in names.items()}
    present = {kind: content for kind, content in contents.items() if content is not None}
    warnings = []
    if "classic" in present and len(present) > 1:
        warnings.append("%s is not read, because there is a redaction file in YAML" %
                        show(names["classic"][0]))
        del present["classic"]
    exclusions = Exclusions()
    for kind, content in sorted(present.items()):
        exclusions = READERS[kind](exclusions, content, show(names[kind][0]))
    sources = tuple(names[kind][0] for kind in sorted(present))
    warnings += [warning for path in sources for warning in check_mode(path)]
    return Loaded(exclusions, sources, tuple(warnings))


def choose_files(settings: Settings, paths: Paths) -> Dict[str, Tuple[bytes, bool]]:
    """Return the path of each file, and whether the owner named it."""
    chosen = {}
    for kind, name, default in (
            ("classic", settings.remove_file, b"remove.conf"),
            ("files", settings.redaction_file, b"file-redaction.yaml"),
            ("contents", settings.content_redaction_file, b"file-content-redaction.yaml")):
        chosen[kind] = (os.path.abspath(os.fsencode(name)) if name else
                        os.path.join(paths.conf_dir, default), bool(name))
    return chosen


def read(path: bytes, explicit: bool) -> Optional[bytes]:
    """Return the content of a file, or None where a default one does not exist."""
    if not explicit and not os.path.lexists(path):
        return None
    try:
        return hostfiles.read_small(path, LARGEST)
    except hostfiles.Unreadable as error:
        raise Failure("nothing is collected: cannot read %s" % show(path), error.why,
                      "mend it; what it forbids is not known")


def check_mode(path: bytes) -> List[str]:
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode == 0o600:
        return []
    return ["%s has mode %04o; it should be 0600, so that nobody else learns what is hidden" %
            (show(path), mode)]


def bad(shown: str, line: int, problem: str, remedy: str, column: int = 0) -> Failure:
    place = "%s, line %d%s" % (shown, line, ", column %d" % column if column else "")
    return Failure("nothing is collected: %s" % place, problem, remedy)


def take_classic(exclusions: Exclusions, content: bytes, shown: str) -> Exclusions:
    from insights_mini.core.exclusions.removeconf import RemoveConfError, read_remove_conf
    try:
        conf = read_remove_conf(content)
    except RemoveConfError as error:
        raise bad(shown, error.line, error.problem, error.remedy)
    return exclusions._replace(
        files=conf.files, commands=conf.commands, patterns=conf.patterns, keywords=conf.keywords,
        regex=conf.regex, expressions=compile_all(conf.regex, shown))


def take_files(exclusions: Exclusions, content: bytes, shown: str) -> Exclusions:
    sheet = Sheet(content, shown, ("files", "commands", "components"))
    components = []
    for component in sheet.texts("components"):
        if not component.startswith(COMPONENT) or not component[len(COMPONENT):].isidentifier():
            raise sheet.bad("components", "'%s' is no component that could be left out" % component,
                            "write %s and a symbolic name" % COMPONENT)
        components.append(component[len(COMPONENT):])
    return exclusions._replace(files=sheet.texts("files"), commands=sheet.texts("commands"),
                               components=tuple(components))


def take_contents(exclusions: Exclusions, content: bytes, shown: str) -> Exclusions:
    sheet = Sheet(content, shown, ("patterns", "keywords"))
    exclusions = exclusions._replace(keywords=encode(sheet.texts("keywords")))
    patterns = sheet.data.get("patterns")
    if not isinstance(patterns, dict):
        return exclusions._replace(patterns=encode(sheet.texts("patterns")))
    if set(patterns) != {"regex"}:
        raise sheet.bad("patterns", "it must be a list, or hold 'regex' and nothing else",
                        "leave the other keys out")
    regex = sheet.check("regex", patterns["regex"])
    return exclusions._replace(regex=regex, expressions=compile_all(regex, shown))


def encode(items: Tuple[str, ...]) -> Tuple[bytes, ...]:
    return tuple(item.encode("utf-8") for item in items)


class Sheet:
    """A YAML file that maps some keys to lists of strings; everything else in it is a Failure."""

    def __init__(self, content: bytes, shown: str, keys: Tuple[str, ...]) -> None:
        self.content = content
        self.shown = shown
        self.data: Dict[str, Any] = {}
        from insights_mini.core.exclusions.yaml import YamlError, read_yaml
        try:
            data = read_yaml(content)
        except YamlError as error:
            raise bad(shown, error.line, error.problem, error.remedy, error.column)
        if data is not None and not isinstance(data, dict):
            raise bad(shown, 1, "it is no mapping",
                      "write one of the keys %s, with a list each" % ", ".join(keys), 1)
        for key in data or {}:
            if key not in keys:
                raise self.bad(key, "unknown key", "the keys are %s" % ", ".join(keys))
        self.data = data or {}

    def texts(self, key: str) -> Tuple[str, ...]:
        """Return the list of strings that a key has; none where it has nothing."""
        value = self.data.get(key)
        return () if value is None else self.check(key, value)

    def check(self, key: str, value: Any) -> Tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.bad(key, "it must be a list of strings",
                           "write each on a line of its own, behind '- '")
        text = self.content.decode("utf-8-sig", "replace")
        for item in value:
            if not item.strip() or any(sign in item for sign in "\n\r\0"):
                raise self.bad(key, "it holds an empty item, or one of more than a line",
                               "leave it out")
            if " - " in item and item not in text:
                raise self.bad(key, "an item goes on in a deeper line that begins with '- '",
                               "give all items the same indentation")
        return tuple(value)

    def bad(self, key: str, problem: str, remedy: str) -> Failure:
        """Return the Failure for a key, with the place where it stands."""
        lines = self.content.decode("utf-8-sig", "replace").splitlines()
        for number, line in enumerate(lines, 1):
            column = line.partition("#")[0].find(key)
            if column >= 0:
                return bad(self.shown, number, "%s: %s" % (key, problem), remedy, column + 1)
        return bad(self.shown, 1, "%s: %s" % (key, problem), remedy, 1)


def compile_all(expressions: Tuple[str, ...], shown: str) -> Tuple[bytes, ...]:
    from insights_mini.core.exclusions.expressions import BadExpression, translate
    compiled = []
    for number, expression in enumerate(expressions):
        try:
            compiled.append(translate(expression))
        except BadExpression as error:
            raise Failure("nothing is collected: %s" % shown, "regex %d, character %d: %s" % (
                number, error.position + 1, error.problem), error.remedy)
    return tuple(compiled)


READERS = {"classic": take_classic, "files": take_files, "contents": take_contents}
