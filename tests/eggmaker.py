"""Small eggs for tests, of both formats, that note that they ran and end as they are told.

What an egg does in a phase is given as Python source, by the phase's name. Each import of it notes
its place, phase and version in the file that $EGG_MARKS names, so that no byte of it runs unseen.
"""
import io
import os
import zipfile
import zlib
from typing import Any, ClassVar, Dict, List

from tests.support import load_build

PHASES = ("pre_update", "update", "post_update", "collect_and_output")
COLLECT = PHASES[-1]
PACKAGES = ("insights", "insights/client", "insights/client/phase")
MARK = """\
import os
with open(os.environ["EGG_MARKS"], "a") as marks:
    marks.write("|".join((os.environ["INSIGHTS_EGG"], os.environ["INSIGHTS_PHASE"], "%s")) + "\\n")
"""

# Actions of a phase.
TRACEBACK = "import insights_test_package_that_no_host_has"
KILLED = "import signal; os.kill(os.getpid(), signal.SIGKILL)"
# With a child, whose number and its own it leaves in $EGG_PIDS once both run.
HANG = """\
import subprocess
child = subprocess.Popen(["sleep", "600"])
with open(os.environ["EGG_PIDS"] + ".part", "w") as file:
    file.write("%d %d" % (os.getpid(), child.pid))
os.rename(os.environ["EGG_PIDS"] + ".part", os.environ["EGG_PIDS"])
time.sleep(600)
"""


def leave(status: int) -> str:
    """Return the action that ends with a status."""
    return "sys.exit(%d)" % status


def pack(entries: Dict[str, Any], kind: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, kind)
    return buffer.getvalue()


def define(phases: Dict[str, str], default: str) -> List[str]:
    """Return the source of a function for each phase."""
    lines = ["import os, sys, time"]
    for phase in PHASES:
        lines.append("def %s():" % phase)
        lines += ["    " + line for line in phases.get(phase, default).splitlines()]
    return lines


def ours(version: str, default: str = "sys.exit(0)", **phases: str) -> bytes:
    """Return an egg in our format; `default` is what it does in phases that are not given."""
    return pack({
        "insights_mini/__init__.py": MARK % version,
        "insights_mini/version.py": 'VERSION = "%s"\n' % version,
        "__main__.py": "\n".join(["import insights_mini.version", *define(phases, default),
                                  'globals()[os.environ["INSIGHTS_PHASE"]]()', ""])})


def original(version: str, default: str = "sys.exit(0)", **phases: str) -> bytes:
    """Return an egg in the original's format; the version is that of VERSION-RELEASE."""
    number, _, release = version.partition("-")
    entries = dict.fromkeys(("%s/__init__.py" % package for package in PACKAGES), "")
    entries["insights/__init__.py"] = MARK % version
    entries["insights/VERSION"] = number + "\n"
    entries["insights/RELEASE"] = release + "\n"
    entries["insights/client/phase/v1.py"] = "\n".join([*define(phases, default), ""])
    return pack(entries, zipfile.ZIP_DEFLATED)


def inflate(megabytes: int, head: bytes) -> bytes:
    """Return an egg whose version.py begins as given and unpacks to that size with little work."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = squeeze.compress(head) + squeeze.flush(zlib.Z_FULL_FLUSH)
    block = squeeze.compress(b" " * 2 ** 20) + squeeze.flush(zlib.Z_FULL_FLUSH)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("__main__.py", MARK % "0")
        info = zipfile.ZipInfo("insights_mini/version.py")
        archive.writestr(info, packed + block * megabytes + squeeze.flush())
        info.compress_type = zipfile.ZIP_DEFLATED  # written to the directory at the end only
        info.file_size = len(head) + megabytes * 2 ** 20
    return buffer.getvalue()


class RealEgg:
    """The product itself, as it would be with another version; made once per run of the tests."""

    entries: ClassVar[Dict[str, bytes]] = {}

    @classmethod
    def make(cls, version: str) -> bytes:
        build = load_build()
        if not cls.entries:
            cls.entries = build.list_entries()
        entries = dict(cls.entries)
        name = "insights_mini/version.py"
        lines = [('VERSION = "%s"' % version).encode() if line.startswith(b"VERSION") else line
                 for line in entries[name].split(b"\n")]
        entries[name] = b"\n".join(lines)
        return bytes(build.pack(entries))


def read_marks(path: str) -> List[List[str]]:
    """Return place, phase and version of each egg process that ran, in their order."""
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [line.split("|") for line in file.read().splitlines()]
