"""Work that kills itself before a given line of the product's code, and what it leaves in a folder.

So a test can walk through all moments at which a run may be killed.
"""
import os
import re
import shutil
import signal
import sys
import tempfile
import unittest
from types import FrameType, ModuleType
from typing import Any, Callable, Dict, Iterator, NamedTuple, Sequence, Tuple

RANDOM = re.compile(rb"\.[0-9a-f]{12}$")  # ends the name of a file that is being written


class Entry(NamedTuple):
    """A file, with its permissions and content."""

    mode: int
    content: bytes


Tree = Dict[bytes, Entry]


def quick_folder(test: unittest.TestCase) -> bytes:
    """Return an empty folder for a test, in memory where the host has such a place: a walk syncs
    files some hundred times."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None
    folder = tempfile.mkdtemp(prefix="insights-test-", dir=place)
    test.addCleanup(shutil.rmtree, folder, True)
    return os.fsencode(folder)


def killed_at(number: int, work: Callable[[], object], modules: Sequence[ModuleType]) -> bool:
    """Do the work in a forked child that kills itself when it comes to its n-th line in these
    modules; tell whether it came to that, or was done before."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            sys.settrace(make_trace(number, [str(module.__file__) for module in modules]))
            work()
            sys.settrace(None)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0, "the work ended with an error"
        return False
    assert os.WTERMSIG(status) == signal.SIGKILL
    return True


def make_trace(number: int, files: Sequence[str]) -> Callable[[FrameType, str, Any], Any]:
    left = number

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def walk(work: Callable[[], object], modules: Sequence[ModuleType],
         prepare: Callable[[], None]) -> Iterator[int]:
    """Prepare, do the work and kill it, once for each of its lines and once to its end."""
    number = 0
    killed = True
    while killed:
        number += 1
        prepare()
        killed = killed_at(number, work, modules)
        yield number


def take(folder: bytes) -> Tree:
    """Return the files of a folder by name."""
    tree = {}
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            tree[name] = Entry(os.stat(path).st_mode & 0o7777, file.read())
    return tree


def put(folder: bytes, tree: Tree) -> None:
    """Make the files of a folder what they were when they were taken."""
    os.makedirs(folder, 0o700, exist_ok=True)
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    for name, entry in tree.items():
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(entry.content)
        os.chmod(path, entry.mode)


def essence(tree: Tree) -> Tuple[Tuple[bytes, Entry], ...]:
    """Return what distinguishes a state from others: all but what chance has named."""
    return tuple(sorted((RANDOM.sub(b".x", name), entry) for name, entry in tree.items()))
