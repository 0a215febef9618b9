"""What every block of collected lines goes through, in this order and no other:

1. bytes that are not UTF-8 are dropped, first, so that none can split a word the next steps know;
2. lines with one of the owner's patterns are dropped,
3. then lines that match one of the owner's expressions;
4. values of passwords are masked,
5. other secrets masked,
6. keywords replaced: a keyword `pass` or `PRIVATE` must not hide a password or key from 4 and 5;
7. addresses and names are obfuscated: marked here, and resolved when the member is written.

Names of members and texts for messages go through it as well, in their own way (Policy).
"""
from typing import TYPE_CHECKING, Callable, Dict, NamedTuple, Optional, Tuple

from insights_mini.core.binary import is_wide
from insights_mini.core.redact.droplines import PatternDropper
from insights_mini.core.redact.keywords import KeywordMasker, add
from insights_mini.core.redact.passwords import mask_passwords
from insights_mini.core.redact.secrets import SecretMasker
from insights_mini.exits import Uncleaned

if TYPE_CHECKING:  # not read where nothing is obfuscated
    from insights_mini.core.redact.obfuscate import Obfuscator

HIDDEN = b"[...]"
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
        cleaned = self.mask_name(name)
        return self.obfuscator.hide(cleaned) if self.obfuscator and cleaned else cleaned

    def mask_name(self, name: bytes) -> Optional[bytes]:
        """Do the same without obfuscation."""
        if self.patterns.drop(name + b"\n")[1] or self.matches(name):
            return None
        return self.keywords.mask(name, {})

    def matches(self, text: bytes) -> bool:
        return bool(self.drop_expressions(text + b"\n")[1])

    def clean_text(self, text: str) -> str:
        """Return a text for the console or the log without what the owner hides."""
        content = text.encode("utf-8", "surrogateescape")
        for start, end in reversed(self.patterns.spans(content)):
            content = content[:start] + HIDDEN + content[end:]
        try:
            if self.matches(content):  # word by word, so that the rest can be read
                content = b" ".join(HIDDEN if self.matches(word) else word
                                    for word in content.split(b" "))
                content = HIDDEN if self.matches(content) else content
        except Uncleaned:
            content = HIDDEN
        content = self.keywords.mask(content, {})
        content = self.obfuscator.hide(content) if self.obfuscator else content
        return content.decode("utf-8", "surrogateescape")


class Cleaner:
    """Cleans one member, block by block; `counts` says by rule how often it did something."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.counts: Dict[str, int] = {}
        self.mask_secrets = SecretMasker() if policy.secrets else None

    def __call__(self, block: bytes) -> bytes:
        """Return a block of whole lines as it may leave the host; raise Uncleaned."""
        policy = self.policy
        if is_wide(block):
            raise Uncleaned("it has text in UTF-16 or UTF-32")
        block = drop_undecodable(block)
        block, dropped = policy.patterns.drop(block)
        self.count("pattern %d", dropped)
        block, dropped = policy.drop_expressions(block)
        self.count("regex %d", dropped)
        block, masked = mask_passwords(block)
        add(self.counts, "password", masked)
        if self.mask_secrets:
            before = self.mask_secrets.count
            block = self.mask_secrets(block)
            add(self.counts, "secret", self.mask_secrets.count - before)
        block = policy.keywords.mask(block, self.counts)
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
