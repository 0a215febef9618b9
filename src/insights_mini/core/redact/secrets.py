"""Masks secrets beyond passwords in the blocks of one member, as option redact_secrets asks.

A block goes through the rules in the order of RULES, each line by itself; private keys go first,
as they alone span lines. What each rule masks is said in its own module:

    keyblocks.py    private keys               assignments.py  values given to the name of a secret
    shapes.py       URLs, headers, hashes      kept.py         which of these values are no secrets
    forms.py        account files, options

It is fast where there is nothing to find: a rule sees only the lines with one of its triggers, and
these are searched for in the whole block, lowered once. A trigger is written so that re can skip to
its first letters: one fixed beginning, and what may follow it.

What it does not know: a secret without a name or form of its own (the third word of chap-secrets),
and values on other lines than their names (YAML blocks, `name:` and `value:` of a container).
"""
import re
from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Pattern, Tuple

from insights_mini.core.redact import assignments, forms, shapes
from insights_mini.core.redact.keyblocks import KeyBlocks
from insights_mini.core.redact.masking import Rule

Line = Tuple[int, FrozenSet[int]]  # where it ends, and the rules for it

# An account file has no word in common: a name, a colon, and what the rule accepts.
ACCOUNT = (rb"\n[\w.@*$\\\[\]-]{1,80}:(?:[./0-9a-z]{13}(?=[:\r\n]|\Z)"
           rb"|(?:\d{1,10}|\*):[^:\s]{1,64}:(?=[^:\s])"
           rb"|[^:\n]{1,64}:[0-9a-f]{32}(?=[\r\n]|\Z)"
           rb"|[^:\s]{2,400}:\d{0,6}:\d{0,6}:)")

# In their order.
RULES: Tuple[Rule, ...] = (
    shapes.mask_urls, shapes.mask_bare_credentials, shapes.mask_authorization, shapes.mask_bearers,
    shapes.mask_known, shapes.mask_signatures, forms.mask_root, shapes.mask_hashes,
    shapes.mask_schemes, shapes.mask_docker, forms.mask_accounts, forms.mask_snmp,
    forms.mask_preshared, forms.mask_netrc, forms.mask_named, forms.mask_identified,
    forms.mask_options, assignments.mask_assignments,
)


class Trigger(NamedTuple):
    """An expression that is in each line that some rules can change."""

    expression: Pattern[bytes]
    rules: FrozenSet[int]  # their places in RULES


def trigger(expression: bytes, *rules: Rule) -> Trigger:
    return Trigger(re.compile(expression), frozenset(RULES.index(rule) for rule in rules))


# Looked for in lower case. `key` alone is in too many lines; it counts with the word before it.
TRIGGERS = (
    trigger(rb"://", shapes.mask_urls),
    trigger(rb"@", shapes.mask_bare_credentials),
    trigger(rb"auth(?:orization|tok|\\*[\"': =])", shapes.mask_authorization, shapes.mask_docker,
            assignments.mask_assignments),
    trigger(rb"bearer", shapes.mask_bearers),
    trigger(rb"g(?:h[pousr]_|lpat-|ithub_pat_|aaaaa)", shapes.mask_known),
    trigger(rb"xox", shapes.mask_known),
    trigger(rb"_(?:live|test)_", shapes.mask_known),
    trigger(rb"\.eyj", shapes.mask_known),
    trigger(rb"sig=", shapes.mask_signatures),
    trigger(rb"p(?:w(?:d|(?![a-z]))|ass(?![aeio]|wo)|sk|bkdf2|2?sink)", forms.mask_root,
            shapes.mask_hashes, forms.mask_snmp, forms.mask_preshared, forms.mask_options,
            assignments.mask_assignments),
    trigger(rb"\$(?:[1-9a-z][\w-]{0,20}\$|\d+:)", shapes.mask_hashes),
    trigger(rb"\{(?:s?sha|s?md5|crypt|nt|argon|pbkdf)", shapes.mask_schemes),
    trigger(ACCOUNT, forms.mask_accounts),
    trigger(rb"c(?:redential|om(?:munity|2sec)|reateuser|url )", forms.mask_snmp,
            forms.mask_options, assignments.mask_assignments),
    trigger(rb"m(?:ysql|ariadb|achine[ \t]|asterauth|sink)", forms.mask_options, forms.mask_netrc,
            forms.mask_snmp, assignments.mask_assignments),
    trigger(rb"secret", forms.mask_named, assignments.mask_assignments),
    trigger(rb"identified", forms.mask_identified),
    trigger(rb"ke(?:(?<=toke)n|" + assignments.KEY[2:] + rb")", assignments.mask_assignments),
)
EXACT_TRIGGERS = (trigger(rb"A(?:KIA|SIA|Iza)", shapes.mask_known),
                  trigger(rb"LS0tLS1CRUdJTi", shapes.mask_known))


class SecretMasker:
    """Masks the secrets of one member; `count` is how many values so far.

    Call it with the member's blocks in their order. Each line ends with a newline in its own
    block, except perhaps the last of the member. How the lines are divided into blocks makes no
    difference.
    """

    def __init__(self) -> None:
        self.masked = 0
        self.keys = KeyBlocks()

    @property
    def count(self) -> int:
        return self.masked + self.keys.count

    def __call__(self, block: bytes) -> bytes:
        """Return a block of whole lines with its secrets masked."""
        block = self.keys(block)
        lines: Dict[int, Line] = {}
        find_lines(b"\n" + block.lower(), TRIGGERS, lines)
        find_lines(b"\n" + block, EXACT_TRIGGERS, lines)
        if not lines:
            return block
        pieces: List[bytes] = []
        done = 0
        for start in sorted(lines):
            end, rules = lines[start]
            pieces += [block[done:start], self.mask_line(block[start:end], rules)]
            done = end
        pieces.append(block[done:])
        return b"".join(pieces)

    def mask_line(self, line: bytes, rules: FrozenSet[int]) -> bytes:
        for place in sorted(rules):
            line, count = RULES[place](line)
            self.masked += count
        return line


def find_lines(text: bytes, triggers: Iterable[Trigger], lines: Dict[int, Line]) -> None:
    """Add the lines with a trigger: where each starts and ends, and the rules for it.

    The text is a block after one newline, so that its first line begins as all others do; the
    places are those in the block.
    """
    for expression, rules in triggers:
        match = expression.search(text)
        while match:
            at = match.end() - 1
            start = text.rfind(b"\n", 0, at)
            end = text.find(b"\n", at)
            whole = end >= 0
            if start in lines:
                lines[start] = (lines[start][0], lines[start][1] | rules)
            else:
                lines[start] = (end if whole else len(text) - 1, rules)
            match = expression.search(text, end) if whole else None
