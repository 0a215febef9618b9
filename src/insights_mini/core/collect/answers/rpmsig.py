"""Describes an OpenPGP signature (RFC 4880, 5.2) as rpm's `:pgpsig` does. It verifies nothing.

Of what rpm 4.18 cannot use as a signature it tells no more than rpm: the algorithms that it lacks,
a time that is not signed, and numbers that do not fill the packet.
"""
import struct
import time
from typing import Iterator, Tuple

NONE = b"(not an OpenPGP signature)"
KEYS = {1: (b"RSA", 1), 17: (b"DSA", 2), 22: (b"EdDSA", 2)}  # names, and numbers in a signature
SUMS = {1: b"MD5", 2: b"SHA1", 3: b"RIPEMD160", 5: b"MD2", 6: b"TIGER192", 7: b"HAVAL-5-160",
        8: b"SHA256", 9: b"SHA384", 10: b"SHA512", 11: b"SHA224"}
SIGNATURE = 2          # kind of packet
CREATED, ISSUER = 2, 16  # kinds of subpackets


def show_time(seconds: int) -> bytes:
    """Return a time as strftime(3) gives it for %c in the locale C, in UTC."""
    return time.asctime(time.gmtime(seconds)).encode("ascii")


def describe(packet: bytes) -> bytes:
    try:
        kind, body = read_packet(packet)
        if kind != SIGNATURE:
            return NONE
        if body[0] == 3:
            size, _, seconds, issuer, key, sum_ = struct.unpack_from(">BBI8sBB", body, 1)
            place = 17
        else:
            size, key, sum_ = 5, body[2], body[3]
            seconds, issuer, place = read_parts(body)
        name, count = KEYS[key]
        place += 2  # bytes of the sum
        for _ in range(count):
            place += 2 + (struct.unpack_from(">H", body, place)[0] + 7) // 8
    except (struct.error, IndexError, KeyError):
        return NONE
    if body[0] not in (3, 4) or size != 5 or place != len(body):
        return NONE
    return b"%s/%s, %s, Key ID %s" % (name, SUMS.get(sum_, b"Unknown hash algorithm"),
                                      show_time(seconds), issuer.hex().encode("ascii"))


def read_packet(packet: bytes) -> Tuple[int, bytes]:
    """Return the kind and the body of a packet that is all there is."""
    if packet[0] & 0xc0 == 0xc0:
        size, start = read_length(packet, 1)
        kind = packet[0] & 63
    else:
        start = 1 + (1 << (packet[0] & 3))
        size = int.from_bytes(packet[1:start], "big")
        kind = packet[0] >> 2 & 15 if packet[0] & 0x80 else 0
    if start > 6 or len(packet) != start + size:
        return 0, b""
    return kind, packet[start:start + size]


def read_length(content: bytes, place: int) -> Tuple[int, int]:
    """Return a length, and the place behind it."""
    first = content[place]
    if first < 192:
        return first, place + 1
    if first < 255:
        return (first - 192 << 8) + content[place + 1] + 192, place + 2
    return struct.unpack_from(">I", content, place + 1)[0], place + 5


def read_parts(body: bytes) -> Tuple[int, bytes, int]:
    """Return when a signature was made, the number of its key, zeros if it is not told, and the
    place behind both; raise KeyError where not exactly one time is signed."""
    times, issuer = [], b""
    place = 4
    for signed in (True, False):
        end = place + 2 + struct.unpack_from(">H", body, place)[0]
        for kind, value in list_parts(body[place + 2:end]):
            if kind == CREATED and len(value) == 4 and signed:
                times.append(value)
            elif kind == ISSUER and len(value) == 8:
                issuer = issuer or value
        place = end
    if len(times) != 1:
        raise KeyError(CREATED)
    return int.from_bytes(times[0], "big"), issuer or bytes(8), place


def list_parts(content: bytes) -> Iterator[Tuple[int, bytes]]:
    place = 0
    while place < len(content):
        size, place = read_length(content, place)
        if not 0 < size <= len(content) - place:
            raise IndexError
        yield content[place] & 127, content[place + 1:place + size]
        place += size
