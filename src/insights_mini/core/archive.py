"""The archive: one top folder in a tar, compressed while it is written (CONTRACT.md section 5).

Bytes in, bytes out; where they go is output.py's matter. Order and content are the caller's; all
else about a member is fixed, so that two archives of the same contents are the same.
"""
import tarfile
from typing import Callable, Iterable, NamedTuple, Tuple

from insights_mini.exits import Failure

MODE = 0o600
TIME = 315532800  # 1980-01-01: tar warns of members from 1970
RECORD = 10240    # a tar is padded to a multiple of this

TOP_MEMBERS = (b"branch_info", b"version_info", b"display_name", b"tags.json", b"blacklist_report")
# Path parts by which the analysis side would take the archive for one of another kind.
MISLEADING = (b"JBOSS_HOME", b"sos_commands", b"insights_archive.txt")
COMMANDS = b"insights_commands"


class Compressor(NamedTuple):
    compress: Callable[[bytes], bytes]
    flush: Callable[[], bytes]


def usual_compressor() -> str:
    """Return what to compress with where nobody chose: gz, or nothing without zlib."""
    try:
        import zlib  # noqa: F401  # only whether it is there
    except ImportError:
        return "none"
    return "gz"


def make_compressor(kind: str) -> Compressor:
    """Return a compressor; Failure when this Python was built without it."""
    try:
        if kind == "gz":
            import zlib
            gz = zlib.compressobj(6, zlib.DEFLATED, 31)
            return Compressor(gz.compress, gz.flush)
        if kind == "bz2":
            import bz2
            bz = bz2.BZ2Compressor()
            return Compressor(bz.compress, bz.flush)
        if kind == "xz":
            import lzma
            xz = lzma.LZMACompressor(preset=2)  # more would need more memory than a run may take
            return Compressor(xz.compress, xz.flush)
    except ImportError:
        raise Failure("this Python cannot compress with %s" % kind,
                      remedy="choose another --compressor")
    return Compressor(bytes, bytes)


class Archive:
    def __init__(self, write: Callable[[bytes], None], compressor: Compressor, top: bytes) -> None:
        self.write = write
        self.compressor = compressor
        self.top = safe_name(top, False)[0]
        self.size = 0  # of the tar, before compression

    def add(self, name: bytes, size: int, blocks: Iterable[bytes]) -> None:
        """Write a member, whose blocks must amount to its size."""
        self.put(make_header(self.top + b"/" + name, size))
        left = size
        for block in blocks:
            left -= len(block)
            self.put(block)
        if left:
            raise ValueError("a member is not as large as it was said to be")
        self.put(bytes(-size % tarfile.BLOCKSIZE))

    def put(self, content: bytes) -> None:
        self.size += len(content)
        packed = self.compressor.compress(content)
        if packed:
            self.write(packed)

    def close(self) -> None:
        self.put(bytes(2 * tarfile.BLOCKSIZE))
        self.put(bytes(-self.size % RECORD))
        self.write(self.compressor.flush())


def make_header(name: bytes, size: int) -> bytes:
    """Return the tar header of a regular file; names of any length and any bytes are stored."""
    info = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
    info.size = size
    info.mode = MODE
    info.mtime = TIME
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def safe_name(name: bytes, command: bool) -> Tuple[bytes, bool]:
    """Return the name under which a member is stored, and whether it had to be changed.

    Nothing from the host may mislead the analysis side about the kind of the archive, nor stand
    where our own members do.
    """
    parts = name.split(b"/")
    forbidden = MISLEADING if command else MISLEADING + (COMMANDS,)
    changed = [part + b"_" if part in forbidden else part for part in parts]
    if len(parts) == 1 and name in TOP_MEMBERS:
        changed = [name + b"_"]
    return b"/".join(changed), changed != parts
