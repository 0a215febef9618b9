"""Paths that stand for many: files with regular expressions, and shell globs.

A path with a `*` is read as the classic client reads it: the last part is a regular expression,
matched at the start of each name in the folder. Unlike there, the folder part is expanded as well,
a component at a time; one that exists as it is written is taken literally (CONTRACT.md section 4).
"""
import fnmatch
import os
import re
from typing import List, Sequence

from insights_mini.core.roots import Root
from insights_mini.hostfiles import Unreadable

MAGIC = re.compile(rb"[*?\[]")


def expand_file(path: bytes, root: Root) -> List[bytes]:
    """Return the paths that a file spec names, sorted; the path itself unless it has a `*`."""
    if b"*" not in path:
        return [path]
    folder, last = os.path.split(path)
    folders = [b"/"]
    for part in folder.split(b"/"):
        if part:
            folders = [found for parent in folders for found in step(parent, part, root)]
    return [found for parent in folders for found in match_names(parent, last, root)]


def step(parent: bytes, part: bytes, root: Root) -> List[bytes]:
    """Return the folders in a folder that one component names."""
    literal = os.path.join(parent, part)
    if root.is_folder(literal):
        return [literal]
    if b"*" not in part:
        return []
    return [found for found in match_names(parent, part, root) if root.is_folder(found)]


def match_names(folder: bytes, expression: bytes, root: Root) -> List[bytes]:
    """Return what in a folder matches; a folder that cannot be listed holds nothing."""
    match = re.compile(expression).match
    return [os.path.join(folder, name) for name in list_names(folder, root) if match(name)]


def list_names(folder: bytes, root: Root) -> Sequence[bytes]:
    try:
        return root.names(folder)
    except Unreadable:
        return ()


def expand_glob(pattern: bytes, root: Root) -> List[bytes]:
    """Return the paths that an absolute shell glob names, sorted.

    As in a shell, what begins with a dot is only named by a part that does too.
    """
    parts = [part for part in pattern.split(b"/") if part]
    only_folders = pattern.endswith(b"/")
    paths = [b"/"]
    for number, part in enumerate(parts, 1):
        accept = root.is_folder if only_folders or number < len(parts) else root.exists
        if MAGIC.search(part):
            match = re.compile(os.fsencode(fnmatch.translate(os.fsdecode(part)))).match
            paths = [os.path.join(path, name) for path in paths for name in list_names(path, root)
                     if match(name) and (part.startswith(b".") or not name.startswith(b"."))]
            if accept == root.exists:
                continue
        else:
            paths = [os.path.join(path, part) for path in paths]
        paths = [path for path in paths if accept(path)]
    return sorted(paths)
