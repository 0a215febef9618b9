"""The bytes of a tar by their offset, wherever they come from; nothing is unpacked to disk.

What can only be read from its beginning on, because it is compressed or comes from a program, is
read forward as far as possible, and begun anew where one must go back.
"""
import abc
import io
import os
import threading
from typing import IO, Callable, Optional, Tuple, Type, Union

from insights_mini.core.roots import no_beat
from insights_mini.exits import Failure
from insights_mini.hostfiles import open_regular

STEP = 256 * 1024
KEPT = 3 * STEP  # bytes behind the place of a flow that are at hand without going back
Stream = Union[IO[bytes], io.BufferedIOBase, io.RawIOBase]
MAGIC = ((b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "xz"))


class Medium(abc.ABC):
    """Raises OSError where the bytes cannot be had. `forward`: it is costly to go back."""

    forward = False

    @abc.abstractmethod
    def read(self, offset: int, size: int, beat: Callable[[], None] = no_beat) -> bytes:
        """Return the bytes from an offset on, fewer only at the end."""

    def close(self) -> None:  # noqa: B027  # most hold nothing
        """Give back what is held open."""


class Plain(Medium):
    """A file that is open; safe to use from several threads."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def read(self, offset: int, size: int, beat: Callable[[], None] = no_beat) -> bytes:
        return os.pread(self.descriptor, size, offset)

    def close(self) -> None:
        os.close(self.descriptor)


class Held(Medium):
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, offset: int, size: int, beat: Callable[[], None] = no_beat) -> bytes:
        return self.content[offset:offset + size]


class Part(Medium):
    """A part of another medium."""

    def __init__(self, whole: Medium, start: int, size: int) -> None:
        self.whole = whole
        self.forward = whole.forward
        self.start = start
        self.size = size

    def read(self, offset: int, size: int, beat: Callable[[], None] = no_beat) -> bytes:
        return self.whole.read(self.start + offset, max(0, min(size, self.size - offset)), beat)


class Flow(Medium):
    """What a stream gives; `begin` opens it at its beginning. Safe to use from several threads."""

    forward = True

    def __init__(self, begin: Callable[[], Stream], base: Optional[Medium] = None,
                 errors: Tuple[Type[Exception], ...] = ()) -> None:
        """`base` is closed with it; `errors` are those of a stream that is damaged."""
        self.begin = begin
        self.base = base
        self.errors: Tuple[Type[Exception], ...] = (EOFError, *errors)
        self.lock = threading.Lock()
        self.stream: Optional[Stream] = None
        self.at = 0      # offset of what the stream gives next
        self.kept = b""  # what it gave last

    def read(self, offset: int, size: int, beat: Callable[[], None] = no_beat) -> bytes:
        with self.lock:
            if self.stream is None or offset < self.at - len(self.kept):
                self.stop()
                self.stream = self.begin()
            found = [self.kept[max(0, offset - self.at + len(self.kept)):][:size]]
            left = size - len(found[0])
            while left > 0:
                block = self.take(beat)
                if not block:
                    break
                skipped = max(0, offset - self.at + len(block)) if not found[-1] else 0
                found.append(block[skipped:][:left])
                left -= len(found[-1])
            return b"".join(found)

    def take(self, beat: Callable[[], None]) -> bytes:
        """Return what comes next, and keep it."""
        assert self.stream is not None
        try:
            block = self.stream.read(STEP) or b""
        except self.errors as error:
            raise OSError(0, "it is damaged: %s" % error)
        self.at += len(block)
        self.kept = (self.kept + block)[-KEPT:]
        beat()
        return block

    def stop(self) -> None:
        if self.stream is not None:
            self.stream.close()
        self.stream, self.at, self.kept = None, 0, b""

    def close(self) -> None:
        self.stop()
        if self.base is not None:
            self.base.close()


class Reader(io.RawIOBase):
    """A medium, or a part of it with holes, as a file."""

    def __init__(self, medium: Medium, size: int = 1 << 62, start: int = 0,
                 pieces: Tuple[Tuple[int, int], ...] = (),
                 beat: Callable[[], None] = no_beat) -> None:
        """`pieces` are (offset, size) of what a sparse file has, stored one behind the other."""
        self.medium = medium
        self.size = size
        self.start = start
        self.pieces = pieces
        self.beat = beat
        self.at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.size}[whence]
        self.at = max(0, base + offset)
        return self.at

    def read(self, size: int = -1) -> bytes:
        size = min(STEP if size < 0 else size, self.size - self.at)
        content = b"" if size <= 0 else self.read_piece(size)
        self.at += len(content)
        return content

    def read_piece(self, size: int) -> bytes:
        """Return some bytes at the place: of one piece, or of one hole."""
        if not self.pieces:
            return self.medium.read(self.start + self.at, size, self.beat)
        stored = self.start
        for offset, length in self.pieces:
            if self.at < offset:
                return bytes(min(size, offset - self.at, STEP))
            if self.at < offset + length:
                return self.medium.read(stored + self.at - offset,
                                        min(size, offset + length - self.at), self.beat)
            stored += length
        return bytes(min(size, STEP))


def open_file(path: bytes, shown: str) -> Medium:
    """Return the bytes of a file, decompressed; raise Failure or Unreadable."""
    return unpack(Plain(open_regular(path)), shown)


def unpack(medium: Medium, shown: str) -> Medium:
    """Return what is in a medium if that is compressed, else the medium; raise Failure."""
    head = medium.read(0, 6)
    kind = next((kind for magic, kind in MAGIC if head.startswith(magic)), "")
    if not kind:
        return medium
    try:
        if kind == "gz":
            import gzip
            import zlib
            return Flow(lambda: gzip.GzipFile(fileobj=Reader(medium)), medium, (zlib.error,))
        if kind == "bz2":
            import bz2
            return Flow(lambda: bz2.BZ2File(Reader(medium)), medium)
        import lzma
        return Flow(lambda: lzma.LZMAFile(Reader(medium)),  # type: ignore[arg-type]
                    medium, (lzma.LZMAError,))
    except ImportError:
        raise Failure("cannot read %s" % shown, "this Python cannot decompress %s" % kind,
                      "decompress it first")
