"""The tags that an owner gives a host: tags.yaml, as the archive's tags.json has them.

Nested keys are joined with a colon, a list gives one tag for each of its items.
"""
import os
from typing import Any, Dict, List

from insights_mini import hostfiles
from insights_mini.exits import Failure
from insights_mini.log import show
from insights_mini.paths import Paths
from insights_mini.settings import Settings

NAMESPACE = "insights-client"
LARGEST = 1024 * 1024


def load_tags(settings: Settings, paths: Paths) -> List[Dict[str, str]]:
    """Return the tags of this host; none without a file. Raises Failure."""
    path = (os.path.abspath(os.fsencode(settings.tags_file)) if settings.tags_file else
            os.path.join(paths.conf_dir, b"tags.yaml"))
    try:
        content = hostfiles.read_small(path, LARGEST)
    except hostfiles.Unreadable as error:
        if error.absent and not settings.tags_file:
            return []
        raise Failure("cannot read the tags %s" % show(path), error.why, "mend it")
    from insights_mini.core.exclusions.yaml import YamlError, read_yaml  # late: seldom wanted
    try:
        data = read_yaml(content)
        if data is not None and not isinstance(data, dict):
            raise YamlError("it is no mapping", 1, 1, "write 'name: value'")
    except YamlError as error:
        raise Failure("the tags %s, line %d, column %d" % (show(path), error.line, error.column),
                      error.problem, error.remedy)
    return flatten(data or {}, "")


def flatten(value: Any, key: str) -> List[Dict[str, str]]:
    if isinstance(value, dict):
        return [tag for name, item in value.items()
                for tag in flatten(item, "%s:%s" % (key, name) if key else name)]
    if isinstance(value, list):
        return [tag for item in value for tag in flatten(item, key)]
    return [{"key": key, "value": value or "", "namespace": NAMESPACE}]
