"""Paths that stand for many: files with regular expressions, and shell globs.

A path with a `*` is read as the classic client reads it: the last part is a regular expression,
matched at the start of each name in the folder. Unlike there, the folder part is expanded as well,
a component at a time; one that exists as it is written is taken literally (CONTRACT.md section 4).
"""
import glob
import os
import re
from typing import List


def expand_file(path: bytes) -> List[bytes]:
    """Return the paths that a file spec names, sorted; the path itself unless it has a `*`."""
    if b"*" not in path:
        return [path]
    folder, last = os.path.split(path)
    folders = [b"/"]
    for part in folder.split(b"/"):
        if part:
            folders = [found for parent in folders for found in step(parent, part)]
    return [found for parent in folders for found in match_names(parent, last)]


def step(parent: bytes, part: bytes) -> List[bytes]:
    """Return the folders in a folder that one component names."""
    literal = os.path.join(parent, part)
    if os.path.isdir(literal):
        return [literal]
    if b"*" not in part:
        return []
    return [found for found in match_names(parent, part) if os.path.isdir(found)]


def match_names(folder: bytes, expression: bytes) -> List[bytes]:
    """Return what in a folder matches; a folder that cannot be listed holds nothing."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    match = re.compile(expression).match
    return [os.path.join(folder, name) for name in sorted(names) if match(name)]


def expand_glob(pattern: bytes) -> List[bytes]:
    """Return the paths that a shell glob names, sorted."""
    return sorted(glob.glob(pattern))
