"""The name of this host, as the spec `hostname` and the archive's name give it."""
import os
from typing import List, Sequence

from insights_mini import hostfiles

HOSTS = b"/etc/hosts"


def find_names(offline: bool) -> List[str]:
    """Return the names of this host, what it calls itself first (CONTRACT.md section 4).

    Offline the resolver is not asked, since it may ask the network; /etc/hosts is read instead.
    """
    own = os.uname().nodename
    return [own, *(read_hosts(own) if offline else ask_resolver(own))]


def choose_name(names: Sequence[str]) -> str:
    """Return the longest name that is not a localhost."""
    wanted = [name for name in names if name and not name.startswith("localhost")]
    return max(wanted, key=len) if wanted else names[0] or "localhost"


def read_hosts(own: str) -> List[str]:
    """Return the names that /etc/hosts gives to the address of this host."""
    try:
        content = hostfiles.read_small(HOSTS, 1024 * 1024)
    except hostfiles.Unreadable:
        return []
    return parse_hosts(content.decode("utf-8", "replace"), own)


def parse_hosts(text: str, own: str) -> List[str]:
    """Return the names on the first line that has our own name, as the resolver would."""
    for line in text.splitlines():
        names = line.partition("#")[0].split()[1:]
        if own.lower() in (name.lower() for name in names):
            return names
    return []


def ask_resolver(own: str) -> List[str]:
    """Return the names that the system's resolver knows for this host."""
    import socket  # late: not on the way of an offline run
    names = [socket.getfqdn()]
    try:
        canonical, aliases, _ = socket.gethostbyname_ex(own)
        names += [canonical, *aliases]
    except OSError:
        pass  # a host that cannot resolve its own name has only that one
    return names
