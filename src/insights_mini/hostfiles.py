"""The one way to open a file of the host: regular files only, never blocking, read within limits.

Opening a device can rewind a tape or arm a watchdog, and opening a FIFO can wait for ever, so what
a path leads to is looked at first and once more through the open descriptor.
"""
import errno
import io
import os
import stat
from typing import Iterator, Optional, Tuple

BLOCK = 256 * 1024
MOST_LINKS = 40  # that the system follows on the way to a file


class Unreadable(Exception):
    """A host file that is not read. `absent` tells a missing one; `why` is fit for a message."""

    def __init__(self, why: str, absent: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.absent = absent


KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a link"),
)


def open_regular(path: bytes, follow: bool = True) -> int:
    """Open a regular file and return its descriptor; raise Unreadable.

    A link is followed, or refused without `follow`.
    """
    try:
        check_kind(os.stat(path, follow_symlinks=follow).st_mode)
        descriptor = open_quietly(path, 0 if follow else os.O_NOFOLLOW)
    except OSError as error:
        raise explain(error)
    except ValueError:
        raise Unreadable("is no name that a file can have")
    try:
        check_kind(os.fstat(descriptor).st_mode)
    except Unreadable:
        os.close(descriptor)
        raise
    return descriptor


def open_quietly(path: bytes, more: int = 0, folder: Optional[int] = None) -> int:
    """Open for reading without waiting and, where the host allows, without changing its atime.

    `folder` is the descriptor of the folder that a relative path begins in.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | more
    try:
        return os.open(path, flags | os.O_NOATIME, dir_fd=folder)
    except PermissionError:  # O_NOATIME is the owner's and root's
        return os.open(path, flags, dir_fd=folder)


def check_kind(mode: int) -> None:
    for is_kind, name in KINDS:
        if is_kind(mode):
            raise Unreadable("is " + name)


def explain(error: OSError) -> Unreadable:
    """Turn the system's error into ours."""
    absent = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.ENODEV)
    return Unreadable(error.strerror or type(error).__name__, absent)


def find_window(file: io.RawIOBase, size: int, most: int) -> Tuple[int, int]:
    """Return (start, length) of the newest `most` bytes, starting at a line where it is cut.

    The size when it was opened bounds the read, so a growing file ends. Files of /proc give their
    size as 0; they are read until they end. What begins before the window is no whole line, and
    left out: the word that would have told a secret may be missing.
    """
    if not size:
        return 0, most
    if size <= most:
        return 0, size
    start = size - most
    while start < size:
        file.seek(start - 1)
        head = file.read(BLOCK) or b""
        newline = head.find(b"\n")
        if newline >= 0:
            return start + newline, size - start - newline
        start += len(head) or size
    return size, 0


def read_window(file: io.RawIOBase, start: int, length: int) -> Iterator[bytes]:
    """Yield the blocks of a part of a file; raise OSError where the host refuses a read."""
    if start:
        file.seek(start)
    while length > 0:
        block = file.read(min(BLOCK, length))
        if not block:  # its end, or a /proc file that would wait for more
            return
        length -= len(block)
        yield block


def check_guarded(path: bytes) -> None:
    """Raise Unreadable if others than root and this user could put another file at this path.

    Looked at is all that the system passes on its way to the file, every folder and every link. In
    a folder like /tmp (sticky) only a file's owner can replace it.
    """
    here, names, links = b"/", os.path.abspath(path).split(b"/")[::-1], 0
    try:
        check_writers(here)
        while names:
            name = names.pop()
            if name == b"..":
                here = os.path.dirname(here)
            entry = os.path.join(here, name) if name not in (b"", b".", b"..") else here
            if not stat.S_ISLNK(check_writers(entry).st_mode):
                here = entry
                continue
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = os.readlink(entry)
            here = b"/" if target.startswith(b"/") else here
            names.extend(target.split(b"/")[::-1])
    except OSError as error:
        raise explain(error)


def check_writers(entry: bytes) -> os.stat_result:
    """Return the status of what has this name; Unreadable if others can write it; raise OSError."""
    status = os.lstat(entry)
    shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not stat.S_ISLNK(
        status.st_mode) and not (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX)
    if shared or status.st_uid not in (0, os.geteuid()):
        raise Unreadable("others than root can write " + os.fsdecode(entry))
    return status


def read_small(path: bytes, most: int, follow: bool = True) -> bytes:
    """Return the whole of a file that is expected to be small; raise Unreadable, also if it is not.
    """
    with open(open_regular(path, follow), "rb", buffering=0) as file:
        try:
            content = b"".join(read_window(file, 0, most + 1))
        except OSError as error:
            raise explain(error)
    if len(content) > most:
        raise Unreadable("is larger than %d bytes" % most)
    return content
