"""Decides what the owner's exclusions leave out: specs, paths and commands, under every name.

An entry matches a spec by its target or its symbolic name, and each path or command that the spec
expands to. A path counts however it is written: `..`, links, hard links, or a folder above it. A
command counts with the words it has, from whichever system folder, and so does one that another
command runs. Where it is uncertain whether something was meant, it is left out.
"""
import fnmatch
import os
import re
import shlex
from typing import Dict, FrozenSet, List, Sequence, Tuple

from insights_mini.core.collect.commandline import SYSTEM_FOLDERS
from insights_mini.core.collect.expand import MAGIC, expand_glob
from insights_mini.core.exclusions.load import Exclusions
from insights_mini.core.roots import Identity, Root
from insights_mini.core.roots.running import HOST
from insights_mini.hostfiles import Unreadable

SHELL = re.compile(rb"[\s;|&()<>`$\"'={}]")       # a word with one of these may hold other words
SEGMENT = re.compile(rb"[;|&()`$\"'{}\n]+")       # behind these a shell may begin a command
PIECE = re.compile(rb"[\s<>=]+")
# Programs that run another one, which they may be given without its folder.
RUNNERS = frozenset(b"env nice ionice timeout nohup setsid stdbuf xargs sudo chroot nsenter find"
                    .split())


class Excluder:
    """Answers with the entry that forbids something of a root, or with nothing."""

    def __init__(self, exclusions: Exclusions, root: Root = HOST) -> None:
        self.root = root
        self.entries = exclusions.files + exclusions.commands
        self.names: Dict[str, str] = {name: "components: " + name
                                      for name in exclusions.components}
        self.names.update((entry, entry) for entry in self.entries)
        self.paths: Dict[bytes, str] = {}
        self.globs: List[Tuple[bytes, str]] = []
        self.inodes: Dict[Identity, str] = {}
        self.commands: List[Tuple[List[bytes], str]] = []
        for entry in self.entries:
            self.add(entry)

    def add(self, entry: str) -> None:
        raw = os.fsencode(entry)
        words = split(raw)
        if len(words) > 1 or raw.startswith(b"/"):
            self.commands.append(([in_short(words[0]), *words[1:]], entry))
        if not raw.startswith(b"/"):
            return
        self.add_path(raw, entry)
        if MAGIC.search(raw):
            self.globs += [(form, entry) for form in (plain(raw), self.real_glob(raw))]
            for path in expand_glob(raw, self.root):
                self.add_path(path, entry)

    def add_path(self, path: bytes, entry: str) -> None:
        for form in (path, plain(path), self.root.real(path)):
            if form != b"/" or not path.strip(b"/"):
                self.paths[form] = entry
        try:
            self.inodes[self.root.status(path).identity] = entry
        except Unreadable:
            pass  # not there now: its name still counts

    def spec(self, name: str, target: bytes) -> str:
        """Return the entry that forbids a whole spec."""
        return self.names.get(name) or self.names.get(
            target.decode("utf-8", "surrogateescape"), "")

    def path(self, path: bytes) -> str:
        """Return the entry that forbids a path, by any of its names."""
        if not self.paths:
            return ""
        for form in {path, plain(path), self.root.real(path)}:
            for folder in upward(form):
                if folder in self.paths:
                    return self.paths[folder]
            for pattern, entry in self.globs:
                if fnmatch.fnmatchcase(form, pattern):
                    return entry
        try:
            return self.inodes.get(self.root.status(path).identity, "")
        except Unreadable:
            return ""

    def command(self, line: bytes, words: Sequence[bytes]) -> str:
        """Return the entry that forbids a command: itself, what it runs, or a file it names."""
        entry = self.names.get(line.decode("utf-8", "surrogateescape"), "")
        if entry or not self.entries:
            return entry
        own = list(words)
        inner = nested(own)
        for run in [own, *inner]:
            for wanted, entry in self.commands:
                if contains(run, wanted):
                    return entry
        for word in own[1:] + [word for run in inner for word in run]:
            entry = self.argument(word)
            if entry:
                return entry
        return ""

    def argument(self, word: bytes) -> str:
        """Return the entry that forbids a file that a word of a command names."""
        place = word.find(b"/")
        if not self.paths or place < 0 or (place and not word.startswith(b"-")):
            return ""
        path = word[place:]  # -f/etc/x is an option with its value
        found = expand_glob(path, self.root) if MAGIC.search(path) else []
        return next(filter(None, map(self.path, [path, *found])), "")

    def real_glob(self, pattern: bytes) -> bytes:
        """Return a glob with the links resolved in the folders that it names literally."""
        literal = pattern[:MAGIC.search(pattern).start()]  # type: ignore[union-attr]  # it has one
        folder = literal[:literal.rfind(b"/") + 1]
        return os.path.join(self.root.real(folder), pattern[len(folder):])

    def forbidden_inodes(self) -> FrozenSet[Identity]:
        """Return which files must not be read even if they turn up under another name later."""
        return frozenset(self.inodes)


def plain(path: bytes) -> bytes:
    """Return an absolute path without `.`, `..` and needless slashes."""
    return b"/" + os.path.normpath(path).lstrip(b"/")


def upward(path: bytes) -> List[bytes]:
    """Return a path and the folders above it."""
    found = [path]
    while os.path.dirname(path) != path:
        path = os.path.dirname(path)
        found.append(path)
    return found


def split(line: bytes) -> List[bytes]:
    """Split as a shell does; where a quote is open, at blanks."""
    try:
        return [os.fsencode(word) for word in shlex.split(os.fsdecode(line))]
    except ValueError:
        return line.split()


def nested(words: Sequence[bytes]) -> List[List[bytes]]:
    """Return the words of every command that may stand within a word of another one.

    Quoted as one argument or not at all, a path with blanks is found in either case.
    """
    found: List[List[bytes]] = []
    for word in words:
        if not SHELL.search(word):
            continue
        inner = split(word)
        if inner != [word]:
            found += [inner, *nested(inner)]
        for segment in SEGMENT.split(word):
            found += [[segment.strip()], list(filter(None, PIECE.split(segment)))]
    return [run for run in found if run and run[0]]


def in_short(program: bytes) -> bytes:
    """Return a program of a system folder without the folder: it may be in any of them."""
    folder, _, name = program.rpartition(b"/")
    return name if folder in SYSTEM_FOLDERS else program


def contains(words: Sequence[bytes], wanted: Sequence[bytes]) -> bool:
    """Tell whether a command stands in some words: as the first, or with more to know it by."""
    size = len(wanted)
    for place in range(len(words) - size + 1):
        if in_short(words[place]) == wanted[0] and list(words[place + 1:place + size]) == list(
                wanted[1:]):
            sure = place == 0 or size > 1 or words[place] != wanted[0] or b"/" in wanted[0]
            if sure or in_short(words[0]) in RUNNERS:
                return True
    return False
