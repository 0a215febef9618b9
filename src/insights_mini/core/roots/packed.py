"""A root in a tar, an earlier archive of ours, or an image of a container as it is saved.

Nothing is unpacked to disk: links and all are resolved in what the tar says.
"""
import errno
import json
import os
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from insights_mini.core.roots import Opened, Status
from insights_mini.core.roots.media import Held, Medium, Part, Reader, open_file, unpack
from insights_mini.core.roots.tarindex import Index, Member, Node, list_members
from insights_mini.core.roots.walk import Tree, WalkedRoot
from insights_mini.exits import Failure
from insights_mini.hostfiles import Unreadable
from insights_mini.log import show

LARGEST = 16 * 1024 * 1024  # bytes of a description in an image
HELD = 16 * 1024 * 1024     # bytes of a file that is held in memory rather than read anew
NO_FILES: Dict[bytes, Any] = {}


class Nodes(Tree[Node]):
    """The folders of an index."""

    def __init__(self, top: Node) -> None:
        self.top = top
        self.links: Dict[int, int] = {}  # of folders, by their numbers; each is counted once

    def look(self, folder: Node, name: bytes) -> Status:
        node = self.get(folder, name)
        return Status(node.mode, self.count_links(node), node.uid, node.gid,
                      node.size if not node.target else len(node.target), node.mtime, node.device,
                      (0, node.number), -(-node.size // 4096) * 8)

    def count_links(self, node: Node) -> int:
        """Return 1 for a file, and for a folder 2 and one for each folder in it."""
        if node.children is None:
            return 1
        if node.number not in self.links:
            self.links[node.number] = 2 + sum(child.children is not None
                                              for child in node.children.values())
        return self.links[node.number]

    def get(self, folder: Node, name: bytes) -> Node:
        if name == b".":
            return folder
        if len(name) > 255:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        node: Optional[Node] = (folder.children or NO_FILES).get(name)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return node

    def link(self, folder: Node, name: bytes) -> bytes:
        node = self.get(folder, name)
        if not node.target:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return node.target

    def list(self, folder: Node) -> List[bytes]:
        return list(folder.children or ())

    def open(self, folder: Node, name: bytes, beat: Callable[[], None]) -> Opened:
        node = self.get(folder, name)
        assert node.medium is not None
        medium, start, forward = node.medium, node.start, node.medium.forward
        if forward and node.size <= HELD and not node.pieces:
            medium, start, forward = Held(medium.read(start, node.size, beat)), 0, False
        reader = Reader(medium, node.size, start, node.pieces, beat)
        return Opened(reader, node.size, (0, node.number), direct=False, forward=forward)

    def enter(self, folder: Node, name: bytes) -> Node:
        node = self.get(folder, name)
        if node.children is None:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return node


class Packed(WalkedRoot[Node]):
    def __init__(self, medium: Medium, shown: str, seconds: float) -> None:
        """Raises Failure where the bytes are no tar, or a look through it takes too many seconds;
        the medium is closed with the root."""
        self.medium = medium
        self.shown = shown + ":"
        try:
            super().__init__(Nodes(find_top(medium, shown, make_limit(shown, seconds))))
        except BaseException:
            medium.close()
            raise

    def is_live(self, path: bytes) -> bool:
        return False  # what a tar has of /proc was written down when that host ran

    def rank(self, path: bytes) -> int:
        """Members are read in their order, so that what is compressed is decompressed once."""
        try:
            return self.status(path).identity[1]
        except Unreadable:
            return 0

    def close(self) -> None:
        self.medium.close()


def make_limit(shown: str, seconds: float) -> Callable[[], None]:
    """Return what raises Failure when it is called too late."""
    until = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > until:
            raise Failure("cannot read %s" % shown, "a look through it took more than %g s" %
                          seconds, "give it more with --max-time, or unpack it")

    return check


def open_packed(path: bytes, seconds: float) -> Packed:
    """Return the root in a file; raise Failure."""
    shown = show(path)
    try:
        return Packed(open_file(path, shown), shown, seconds)
    except Unreadable as error:
        raise Failure("cannot read %s" % shown, error.why, "give the tar of a root file system")


def find_top(medium: Medium, shown: str, beat: Callable[[], None]) -> Node:
    """Return the top folder of the root that is in a tar; raise Failure."""
    index = Index()
    index.lay(list_members(medium, shown, beat))
    children = index.top.children or NO_FILES
    if not children:
        raise Failure("cannot read %s" % shown, "there is nothing in it",
                      "give the tar of a root file system")
    layers = list_layers(children)
    if layers:
        index = overlay(layers, shown, beat)
    elif len(children) == 1:  # an earlier archive of ours has all in one folder
        only: Node = next(iter(children.values()))
        if b"insights_commands" in (only.children or ()):
            return only
    return index.top


def list_layers(children: Dict[bytes, Any]) -> List[Node]:
    """Return the layers of an image, the lowest first; none where there is no image.

    Sources: the manifest.json that `docker save` and `podman save` write, and where that is not,
    the OCI image specification (image-layout.md, manifest.md).
    """
    index = Index()
    index.top = index.top._replace(children=children)

    def find(path: str) -> Node:
        node = index.find(tuple(part.encode("utf-8", "surrogateescape")
                                for part in path.split("/") if part))
        if node is None or node.medium is None:
            target = node.target if node is not None else b""
            if target.startswith(b"../"):  # older `docker save`: a layer that is there already
                return find(os.fsdecode(target[3:]))
            raise KeyError(path)
        return node

    def read(path: str) -> Any:
        node = find(path)
        assert node.medium is not None
        return json.loads(node.medium.read(node.start, min(node.size, LARGEST)).decode("utf-8"))

    def blob(item: Any) -> str:
        return "blobs/" + str(item["digest"]).replace(":", "/", 1)

    try:
        if b"manifest.json" in children:
            return [find(layer) for layer in read("manifest.json")[0]["Layers"]]
        if b"oci-layout" in children:
            manifest = read(blob(read("index.json")["manifests"][0]))
            if "manifests" in manifest:  # one for each kind of machine
                manifest = read(blob(manifest["manifests"][0]))
            return [find(blob(layer)) for layer in manifest["layers"]]
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        return []  # the files of a root may have these names too
    return []


def overlay(layers: Sequence[Node], shown: str, beat: Callable[[], None]) -> Index:
    """Return the layers laid over each other; each is read in the order of the stream."""
    members: Dict[int, Tuple[Node, List[Member]]] = {}
    number = 0
    for layer in sorted(set(layers), key=lambda layer: layer.number):
        assert layer.medium is not None
        inner = unpack(Part(layer.medium, layer.start, layer.size), shown)
        found = list(list_members(inner, shown, beat, number, whole=False))
        number = max([number, *(member.node.number for member in found if member.node)])
        members[layer.number] = (layer, found)
    index = Index()
    for layer in layers:
        index.lay(index.white_out(members[layer.number][1]))
    return index
