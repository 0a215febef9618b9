"""Resolves paths within a root, component by component, as the host of that root would.

Links, absolute or relative, and `..` lead nowhere but to another place in the root: each name is
looked at in a folder that is held, never as part of a path that a kernel would follow.
"""
import abc
import contextlib
import errno
import os
from typing import Callable, Generic, Iterator, List, Tuple, TypeVar

from insights_mini.core.roots import Opened, Root, Status, no_beat
from insights_mini.hostfiles import MOST_LINKS, Unreadable, check_kind, explain

Handle = TypeVar("Handle")
OF_KERNEL = "belongs to a running kernel"


class Tree(abc.ABC, Generic[Handle]):
    """What a walk needs of a root. Folders are known by handles; a name of b"." is the folder
    itself. All but `leave` raise OSError or Unreadable."""

    top: Handle

    @abc.abstractmethod
    def look(self, folder: Handle, name: bytes) -> Status:
        """Return the status of what a folder has under a name, links not followed."""

    @abc.abstractmethod
    def link(self, folder: Handle, name: bytes) -> bytes:
        """Return what a link in a folder says."""

    @abc.abstractmethod
    def list(self, folder: Handle) -> List[bytes]:
        """Return the names in a folder, in any order."""

    @abc.abstractmethod
    def open(self, folder: Handle, name: bytes, beat: Callable[[], None]) -> Opened:
        """Open a regular file; a link is none."""

    @abc.abstractmethod
    def enter(self, folder: Handle, name: bytes) -> Handle:
        """Return a folder in a folder; a link is none."""

    def leave(self, folder: Handle) -> None:
        """Let go of a folder that was entered."""


class Walk(Generic[Handle]):
    """One walk, from the top of a tree; to be closed."""

    def __init__(self, tree: "Tree[Handle]") -> None:
        self.tree = tree
        self.folders: List[Tuple[bytes, Handle]] = []  # that were entered, each with its name
        self.rest: List[bytes] = []  # names that are still to be walked, the next one at the end

    @property
    def here(self) -> Handle:
        return self.folders[-1][1] if self.folders else self.tree.top

    @property
    def path(self) -> bytes:
        return b"/" + b"/".join(name for name, _ in self.folders)

    def back(self, steps: int) -> None:
        for _ in range(steps):
            self.tree.leave(self.folders.pop()[1])

    def enter(self, name: bytes) -> None:
        self.folders.append((name, self.tree.enter(self.here, name)))

    def add(self, path: bytes) -> None:
        """Have a path walked next; with a slash at its end it must name a folder."""
        names = (path + b"." if path.endswith(b"/") else path).split(b"/")
        self.rest += [name for name in names[::-1] if name]

    def go(self, path: bytes, follow: bool) -> bytes:
        """Go to the folder that holds what a path names, and return its name there.

        That is b"." where the path names the folder itself. Only with `follow` a link at the end
        is followed. On OSError and Unreadable, `rest` is what could not be walked.
        """
        self.add(path)
        links = 0
        while self.rest:
            name = self.rest[-1]
            if name == b"..":
                self.back(min(1, len(self.folders)))
            elif name != b".":
                status = self.tree.look(self.here, name)
                if status.is_link and (follow or self.rest[1:]):
                    links += 1
                    if links > MOST_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                    target = self.tree.link(self.here, name)
                    self.back(len(self.folders) if target.startswith(b"/") else 0)
                    self.rest.pop()
                    self.add(target)
                    continue
                if not self.rest[1:]:
                    return name
                self.enter(name)
            self.rest.pop()
        return b"."


class WalkedRoot(Root, Generic[Handle]):
    """A root whose paths are resolved here; of a running kernel it has nothing."""

    def __init__(self, tree: "Tree[Handle]") -> None:
        self.tree = tree

    @contextlib.contextmanager
    def walk(self) -> "Iterator[Walk[Handle]]":
        walk = Walk(self.tree)
        try:
            yield walk
            self.refuse_live(walk)
        except OSError as error:
            raise explain(error)
        except ValueError:
            raise Unreadable("is no name that a file can have", absent=True)
        finally:
            walk.back(len(walk.folders))

    def refuse_live(self, walk: "Walk[Handle]") -> None:
        if walk.folders and self.is_live(walk.path):
            raise Unreadable(OF_KERNEL, absent=True)

    def open(self, path: bytes, beat: Callable[[], None] = no_beat) -> Opened:
        with self.walk() as walk:
            name = walk.go(path, True)
            self.refuse_live(walk)
            check_kind(self.tree.look(walk.here, name).mode)
            return self.tree.open(walk.here, name, beat)

    def names(self, path: bytes) -> List[bytes]:
        with self.walk() as walk:
            self.enter(walk, path)
            return sorted(self.tree.list(walk.here))

    def entries(self, path: bytes) -> List[Tuple[bytes, Status]]:
        found = []
        with self.walk() as walk:
            self.enter(walk, path)
            for name in sorted(self.tree.list(walk.here)):
                with contextlib.suppress(OSError, Unreadable):
                    found.append((name, self.tree.look(walk.here, name)))
        return found

    def enter(self, walk: "Walk[Handle]", path: bytes) -> None:
        name = walk.go(path, True)
        if name != b".":
            walk.enter(name)

    def status(self, path: bytes, follow: bool = True) -> Status:
        with self.walk() as walk:
            name = walk.go(path, follow)
            return self.tree.look(walk.here, name)

    def readlink(self, path: bytes) -> bytes:
        with self.walk() as walk:
            name = walk.go(path, False)
            return self.tree.link(walk.here, name)

    def real(self, path: bytes) -> bytes:
        walk = Walk(self.tree)
        try:
            rest = [walk.go(path, True)]
        except (OSError, ValueError, Unreadable):
            rest = walk.rest[::-1]
        real = os.path.normpath(os.path.join(walk.path, *rest))
        walk.back(len(walk.folders))
        return real
