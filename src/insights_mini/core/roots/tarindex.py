"""What is in a tar, by folder, as if it were unpacked; read once from its beginning to its end."""
import stat
import tarfile
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from insights_mini.core.roots.media import Medium, Reader
from insights_mini.exits import Failure, reason
from insights_mini.hostfiles import MOST_LINKS

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
MOST_MEMBERS = 2 * 1000 * 1000
DEEPEST = 2048  # folders; the kernel's paths end there
LARGEST_HEADER = 16 * 1024 * 1024  # bytes, of long names and attributes before a member
KINDS = ((tarfile.TarInfo.isdir, stat.S_IFDIR), (tarfile.TarInfo.issym, stat.S_IFLNK),
         (tarfile.TarInfo.isfile, stat.S_IFREG), (tarfile.TarInfo.ischr, stat.S_IFCHR),
         (tarfile.TarInfo.isblk, stat.S_IFBLK), (tarfile.TarInfo.isfifo, stat.S_IFIFO))


class Node(NamedTuple):
    """One file, folder or link. `number` is its place among all, and stands for an inode."""

    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    number: int
    target: bytes = b""                      # of a link
    device: Tuple[int, int] = (0, 0)
    medium: Optional[Medium] = None          # where the content is
    start: int = 0                           # and at which offset
    pieces: Tuple[Tuple[int, int], ...] = ()  # of a sparse file
    children: Optional[Dict[bytes, Any]] = None  # of a folder, each a Node


class Member(NamedTuple):
    """A member of a tar: its path in parts, and what it is, or the path of what it is one with."""

    parts: Tuple[bytes, ...]
    node: Optional[Node]
    same: Tuple[bytes, ...] = ()


class Bounded(Reader):
    """A tar as the library reads it: nobody makes it take a gigabyte for a header."""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError("a header of %d bytes" % size)
        return super().read(size)


def split(name: str) -> Optional[Tuple[bytes, ...]]:
    """Return the parts of a member's name; None where it has no place in a root."""
    parts = tuple(part for part in name.encode("utf-8", "surrogateescape").split(b"/")
                  if part not in (b"", b"."))
    return None if b".." in parts or b"\0" in b"".join(parts) or len(parts) > DEEPEST else parts


def list_members(medium: Medium, shown: str, beat: Callable[[], None],
                 number: int = 0, whole: bool = True) -> Iterator[Member]:
    """Give the members of a tar in their order, numbered from `number`; raise Failure.

    `beat` is called again and again, and may raise to end it. What is `whole` must say that it ends
    where it does: what is missing may forbid the rest.
    """
    try:
        with tarfile.open(fileobj=Bounded(medium, beat=beat), mode="r:", encoding="utf-8",
                          errors="surrogateescape") as tar:
            for info in iter(tar.next, None):
                tar.members = []  # type: ignore[attr-defined]  # which would be kept for ever
                number += 1
                if info.size < 0 or number > MOST_MEMBERS:
                    raise tarfile.ReadError("it has %d members, or one of a size below 0" % number)
                stored = sum(piece[1] for piece in info.sparse or ())  # type: ignore[index]
                if stored > tar.offset - info.offset_data:
                    raise tarfile.ReadError("a sparse file has more than is stored of it")
                member = make_member(info, medium, number)
                if member is not None:
                    yield member
            end = tar.offset  # of what was understood
            rest = medium.read(end, tarfile.BLOCKSIZE, beat)
            if rest.strip(b"\0") or (whole and not rest):
                raise tarfile.ReadError("%s byte %d" % (
                    "nothing is understood from" if rest else "it is cut off at", end))
    except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise Failure("cannot read %s" % shown, "it is no tar, or damaged: %s" % why,
                      "give the tar of a root file system")


def make_member(info: tarfile.TarInfo, medium: Medium, number: int) -> Optional[Member]:
    """Return a member; None for what has no place in a root, or is no file of any kind."""
    parts = split(info.name)
    if parts is None:
        return None
    if info.islnk():
        same = split(info.linkname)
        return None if same is None else Member(parts, None, same)
    kind = next((kind for is_kind, kind in KINDS if is_kind(info)), 0)
    if not kind or (not parts and kind != stat.S_IFDIR):
        return None
    file = kind == stat.S_IFREG
    return Member(parts, Node(
        kind | info.mode & 0o7777, info.uid, info.gid, info.size if file else 0, int(info.mtime),
        number, info.linkname.encode("utf-8", "surrogateescape"),
        (info.devmajor, info.devminor), medium if file else None, info.offset_data,
        tuple(info.sparse or ()) if file else (),  # type: ignore[arg-type]  # pairs of numbers
        {} if kind == stat.S_IFDIR else None))


class Index:
    """The tree of a root, as members are laid over what is there already."""

    def __init__(self) -> None:
        self.top = Node(stat.S_IFDIR | 0o755, 0, 0, 0, 0, 0, children={})
        self.made = 0  # folders that no member named; their numbers are negative

    def lay(self, members: Iterable[Member]) -> None:
        """Add members; of two with one path the later one counts, and folders keep what is in them.
        """
        for member in members:
            node = member.node
            if node is None:
                node = self.find(member.same)
                if node is None or node.children is not None:  # a folder in itself has no end
                    continue
            if member.parts:
                self.place(member.parts, node)
            else:
                self.top = node._replace(children=self.top.children)

    def place(self, parts: Sequence[bytes], node: Node) -> None:
        folder = self.make_folder(parts[:-1])
        there = folder.get(parts[-1])
        if node.children is not None and there is not None and there.children is not None:
            node = node._replace(children=there.children)
        folder[parts[-1]] = node

    def make_folder(self, parts: Sequence[bytes]) -> Dict[bytes, Node]:
        """Return what is in a folder, which is made if need be; links are followed to one."""
        here = self.top
        trail: List[Node] = []
        left, links = list(parts[::-1]), 0
        while left:
            name = left.pop()
            if name == b"..":
                here = trail.pop() if trail else here
                continue
            children: Optional[Dict[bytes, Node]] = here.children
            assert children is not None  # a folder is all that is gone into
            there = children.get(name)
            if there is not None and there.target and links < MOST_LINKS:
                links += 1
                if there.target.startswith(b"/"):
                    here, trail = self.top, []
                left += [part for part in there.target.split(b"/")[::-1] if part not in (b"", b".")]
                continue
            if there is None or there.children is None:
                self.made += 1
                there = Node(stat.S_IFDIR | 0o755, 0, 0, 0, 0, -self.made, children={})
                children[name] = there
            trail.append(here)
            here = there
        assert here.children is not None
        return here.children

    def find(self, parts: Sequence[bytes]) -> Optional[Node]:
        """Return what has a path, no links followed."""
        here: Optional[Node] = self.top
        for part in parts:
            here = here.children.get(part) if here is not None and here.children else None
        return here

    def white_out(self, members: Sequence[Member]) -> List[Member]:
        """Take away what a layer of an image says is gone; return its other members.

        Source: the OCI image specification, layer.md, whiteouts.
        """
        left = []
        for member in members:
            name = member.parts[-1] if member.parts else b""
            if not name.startswith(WHITEOUT):
                left.append(member)
                continue
            folder = self.find(member.parts[:-1])
            if folder is None or folder.children is None:
                continue
            if name == OPAQUE:
                folder.children.clear()
            else:
                folder.children.pop(name[len(WHITEOUT):], None)
        return left
