"""The one way to write a file of our own that others may find half done: whole, or not at all."""
import os

from insights_mini.log import write_all
from insights_mini.paths import make_private_folder


def write_private(path: bytes, content: bytes, replace: bool = True) -> None:
    """Write a file, 0600, under a name that nobody could have prepared; raise OSError.

    Without `replace`, a file that exists is an error (FileExistsError).
    """
    make_private_folder(os.path.dirname(path))
    part = path + b"." + os.urandom(6).hex().encode("ascii")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        try:
            os.fchmod(descriptor, 0o600)
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if replace:
            os.replace(part, path)
        else:
            os.link(part, path)
    finally:
        if os.path.lexists(part):
            os.unlink(part)
