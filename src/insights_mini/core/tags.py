"""The tags that an owner gives a host: tags.yaml, as the archive's tags.json has them.

Nested keys are joined with a colon, a list gives one tag for each of its items.
"""
import json
import os
import re
from typing import Any, Dict, List, Tuple

from insights_mini.core.roots import Root, read_small
from insights_mini.core.roots.running import HOST
from insights_mini.exits import Failure, reason
from insights_mini.hostfiles import Unreadable
from insights_mini.log import show
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from insights_mini.statefiles import write_private

NAMESPACE = "insights-client"
LARGEST = 1024 * 1024
GROUP = re.compile("^group *:.*\n?", re.MULTILINE)


def load_tags(settings: Settings, paths: Paths, root: Root = HOST) -> List[Dict[str, str]]:
    """Return the tags of a root's host; none without a file. Raises Failure."""
    return flatten(read_tags(find_file(settings, paths), not settings.tags_file,
                             HOST if settings.tags_file else root)[1], "")


def find_file(settings: Settings, paths: Paths) -> bytes:
    return (os.path.abspath(os.fsencode(settings.tags_file)) if settings.tags_file else
            os.path.join(paths.conf_dir, b"tags.yaml"))


def read_tags(path: bytes, may_miss: bool, root: Root = HOST) -> Tuple[str, Dict[str, Any]]:
    """Return a file's text and the mapping in it; raise Failure."""
    try:
        content = read_small(root, path, LARGEST)
    except Unreadable as error:
        if error.absent and may_miss:
            return "", {}
        raise Failure("cannot read the tags %s" % root.show(path), error.why, "mend it")
    from insights_mini.core.exclusions.yaml import YamlError, decode, read_yaml  # seldom wanted
    try:
        data = read_yaml(content)
        if data is not None and not isinstance(data, dict):
            raise YamlError("it is no mapping", 1, 1, "write 'name: value'")
        return decode(content), data or {}
    except YamlError as error:
        raise Failure("the tags %s, line %d, column %d" % (
            root.show(path), error.line, error.column), error.problem, error.remedy)


def set_group(settings: Settings, paths: Paths, name: str) -> None:
    """Have `group: name` in the file of tags, and all else in it as it is; raise Failure.

    What comes of the change is read before it is written: a file that is not plain is left alone.
    """
    from insights_mini.core.exclusions.yaml import YamlError, read_yaml
    path = find_file(settings, paths)
    text, tags = read_tags(path, True)
    if tags.get("group") == name:
        return
    line = "group: %s\n" % json.dumps(name, ensure_ascii=False)
    changed, found = GROUP.subn(lambda match: line, text, 1)
    if not found:
        changed = (text.rstrip("\n") + "\n" if text else "") + line
    content = changed.encode("utf-8", "surrogateescape")
    why = "it is not plain"
    try:
        if read_yaml(content) == dict(tags, group=name):
            write_private(path, content)
            return
    except YamlError as error:
        why = error.problem
    except OSError as error:
        why = reason(error)
    raise Failure("cannot write the group into %s" % show(path), why,
                  "write 'group: NAME' into it yourself")


def flatten(value: Any, key: str) -> List[Dict[str, str]]:
    if isinstance(value, dict):
        return [tag for name, item in value.items()
                for tag in flatten(item, "%s:%s" % (key, name) if key else name)]
    if isinstance(value, list):
        return [tag for item in value for tag in flatten(item, key)]
    return [{"key": key, "value": value or "", "namespace": NAMESPACE}]
