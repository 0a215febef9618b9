"""Decides what the owner's exclusions leave out: specs, paths and commands, under every name.

An entry matches a spec by its target or its symbolic name, and each path or command that the spec
expands to. A path counts however it is written: `..`, links, hard links, or a folder above it. A
command counts with the words it has, and so does one that another command runs. Where it is
uncertain whether something was meant, it is left out.
"""
import fnmatch
import os
import shlex
from typing import Dict, FrozenSet, List, Sequence, Tuple

from insights_mini.core.exclusions.load import Exclusions

Inode = Tuple[int, int]


class Excluder:
    """Answers with the entry that forbids something, or with nothing."""

    def __init__(self, exclusions: Exclusions) -> None:
        self.entries = exclusions.files + exclusions.commands
        self.names: Dict[str, str] = {name: "components: " + name
                                      for name in exclusions.components}
        self.names.update((entry, entry) for entry in self.entries)
        self.paths: Dict[bytes, str] = {}
        self.globs: List[Tuple[bytes, str]] = []
        self.inodes: Dict[Inode, str] = {}
        self.commands: List[Tuple[List[bytes], str]] = []
        for entry in self.entries:
            self.add(entry)

    def add(self, entry: str) -> None:
        raw = os.fsencode(entry)
        words = split(raw)
        if entry.startswith("/") and len(words) == 1:
            for path in (raw, os.path.normpath(raw), os.path.realpath(raw)):
                self.paths[path] = entry
            if any(sign in raw for sign in b"*?["):
                self.globs.append((raw, entry))
            try:
                status = os.stat(raw)
                self.inodes[status.st_dev, status.st_ino] = entry
            except OSError:
                pass  # not there now: its name still counts
        if len(words) > 1 or entry.startswith("/"):
            self.commands.append((words, entry))

    def spec(self, name: str, target: bytes) -> str:
        """Return the entry that forbids a whole spec."""
        return self.names.get(name) or self.names.get(
            target.decode("utf-8", "surrogateescape"), "")

    def path(self, path: bytes) -> str:
        """Return the entry that forbids a path, by any of its names."""
        if not self.paths:
            return ""
        for form in {path, os.path.normpath(path), os.path.realpath(path)}:
            folder = form
            while folder not in (b"/", b""):
                if folder in self.paths:
                    return self.paths[folder]
                folder = os.path.dirname(folder)
            for pattern, entry in self.globs:
                if fnmatch.fnmatchcase(form, pattern):
                    return entry
        try:
            status = os.stat(path)
        except OSError:
            return ""
        return self.inodes.get((status.st_dev, status.st_ino), "")

    def command(self, line: bytes, words: Sequence[bytes]) -> str:
        """Return the entry that forbids a command: itself, what it runs, or a file it names."""
        entry = self.names.get(line.decode("utf-8", "surrogateescape"), "")
        if entry or not self.commands:
            return entry
        for run in nested(list(words)):
            for wanted, entry in self.commands:
                if contains(run, wanted):
                    return entry
            for word in run[1:]:
                if word.startswith(b"/"):
                    entry = self.path(word)
                    if entry:
                        return entry
        return ""

    def forbidden_inodes(self) -> FrozenSet[Inode]:
        """Return which files must not be read even if they turn up under another name later."""
        return frozenset(self.inodes)


def split(line: bytes) -> List[bytes]:
    """Split as a shell does; where a quote is open, at blanks."""
    try:
        return [os.fsencode(word) for word in shlex.split(os.fsdecode(line))]
    except ValueError:
        return line.split()


def nested(words: List[bytes]) -> List[List[bytes]]:
    """Return a command's words, and those of every command that stands quoted within it."""
    found = [words]
    for word in words:
        if b" " in word.strip():
            found += nested(split(word)) if split(word) != [word] else [word.split()]
    return found


def contains(words: Sequence[bytes], wanted: Sequence[bytes]) -> bool:
    """Tell whether some words stand in a row within others."""
    size = len(wanted)
    return any(list(words[place:place + size]) == list(wanted)
               for place in range(len(words) - size + 1))
