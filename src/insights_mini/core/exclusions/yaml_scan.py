"""The characters, gaps and scalars of the YAML subset that exclusion files use.

Every function takes the whole text and a place in it. What is found is returned with the place
where it ends; what is not allowed is raised as a YamlError. The order is fixed: `decode` has
accepted every character of the text before anything else looks at it, so line breaks are "\\n" only
and control characters cannot occur. What lists and mappings are made of is told in yaml.py.

Messages name places and never repeat what stands there: it may be a keyword to keep secret.

Source of the format: YAML 1.1 (https://yaml.org/spec/1.1/) and its types (https://yaml.org/type/),
as PyYAML 6 reads them where the two differ.
"""
import codecs
import re
from typing import List, Pattern, Tuple

QUOTE_IT = "put it in quotes"

SPACES = re.compile(" *")
BLANK = re.compile(r"(?: +|\n+|(?<![^ \n])#[^\n]*)*")
MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\n]|\Z)", re.MULTILINE)
DASH = re.compile(r"-(?=[ \t\n]|\Z)")

# What YAML forbids, and the line breaks other than CR and LF: an editor does not show them as such.
FORBIDDEN = re.compile("[^\t\n -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd"
                       "\U00010000-\U0010ffff]")


class YamlError(Exception):
    """Why a text is refused, where (counted from 1, in characters), and what to do about it."""

    def __init__(self, problem: str, line: int, column: int, remedy: str) -> None:
        super().__init__(problem, line, column, remedy)
        self.problem = problem
        self.line = line
        self.column = column
        self.remedy = remedy

    def __str__(self) -> str:
        return "line %d, column %d: %s; %s" % (self.line, self.column, self.problem, self.remedy)


def error_at(text: str, at: int, problem: str, remedy: str) -> YamlError:
    return YamlError(problem, text.count("\n", 0, at) + 1, column_of(text, at) + 1, remedy)


def decode(content: bytes) -> str:
    """Return the text of a file, its line breaks as "\\n" and a byte order mark taken off."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise YamlError("the file is UTF-16", 1, 1, "save it as UTF-8")
    if content.startswith(codecs.BOM_UTF8):
        content = content[len(codecs.BOM_UTF8):]
    try:
        text = unify_breaks(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        before = unify_breaks(content[:error.start].decode("utf-8"))
        raise error_at(before, len(before), "a byte that is not UTF-8", "save the file as UTF-8")
    forbidden = FORBIDDEN.search(text)
    if forbidden:
        raise error_at(text, forbidden.start(),
                       "the character U+%04X must not stand here" % ord(forbidden.group()),
                       "remove it, or write it as an escape in double quotes")
    return text


def unify_breaks(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def column_of(text: str, at: int) -> int:
    """Return how many characters stand before a place in its line."""
    return at - (text.rfind("\n", 0, at) + 1)


def skip_blank(text: str, at: int) -> int:
    """Return the place of the next thing that is neither space, line break nor comment."""
    return match_end(BLANK, text, at)


def match_end(pattern: Pattern[str], text: str, at: int) -> int:
    """Return where a match from this place on ends; the place itself if nothing matches."""
    found = pattern.match(text, at)
    return found.end() if found else at


def end_line(text: str, at: int) -> int:
    """Return the place of the next thing after a value in block style; its line must end there."""
    after = skip_blank(text, at)
    if after < len(text) and "\n" not in text[at:after]:
        raise unexpected(text, after, "text after the end of the value",
                         "start it on a line of its own, or put the whole value in quotes")
    return after


def unexpected(text: str, at: int, problem: str, remedy: str) -> YamlError:
    """Return the error for what stands at a place; what is plainly a slip is called by its name."""
    if text.startswith("\t", at):
        return error_at(text, at, "a tab outside quotes", "use spaces")
    if text.startswith("#", at):
        return error_at(text, at, "a comment with no space before it", "put a space before the #")
    if text.startswith(":", at):
        return error_at(text, at, "a colon that cannot stand here",
                        QUOTE_IT + ", or start the mapping on a line of its own")
    return error_at(text, at, problem, remedy)


# ---- plain and quoted scalars

INDICATORS = {
    "&": "an anchor", "*": "an alias", "!": "a tag", "%": "a reserved character or a directive",
    "@": "a reserved character", "`": "a reserved character", "|": "block text", ">": "block text",
    "[": "a list", "{": "a mapping", ",": "a comma", "]": "a closing bracket",
    "}": "a closing brace", "-": "a list item", "?": "a complex key", "#": "", "\t": "", ":": "",
}

# Runs of characters other than space; a comment begins with # after a space only, and a colon
# separates only before a space or, in flow style, before what ends the entry.
BLOCK_WORD = r"(?:[^ \t\n:]|:(?=[^ \t\n]))+"
FLOW_WORD = r"(?:[^ \t\n:,?\[\]{}]|:(?=[^ \t\n,\[\]{}]))+"
BLOCK_LINE, FLOW_LINE = [re.compile("(?!#){0}(?: +(?!#){0})*".format(word))
                         for word in (BLOCK_WORD, FLOW_WORD)]
PLAIN_GAP = re.compile(r" *\n[ \n]*")


def read_scalar(text: str, at: int, parent: int, flow: bool) -> Tuple[int, str]:
    """Return the end and the value of the plain or quoted scalar that begins here.

    `parent` is the column of the list or mapping around it (-1 if there is none): further lines
    stand to the right of it. `flow` tells that it is inside brackets.
    """
    first = text[at]
    if first in "\"'":
        return read_quoted(text, at, parent)
    may_begin = first in "-?:" and not (flow and first in "?:")
    if first in INDICATORS and not (may_begin and text[at + 1:at + 2] not in ("", " ", "\t", "\n")):
        raise unexpected(text, at, INDICATORS[first] + " cannot stand here", QUOTE_IT)
    end, value = read_plain(text, at, parent, flow)
    other = other_type(value)
    if other:
        raise error_at(text, at, other + " where text is needed", QUOTE_IT)
    return end, value


def read_plain(text: str, at: int, parent: int, flow: bool) -> Tuple[int, str]:
    pattern = FLOW_LINE if flow else BLOCK_LINE
    parts: List[str] = []
    end = at
    line = pattern.match(text, at)
    while line:
        parts.append(line.group())
        end = line.end()
        gap = PLAIN_GAP.match(text, end)
        if not gap or MARKER.match(text, gap.end()):
            break
        if not flow and column_of(text, gap.end()) <= parent:
            break
        parts.append(fold(gap.group()))
        line = pattern.match(text, gap.end())
    else:
        del parts[-1:]  # the gap that no further line followed
    return end, "".join(parts)


def fold(gap: str) -> str:
    """Return what a gap with line breaks stands for: one is a space, of more the first is lost."""
    return "\n" * (gap.count("\n") - 1) or " "


QUOTED_TEXT = {'"': re.compile(r'[^"\\ \t\n]+'), "'": re.compile(r"[^' \t\n]+")}
QUOTED_GAP = re.compile(r"[ \t\n]+")
ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([^xuU]))")
ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f",
    "r": "\r", "e": "\x1b", " ": " ", '"': '"', "\\": "\\", "/": "/", "N": "\x85", "_": "\xa0",
    "L": "\u2028", "P": "\u2029",
}


def read_quoted(text: str, start: int, parent: int) -> Tuple[int, str]:
    quote = text[start]
    parts: List[str] = []
    at = start + 1
    while at < len(text):
        if text[at] == quote:
            if quote == '"' or not text.startswith("''", at):
                return at + 1, "".join(parts)
            end, part = at + 2, "'"
        elif text[at] in " \t\n":
            end, part = read_quoted_gap(text, at, parent)
        elif text[at] == "\\" and quote == '"':
            end, part = read_escape(text, at, parent)
        else:
            end = match_end(QUOTED_TEXT[quote], text, at)
            part = text[at:end]
        parts.append(part)
        at = end
    raise error_at(text, start, "the quote that opens here is not closed", "close it")


def read_quoted_gap(text: str, at: int, parent: int) -> Tuple[int, str]:
    """Return the end and the meaning of spaces, tabs and line breaks between quotes."""
    end = match_end(QUOTED_GAP, text, at)
    gap = text[at:end]
    if "\n" not in gap:
        return end, gap
    indent = gap[gap.rindex("\n") + 1:]
    if end < len(text) and (MARKER.match(text, end) or match_end(SPACES, indent, 0) <= parent):
        raise error_at(text, end, "a quoted text goes on here with too little indentation",
                       "close the quote above, or indent this line with spaces")
    return end, fold(gap)


def read_escape(text: str, at: int, parent: int) -> Tuple[int, str]:
    found = ESCAPE.match(text, at)
    name = found.group(4) if found else None
    if name == "\n":  # joins the lines; empty lines that follow count all the same
        end, _ = read_quoted_gap(text, at + 1, parent)
        return end, "\n" * (text.count("\n", at, end) - 1)
    if found and name in ESCAPES:
        return found.end(), ESCAPES[name]
    number = int(found.group(found.lastindex or 0), 16) if found and name is None else -1
    if found and 0 <= number <= 0x10ffff and not 0xd800 <= number <= 0xdfff:
        return found.end(), chr(number)
    raise error_at(text, at, "an escape that stands for no character",
                   "double the backslash to mean a backslash")


# ---- what YAML 1.1 takes for something other than text

WORDS = {form: kind for kind, words in (("null", "~ null"),
                                        ("true or false", "yes no true false on off"))
         for word in words.split() for form in (word, word.capitalize(), word.upper())}
NUMBER = re.compile(r"""
    [-+]? (?: 0b[01_]+ | 0[0-7_]* | 0x[0-9a-fA-F_]+                 # 0b11, 0, 017, 0xff
            | [1-9][0-9_]* (?: :[0-5]?[0-9] )*                      # 12, 1_000, 12:30
            | [0-9][0-9_]* \. [0-9_]* (?: [eE][-+][0-9]+ )?         # 1.5, 1., 1.5e+3
            | [0-9][0-9_]* (?: :[0-5]?[0-9] )+ \. [0-9_]*           # 12:30.5
            | \. (?: inf | Inf | INF ) )
    | \. (?: [0-9][0-9_]* (?: [eE][-+][0-9]+ )? | nan | NaN | NAN ) # .5
    """, re.VERBOSE)
TIME = re.compile(r"""
    [0-9]{4} - (?: [0-9]{2} - [0-9]{2}                              # 2001-12-14
      | [0-9]{1,2} - [0-9]{1,2} (?: [Tt] | [ \t]+ )                 # 2001-12-14 21:59:43.1 +1
        [0-9]{1,2} : [0-9]{2} : [0-9]{2} (?: \. [0-9]* )?
        (?: [ \t]* (?: Z | [-+][0-9]{1,2} (?: :[0-9]{2} )? ) )? )
    """, re.VERBOSE)


def other_type(value: str) -> str:
    """Return what a plain scalar is instead of text; an empty string if it is text."""
    if value in ("<<", "="):
        return "a merge or default key"
    if NUMBER.fullmatch(value):
        return "a number"
    if TIME.fullmatch(value):
        return "a date"
    return WORDS.get(value, "")


# ---- block scalars

HEADER = re.compile(r"([|>])(?:([-+])([1-9])?|([1-9])([-+])?)?(?: +#[^\n]*| *)(?:\n|\Z)")
EMPTY_LINES = re.compile(r"(?: *\n)*")


def read_block_text(text: str, start: int, parent: int) -> Tuple[int, str]:
    """Return the end and the value of the literal or folded text whose header stands here."""
    header = HEADER.match(text, start)
    if not header:
        raise error_at(text, start, "block text (| or >) with something else in its first line",
                       "start the text on the next line, or " + QUOTE_IT)
    style, keep, width, width_first, keep_last = header.groups()
    least = max(parent + 1, 1)
    given = int(width or width_first or 0)
    indent = least + given - 1 if given else find_indent(text, header.end(), least)
    at, before = skip_empty_lines(text, header.end(), indent)
    parts: List[str] = []
    last_break = ""
    folds = False
    while text.startswith(" " * indent, at) and at + indent < len(text):
        end = match_end(REST, text, at)
        line = text[at + indent:end]
        if parts and folds and line[0] not in " \t":
            parts.append("\n" * before or " ")
        else:
            parts.append(last_break + "\n" * before)
        parts.append(line)
        folds = style == ">" and line[0] not in " \t"
        last_break = text[end:end + 1]
        at, before = skip_empty_lines(text, end + 1, indent)
    chomping = keep or keep_last
    if chomping != "-":
        parts.append(last_break)
    if chomping == "+":
        parts.append("\n" * before)
    return at, "".join(parts)


REST = re.compile(r"[^\n]*")


def find_indent(text: str, at: int, least: int) -> int:
    """Return the column of block text: that of its first line that is not empty."""
    first = match_end(EMPTY_LINES, text, at)
    indent = match_end(SPACES, text, first) - first
    widest = max(map(len, text[at:first].split("\n")))
    if indent < least or first + indent == len(text):  # there is no such line
        return max(least, widest, indent)
    if widest > indent:
        raise error_at(text, first + indent, "block text after an empty line with more spaces",
                       "remove the spaces from the empty lines above")
    return indent


def skip_empty_lines(text: str, at: int, indent: int) -> Tuple[int, int]:
    """Return the place after empty lines and their number; more spaces than `indent` are text."""
    count = 0
    end = text.find("\n", at)
    while 0 <= end <= at + indent and not text[at:end].strip(" "):
        count += 1
        at = end + 1
        end = text.find("\n", at)
    return min(at, len(text)), count
