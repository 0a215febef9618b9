"""GNU grep as a faster keep filter for large logs; the same bytes as keep.py gives, or not used.

It gets the bytes of the window from the kernel (sendfile), up to the last newline: grep would add
one to a last line without. What it prints is cut into lines and shortened as always.
"""
import time
from typing import List, Mapping, Optional, Sequence

from insights_mini import process
from insights_mini.core.collect.commandline import SYSTEM_FOLDERS
from insights_mini.core.collect.keep import simplify

LONGEST = 64 * 1024         # bytes of patterns on one command line
MEMORY = 512 * 1024 * 1024  # address space: where a line needs more, our own filter takes over


class Finder:
    """Looks for GNU grep, the one whose options and bytes are known, when it is first wanted."""

    def __init__(self, environ: Mapping[str, str], stop: process.Stop) -> None:
        self.environ = environ
        self.stop = stop
        self.searched = False
        self.program: Optional[bytes] = None

    def __call__(self) -> Optional[bytes]:
        if not self.searched:
            self.searched = True
            program = process.find_program(b"grep", SYSTEM_FOLDERS)
            self.program = program if program and self.is_gnu(program) else None
        return self.program

    def is_gnu(self, program: bytes) -> bool:
        chunks: List[bytes] = []

        def take(chunk: bytes) -> bool:
            chunks.append(chunk)
            return True

        try:
            process.run(program, (b"grep", b"--version"), self.environ, take,
                        process.Limits(time.monotonic() + 5.0, 4096), self.stop)
        except OSError:
            return False
        return b"GNU grep" in b"".join(chunks)


def arguments(patterns: Sequence[bytes]) -> List[bytes]:
    """Return the command line, or nothing where the patterns are too many for one.

    Each pattern stands behind its own -e, so that one that begins with a dash is no option.
    """
    wanted = simplify(patterns)
    if not wanted or sum(map(len, wanted)) > LONGEST or any(b"\0" in one for one in wanted):
        return []
    words = [b"grep", b"-a", b"-F"]
    for string in wanted:
        words += [b"-e", string]
    return words


def run(program: bytes, words: Sequence[bytes], environ: Mapping[str, str],
        source: process.Source, sink: process.Sink, deadline: float, stop: process.Stop) -> bool:
    """Feed whole lines through grep; tell whether all it kept came out."""
    limits = process.Limits(deadline, 1 << 62, memory=MEMORY)
    try:
        ending = process.run(program, words, environ, sink, limits, stop, source)
    except OSError:
        return False
    return ending.status in (0, 1)
