"""The one way to write a file of our own that others may find half done: whole, or not at all.

A pair is a file and its detached signature, of which one is nothing without the other. Two renames
cannot happen at once, so both are laid down under other names first; what lies there after a kill
tells whether to take back or to finish (recover_pair).
"""
import errno
import os
from typing import Tuple

from insights_mini.log import write_all
from insights_mini.paths import make_private_folder


def write_private(path: bytes, content: bytes, replace: bool = True, mode: int = 0o600) -> None:
    """Write a file, 0600, under a name that nobody could have prepared; raise OSError.

    Without `replace`, a file that exists is an error (FileExistsError). Another `mode` holds from
    when the content is whole.
    """
    make_private_folder(os.path.dirname(path))
    part = path + b"." + os.urandom(6).hex().encode("ascii")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        try:
            write_all(descriptor, content)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if replace:
            os.replace(part, path)
        else:
            place(part, path)
    finally:
        if os.path.lexists(part):
            os.unlink(part)


def place(part: bytes, path: bytes) -> None:
    """Give the file its name, never that of another file; raise OSError."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        os.rename(part, path)
    else:
        os.unlink(part)


def write_pair(path: bytes, content: bytes, signature: bytes) -> None:
    """Write a file and, with .asc at the end of its name, its signature; raise OSError.

    Killed at any moment, it leaves a state from which recover_pair makes the old pair or the new.
    """
    recover_pair(path)
    next_file, next_signature = name_next(path)
    write_private(next_file, content)
    write_private(next_signature, signature)
    os.replace(next_file, path)  # from here on the new pair holds
    sync_folder(os.path.dirname(path))
    os.replace(next_signature, path + b".asc")
    sync_folder(os.path.dirname(path))


def recover_pair(path: bytes) -> None:
    """Take back a pair that was not yet written when that was broken off, or finish it; OSError."""
    next_file, next_signature = name_next(path)
    folder, name = os.path.split(next_file)
    if not os.path.isdir(folder):
        return
    if os.path.lexists(next_signature) and not os.path.lexists(next_file):
        os.replace(next_signature, path + b".asc")
        return
    # The signature goes first: alone it would stand for a pair that is to be finished.
    parts = (name + b".", os.path.basename(next_signature) + b".")
    for left in (next_signature, next_file, *(os.path.join(folder, entry)
                 for entry in os.listdir(folder) if entry.startswith(parts))):
        if os.path.lexists(left):
            os.unlink(left)


def name_next(path: bytes) -> Tuple[bytes, bytes]:
    """Return under which names a pair is laid down before it takes the place of the old one."""
    return path + b".next", path + b".asc.next"


def sync_folder(folder: bytes) -> None:
    """Have the names in a folder on the disk, if its file system can do that; raise OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # as some shares answer
            raise
    finally:
        os.close(descriptor)
