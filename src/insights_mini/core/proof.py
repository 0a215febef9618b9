"""A second look at what goes into the archive, simpler than redaction and independent of it.

It reads the final bytes and names of every member and looks for what must not be there: each
keyword, each fixed pattern, each name of the host, and each address that obfuscation has replaced
anywhere in the archive (hardware addresses without separators excepted: any number could be one).
Wants blocks of whole lines. It knows nothing of how these were removed; only of redaction's own
words it is told, for they may contain a keyword.
"""
import re
from collections import Counter
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

OWN_WORDS = re.compile(rb"keyword[0-9]+|\*{8}|\.?example\.com")
HEX = rb"[0-9A-Fa-f]"
DIGITS = re.compile(rb"(?<![0-9A-Za-z.])[0-9]{1,3}$")
COLONS = re.compile(rb"[0-9A-Fa-f:]*$")
PAIR = re.compile(rb"[0-9A-Fa-f]{2}$")
QUAD = re.compile(rb"[0-9A-Fa-f]{4}$")
NOTHING = re.compile(rb"$")
WORD = re.compile(rb"[0-9A-Za-z_]")
# What looks like an address: the search begins at a separator, for which it skips ahead; the second
# expression is for what stands before that, within so many bytes.
FORMS = (
    (re.compile(rb"\.(?<=[0-9]\.)[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9A-Za-z]|\.[0-9])"),
     DIGITS, 4),
    (re.compile(rb":(?<=%s:)(?:%s{1,4}:){4,}%s{1,4}" % (HEX, HEX, HEX)), COLONS, 40),
    (re.compile(rb"::[0-9A-Fa-f:]*"), COLONS, 40),
    (re.compile(rb"-(?<=[Ii][Pp]-)(?<![0-9A-Za-z]..-)[0-9]{1,3}(?:-[0-9]{1,3}){3}(?![0-9])"),
     NOTHING, 0),
    (re.compile(rb"-(?<=%s-)(?:%s{2}-){4}%s{2}" % (HEX, HEX, HEX)), PAIR, 2),
    (re.compile(rb"_(?<=%s_)(?:%s{2}_){4}%s{2}" % (HEX, HEX, HEX)), PAIR, 2),
    (re.compile(rb"\.(?<=%s{4}\.)%s{4}\.%s{4}" % (HEX, HEX, HEX)), QUAD, 4),
)
SIGNS = (b":", b"-", b"_")
LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789")
IN_LABEL = LETTERS | frozenset(b"-_")
PART = 4  # bytes that strings must have in common to be looked for together
MOST = 10000  # suspects; with more than that, something is wrong for sure

Group = Tuple[bytes, List[Tuple[str, bytes]]]  # what the strings have in common, the strings


class Hit(NamedTuple):
    """Something that must not be there: in which member, and what rule says so; never the value."""

    member: bytes
    rule: str


class Proof:
    def __init__(self, strings: Sequence[Tuple[str, bytes]], names: Sequence[bytes],
                 is_version: Optional[Callable[[bytes, int, int], bool]]) -> None:
        """`strings` are rules with what they forbid, `names` the host's in lower case. Addresses
        are looked for if there is an `is_version`; what it calls a version number is none."""
        self.groups = make_groups(strings)
        self.names = names
        self.is_version = is_version
        self.hits: List[Hit] = []
        self.suspects: List[Tuple[Hit, bytes, bytes]] = []
        self.addresses: Dict[bytes, bytes] = {}  # what looks like one -> first member with it

    def read(self, member: bytes, block: bytes) -> None:
        """Look at a part of a member, or at its name."""
        for rule, string in self.find_strings(block):
            for line in block.splitlines():
                if string in OWN_WORDS.sub(b"\0", line):
                    self.suspect(Hit(member, rule), string, line)
        if self.names:
            lowered = block.lower()
            for name in self.names:
                if name in lowered and stands_alone(lowered, name):
                    for line in lowered.splitlines():
                        if stands_alone(OWN_WORDS.sub(b"\0", line), name):
                            self.suspect(Hit(member, "hostname"), name, line)
        if self.is_version:
            for form, before, reach in FORMS:
                for match in form.finditer(block):
                    head = before.search(block, max(0, match.start() - reach), match.start())
                    if head:
                        start = head.start() + (before is NOTHING)
                        self.note(member, block, start, match.end(), self.is_version)

    def find_strings(self, block: bytes) -> Iterator[Tuple[str, bytes]]:
        for part, strings in self.groups:
            if part in block:
                for rule, string in strings:
                    if string in block:
                        yield rule, string

    def suspect(self, hit: Hit, string: bytes, line: bytes) -> None:
        if len(self.suspects) < MOST:
            self.suspects.append((hit, string, line))
        else:
            self.hits.append(hit)

    def note(self, member: bytes, block: bytes, start: int, end: int,
             is_version: Callable[[bytes, int, int], bool]) -> None:
        """Remember what looks like an address, also without what may only stand before it."""
        text = block[start:end]
        if text in self.addresses or WORD.match(block, end) or is_version(block, start, end):
            return
        if start and WORD.match(block, start - 1):  # the end of a word: node:fe80::1
            text = text.partition(b":")[2]
        text = text.strip(b":")
        self.addresses.setdefault(text, member)
        if text[-18:-17] in SIGNS:  # the type of hardware before its address
            self.addresses.setdefault(text[-17:], member)

    def verdict(self, originals: Iterable[bytes], own: Sequence[bytes]) -> Optional[Hit]:
        """Return what was found first, or None. `own` are the replacements that were used."""
        for hit in self.hits:
            return hit
        for hit, string, line in self.suspects:
            rest = without(line, own)
            if stands_alone(rest, string) if hit.rule == "hostname" else string in rest:
                return hit
        replaced = set(own)
        for original in originals:
            if original not in replaced and original in self.addresses:
                return Hit(self.addresses[original], "obfuscation")
        return None


def make_groups(strings: Sequence[Tuple[str, bytes]]) -> List[Group]:
    """Put together the strings with a part in common: where that is not, none of them is."""
    groups: List[Group] = []
    left = list(strings)
    while left:
        parts = Counter(part for _, string in left for part in
                        {string[i:i + PART] for i in range(max(1, len(string) - PART + 1))})
        part = min(parts, key=lambda part: (-parts[part], part))
        groups.append((part, [item for item in left if part in item[1]]))
        left = [item for item in left if part not in item[1]]
    return groups


def without(line: bytes, words: Sequence[bytes]) -> bytes:
    """Return a line without our own words, the longest first."""
    for word in sorted((word for word in words if word in line), key=len, reverse=True):
        line = line.replace(word, b"\0")
    return OWN_WORDS.sub(b"\0", line)


def stands_alone(lowered: bytes, name: bytes) -> bool:
    """Tell whether a name stands somewhere as whole labels."""
    after = LETTERS if b"." in name else IN_LABEL
    start = lowered.find(name)
    while start >= 0:
        end = start + len(name)
        if not (start and lowered[start - 1] in IN_LABEL) and not (
                end < len(lowered) and lowered[end] in after):
            return True
        start = lowered.find(name, start + 1)
    return False
