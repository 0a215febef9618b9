"""What an egg is to the wrapper: a name for messages, a version, and where its code lies."""
from typing import NamedTuple

from insights_mini.version import VERSION


class Egg(NamedTuple):
    """An updatable core that may run the phases (CONTRACT.md section 3)."""

    name: str
    version: str


def find_eggs() -> "tuple[Egg, ...]":
    """Return the usable eggs in the order in which they are tried."""
    return (Egg("built-in egg", VERSION),)
