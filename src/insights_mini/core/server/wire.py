"""One connection, every wait on which ends: after so much silence, or when all time is used up.

Name resolution alone is left to the system, which has limits of its own.
"""
import io
import socket
import time
from typing import Any, Callable, Optional

from insights_mini.core.server import tls
from insights_mini.core.server.faults import LATER, NotReached
from insights_mini.core.server.places import Place
from insights_mini.exits import reason

BROKEN = "it broke off the connection"
Watch = Callable[[str, str], None]  # told each step of the way that is done, and a detail
PIECE = 64 * 1024  # sent at once; what is taken of it within the time of silence is enough


class Wire:
    """A socket; errors call the other side `name`, and `setting` what led there. close() it.

    `silence` is in seconds, `deadline` as time.monotonic() counts. All methods raise NotReached.
    """

    def __init__(self, silence: float, deadline: float, watch: Watch) -> None:
        self.name = self.setting = ""
        self.silence = silence
        self.deadline = deadline
        self.watch = watch
        self.started = time.monotonic()
        self.trust: Optional[tls.Trust] = None
        self.ended = False  # nothing more will come
        self.cut = False  # TLS ended without its end: what came may not be all
        self.sent = self.received = 0
        self.socket: Any = None

    def fault(self, why: str, remedy: str = LATER, step: str = "answer") -> NotReached:
        return NotReached(step, self.name, why, remedy)

    def connect(self, place: Place, more: str) -> None:
        """Try all addresses of a host; together they have the time of silence."""
        advice = "check %s and the network%s" % (self.setting, more)
        try:
            found = socket.getaddrinfo(place.host, place.port, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            why = reason(error) if isinstance(error, OSError) else "no host name"
            raise self.fault("its name is not known here (%s)" % why, advice, "name")
        self.watch("name", ", ".join(sorted({str(address[0]) for *_, address in found})))
        stop = time.monotonic() + self.left()
        for number, (family, kind, protocol, _, address) in enumerate(found):
            self.close()
            share = (stop - time.monotonic()) / (len(found) - number)
            try:
                self.socket = socket.socket(family, kind, protocol)
                self.socket.settimeout(max(share, 0.001))
                self.socket.connect(address)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.watch("connect", "%s port %d" % (address[0], place.port))
                return
            except socket.timeout:
                why = "no connection within %g seconds" % self.silence
            except OSError as error:
                why = reason(error)
        self.left()
        raise self.fault(why, advice, "connect")

    def secure(self, context: Any, trust: tls.Trust, host: str) -> None:
        """Speak TLS from here on, with a checked `host`."""
        self.trust = trust
        self.socket.settimeout(self.left())
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname=host,
                                              suppress_ragged_eofs=False)
        except (OSError, ValueError) as error:  # a ValueError: another host, with Python 3.6
            raise self.explain(error)
        self.watch("tls", tls.describe(self.socket))

    def left(self) -> float:
        """Return how many seconds the next wait may take."""
        left = min(self.silence, self.deadline - time.monotonic())
        if left <= 0:
            raise self.fault("not done within %.0f seconds" % (self.deadline - self.started))
        return left

    def wait(self, move: Callable[[Any], int], block: Any) -> int:
        self.socket.settimeout(self.left())
        try:
            return move(block)
        except OSError as error:
            if self.trust and tls.is_cut(error):
                return -1
            raise self.explain(error)

    def explain(self, error: Exception) -> NotReached:
        if isinstance(error, socket.timeout):
            self.left()
            return self.fault("silence for %g seconds" % self.silence,
                              LATER + ", or raise http_timeout")
        if self.trust and tls.is_cut(error):
            return self.fault(BROKEN)
        if self.trust and (isinstance(error, ValueError) or hasattr(error, "library")):
            return tls.explain(error, self.trust, self.name, self.setting)
        return self.fault(tls.word(error))

    def send(self, block: bytes) -> None:
        view = memoryview(block)
        while view:
            gone = self.wait(self.socket.send, view[:PIECE])
            if gone < 0:
                raise self.fault(BROKEN)
            self.sent += gone
            view = view[gone:]

    def receive(self, buffer: Any) -> int:
        if self.ended:  # asked again, TLS could say something else
            return 0
        count = self.wait(self.socket.recv_into, buffer)
        self.cut = count < 0
        self.ended = count <= 0
        self.received += max(count, 0)
        return max(count, 0)

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return what http.client.HTTPResponse reads from; closing it leaves the wire open."""
        return io.BufferedReader(Reader(self))

    def close(self) -> None:
        if self.socket:
            self.socket.close()


class Reader(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.wire.receive(buffer)
