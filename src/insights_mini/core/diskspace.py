"""What to say when something cannot be written; of a full disk, which one it is."""
import errno
import os

from insights_mini.exits import Failure, reason
from insights_mini.log import human, show
from insights_mini.paths import Paths

ELSEWHERE = "choose another place with TMPDIR or --output-dir"
# The remedies: for an archive that is to be a file, for another file that is needed on the way,
# and for contents that are held on the way to standard output.
AS_FILE = ELSEWHERE + ", or use --to-stdout"
BY_TMPDIR = "choose another place with TMPDIR"
HOLD_LESS = BY_TMPDIR + ", or keep less of each with --max-member"


def cannot_write(path: bytes, error: OSError, remedy: str, free: int = 0) -> Failure:
    """Return the Failure for a path that cannot be written.

    `free` is how many bytes there were for it when the run began, if that is known.
    """
    what = "cannot write %s" % show(path)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return Failure(what, reason(error), "raise the limit of open files (ulimit -n)")
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return Failure(what, reason(error), remedy)
    mount = find_mount(path)
    status = os.statvfs(mount)
    no_inode = status.f_files and not status.f_favail
    why = "no %s left on the file system at %s" % ("inode" if no_inode else "space", show(mount))
    if free and not no_inode:
        why += ", the %s that were free are not enough" % human(free)
    return Failure(what, why, "free some, or " + remedy)


def count_free(folder: bytes) -> int:
    """Return how many bytes are free where a folder is; 0 where that is not known."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


def find_mount(path: bytes) -> bytes:
    """Return the mount point of the file system that a path is on, or would be."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    while path != b"/" and not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def tell_exposed(folder: bytes) -> str:
    """Return the warning that a file system does not keep an archive from others."""
    return ("the file system at %s keeps no permissions, so others on this host may read the "
            "archive; %s" % (show(find_mount(folder)), ELSEWHERE))


def tell_moved(paths: Paths) -> str:
    """Return the warning that the archive is not where everybody looks for it."""
    why = "cannot be written" if os.path.isdir(paths.instead_of) else "is not there"
    return "%s %s, so the archive goes to %s; %s" % (show(paths.instead_of), why,
                                                     show(paths.temp_dir), ELSEWHERE)
