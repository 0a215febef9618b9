"""Reads the owner's exclusion files (CONTRACT.md section 6).

Whatever is wrong with one is a Failure: collecting what its owner forbade is worse than not
collecting.

If either of the two YAML files exists, remove.conf is not even opened. What reads a form is
imported when there is a file in that form, which most hosts do not have.
"""
import os
import stat
from typing import Dict, List, NamedTuple, Tuple

from insights_mini.core.roots import Root, read_small
from insights_mini.core.roots.running import HOST
from insights_mini.exits import Failure
from insights_mini.hostfiles import Unreadable
from insights_mini.paths import Paths
from insights_mini.settings import Settings

LARGEST = 1024 * 1024
CLASSIC, FILES, CONTENTS = "classic", "files", "contents"  # the kinds of files


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


def load_exclusions(settings: Settings, paths: Paths, root: Root = HOST) -> Loaded:
    """Return what the owner of a root forbids, and the files that say so; raise Failure."""
    sources = choose_files(settings, paths, root)
    warnings = []
    if len(sources) > 1 and CLASSIC in sources:
        warnings.append("%s is not read, because there is a redaction file in YAML" %
                        root.show(sources.pop(CLASSIC)))
    exclusions = Exclusions()
    for kind, path in sources.items():
        take = take_classic if kind == CLASSIC else take_yaml
        exclusions = take(exclusions, kind, read(path, root), root.show(path))
        warnings += check_mode(path, root)
    return Loaded(exclusions, tuple(sources.values()), tuple(warnings))


def choose_files(settings: Settings, paths: Paths, root: Root) -> Dict[str, bytes]:
    """Return the path of each kind of file that the owner named or that is in its usual place."""
    chosen = {}
    for kind, name, default in (
            (CLASSIC, settings.remove_file, b"remove.conf"),
            (CONTENTS, settings.content_redaction_file, b"file-content-redaction.yaml"),
            (FILES, settings.redaction_file, b"file-redaction.yaml")):
        path = os.path.join(paths.conf_dir, default)
        if name:
            chosen[kind] = os.path.abspath(os.fsencode(name))
        elif may_exist(path, root):
            chosen[kind] = path
    return chosen


def may_exist(path: bytes, root: Root) -> bool:
    """Tell whether there is anything at a path, or whether that is hidden from us."""
    try:
        root.status(path, follow=False)
    except Unreadable as error:
        return not error.absent
    return True


def read(path: bytes, root: Root) -> bytes:
    try:
        return read_small(root, path, LARGEST)
    except Unreadable as error:
        raise Failure("nothing is collected: cannot read %s" % root.show(path), error.why,
                      "mend it; what it forbids is not known")


def check_mode(path: bytes, root: Root = HOST) -> List[str]:
    """Return the warning about a mode that lets others read or change a file, if there is one."""
    mode = stat.S_IMODE(root.status(path).mode)
    if mode == 0o600:
        return []
    return ["%s has mode %04o; it should be 0600, so that nobody else learns what is hidden" %
            (root.show(path), mode)]


def take_classic(exclusions: Exclusions, _: str, content: bytes, shown: str) -> Exclusions:
    from insights_mini.core.exclusions.expressions import translate
    from insights_mini.core.exclusions.removeconf import RemoveConfError, read_remove_conf
    try:
        conf = read_remove_conf(content)
    except RemoveConfError as error:
        raise bad(shown, error.line, error.column, error.problem, error.remedy)
    return exclusions._replace(expressions=tuple(map(translate, conf.regex)), **conf._asdict())


def take_yaml(exclusions: Exclusions, kind: str, content: bytes, shown: str) -> Exclusions:
    from insights_mini.core.exclusions.sheet import read_contents, read_files
    from insights_mini.core.exclusions.yaml import YamlError
    try:
        return (read_files if kind == FILES else read_contents)(exclusions, content)
    except YamlError as error:
        raise bad(shown, error.line, error.column, error.problem, error.remedy)


def bad(shown: str, line: int, column: int, problem: str, remedy: str) -> Failure:
    place = "%s, line %d%s" % (shown, line, ", column %d" % column if column else "")
    return Failure("nothing is collected: %s" % place, problem, remedy)
