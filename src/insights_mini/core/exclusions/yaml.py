"""Reads the YAML subset that exclusion files use, strictly: what it accepts, PyYAML 6 reads alike.

Accepted: lists and mappings in block and flow style in any nesting, plain, quoted and block
scalars, comments, one document with or without its markers, and `%YAML 1.x`. A value is a string,
a list, a mapping, or None where nothing stands after `key:` or `-` or in the whole document. Lists
and mappings know where in the decoded text their items and keys begin.

Refused, although PyYAML takes it: plain scalars that YAML 1.1 resolves to null, true or false, a
number or a date; a key twice in a mapping; anchors, aliases, tags, merge keys, complex and empty
keys, keys without a colon in braces, pairs in brackets; directives other than %YAML; UTF-16, line
breaks other than CR and LF, halves of surrogate pairs; nesting deeper than 20. And what is no YAML
at all: quoted text that goes on without indentation, a comment with no space before it, block text
at the column of its key or dash, or after empty lines with more spaces than its own.
The size of the file is the caller's matter.

Every function takes the whole text and a place in it and returns the place of what comes next
together with the value. `parent` is the column of the list or mapping around a value, -1 at the
top; columns and depths count from 0.
"""
import re
from typing import Dict, List, Tuple, Union

from insights_mini.core.exclusions.yaml_scan import (
    DASH,
    MARKER,
    QUOTE_IT,
    SPACES,
    YamlError,
    column_of,
    decode,
    end_line,
    error_at,
    match_end,
    read_block_text,
    read_scalar,
    skip_blank,
    unexpected,
)

__all__ = ["Items", "Mapping", "Value", "YamlError", "decode", "error_at", "read_yaml"]

Value = Union[None, str, List["Value"], Dict[str, "Value"]]


class Items(List[Value]):
    """A list, with the place where each item begins: an empty one at its dash."""

    def __init__(self) -> None:
        super().__init__()
        self.places: List[int] = []


class Mapping(Dict[str, Value]):
    """A mapping, with the place where each key begins."""

    def __init__(self) -> None:
        super().__init__()
        self.places: Dict[str, int] = {}


DEEPEST = 20
LONGEST_KEY = 1024  # of YAML, from the key's first character to the colon

DIRECTIVE = re.compile(r"^%YAML +1\.[0-9]+(?: +#[^\n]*| *)\n", re.MULTILINE)
BLOCK_COLON = re.compile(r" *:(?=[ \t\n]|\Z)")
FLOW_COLON = re.compile(r" *:")


def read_yaml(content: bytes) -> Value:
    """Return the value of the one document in a file; raise YamlError."""
    text = decode(content)
    start = skip_blank(text, 0)
    directive = DIRECTIVE.match(text, start)
    at = skip_blank(text, directive.end()) if directive else start
    if starts_document(text, at):
        at, value = read_value(text, at + 3, -1, 0, False)
    elif directive:
        raise error_at(text, at, "a directive without a document", "put --- on the line after it")
    elif MARKER.match(text, at):
        raise error_at(text, at, "the end of a document that did not begin", "remove the line")
    elif at == len(text):
        return None
    else:
        at, value = read_node(text, at, -1, 0, True)
    check_end(text, at)
    return value


def starts_document(text: str, at: int) -> bool:
    return text.startswith("-", at) and MARKER.match(text, at) is not None


def check_end(text: str, at: int) -> None:
    """Raise YamlError if anything but end markers follows the value of the document."""
    while MARKER.match(text, at) and not starts_document(text, at):
        at = skip_blank(text, at + 3)
    if starts_document(text, at):
        raise error_at(text, at, "a second document", "keep one document in a file")
    if at < len(text):
        raise misplaced(text, at)


def misplaced(text: str, at: int) -> YamlError:
    return unexpected(text, at, "wrong indentation: this fits nothing above it",
                      "give it the indentation of the lines it belongs to")


# ---- block style

def indent_at(text: str, at: int) -> int:
    """Return the column of the next thing in block style, -1 where the document ends."""
    return -1 if at == len(text) or MARKER.match(text, at) else column_of(text, at)


def goes_on(text: str, at: int, column: int) -> bool:
    """Tell whether the list or mapping at a column goes on here; raise YamlError if it cannot."""
    found = indent_at(text, at)
    if found > column:
        raise misplaced(text, at)
    return found == column


def read_value(text: str, at: int, parent: int, depth: int, keys: bool) -> Tuple[int, Value]:
    """Read what follows a dash, a key's colon or `---`.

    `keys` tells that a list or mapping may begin on the same line, as it may after a dash.
    """
    start = skip_blank(text, at)
    if start < len(text) and "\n" not in text[at:start]:
        return read_node(text, start, parent, depth, keys)
    found = indent_at(text, start)
    if found > parent:
        return read_node(text, start, parent, depth, True)
    if found == parent and not keys and DASH.match(text, start):
        return read_block_list(text, start, parent, depth)  # a list at the column of its key
    return start, None


def read_node(text: str, at: int, parent: int, depth: int, keys: bool) -> Tuple[int, Value]:
    """Read the value that begins here."""
    value: Value
    if text[at] == "-" and keys and DASH.match(text, at):
        return read_block_list(text, at, column_of(text, at), depth)
    if text[at] in "|>":
        end, value = read_block_text(text, at, parent)
        return skip_blank(text, end), value
    if text[at] in "[{":
        end, value = read_flow(text, at, parent, depth)
    else:
        end, value = read_scalar(text, at, parent, False)
        if keys and BLOCK_COLON.match(text, end) and "\n" not in text[at:end]:
            return read_block_mapping(text, at, column_of(text, at), depth)
    return end_line(text, end), value


def read_block_list(text: str, at: int, column: int, depth: int) -> Tuple[int, Value]:
    check_depth(text, at, depth)
    items = Items()
    while True:
        dash, start = at, skip_blank(text, at + 1)
        at, item = read_value(text, at + 1, column, depth + 1, True)
        items.append(item)
        items.places.append(dash if item is None else start)
        if not goes_on(text, at, column) or not DASH.match(text, at):
            return at, items


def read_block_mapping(text: str, at: int, column: int, depth: int) -> Tuple[int, Value]:
    check_depth(text, at, depth)
    values = Mapping()
    while True:
        end, key = read_key(text, at, column, False, values.places)
        at, values[key] = read_value(text, end, column, depth + 1, False)
        if not goes_on(text, at, column):
            return at, values


def read_key(text: str, at: int, parent: int, flow: bool,
             places: Dict[str, int]) -> Tuple[int, str]:
    """Read a key and its colon; `places` holds the keys that the mapping already has."""
    end, key = read_scalar(text, at, parent, flow)
    colon = match_end(FLOW_COLON if flow else BLOCK_COLON, text, end)
    after = match_end(SPACES, text, end)
    if colon == end and text[after:after + 1] in ("\t", "#"):
        raise unexpected(text, after, "", "")
    if colon == end or "\n" in text[at:end]:
        raise error_at(text, at, "a key without a colon and a space after it on its line",
                       "write key: value, or put a text that goes on from above in quotes")
    if colon - 1 - at > LONGEST_KEY:
        raise error_at(text, at, "a key of more than %d characters" % LONGEST_KEY, "shorten it")
    if key in places:
        line = text.count("\n", 0, places[key]) + 1
        raise error_at(text, at, "the same key as in line %d" % line, "keep one of the two")
    places[key] = at
    return colon, key


def check_depth(text: str, at: int, depth: int) -> None:
    if depth >= DEEPEST:
        raise error_at(text, at, "lists and mappings nested deeper than %d" % DEEPEST,
                       "nest them less")


# ---- flow style

def read_flow(text: str, start: int, parent: int, depth: int) -> Tuple[int, Value]:
    """Read the list in brackets or the mapping in braces that opens here."""
    check_depth(text, start, depth)
    is_list = text[start] == "["
    close = "]" if is_list else "}"
    items = Items()
    values = Mapping()
    at = skip_inside(text, start + 1, start)
    while text[at] != close:
        if is_list:
            items.places.append(at)
            at, item = read_flow_value(text, at, parent, depth)
            items.append(item)
        else:
            end, key = read_key(text, at, parent, True, values.places)
            at = skip_inside(text, end, start)
            values[key] = None
            if text[at] not in ",}":
                at, values[key] = read_flow_value(text, at, parent, depth)
        at = skip_inside(text, at, start)
        if text[at] == ",":
            at = skip_inside(text, at + 1, start)
        elif text[at] != close:
            raise unexpected(text, at, "neither a comma nor the closing " + close,
                             "add it, or put the text in quotes")
    return at + 1, items if is_list else values


def read_flow_value(text: str, at: int, parent: int, depth: int) -> Tuple[int, Value]:
    if text[at] in "[{":
        return read_flow(text, at, parent, depth + 1)
    return read_scalar(text, at, parent, True)


def skip_inside(text: str, at: int, start: int) -> int:
    """Return the place of the next thing in the brackets that open at `start`."""
    at = skip_blank(text, at)
    if at == len(text) or MARKER.match(text, at):
        raise error_at(text, start, "the bracket that opens here is not closed",
                       "close it, or %s if it is text" % QUOTE_IT)
    return at
