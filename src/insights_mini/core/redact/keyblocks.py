"""Masks what stands between the BEGIN and END lines of a private key, also across blocks.

    -----BEGIN RSA PRIVATE KEY-----          -----BEGIN RSA PRIVATE KEY-----
    MIIEowIBAAKCAQEA...              ->      ********
    -----END RSA PRIVATE KEY-----            -----END RSA PRIVATE KEY-----

So are keys in one line, with or without `\\n` in it, keys below a prefix that is on each line
(an indentation, a log's time and host), PGP private key blocks and OpenVPN static keys. Where no
END follows, the key ends before the first line that can be no part of one, or after LONGEST lines.

It does not know a key whose BEGIN line is missing. Certificates and public keys stay. The forms of
the markers: RFC 7468, RFC 4880 section 6.2, RFC 4716.
"""
import re
from typing import List, Match, Optional

from insights_mini.core.redact.masking import MASK

LONGEST = 2000  # lines; a key of 16384 bits has 200

BEGIN = re.compile(rb"----[- ]BEGIN (?:(?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?"
                   rb"|OpenVPN [A-Za-z0-9 -]{0,40}[Kk]ey[A-Za-z0-9 ]{0,20})[- ]----")
END = re.compile(rb"----[- ]END [A-Za-z0-9][A-Za-z0-9 -]{2,80}?[- ]----")

ALONE = re.compile(rb"(?:\\+[nr])*[\"'`]?[ \t]*[+,.\\]?[ \t\r]*\Z")  # nothing of the key follows
IN_LINE = re.compile(rb"[ \t]*(?:\\+[nr])*[ \t]*(?P<value>[A-Za-z0-9+/=]{16,}"
                     rb"(?:\\+[nr]|[A-Za-z0-9+/=, \t-])*)")
BODY = re.compile(rb"[ \t]*[\"'`]?=?[A-Za-z0-9+/]*={0,3}(?:\\+[nr])*[\"'`]?[ \t]*[+,.;)\\]{0,3}"
                  rb"[ \t\r]*\Z")
HEADER = re.compile(rb"[ \t]*[\"'`]?(?:Proc-Type|DEK-Info|Comment|Version|Hash|Charset|MessageID"
                    rb"|Subject|X-[A-Za-z-]{1,40}):")
DIGITS = bytes.maketrans(b"0123456789", b"0" * 10)


class KeyBlocks:
    """Masks the keys of one member; `count` is how many so far.

    Call it with its blocks of whole lines in their order: a key may begin in one and end in a
    later one. Between two calls it holds what precedes the BEGIN marker in its line, and a number.
    """

    def __init__(self) -> None:
        self.count = 0
        self.prefix: Optional[bytes] = None  # None outside of a key
        self.lines = 0

    def __call__(self, block: bytes) -> bytes:
        if self.prefix is None and not BEGIN.search(block):
            return block
        pieces: List[bytes] = []
        at = 0
        while at < len(block):
            if self.prefix is None:
                match = BEGIN.search(block, at)
                end = (block.find(b"\n", match.end()) + 1 if match else 0) or len(block)
                if match:
                    pieces.append(block[at:match.end()])
                    at = match.end()
                    before = block[block.rfind(b"\n", 0, match.start()) + 1:match.start()]
                    pieces += self.begin(block[at:end], before)
                else:
                    pieces.append(block[at:])
                at = end
            else:
                end = block.find(b"\n", at) + 1 or len(block)
                piece = self.go_on(block[at:end])
                if piece is not None:  # otherwise it is looked at again, as a line outside
                    pieces.append(piece)
                    at = end
        return b"".join(pieces)

    def begin(self, line: bytes, before: bytes) -> List[bytes]:
        """Return what stays of a line, in pieces, from just after its first BEGIN marker."""
        pieces: List[bytes] = []
        at = 0
        more = True  # END markers
        while True:
            last = END.search(line, at) if more else None
            more = last is not None
            inline = IN_LINE.match(line, at)
            if last:
                if line[at:last.start()].strip():
                    pieces.append(MASK)
                    self.count += 1
                at = last.start()
            elif inline:
                pieces += [line[at:inline.start("value")], MASK]
                self.count += 1
                at = inline.end()
            elif ALONE.match(line[at:].rstrip(b"\n")):
                self.prefix = before
                self.lines = 0
            following = BEGIN.search(line, at)
            if not following:
                return pieces + [line[at:]]
            self.prefix = None
            pieces.append(line[at:following.end()])
            at = following.end()

    def go_on(self, line: bytes) -> Optional[bytes]:
        """Return what stays of a line inside a key; None when it does not belong to it."""
        prefix = self.prefix or b""
        last = END.search(line)
        if last:
            self.prefix = None
            return self.finish(line, last, prefix)
        content = cut(line, prefix)
        self.lines += 1
        if content is None or self.lines > LONGEST or not is_body(content):
            self.prefix = None
            return None
        if self.lines > 1:
            return b""
        self.count += 1
        start = len(line) - len(content)
        start += len(content) - len(content.lstrip(b" \t"))
        return line[:start] + MASK + line[len(line.rstrip(b"\r\n")):]

    def finish(self, line: bytes, last: Match[bytes], prefix: bytes) -> bytes:
        """Return the END line, with what of the key stands in it masked."""
        before = line[:last.start()]
        content = cut(before, prefix)
        if content is None or not content.strip(b" \t\"'`+"):
            return line
        self.count += not self.lines
        return before[:len(before) - len(content)] + MASK + line[last.start():]


def cut(line: bytes, prefix: bytes) -> Optional[bytes]:
    """Return the line without the prefix; None if it has another. Times and numbers may differ."""
    if not prefix.strip():
        return line
    head = line[:len(prefix)]
    if head.translate(DIGITS) == prefix.translate(DIGITS):
        return line[len(prefix):]
    stem = prefix.rstrip()
    return b"" if line.rstrip() == stem else None


def is_body(content: bytes) -> bool:
    return bool(BODY.match(content.rstrip(b"\n")) or HEADER.match(content))
