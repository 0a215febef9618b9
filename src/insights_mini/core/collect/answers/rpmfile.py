"""Reads a database of rpm at the places that it names itself; nobody who wrote it is trusted."""
import time

from insights_mini.core.collect.instead import Means
from insights_mini.hostfiles import Unreadable

LARGEST = 32 * 1024 * 1024  # bytes of a package's header; real ones have up to 20 MB
MOST = 4 * 1024 ** 3        # bytes of a file; one with holes may claim any size
HEAD = 512                  # bytes that tell how the rest is to be read


class Damaged(Unreadable):
    def __init__(self, what: str) -> None:
        super().__init__("is no sound database of packages: " + what)


class Source:
    """A file of which, all in all, not more is read than there is, its head apart.

    So whatever leads back to where it came from comes to an end.
    """

    def __init__(self, means: Means, path: bytes, times: int = 1) -> None:
        """`times` is how often it may be read. Raises Unreadable."""
        opened = means.root.open(path, means.beat)
        if opened.size > MOST:
            opened.file.close()
            raise Damaged("it is larger than any")
        if opened.forward:
            opened.file.close()
            raise Unreadable("lies compressed and is read at places all over: unpack the tar first")
        self.means = means
        self.path = path
        self.file = opened.file
        self.size = opened.size
        self.left = times * opened.size + HEAD

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def read(self, offset: int, size: int) -> bytes:
        """Return exactly these bytes; raise Unreadable or OSError."""
        self.left -= size
        if self.left < 0:
            raise Damaged("its parts lead back to each other")
        if offset + size > self.size:
            raise Damaged("it names a place behind its end")
        if self.means.stop.is_set() or time.monotonic() > self.means.deadline:
            raise Unreadable("run time over")
        self.means.beat()
        self.file.seek(offset)
        content = self.file.read(size) or b""
        while len(content) < size:
            more = self.file.read(size - len(content))
            if not more:
                raise Damaged("it is cut off")
            content += more
        return content
