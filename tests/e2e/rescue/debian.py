"""What the proof takes from Debian, through the package manager of this machine.

Nothing is installed: a root is made by debootstrap, and packages are unpacked into a folder.
"""
import os
import re
import subprocess
from typing import List, NamedTuple, Sequence


class Mirror(NamedTuple):
    """Where this machine has its Debian from: `site`, a URL, and `release`, a code name."""

    site: str
    release: str


def run(argv: Sequence[str]) -> str:
    """Run a program that must succeed and return what it said; else RuntimeError says that."""
    done = subprocess.run(list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=dict(os.environ, LC_ALL="C"), check=False)
    said = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise RuntimeError("%s: exit status %d\n%s" % (
            " ".join(argv), done.returncode, said[-4000:]))
    return said


class Debian:
    """The Debian of this machine, with package lists of its own in an empty folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        lists = os.path.join(folder, "lists")
        os.makedirs(os.path.join(lists, "partial"))
        self.options = ["-o", "Dir::State::Lists=" + lists, "-o", "Dir::Cache=" + folder,
                        "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"]
        # What other sources of this machine answer is no concern here.
        subprocess.run(["apt-get", *self.options, "-qq", "update"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def mirror(self) -> Mirror:
        """Return the source with the release of Debian itself, without its updates."""
        form = "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(SITE)|$(CODENAME)"
        said = run(["apt-get", *self.options, "indextargets", "--format", form,
                    "Created-By: Packages"])
        for line in said.splitlines():
            kind, _, place = line.partition("|main|")
            site, _, release = place.rpartition("|")
            if kind == "Debian|Debian" and re.match("[a-z]+$", release):
                return Mirror(site, release)
        raise RuntimeError("apt has no source of Debian's main component:\n" + said)

    def make_root(self, root: str) -> None:
        """Make a small Debian in a folder. What is mounted there on the way is seen by no one."""
        mirror = self.mirror()
        run(["unshare", "-m", "debootstrap", "--force-check-gpg", "--variant=minbase",
             mirror.release, root, mirror.site])

    def depends(self, package: str) -> List[str]:
        said = run(["apt-cache", *self.options, "depends", package])
        return re.findall(r"(?m)^ *Depends: (\S+)", said)

    def unpack(self, package: str) -> str:
        """Download a package and return the folder with what is in it."""
        folder = os.path.join(self.folder, package)
        os.mkdir(folder)
        subprocess.run(["apt-get", *self.options, "-qq", "download", package], cwd=folder,
                       stdin=subprocess.DEVNULL, check=True)
        name, = os.listdir(folder)
        run(["dpkg", "-x", os.path.join(folder, name), os.path.join(folder, "unpacked")])
        return os.path.join(folder, "unpacked")


def find_libraries(path: str) -> List[str]:
    """Return the paths of the shared libraries that a program or library needs."""
    done = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False)
    return re.findall(r"(?m)(/\S+) \(0x", done.stdout.decode())
