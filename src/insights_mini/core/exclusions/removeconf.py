"""The exclusion file remove.conf (CONTRACT.md section 6), read strictly.

    [remove]
    files = /etc/cluster/cluster.conf, /etc/hosts
    commands = /bin/dmesg
    patterns = password, username,
        token
    keywords = super$ecret
    regex = serial[[:space:]]*[0-9]+
        10\\.[0-9.]+

The original reads this with Python's configparser, decodes backslash escapes, splits at commas and
strips the items. What it would read as something that hides nothing, or what its Python 2 and
Python 3 read differently, is an error here, as is all else that is not surely understood:

1. the text is UTF-8 without control characters; a byte order mark and CRLF are as good as none;
2. a line that is blank or begins with # or ;, indented or not, is skipped;
3. [remove] comes first; a key begins in the first column, ends at the first = or :, may be in upper
   case and comes once; its value may be empty and go on in indented lines;
4. a # or ; that begins a value or follows a space in it is refused: it may be a comment;
5. `regex` holds one expression per line, taken as it stands: no escapes, no commas. Each must be
   one that expressions.py translates;
6. in the other keys items end at a comma or at the end of the value. A line in between must end
   with a comma, or the next begin with one. An item is decoded, then stripped, and skipped if it
   is empty. No item holds a comma, not even an escaped one: the original would split it.

Escapes: \\\\ \\' \\" \\t \\x41 \\101 \\u20ac \\U0001f600. Letters for other control characters (as
the \\b in CORP\\bob) and unknown ones are refused, as are \\x and octal ones over 127, which were
bytes for Python 2 and characters for Python 3.

Messages name the line, never its content: what is in this file is what must not be seen.
It does not look for the file nor at its mode.
"""
import re
from typing import Dict, List, Match, NamedTuple, Tuple

from insights_mini.core.exclusions.expressions import BadExpression, translate

LISTS = ("files", "commands", "patterns", "keywords")
KEYS = (*LISTS, "regex")
KEY = re.compile(r"([^=:]*)[=:](.*)")
COMMENT_INSIDE = re.compile(r"(^|\s)[#;]")
CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")
ESCAPE = re.compile(r"""
    \\(?: (?P<plain> [\\'"t] )
        | (?: x (?P<hexadecimal> [0-9a-fA-F]{2} ) )
        | (?P<octal> [0-7]{1,3} )
        | (?: u (?P<short> [0-9a-fA-F]{4} ) )
        | (?: U (?P<long> [0-9a-fA-F]{8} ) )
        | (?P<other> .? )
    )""", re.VERBOSE)


class RemoveConf(NamedTuple):
    """What remove.conf forbids; all empty where it says nothing."""

    files: Tuple[str, ...] = ()       # paths or symbolic names
    commands: Tuple[str, ...] = ()    # command lines or symbolic names
    patterns: Tuple[bytes, ...] = ()  # a line that contains one is dropped
    keywords: Tuple[bytes, ...] = ()  # each is replaced
    regex: Tuple[str, ...] = ()       # a line in which one is found is dropped


class RemoveConfError(Exception):
    """What is wrong with a remove.conf, in which line (from 1), and what to do about it.

    `column` (from 1) is 0 where it is the whole line.
    """

    def __init__(self, problem: str, line: int, remedy: str, column: int = 0) -> None:
        super().__init__(problem, line, remedy, column)
        self.column = column
        self.problem = problem
        self.line = line
        self.remedy = remedy

    def __str__(self) -> str:
        return "line %d: %s; %s" % (self.line, self.problem, self.remedy)


class Line(NamedTuple):
    number: int
    text: str
    column: int = 1  # where the text begins


def read_remove_conf(content: bytes) -> RemoveConf:
    """Return what the content of a remove.conf says; raise RemoveConfError."""
    values = read_values(read_lines(content))
    files, commands, patterns, keywords = (read_items(values.get(key, [])) for key in LISTS)
    return RemoveConf(files, commands, encode(patterns), encode(keywords),
                      read_expressions(values.get("regex", [])))


def encode(items: Tuple[str, ...]) -> Tuple[bytes, ...]:
    return tuple(item.encode("utf-8") for item in items)


def read_lines(content: bytes) -> List[Line]:
    """Return the lines that say something, without their ends and trailing blanks."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RemoveConfError("bytes that are not UTF-8", content.count(b"\n", 0, error.start) + 1,
                              "save the file as UTF-8")
    if text.startswith("\ufeff"):
        text = text[1:]
    lines = []
    for number, whole in enumerate(text.split("\n"), 1):
        line = whole[:-1] if whole.endswith("\r") else whole
        if CONTROL.search(line):
            raise RemoveConfError("a control character", number,
                                  "remove it, or write it as an escape such as \\x1b")
        if line.strip() and line.strip()[0] not in "#;":
            lines.append(Line(number, line.rstrip()))
    return lines


def read_values(lines: List[Line]) -> Dict[str, List[Line]]:
    """Return the lines of each key's value."""
    if not lines or lines[0].text != "[remove]":
        raise RemoveConfError("no section [remove] before anything else",
                              lines[0].number if lines else 1,
                              "begin the file with [remove], or delete it to exclude nothing")
    values: Dict[str, List[Line]] = {}
    key = ""
    for number, text, _ in lines[1:]:
        if not text[0].isspace():
            key, value = read_key(number, text)
            if key in values:
                raise RemoveConfError("a key for the second time", number,
                                      "put all its items behind one key")
            values[key] = []
        else:
            value = text.strip()
            check_indented(number, value, bool(key))
        if COMMENT_INSIDE.search(value):
            raise RemoveConfError("a # or ; that begins a value or follows a space", number,
                                  "put a comment on a line of its own; if it belongs to the item, "
                                  "write [#] or [;] in an expression, else \\x23 or \\x3b")
        if value:
            values[key].append(Line(number, value, len(text) - len(value) + 1))
    return values


def read_key(number: int, text: str) -> Tuple[str, str]:
    """Return the key of a line that begins one, and the value on this line."""
    if text.startswith("["):
        raise RemoveConfError("another section", number, "keep to the one section [remove]")
    match = KEY.match(text)
    if not match:
        raise RemoveConfError("a line that is neither key nor indented", number,
                              "write key = value, and indent lines that go on")
    key = match.group(1).strip().lower()
    if key not in KEYS:
        raise RemoveConfError("an unknown key", number, "use only %s" % ", ".join(KEYS))
    return key, match.group(2).strip()


def check_indented(number: int, value: str, has_key: bool) -> None:
    if not has_key:
        raise RemoveConfError("an indented line before any key", number,
                              "begin a key in the first column")
    match = KEY.match(value)
    if match and match.group(1).strip().lower() in KEYS:
        raise RemoveConfError("an indented line that looks like a key", number,
                              "begin a key in the first column; in an item write \\x3d for = and "
                              "\\x3a for :, in an expression [=] and [:]")


def read_items(lines: List[Line]) -> Tuple[str, ...]:
    """Return the items of a comma list."""
    items: List[str] = []
    ended = True
    for number, text, _ in lines:
        if not ended and not text.startswith(","):
            raise RemoveConfError("an item that is not parted from the line above", number,
                                  "end each line but the last with a comma")
        ended = text.endswith(",")
        decoded = [decode(item, number).strip() for item in text.split(",")]
        items.extend(item for item in decoded if item)
    return tuple(items)


def decode(item: str, line: int) -> str:
    """Return an item with its escapes decoded; raise RemoveConfError."""
    def replace(match: Match[str]) -> str:
        return decode_escape(match, line)
    return ESCAPE.sub(replace, item)


def decode_escape(escape: Match[str], line: int) -> str:
    plain = escape.group("plain")
    if plain:
        return "\t" if plain == "t" else plain
    if escape.group("other") is not None:
        raise RemoveConfError("a backslash that begins no escape known here", line,
                              "write \\\\ for a backslash; an item cannot hold a comma")
    octal, byte = escape.group("octal"), escape.group("hexadecimal")
    wide = escape.group("short") or escape.group("long")
    value = int(octal, 8) if octal else int(byte or wide, 16)
    if (not wide and value > 127) or 0xD800 <= value <= 0xDFFF or value > 0x10FFFF:
        raise RemoveConfError("an escape over 127 or for no character", line,
                              "write the character itself, or \\\\ for a backslash")
    character = chr(value)
    if character == "," or character in "\n\r\0":
        raise RemoveConfError("an escape for a comma, a line end or NUL", line,
                              "use the YAML exclusion files for an item with a comma, "
                              "or write \\\\ for a backslash")
    return character


def read_expressions(lines: List[Line]) -> Tuple[str, ...]:
    """Return the expressions, one per line; raise RemoveConfError for one that is not translated.
    """
    for number, text, column in lines:
        try:
            translate(text)
        except BadExpression as error:
            raise RemoveConfError(error.inside, number, error.remedy, column)
    return tuple(line.text for line in lines)
