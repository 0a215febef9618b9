"""The name of this host, as the spec `hostname` and the archive's name give it."""
import os
from typing import List, Sequence

from insights_mini.core.roots import Root, read_small
from insights_mini.core.roots.running import HOST
from insights_mini.hostfiles import Unreadable

HOSTS = b"/etc/hosts"
# Where a host keeps its name: most of them, older SUSE, older Red Hat, an archive of ours.
NAMES = (b"/etc/hostname", b"/etc/HOSTNAME", b"/etc/sysconfig/network",
         b"/insights_commands/hostname_-f")
LARGEST = 1024 * 1024
NAMELESS = "(none)"  # what the kernel says of a host that nobody has named, as in an initramfs


def find_names(offline: bool) -> List[str]:
    """Return the names of this host, what it calls itself first (CONTRACT.md section 4).

    Offline the resolver is not asked, since it may ask the network; /etc/hosts is read instead.
    """
    own = os.uname().nodename
    names = [own, *(read_hosts(own, HOST) if offline else ask_resolver(own))]
    return ["" if name == NAMELESS else name for name in names]


def read_names(root: Root) -> List[str]:
    """Return the names that a host which does not run gives itself in its files."""
    for path in NAMES:
        lines = [line.partition("#")[0].strip() for line in read_text(root, path).splitlines()]
        if path.endswith(b"network"):
            lines = [line.partition("=")[2].strip(" \"'") for line in lines
                     if line.startswith("HOSTNAME=")]
        own = next(filter(None, lines), "")
        if own:
            return [own, *read_hosts(own, root)]
    return [""]


def choose_name(names: Sequence[str]) -> str:
    """Return the longest name that is not a localhost."""
    wanted = [name for name in names if name and not name.startswith("localhost")]
    return max(wanted, key=len) if wanted else names[0] or "localhost"


def read_hosts(own: str, root: Root) -> List[str]:
    """Return the names that /etc/hosts gives to the address of this host."""
    return parse_hosts(read_text(root, HOSTS), own)


def read_text(root: Root, path: bytes) -> str:
    """Return a small file as text; what cannot be read names nobody."""
    try:
        return read_small(root, path, LARGEST).decode("utf-8", "replace")
    except Unreadable:
        return ""


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
