"""What a command would have told, read from the files of a root that does not run.

Each module of answers knows commands by their words, and gives what answers them. Nothing of the
root is executed; a program of the running system gets open files of it, never a path.
"""
from typing import Callable, Mapping, NamedTuple, Optional, Sequence, Tuple

from insights_mini import process
from insights_mini.core.roots import Root
from insights_mini.hostfiles import BLOCK

Sink = Callable[[bytes], bool]  # takes a block of output; False means: no more is wanted


class Means(NamedTuple):
    """What an answer is made with. `root` refuses what the owner excludes."""

    root: Root
    host: str                    # name of the collected host
    environ: Mapping[str, str]   # of programs
    deadline: float              # a time.monotonic() value
    stop: process.Stop
    beat: Callable[[], None]     # to be called whenever there is progress


Answer = Callable[[Means, Sink], None]  # writes what the command would print; raises Unreadable


class Instead(NamedTuple):
    """An answer, and the file that it is mostly read from, if there is one."""

    answer: Answer
    path: bytes = b""


Way = Callable[[Sequence[bytes], Root], Optional[Instead]]  # words of a command -> what answers it


def find_instead(words: Sequence[bytes], root: Root) -> Optional[Instead]:
    """Return what answers a command instead of running it, or None."""
    # Late: a running host needs none of them.
    from insights_mini.core.collect.answers import dpkg, journal, ls, rpm, small
    ways: Tuple[Way, ...] = (ls.find, small.find, dpkg.find, journal.find, rpm.find)
    for way in ways:
        found = way(words, root)
        if found is not None:
            return found
    return None


def copy(path: bytes) -> Instead:
    """Return the answer that is the content of a file."""
    def answer(means: Means, sink: Sink) -> None:
        with means.root.open(path, means.beat).file as file:
            for block in iter(lambda: file.read(BLOCK), b""):
                means.beat()
                if not block or not sink(block):
                    return
    return Instead(answer, path)
