"""An archive that the kernel unpacks into its first root, in the form "newc".

The form: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
"""
import os
import stat
from typing import Dict, List, NamedTuple, Set

MAGIC, LAST = b"070701", "TRAILER!!!"


class Entry(NamedTuple):
    """A file, folder or link: its mode with its type, its contents, its time in seconds."""

    mode: int
    content: bytes = b""
    mtime: int = 0


class Cpio:
    """Files by their paths, which begin without a slash."""

    def __init__(self) -> None:
        self.entries: Dict[str, Entry] = {}

    def add(self, path: str, content: bytes, mode: int = 0o644, mtime: int = 0) -> None:
        self.entries[path] = Entry(stat.S_IFREG | mode, content, mtime)

    def add_link(self, path: str, target: str) -> None:
        self.entries[path] = Entry(stat.S_IFLNK | 0o777, target.encode())

    def add_copy(self, source: str, path: str = "") -> None:
        """Add a file of this machine, with its mode and time, by default at its own path."""
        status = os.stat(source)
        with open(source, "rb") as file:
            self.add(path or source.lstrip("/"), file.read(), status.st_mode & 0o777,
                     int(status.st_mtime))

    def folders(self) -> List[str]:
        """Return the folders that the entries are in, each after the one that it is in."""
        found: Set[str] = set()
        for path in self.entries:
            parts = path.split("/")
            found.update("/".join(parts[:count]) for count in range(1, len(parts)))
        return sorted(found - set(self.entries))

    def pack(self) -> bytes:
        parts = []
        folders = [(path, Entry(stat.S_IFDIR | 0o755)) for path in self.folders()]
        for number, (path, entry) in enumerate(folders + sorted(self.entries.items())):
            parts += [pack_head(number + 1, path, entry), pad(entry.content)]
        return b"".join(parts) + pack_head(0, LAST, Entry(0))


def pad(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)


def pack_head(number: int, path: str, entry: Entry) -> bytes:
    name = path.encode() + b"\0"
    # inode, mode, user, group, links, time, size, numbers of two devices, name, no checksum
    fields = (number, entry.mode, 0, 0, 1, entry.mtime, len(entry.content), 0, 0, 0, 0,
              len(name), 0)
    return pad(MAGIC + b"".join(b"%08x" % field for field in fields) + name)
