"""What to say when something cannot be written; of a full disk, which one it is."""
import errno
import os

from insights_mini.exits import Failure, reason
from insights_mini.log import show

ELSEWHERE = "choose another place with TMPDIR or --output-dir"


def cannot_write(path: bytes, error: OSError) -> Failure:
    """Return the Failure for a path that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure("cannot write %s" % show(path),
                       "no space left on the file system at %s" % show(find_mount(path)),
                       "free some space, or " + ELSEWHERE)
    return Failure("cannot write %s" % show(path), reason(error), ELSEWHERE)


def find_mount(path: bytes) -> bytes:
    """Return the mount point of the file system that a path is on, or would be."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    while path != b"/" and not os.path.ismount(path):
        path = os.path.dirname(path)
    return path
