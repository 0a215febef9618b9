"""What an egg is: a zip with an updatable core, its format and version, its place in the order.

Facts: CONTRACT.md section 3. Nothing of an egg is run here, and nothing decides about trust.
"""
import io
import os
import re
from typing import Dict, List, NamedTuple, Sequence, Tuple

from insights_mini import hostfiles
from insights_mini.statefiles import write_private
from insights_mini.version import VERSION

OURS, ORIGINAL = "ours", "original"
ENV, NEW, STABLE, RPM = "ENV egg", "NEW egg", "STABLE egg", "RPM egg"
LARGEST = 16 * 1024 * 1024  # bytes of an egg
LONGEST = 4096              # bytes of an entry with a version in it
END_OF_ZIP = b"PK\5\6"      # begins the last record, 22 bytes and a comment (APPNOTE.TXT, 4.3.16)
OUR_VERSION = re.compile(rb'^VERSION = "([0-9]{1,9}(?:\.[0-9]{1,9}){0,3})"', re.MULTILINE)
ANY_VERSION = re.compile(r"[0-9A-Za-z.+_-]{1,80}")
VERSION_LINE = re.compile("(ours|original) (%s)" % ANY_VERSION.pattern)

# How an egg in the original's format is driven (CONTRACT.md section 3.5). The first place of the
# path is what it would look through before PYTHONPATH: the folder in which the user happens to be.
DRIVER = """\
import os, sys
sys.path[0] = os.environ["PYTHONPATH"]
from insights.client.phase import v1
sys.exit(getattr(v1, os.environ["INSIGHTS_PHASE"])())
"""


class Unfit(Exception):
    """The reason, fit for a message, why a content is no egg that could be used."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Egg(NamedTuple):
    """An updatable core that may run the phases."""

    name: str            # for messages
    version: str
    format: str = OURS
    path: bytes = b""    # of the private copy that runs; none for the built-in egg
    source: bytes = b""  # where it was found
    signature: bytes = b""  # what vouches for it; none if that was not asked for

    def __str__(self) -> str:
        return "%s %s" % (self.name, self.version)


BUILT_IN = Egg("built-in egg", VERSION)


def command(egg: Egg, python: str) -> List[str]:
    """Return what starts an egg, with INSIGHTS_PHASE and PYTHONPATH in the environment."""
    return [python, os.fsdecode(egg.path)] if egg.format == OURS else [python, "-c", DRIVER]


def looks_like_zip(content: bytes) -> bool:
    return content.rfind(END_OF_ZIP, max(0, len(content) - 65557)) >= 0


def identify(content: bytes) -> Tuple[str, str]:
    """Return format and version of an egg, or raise Unfit; give it only what is trusted.

    For reading a zip is much code. No more of an entry is unpacked than the first few bytes.
    """
    if not looks_like_zip(content):
        raise Unfit("is no zip")
    import struct  # these late: only where there is an egg besides the built-in one
    import zipfile
    broken = (zipfile.BadZipFile, RuntimeError, EOFError, ValueError, LookupError, OSError,
              OverflowError, struct.error, getattr(zipfile.zlib, "error", EOFError))  # type: ignore[attr-defined]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())

            def read(name: str) -> bytes:
                info = archive.getinfo(name)
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise Unfit("is packed in a way from which Python runs nothing")
                with archive.open(info) as entry:
                    return entry.read(LONGEST)

            if {"__main__.py", "insights_mini/version.py"} <= names:
                found = OUR_VERSION.search(read("insights_mini/version.py"))
                if found is None:
                    raise Unfit("does not tell its version")
                return OURS, found.group(1).decode("ascii")
            if "insights/client/phase/v1.py" in names:
                parts = [read(name).strip().decode("ascii", "replace") for name in
                         ("insights/VERSION", "insights/RELEASE") if name in names]
                version = "-".join(part for part in parts if part)
                return ORIGINAL, version if ANY_VERSION.fullmatch(version) else "unknown"
    except broken:
        raise Unfit("is a broken zip")
    raise Unfit("is no egg: it has neither insights_mini nor insights/client/phase/v1.py")


def numbers(version: str) -> List[int]:
    """Return what versions are compared by: 1.10 is after 1.9, and 1.0 is 1."""
    found = [int(digits) for digits in re.findall(r"[0-9]{1,9}", version)]
    while found and not found[-1]:
        del found[-1]
    return found


def is_older(one: str, other: str) -> bool:
    return numbers(one) < numbers(other)


def put_in_order(found: Sequence[Egg], own: Egg = BUILT_IN) -> List[Egg]:
    """Return the eggs that were found and the built-in one in the order in which they are tried.

    NEW and STABLE are left out where they are older than the built-in one. Between STABLE and the
    shipped ones, RPM and the built-in one, a higher version goes first if the format is the same.
    """
    by_name: Dict[str, Egg] = {egg.name: egg for egg in found}
    fresh = [by_name[name] for name in (NEW, STABLE) if name in by_name
             and not (by_name[name].format == own.format
                      and is_older(by_name[name].version, own.version))]
    shipped = [own]
    if RPM in by_name:
        rpm = by_name[RPM]
        first = rpm.format != own.format or is_older(own.version, rpm.version)
        shipped.insert(0 if first else 1, rpm)
    ordered = [egg for egg in found if egg.name == ENV] + [egg for egg in fresh if egg.name == NEW]
    for stable in (egg for egg in fresh if egg.name == STABLE):
        higher = [egg.format == stable.format and is_older(stable.version, egg.version)
                  for egg in shipped]
        shipped.insert(higher.count(True), stable)
    return ordered + shipped


def read_versions(path: bytes) -> Dict[str, str]:
    """Return, by format, the highest version that has done a run on this host.

    Raises Unfit when the file cannot be understood: nothing older must get by because of that.
    """
    try:
        lines = hostfiles.read_small(path, LONGEST).decode("ascii", "replace").splitlines()
    except hostfiles.Unreadable as error:
        if error.absent:
            return {}
        raise Unfit(error.why)
    versions = {}
    for line in lines:
        match = VERSION_LINE.fullmatch(line)
        if match is None:
            raise Unfit("has a line that is none of ours")
        versions[match.group(1)] = match.group(2)
    return versions


def note_version(egg: Egg, path: bytes) -> None:
    """Write down the version of an egg that did a run, unless a higher one has; OSError, Unfit."""
    versions = read_versions(path)
    known = versions.get(egg.format)
    if known is None or is_older(known, egg.version):
        versions[egg.format] = egg.version
        write_private(path, "".join("%s %s\n" % item for item in sorted(
            versions.items())).encode("ascii"))
