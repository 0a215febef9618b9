"""Holds contents between collection and archive: in memory while they are few, else on disk.

A member's size must be known before it is written, and commands end in any order. Only redacted
bytes come here. The disk part is one file for the whole run, 0600 and without a name from the
start, cut into slots that are used again; so memory and disk stay bounded however much is read.
It goes with the process.
"""
import errno
import os
import threading
from collections import deque
from typing import Deque, Iterator, List, Tuple, Union

from insights_mini.core.diskspace import HOLD_LESS, cannot_write, count_free

SLOT = 256 * 1024
MEMORY = 8 * 1024 * 1024  # bytes that all spools of a run may hold in memory


class Store:
    """Where the pieces of all spools of a run lie. Safe to use from several threads."""

    def __init__(self, folder: bytes, memory: int = MEMORY, remedy: str = HOLD_LESS) -> None:
        """`remedy` is for who has no room in the folder."""
        self.folder = folder
        self.remedy = remedy
        self.room = count_free(folder)
        self.memory = memory
        self.lock = threading.Lock()
        self.file = -1
        self.closed = False
        self.slots = 0
        self.free: List[int] = []

    def put(self, piece: bytes) -> "Piece":
        """Keep a piece of at most SLOT bytes; Failure when the disk cannot take it."""
        with self.lock:
            if self.memory >= len(piece):
                self.memory -= len(piece)
                return piece
            if not self.free:
                self.free.append(self.slots)
                self.slots += 1
            slot = self.free.pop()
        try:
            self.write(piece, slot * SLOT)
        except OSError as error:
            raise cannot_write(self.folder, error, self.remedy, self.room)
        return (slot, len(piece))

    def write(self, piece: bytes, offset: int) -> None:
        with self.lock:
            if self.closed:  # by a thread that was given up
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            if self.file < 0:
                self.file = open_unnamed(self.folder)
        view = memoryview(piece)
        while view:
            written = os.pwrite(self.file, view, offset)
            view = view[written:]
            offset += written

    def close(self) -> None:
        """Let go of the file. On NFS and FUSE it has a name in the folder as long as it is open."""
        with self.lock:
            self.closed = True
            if self.file >= 0:
                os.close(self.file)
            self.file = -1

    def get(self, piece: "Piece") -> bytes:
        if isinstance(piece, bytes):
            return piece
        return os.pread(self.file, piece[1], piece[0] * SLOT)

    def drop(self, piece: "Piece") -> None:
        with self.lock:
            if isinstance(piece, bytes):
                self.memory += len(piece)
            else:
                self.free.append(piece[0])


Piece = Union[bytes, Tuple[int, int]]  # the bytes, or slot and length


def open_unnamed(folder: bytes) -> int:
    """Create a file that has no name, so that nothing can be left over; raise OSError."""
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        return os.open(folder, flags | os.O_TMPFILE, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
            raise
    path = os.path.join(folder, b".spool-" + os.urandom(8).hex().encode())
    descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    os.unlink(path)
    return descriptor


def length(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1]


class Spool:
    """The content of one member. Beyond `most` bytes its oldest lines make room for new ones."""

    def __init__(self, store: Store, most: int) -> None:
        self.store = store
        self.most = most
        self.size = 0
        self.lost = False     # whether something had to make room
        self.at_line = False  # whether what is left begins with a line
        self.tail = bytearray()
        self.pieces: Deque[Piece] = deque()

    def write(self, content: bytes) -> None:
        """Add content that ends a line."""
        self.size += len(content)
        self.tail += content
        while len(self.tail) >= SLOT:
            self.pieces.append(self.store.put(bytes(self.tail[:SLOT])))
            del self.tail[:SLOT]
        while self.pieces and self.size - length(self.pieces[0]) >= self.most:
            oldest = self.pieces.popleft()
            self.size -= length(oldest)
            self.at_line = self.store.get(oldest).endswith(b"\n")
            self.store.drop(oldest)
            self.lost = True

    def finish(self) -> None:
        """Put the rest away and cut to the limit, at the beginning of a line."""
        if self.tail:
            self.pieces.append(self.store.put(bytes(self.tail)))
            self.tail = bytearray()
        excess = self.size - self.most
        if excess <= 0 and (self.at_line or not self.lost):
            return
        self.lost = True
        while self.pieces:
            oldest = self.pieces.popleft()
            content = self.store.get(oldest)
            self.store.drop(oldest)
            self.size -= len(content)
            newline = content.find(b"\n", max(0, excess - 1)) + 1
            excess -= len(content)
            if newline:
                content = content[newline:]
                if content:
                    self.pieces.appendleft(self.store.put(content))
                    self.size += len(content)
                return

    def blocks(self) -> Iterator[bytes]:
        """Yield the content and let go of it; to be called once, after finish()."""
        while self.pieces:
            piece = self.pieces.popleft()
            content = self.store.get(piece)
            self.store.drop(piece)
            yield content

    def discard(self) -> None:
        while self.pieces:
            self.store.drop(self.pieces.popleft())
        self.tail = bytearray()
        self.size = 0
