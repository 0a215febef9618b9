"""The running host itself, whose kernel resolves the paths; also from inside a container."""
import contextlib
import os
from typing import Callable, List, Tuple

from insights_mini import hostfiles
from insights_mini.core.roots import Opened, Root, Status, no_beat
from insights_mini.hostfiles import Unreadable, explain


class Running(Root):
    runs = True

    def open(self, path: bytes, beat: Callable[[], None] = no_beat) -> Opened:
        return open_descriptor(hostfiles.open_regular(path))

    def names(self, path: bytes) -> List[bytes]:
        try:
            return sorted(os.listdir(path))
        except OSError as error:
            raise explain(error)

    def entries(self, path: bytes) -> List[Tuple[bytes, Status]]:
        found = []
        for name in self.names(path):
            with contextlib.suppress(Unreadable):
                found.append((name, self.status(os.path.join(path, name), follow=False)))
        return found

    def status(self, path: bytes, follow: bool = True) -> Status:
        try:
            return make_status(os.stat(path, follow_symlinks=follow))
        except OSError as error:
            raise explain(error)
        except ValueError:
            raise Unreadable("is no name that a file can have", absent=True)

    def readlink(self, path: bytes) -> bytes:
        try:
            return os.readlink(path)
        except OSError as error:
            raise explain(error)

    def real(self, path: bytes) -> bytes:
        return os.path.realpath(path)

    def is_live(self, path: bytes) -> bool:
        return False


class Contained(Running):
    """A container from inside: the kernel that it sees, and its /proc and /sys, are the host's."""

    def open(self, path: bytes, beat: Callable[[], None] = no_beat) -> Opened:
        if self.is_live(self.real(path)):
            raise Unreadable("belongs to the kernel of the container's host", absent=True)
        return super().open(path, beat)

    def is_live(self, path: bytes) -> bool:
        return path.lstrip(b"/").partition(b"/")[0] in (b"proc", b"sys")


HOST = Running()


def open_descriptor(descriptor: int) -> Opened:
    """Return what is open under a descriptor, which is closed with it."""
    status = os.fstat(descriptor)
    return Opened(open(descriptor, "rb", buffering=0), status.st_size,
                  (status.st_dev, status.st_ino))


def make_status(status: os.stat_result) -> Status:
    return Status(status.st_mode, status.st_nlink, status.st_uid, status.st_gid, status.st_size,
                  status.st_mtime, (os.major(status.st_rdev), os.minor(status.st_rdev)),
                  (status.st_dev, status.st_ino), status.st_blocks)
