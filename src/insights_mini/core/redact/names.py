"""Finds the names of this host and of its domains in text, in any case, as whole labels.

A short name `db` is not found in `dbus`; it is in `db.example.org`, `root@db` and `DB:5432`. Of a
domain every name below it counts, so peers are hidden with the host.
"""
from typing import Iterable, Iterator, List, NamedTuple, Sequence

from insights_mini.core.redact import HOSTNAME
from insights_mini.core.redact.addresses import Found

LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789")
IN_LABEL = LETTERS | frozenset(b"-_")
LONGEST = 255  # bytes of a host name
# Names of every host begin like these.
OPEN = ("localhost", "localdomain", "ip6-")


class HostNames(NamedTuple):
    """What to hide, in lower case: whole names without domain, and domains, the longest first."""

    short: Sequence[str]
    domains: Sequence[str]


def gather(own: Iterable[str], hosts: str, resolv: str) -> HostNames:
    """Return the names to hide, from this host's own names, /etc/hosts and /etc/resolv.conf."""
    names = [name.lower().rstrip(".") for name in own]
    short = {name.partition(".")[0] for name in names}
    domains = {name.partition(".")[2] for name in names} | set(search_domains(resolv))
    lines = [line.partition("#")[0].lower().split()[1:] for line in hosts.splitlines()]
    for line in lines:
        if any(name in names for name in line):
            domains.update(name.partition(".")[2] for name in line)
    domains = {name for name in domains if name not in ("", "local") and
               not name.startswith(OPEN)}
    for line in lines:  # peers: whoever is named within one of our domains
        if any(name.endswith("." + domain) for name in line for domain in domains):
            short.update(name.partition(".")[0] for name in line)
    short = {name for name in short if name and not name.startswith(OPEN)}
    return HostNames(sorted(short), sorted(domains, key=lambda name: (-len(name), name)))


def search_domains(resolv: str) -> List[str]:
    found = []
    for line in resolv.splitlines():
        words = line.lower().split()
        if words[:1] in (["search"], ["domain"]):
            found += [word.strip(".") for word in words[1:]]
    return found


class NameFinder:
    def __init__(self, names: HostNames) -> None:
        self.short = [name.encode("utf-8") for name in names.short]
        self.domains = [name.encode("utf-8") for name in names.domains]

    def find(self, lowered: bytes) -> Iterator[Found]:
        """Yield where names stand in a text that is in lower case."""
        for domain in self.domains:
            for start in places(lowered, domain):
                yield first_label(lowered, start), start + len(domain), HOSTNAME
        for name in self.short:
            for start in places(lowered, name):
                yield start, start + len(name), HOSTNAME


def places(lowered: bytes, name: bytes) -> Iterator[int]:
    """Yield where a name stands as whole labels; `-` and `_` may follow one that has a dot."""
    after = LETTERS if b"." in name else IN_LABEL
    start = lowered.find(name)
    while start >= 0:
        end = start + len(name)
        inside = (start and lowered[start - 1] in IN_LABEL) or (
            end < len(lowered) and lowered[end] in after)
        if not inside:
            yield start
        start = lowered.find(name, start + 1)


def first_label(lowered: bytes, start: int) -> int:
    """Return where the first label of a name begins, of which a domain begins at `start`."""
    first = max(1, start - LONGEST)
    while start > first and lowered[start - 1] == ord(".") and lowered[start - 2] in IN_LABEL:
        start -= 1
        while start >= first and lowered[start - 1] in IN_LABEL:
            start -= 1
    return start
