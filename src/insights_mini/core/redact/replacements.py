"""What stands in for what obfuscation hides: one replacement for one original, and never two alike.

Replacements are made from a key that is drawn for the run (or kept by the owner), so that nobody
can get an original back by trying. IPv4 addresses are numbered from 10.230.230.1 in the order in
which they are first asked for (CONTRACT.md section 6).
"""
import hashlib
import hmac
import ipaddress
import re
from typing import Callable, Dict, List, Sequence, Set, Tuple

from insights_mini.core.redact import IPV4, IPV6, MAC
from insights_mini.core.redact.addresses import parse_ipv4

FIRST_IPV4 = (10 << 24) + (230 << 16) + (230 << 8) + 1
DOMAIN = "example.com"
Shape = Callable[[int], str]  # makes a replacement from a number that the key gives


class Replacements:
    """`domains` are the domains that are hidden, the longest first."""

    def __init__(self, key: bytes, domains: Sequence[str]) -> None:
        self.key = key
        self.domains = domains
        self.chosen: Dict[Tuple[str, str], str] = {}  # by kind and original in one form
        self.used: Set[str] = set()
        self.words: Set[bytes] = set()  # replacements in every form in which they were written
        self.next_ipv4 = FIRST_IPV4

    def replace(self, kind: str, text: bytes) -> bytes:
        """Return what stands in for an original, in the form in which that is written."""
        shape = {IPV4: self.ipv4, IPV6: self.ipv6, MAC: self.mac}.get(kind, self.name)
        word = shape(text.decode("utf-8")).encode("utf-8")
        self.words.add(word)
        return word

    def ipv4(self, text: str) -> str:
        number = parse_ipv4(text.encode("ascii"))
        plain = str(ipaddress.IPv4Address(number or 0))
        known = self.chosen.get((IPV4, plain))
        if known is None:
            while self.next_ipv4 & 0xFF in (0, 255):
                self.next_ipv4 += 1
            known = self.remember(IPV4, plain, str(ipaddress.IPv4Address(self.next_ipv4)))
            self.next_ipv4 += 1
        return known.replace(".", "-") if "-" in text else known

    def ipv6(self, text: str) -> str:
        address = ipaddress.IPv6Address(text)
        known = self.chosen.get((IPV6, str(address)))
        if known is None:
            prefix, bits = (0xFE80 << 112, 64) if address.is_link_local else (0x20010DB8 << 96, 96)
            known = self.draw(IPV6, str(address), lambda number: str(
                ipaddress.IPv6Address(prefix | number % (1 << bits))))
        if "::" not in text:
            known = ipaddress.IPv6Address(known).exploded
        return known.upper() if text.upper() == text and text.lower() != text else known

    def mac(self, text: str) -> str:
        digits = re.sub("[^0-9a-f]", "", text.lower())
        known = self.chosen.get((MAC, digits))
        if known is None:  # locally administered, so that it is nobody's
            known = self.draw(MAC, digits, lambda number: "02%010x" % (number % (1 << 40)))
        if text.upper() == text and text.lower() != text:
            known = known.upper()
        left = iter(known)
        return "".join(next(left) if c.isalnum() else c for c in text)

    def name(self, text: str) -> str:
        """Replace a host or domain name label by label, below example.com."""
        lowered = text.lower()
        for place, domain in enumerate(self.domains):
            if lowered == domain or lowered.endswith("." + domain):
                hidden = DOMAIN if place == len(self.domains) - 1 else "%s.%s" % (
                    self.label(domain, "dom"), DOMAIN)
                below = lowered[:-len(domain)].rstrip(".")
                labels = [self.label(label, "host") for label in below.split(".") if label]
                return ".".join([*labels, hidden])
        return self.label(lowered, "host")

    def label(self, label: str, beginning: str) -> str:
        known = self.chosen.get((beginning, label))
        return known or self.draw(beginning, label, lambda number: "%s%08x" % (
            beginning, number % (1 << 32)))

    def draw(self, kind: str, original: str, shape: Shape) -> str:
        """Choose from the key; where two would be alike, once more."""
        for attempt in range(1000):
            text = "%s %s %d" % (kind, original, attempt)
            digest = hmac.new(self.key, text.encode("utf-8"), hashlib.sha256).digest()
            candidate = shape(int.from_bytes(digest, "big"))
            if candidate not in self.used and candidate != original:
                return self.remember(kind, original, candidate)
        raise ValueError("no replacement is left for a %s" % kind)

    def remember(self, kind: str, original: str, replacement: str) -> str:
        self.chosen[kind, original] = replacement
        self.used.add(replacement)
        return replacement

    def restore(self, pairs: Sequence[Tuple[str, str, str]]) -> None:
        """Take over the replacements of an earlier run with the same key."""
        for kind, original, new in pairs:
            self.remember(kind, original, new)
            if kind == IPV4:
                self.next_ipv4 = max(self.next_ipv4, int(ipaddress.IPv4Address(new)) + 1)

    def pairs(self) -> List[Tuple[str, str, str]]:
        """Return kind, original and replacement of everything that was replaced."""
        return sorted((kind, original, new) for (kind, original), new in self.chosen.items())
