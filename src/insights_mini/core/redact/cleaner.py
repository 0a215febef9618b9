"""What every block of collected lines goes through, in this order and no other:

1. bytes that are not UTF-8 are dropped, first, so that none can split a word the next steps know;
2. lines with one of the owner's patterns are dropped,
3. then lines that match one of the owner's expressions;
4. keywords are replaced,
5. values of passwords masked,
6. other secrets masked;
7. addresses and names are obfuscated: marked here, and resolved when the member is written.

Names of members and texts for messages go through it as well, in their own way (Policy).
"""
from typing import TYPE_CHECKING, Callable, Dict, NamedTuple, Optional, Tuple

from insights_mini.core.redact.droplines import PatternDropper
from insights_mini.core.redact.keywords import KeywordMasker, add
from insights_mini.core.redact.passwords import mask_passwords
from insights_mini.core.redact.secrets import SecretMasker
from insights_mini.exits import Uncleaned

if TYPE_CHECKING:  # not read where nothing is obfuscated
    from insights_mini.core.redact.obfuscate import Obfuscator

HIDDEN = "(a name that the owner forbids)"
Drop = Callable[[bytes], Tuple[bytes, Dict[int, int]]]


class Policy(NamedTuple):
    """The owner's will for one run."""

    patterns: PatternDropper
    drop_expressions: Drop  # raises Uncleaned
    keywords: KeywordMasker
    secrets: bool
    obfuscator: Optional["Obfuscator"]

    def make_cleaner(self) -> "Cleaner":
        return Cleaner(self)

    def clean_name(self, name: bytes) -> Optional[bytes]:
        """Return the name of a member as it may be shown; None where it must not be at all."""
        if self.forbids(name):
            return None
        cleaned = self.keywords.mask(name, {})
        return self.obfuscator.hide(cleaned) if self.obfuscator else cleaned

    def clean_text(self, text: str) -> str:
        """Return a text for the console or the log without what the owner hides."""
        try:
            name = self.clean_name(text.encode("utf-8", "surrogateescape"))
        except Uncleaned:
            name = None
        return HIDDEN if name is None else name.decode("utf-8", "surrogateescape")

    def forbids(self, name: bytes) -> bool:
        line = name + b"\n"
        return bool(self.patterns.drop(line)[1] or self.drop_expressions(line)[1])


class Cleaner:
    """Cleans one member, block by block; `counts` says by rule how often it did something."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.counts: Dict[str, int] = {}
        self.mask_secrets = SecretMasker() if policy.secrets else None

    def __call__(self, block: bytes) -> bytes:
        """Return a block of whole lines as it may leave the host; raise Uncleaned."""
        policy = self.policy
        block = drop_undecodable(block)
        block, dropped = policy.patterns.drop(block)
        self.count("pattern %d", dropped)
        block, dropped = policy.drop_expressions(block)
        self.count("regex %d", dropped)
        block = policy.keywords.mask(block, self.counts)
        block, masked = mask_passwords(block)
        add(self.counts, "password", masked)
        if self.mask_secrets:
            before = self.mask_secrets.count
            block = self.mask_secrets(block)
            add(self.counts, "secret", self.mask_secrets.count - before)
        if policy.obfuscator:
            block, marked = policy.obfuscator.mark(block)
            add(self.counts, "obfuscated", marked)
        return block

    def count(self, rule: str, numbers: Dict[int, int]) -> None:
        for number, lines in numbers.items():
            add(self.counts, rule % number, lines)


def drop_undecodable(block: bytes) -> bytes:
    """Return the block without the bytes that are not UTF-8."""
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return block.decode("utf-8", "ignore").encode("utf-8")
    return block
