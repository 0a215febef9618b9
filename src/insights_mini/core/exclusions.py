"""Stops a run on a host whose owner forbids or hides things in a way that is not understood yet."""
import os
from typing import Iterable, Tuple

from insights_mini.exits import Failure, reason
from insights_mini.log import show
from insights_mini.paths import Paths
from insights_mini.settings import FALSE

FILES = (b"remove.conf", b"file-redaction.yaml", b"file-content-redaction.yaml")
OPTIONS = ("remove_file", "redaction_file", "content_redaction_file", "obfuscate",
           "obfuscate_hostname", "obfuscation_list")


def refuse_exclusions(paths: Paths, unknown: Iterable[Tuple[str, str, str]]) -> None:
    """Raise Failure when an exclusion file exists or an option asks for redaction.

    Collecting what its owner forbade is worse than not collecting.
    """
    for name in FILES:
        path = os.path.join(paths.conf_dir, name)
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise refusal("the exclusion file %s may exist (%s)" % (show(path), reason(error)))
        raise refusal("the exclusion file %s exists" % show(path))
    for option, value, origin in unknown:
        if option in OPTIONS and value.strip() and value.strip().lower() not in FALSE:
            raise refusal("the option '%s' is set %s" % (option, origin))


def refusal(found: str) -> Failure:
    return Failure("nothing was collected", found + " and this version cannot obey it yet",
                   "remove it only if everything may be collected")
