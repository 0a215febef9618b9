"""Finds addresses in text: IPv4, IPv6 and MAC, in the forms in which hosts write them.

What only looks like one is left: version numbers, times, fingerprints. Netmasks, loopback, `::`,
0.0.0.0 and broadcast say nothing about a host and are left as well. Where it is uncertain whether
something is a version or an address, it is an address.

Every search begins at a separator, for which the regular expression engine skips ahead; what
stands before it is looked at afterwards, for the few places that remain.
"""
import ipaddress
import re
from typing import Dict, Iterator, Optional, Tuple

from insights_mini.core.redact import IPV4, IPV6, MAC

OCTET = rb"0{0,2}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
IPV4_END = rb"(?![0-9A-Za-z]|\.\d)"
IPV4_TAIL = re.compile(rb"\.(?<=\d\.)%s\.%s\.%s%s" % (OCTET, OCTET, OCTET, IPV4_END))
IPV4_HEAD = re.compile(rb"(?<![0-9A-Za-z.])%s$" % OCTET)
IPV4_WHOLE = re.compile(rb"%s(?:\.%s){3}%s" % (OCTET, OCTET, IPV4_END))
DASHED = re.compile(rb"ip-(?<![0-9A-Za-z]ip-)(\d{1,3}(?:-\d{1,3}){3})(?![0-9])", re.IGNORECASE)

GROUP = rb"[0-9A-Fa-f]{1,4}"
IPV6_END = rb"(?![0-9A-Za-z_]|\.\d+\.\d)"
IPV6_SHORT = re.compile(rb"::(?:%s(?::%s)*)?%s" % (GROUP, GROUP, IPV6_END))
IPV6_LONG = re.compile(rb":(?<=[0-9A-Fa-f]:)(?:%s:){6}%s%s" % (GROUP, GROUP, IPV6_END))
IPV6_HEAD = re.compile(rb"(?:(?<![0-9A-Za-z_:.])|(?<=[0-9A-Za-z_]:))%s(?::%s)*$" %
                       (GROUP, GROUP))
WORD_BEFORE = re.compile(rb"(?<![0-9A-Za-z_])(?:[0-9A-Za-z_]{5,}|\w*[G-Zg-z_]\w*):$")
PORT_OF_LOOPBACK = re.compile(rb"::1:\d+")  # netstat does not write brackets
PAIRS = re.compile(rb"(?:..:){7}..")

PAIR = rb"[0-9A-Fa-f]{2}"
MACS = tuple(re.compile(rb"%s(?<=%s%s)%s(?:%s%s){4,}(?![0-9A-Fa-f])" % (
    separator, PAIR, separator, PAIR, separator, PAIR)) for separator in (b":", b"-", b"_"))
DOTTED_MAC = re.compile(rb"\.(?<=%s%s\.)%s%s\.%s%s(?![0-9A-Za-z.])" % ((PAIR,) * 6))
BARE_MAC = re.compile(rb"(?:[ _-]?addr(?:ess)?)?[\"' \t:=]+([0-9a-f]{12})(?![0-9a-z])")
BARE_BEFORE = (b"mac", b"ether", b"addr")  # in front of digits without separators
OF_HARDWARE = (b"hw", b"ll")  # in front of `addr`

VERSION_BEFORE = re.compile(rb"\b(?i:v|ver|version|release|rev)[ \t:=\"']*$|\b[A-Z]\w+/$")
PACKAGE_BEFORE = re.compile(rb"[A-Za-z_+]-$")
PACKAGE_AFTER = re.compile(rb"-[0-9a-z]|\.(?:el|fc|x86|noarch|rpm|deb|so|jar|tar|src|git)|~|\+")
DEBIAN_AFTER = re.compile(rb"_(?:all|amd64|arm64|i386)\b")
CONTEXT = 16  # bytes before a match that decide whether it is a version

# Groups of two digits that are hardware addresses: Ethernet, with its type before it (DHCP),
# EUI-64 and InfiniBand. Fingerprints of keys have 16 or 32.
MAC_GROUPS = (6, 7, 8, 20)
FRAME_GROUPS = 14  # the head of a frame, as netfilter logs it: to, from, type
MAC_LENGTH = 17


Found = Tuple[int, int, str]  # of an address in a text: where it begins and ends, its kind


def find_ipv4(text: bytes, lowered: bytes, known: Dict[bytes, bool]) -> Iterator[Found]:
    """Yield the IPv4 addresses of a text; `lowered` is the text in lower case.

    `known` remembers what has been looked at.
    """
    for match in IPV4_TAIL.finditer(text):
        end = match.end()
        head = IPV4_HEAD.search(text, max(0, match.start() - 6), match.start())
        if not head:
            continue
        start = head.start()
        candidate = text[start:end]
        if candidate not in known:
            known[candidate] = is_host_ipv4(candidate)
        if known[candidate] and not is_version(text, start, end):
            yield (start, end, IPV4)
    if b"ip-" in lowered:
        for match in DASHED.finditer(text):
            if parse_ipv4(match.group(1)) is not None:
                yield (match.start(1), match.end(1), IPV4)


def parse_ipv4(text: bytes) -> Optional[int]:
    """Return the number of an address with dots or dashes, or None where it is none."""
    number = 0
    for part in text.replace(b"-", b".").split(b"."):
        if int(part) > 255:
            return None
        number = number << 8 | int(part)
    return number


def is_host_ipv4(text: bytes) -> bool:
    """Tell whether an address says something about a host or network."""
    number = parse_ipv4(text)
    if number is None or number >> 24 in (0, 127):
        return False
    inverse = number ^ 0xFFFFFFFF
    netmask = not inverse & (inverse + 1)
    return not (netmask and (number >> 24 == 255 or not number & 0xFFFFFF))


def is_version(text: bytes, start: int, end: int) -> bool:
    """Tell whether four numbers with dots are the version of something."""
    before = text[max(0, start - CONTEXT):start]
    if before[-1:] == b"-":
        return bool(PACKAGE_BEFORE.search(before) and PACKAGE_AFTER.match(text, end))
    if before[-1:] == b"_":
        return bool(DEBIAN_AFTER.match(text, end))
    return bool(VERSION_BEFORE.search(before))


def find_ipv6(text: bytes, known: Dict[bytes, bool]) -> Iterator[Found]:
    """Yield the IPv6 addresses of a text, and IPv4 addresses that are written as a part of one.

    `known` is as in find_ipv4.
    """
    for form in (IPV6_SHORT, IPV6_LONG):
        for match in form.finditer(text):
            start, end = match.span()
            head = IPV6_HEAD.search(text, max(0, start - 40), start)
            if head and (text[head.start() - 1:head.start()] != b":" or
                         WORD_BEFORE.search(text, max(0, head.start() - 40), head.start())):
                start = head.start()
            elif form is IPV6_LONG or (start and (text[start - 1:start].isalnum() or
                                                  text[start - 1] in b"_.:")):
                continue
            if text[end:end + 1] == b":":
                embedded = IPV4_WHOLE.match(text, end + 1)
                if embedded:  # ::ffff:192.0.2.1
                    if is_host_ipv4(embedded.group()):
                        yield (end + 1, embedded.end(), IPV4)
                    continue
            candidate = text[start:end]
            if candidate not in known:
                known[candidate] = is_host_ipv6(candidate)
            if known[candidate]:
                yield (start, end, IPV6)


def is_host_ipv6(text: bytes) -> bool:
    if PAIRS.fullmatch(text) or PORT_OF_LOOPBACK.fullmatch(text):
        return False
    try:
        return int(ipaddress.IPv6Address(text.decode("ascii"))) > 1
    except ValueError:
        return False


def find_mac(text: bytes, lowered: bytes) -> Iterator[Found]:
    """Yield the hardware addresses of a text; `lowered` is the text in lower case."""
    for form in MACS:
        for match in form.finditer(text):
            start, end = match.start() - 2, match.end()
            groups = (end - start + 1) // 3
            if groups in MAC_GROUPS and not is_hexadecimal(text, start - 1) and \
                    is_host_mac(text[end - MAC_LENGTH:end]):
                yield (end - MAC_LENGTH, end, MAC)
            elif groups == FRAME_GROUPS:
                yield (start, start + MAC_LENGTH, MAC)
                yield (start + MAC_LENGTH + 1, start + 2 * MAC_LENGTH + 1, MAC)
    for match in DOTTED_MAC.finditer(text):
        start, end = match.start() - 4, match.end()
        before = text[max(0, start - 1):start]
        if not before.isalnum() and before != b"." and not text[start:end].replace(
                b".", b"").isdigit() and is_host_mac(text[start:end]):
            yield (start, end, MAC)
    for word in BARE_BEFORE:
        place = lowered.find(word)
        while place >= 0:
            before = lowered[max(0, place - 2):place]
            place += len(word)
            bare = BARE_MAC.match(lowered, place)
            if bare and (word != b"addr" or before in OF_HARDWARE) and is_host_mac(bare.group(1)):
                yield (bare.start(1), bare.end(1), MAC)
            place = lowered.find(word, place)


def is_hexadecimal(text: bytes, place: int) -> bool:
    return place >= 0 and text[place] in b"0123456789abcdefABCDEF"


def is_host_mac(text: bytes) -> bool:
    return set(text.lower()) - set(b":-_.") not in (set(b"0"), set(b"f"))
