"""Tells which content hides its text from the rules, so that it cannot be cleaned.

Other bytes that are no text hide nothing: what is readable in them is cleaned like any text.
"""
import re

HEAD = 16  # bytes of a content that show its form
COMPRESSED = re.compile(rb"\x1f[\x8b\x9d\xa0]|BZh[1-9]|\xfd7zXZ\0|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18"
                        rb"|\x5d\0\0|PK\x03\x04|7z\xbc\xaf|\x89LZO")
# Begins with one fixed byte, for which the search skips ahead.
WIDE = re.compile(rb"\0(?:\0{0,2}[\t\n\r -~]\0){6}\0{0,2}[\t\n\r -~]")
MARKED = (b"\xff\xfe", b"\xfe\xff")  # byte order marks of UTF-16, and of UTF-32 in little-endian


def find_obstacle(head: bytes) -> str:
    """Return why a content that begins like this cannot be cleaned, or nothing."""
    if COMPRESSED.match(head):
        return "it is compressed"
    return "it is UTF-16 or UTF-32" if head.startswith(MARKED) else ""


def is_wide(block: bytes) -> bool:
    """Tell whether there is text with NULs beside each character."""
    return WIDE.search(block) is not None
