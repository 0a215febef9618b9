"""Command lines: which are never run, how they split, what they are called in the archive.

Facts: CONTRACT.md section 4. Everything here is pure.
"""
import re
import shlex
from typing import List

PATH = "/sbin:/bin:/usr/sbin:/usr/bin"
SYSTEM_FOLDERS = tuple(folder.encode() for folder in PATH.split(":"))
FORBIDDEN = frozenset([b"rm", b"kill", b"reboot", b"shutdown"])
MOUNT_POINT = b"{CONTAINER_MOUNT_POINT}"

WORDS = re.compile(rb"[^A-Za-z0-9_.+-]+")
QUOTING = re.compile(rb"\\\n|['\"\\]|\$(?=['\"])")
ODD_RUN = re.compile(rb"[^A-Za-z0-9_.\-/]+")
LEADING_BIN = re.compile(rb"^/(usr/)?s?bin/")


def find_forbidden(line: bytes) -> bytes:
    """Return a word of the line that is never run, or nothing.

    Words are looked for inside quotes of any depth and, since r\\m and r''m are rm to a shell, with
    all quoting taken away as well.
    """
    for text in (line, QUOTING.sub(b"", line)):
        for word in WORDS.split(text):
            if word in FORBIDDEN:
                return word
    return b""


def split_words(line: bytes) -> List[bytes]:
    """Split as a shell splits words; ValueError when a quote is not closed."""
    return [word.encode("utf-8", "surrogateescape")
            for word in shlex.split(line.decode("utf-8", "surrogateescape"))]


def mangle(line: bytes) -> bytes:
    """Return the file name under which a command's output is stored."""
    name = LEADING_BIN.sub(b"", line, 1)
    name = ODD_RUN.sub(b"_", name).replace(b"/", b".")
    return name.strip(b" ._-")[:255]
