"""Finds many fixed strings in a block at once.

Searching once for each string is several times faster than one regular expression with all of them:
bytes.find skips ahead, an alternation looks at every byte. Strings that begin alike are searched
for once, by their common beginning, as long as that is rare in what is searched.
"""
from typing import Iterable, Iterator, List, NamedTuple, Tuple

SHORTEST = 4   # a common beginning worth searching for
RARE = 2048    # bytes of block for each vain find of a beginning that is still rare


class Group(NamedTuple):
    beginning: bytes
    strings: Tuple[bytes, ...]


class Finder:
    """For blocks of one kind: it learns which searches pay off there."""

    def __init__(self, strings: Iterable[bytes]) -> None:
        self.groups = make_groups(strings)

    def places(self, block: bytes, once_a_line: bool) -> Iterator[int]:
        """Yield where strings begin, group by group; with `once_a_line`, a group's first in a line.
        """
        for group in self.groups:
            yield from self.search(block, group, once_a_line)

    def search(self, block: bytes, group: Group, once_a_line: bool) -> Iterator[int]:
        find = block.find
        beginning, strings = group
        alone = len(strings) == 1
        vain = 0
        at = find(beginning)
        while at >= 0:
            if alone or block.startswith(strings, at):
                yield at
                end = find(b"\n", at) + 1 or len(block) if once_a_line else at + 1
                at = find(beginning, end)
            else:
                vain += 1
                at = find(beginning, at + 1)
        if vain > len(block) // RARE:
            self.split(group)

    def split(self, group: Group) -> None:
        """Search for the strings of a group one by one from now on."""
        groups: List[Group] = []
        for known in self.groups:
            if known is group:
                groups.extend(Group(string, (string,)) for string in group.strings)
            else:
                groups.append(known)
        self.groups = groups


def make_groups(strings: Iterable[bytes]) -> List[Group]:
    """Put together what has a beginning in common."""
    groups: List[Group] = []
    members: List[bytes] = []
    for string in sorted(set(strings)):
        if members and len(common_beginning(members[0], string)) < min(SHORTEST, len(members[0])):
            groups.append(make_group(members))
            members = []
        members.append(string)
    return [*groups, make_group(members)] if members else groups


def make_group(members: List[bytes]) -> Group:
    """Return the group of some sorted strings: what first and last share, all of them share."""
    return Group(common_beginning(members[0], members[-1]), tuple(members))


def common_beginning(one: bytes, other: bytes) -> bytes:
    for place, (a, b) in enumerate(zip(one, other)):
        if a != b:
            return one[:place]
    return min(one, other, key=len)
