"""Where a run collects from: the running host, or a root that does not run, mounted or packed.

A path is always the one that the collected host would use, absolute, whatever leads to it here.
"""
import abc
import io
import stat
from typing import Callable, FrozenSet, List, NamedTuple, Tuple

from insights_mini.hostfiles import Unreadable
from insights_mini.log import show

# Folders that a kernel fills while it runs; on a disk that does not run there is nothing in them.
LIVE = (b"proc", b"sys", b"dev", b"run")

Identity = Tuple[int, int]  # device and inode, or what stands for them


class Status(NamedTuple):
    """What is known of a file without opening it. Times are seconds since 1970, sizes bytes."""

    mode: int
    links: int
    uid: int
    gid: int
    size: int
    mtime: float
    device: Tuple[int, int]  # major and minor number of a device node
    identity: Identity
    blocks: int              # of 512 bytes

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)


class Opened(NamedTuple):
    """A regular file that was opened. `direct` tells whether it has a descriptor of its own, and
    `forward` that going far back in it takes as long as reading all before it."""

    file: io.RawIOBase
    size: int  # 0 where the kernel does not tell it
    identity: Identity
    direct: bool = True
    forward: bool = False


def no_beat() -> None:
    """Stand for the sign of progress where nobody waits for it."""


class Root(abc.ABC):
    """The files of one host. All methods raise Unreadable, which tells what is absent.

    `runs` tells whether the host's commands are run; `shown` is how a user knows the root.
    """

    runs = False
    shown = ""

    @abc.abstractmethod
    def open(self, path: bytes, beat: Callable[[], None] = no_beat) -> Opened:
        """Open a regular file for reading, links followed; `beat` is called while that takes long.
        """

    @abc.abstractmethod
    def names(self, path: bytes) -> List[bytes]:
        """Return what is in a folder, sorted."""

    @abc.abstractmethod
    def entries(self, path: bytes) -> List[Tuple[bytes, Status]]:
        """Return what is in a folder, sorted by name, links not followed; what goes meanwhile is
        left out."""

    @abc.abstractmethod
    def status(self, path: bytes, follow: bool = True) -> Status:
        """Return what is known of a file; of a link itself only without `follow`."""

    @abc.abstractmethod
    def readlink(self, path: bytes) -> bytes:
        """Return what a link says."""

    @abc.abstractmethod
    def real(self, path: bytes) -> bytes:
        """Return the path without links and detours; what does not exist stays as it is written."""

    def rank(self, path: bytes) -> int:
        """Return a number by which files are read in the order that is cheapest for this root."""
        return 0

    def is_live(self, path: bytes) -> bool:
        """Tell whether a path belongs to a running kernel, from which this root does not collect.
        """
        return path.lstrip(b"/").partition(b"/")[0] in LIVE

    def is_folder(self, path: bytes) -> bool:
        try:
            return self.status(path).is_folder
        except Unreadable:
            return False

    def exists(self, path: bytes) -> bool:
        """Tell whether something has this name, be it a link to nowhere."""
        try:
            self.status(path, follow=False)
        except Unreadable:
            return False
        return True

    def show(self, path: bytes) -> str:
        """Return a path as a user of the running host finds it."""
        return self.shown + show(path)

    def close(self) -> None:  # noqa: B027  # most hold nothing
        """Give back what the root holds open."""


class Guarded(Root):
    """A root without what its owner forbids to open."""

    def __init__(self, root: Root, forbidden: FrozenSet[Identity],
                 forbids: Callable[[bytes], str]) -> None:
        self.root = root
        self.forbidden = forbidden
        self.forbids = forbids

    def names(self, path: bytes) -> List[bytes]:
        return self.root.names(path)

    def entries(self, path: bytes) -> List[Tuple[bytes, Status]]:
        return self.root.entries(path)

    def status(self, path: bytes, follow: bool = True) -> Status:
        return self.root.status(path, follow)

    def readlink(self, path: bytes) -> bytes:
        return self.root.readlink(path)

    def real(self, path: bytes) -> bytes:
        return self.root.real(path)

    def is_live(self, path: bytes) -> bool:
        return self.root.is_live(path)

    def open(self, path: bytes, beat: Callable[[], None] = no_beat) -> Opened:
        if self.forbids(path):
            raise Unreadable("is excluded")
        opened = self.root.open(path, beat)
        if opened.identity in self.forbidden:
            opened.file.close()
            raise Unreadable("is excluded")
        return opened


def read_small(root: Root, path: bytes, most: int) -> bytes:
    """Return the whole of a file that is expected to be small; raise Unreadable, also if it is not.
    """
    opened = root.open(path)
    with opened.file as file:
        content = b""
        while len(content) <= most:
            try:
                block = file.read(most + 1 - len(content))
            except OSError as error:
                raise Unreadable(error.strerror or type(error).__name__)
            if not block:
                return content
            content += block
    raise Unreadable("is larger than %d bytes" % most)
