"""Cuts a stream of blocks into blocks of whole lines, so that everything after it sees lines.

A line longer than the limit is cut there, so that a file without newlines needs no memory; the
limit holds wherever the blocks happen to end.
"""
LONGEST = 1024 * 1024


class Lines:
    """`cut` counts the shortened lines among those that were returned."""

    def __init__(self, longest: int = LONGEST) -> None:
        self.longest = longest
        self.cut = 0
        self.rest = b""        # the beginning of a line whose end has not come yet
        self.skipping = False  # within the part of a line that is beyond the limit

    def feed(self, block: bytes) -> bytes:
        """Return the lines that are whole now, each with its newline."""
        if self.skipping:
            newline = block.find(b"\n")
            if newline < 0:
                return b""
            self.skipping = False
            self.cut += 1
            whole, block = self.rest + b"\n", block[newline + 1:]
            self.rest = b""
            return whole + self.feed(block)
        end = block.rfind(b"\n") + 1
        if not end:
            self.rest += block
            self.limit_rest()
            return b""
        whole = self.rest + block[:end]
        self.rest = block[end:]
        whole = self.limit_lines(whole)
        self.limit_rest()
        return whole

    def finish(self) -> bytes:
        """Return the last line, which has no newline, if there is one."""
        rest, self.rest = self.rest, b""
        self.cut += self.skipping
        self.skipping = False
        return rest

    def limit_rest(self) -> None:
        if len(self.rest) > self.longest:
            self.rest = self.rest[:self.longest]
            self.skipping = True

    def limit_lines(self, whole: bytes) -> bytes:
        """Shorten the lines that are too long; nearly always there is none."""
        first = whole.find(b"\n")
        if first <= self.longest and len(whole) - first <= self.longest + 1:
            return whole
        lines = whole.split(b"\n")
        if max(map(len, lines)) <= self.longest:
            return whole
        self.cut += sum(1 for line in lines if len(line) > self.longest)
        return b"\n".join(line[:self.longest] for line in lines)
