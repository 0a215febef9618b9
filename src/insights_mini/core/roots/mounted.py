"""A root that is mounted somewhere and does not run. Nobody there is trusted.

The kernel is only ever asked for one name in a folder that is held open, and never to follow a
link. So no link leads out of the root, not even one that comes while a path is being walked.
"""
import os
from typing import Callable, List, Set

from insights_mini import hostfiles
from insights_mini.core.roots import LIVE, Opened, Status
from insights_mini.core.roots.running import make_status, open_descriptor
from insights_mini.core.roots.walk import OF_KERNEL, Tree, WalkedRoot
from insights_mini.exits import Failure, reason
from insights_mini.hostfiles import Unreadable
from insights_mini.log import show

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Folders(Tree[int]):
    """The folders of a mounted root, each an open descriptor."""

    def __init__(self, top: int) -> None:
        self.top = top
        self.foreign = find_foreign_devices(top)

    def look(self, folder: int, name: bytes) -> Status:
        return self.own(os.stat(name, dir_fd=folder, follow_symlinks=False))

    def own(self, status: os.stat_result) -> Status:
        if status.st_dev in self.foreign:
            raise Unreadable(OF_KERNEL, absent=True)
        return make_status(status)

    def link(self, folder: int, name: bytes) -> bytes:
        return os.readlink(name, dir_fd=folder)

    def list(self, folder: int) -> List[bytes]:
        return [os.fsencode(name) for name in os.listdir(folder)]

    def open(self, folder: int, name: bytes, beat: Callable[[], None]) -> Opened:
        return open_descriptor(self.check(hostfiles.open_quietly(
            name, os.O_NOFOLLOW | os.O_CLOEXEC, folder), hostfiles.check_kind))

    def enter(self, folder: int, name: bytes) -> int:
        return self.check(os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=folder))

    def check(self, descriptor: int, accept: Callable[[int], None] = lambda mode: None) -> int:
        """Return what was opened if it still is what was looked at, else close it."""
        try:
            accept(self.own(os.fstat(descriptor)).mode)
        except Unreadable:
            os.close(descriptor)
            raise
        return descriptor

    def leave(self, folder: int) -> None:
        os.close(folder)


def find_foreign_devices(top: int) -> Set[int]:
    """Return the devices of the running system's own file systems, which may be mounted below too.

    A root that is a folder of one of them, such as a copy, is not foreign to itself.
    """
    found = {os.stat("/").st_dev}
    for name in LIVE:
        try:
            found.add(os.stat(b"/" + name).st_dev)
        except OSError:
            continue
    return found - {os.fstat(top).st_dev}


class Mounted(WalkedRoot[int]):
    def __init__(self, folder: bytes) -> None:
        """Raises Failure where there is no such folder."""
        self.shown = show(folder)
        try:
            top = os.open(folder, FOLDER)
        except OSError as error:
            raise Failure("cannot collect from %s" % self.shown, reason(error),
                          "mount the host's root file system there")
        super().__init__(Folders(top))

    def close(self) -> None:
        os.close(self.tree.top)
