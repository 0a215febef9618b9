"""What to say when something cannot be written; of a full disk, which one it is."""
import errno
import os

from insights_mini.exits import Failure, reason
from insights_mini.log import show
from insights_mini.paths import Paths

ELSEWHERE = "choose another place with TMPDIR or --output-dir"
NO_FILE = "choose another place with TMPDIR"  # for who reads standard output already


def cannot_write(path: bytes, error: OSError, piped: bool = False) -> Failure:
    """Return the Failure for a path that cannot be written, where the archive is to be a file or
    is `piped` to standard output."""
    elsewhere = NO_FILE if piped else ELSEWHERE + ", or use --to-stdout"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure("cannot write %s" % show(path),
                       "no space left on the file system at %s" % show(find_mount(path)),
                       "free some space, or " + elsewhere)
    return Failure("cannot write %s" % show(path), reason(error), elsewhere)


def find_mount(path: bytes) -> bytes:
    """Return the mount point of the file system that a path is on, or would be."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    while path != b"/" and not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def tell_moved(paths: Paths) -> str:
    """Return the warning that the archive is not where everybody looks for it."""
    why = "cannot be written" if os.path.isdir(paths.instead_of) else "is not there"
    return "%s %s, so the archive goes to %s; %s" % (show(paths.instead_of), why,
                                                     show(paths.temp_dir), ELSEWHERE)
