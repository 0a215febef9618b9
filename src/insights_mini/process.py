"""The one way to run a program: an argument list, no shell, no input, its own session, limits.

Ending order: the whole process group gets SIGTERM, a grace period, then SIGKILL (a package manager
that is killed outright can damage its database). A program that even SIGKILL does not end, because
it waits in the kernel for a dead file server, is abandoned. The leader stays unreaped while its
group is signalled, so that its number cannot meanwhile belong to somebody else.
"""
import contextlib
import errno
import fcntl
import io
import os
import select
import signal
import subprocess
import threading
import time
from typing import Callable, Iterable, Iterator, Mapping, NamedTuple, Optional, Sequence

CHUNK = 64 * 1024
TICK = 0.2        # longest wait, in seconds, before limits and the stop sign are looked at
HELD_OPEN = 0.5   # how long the output may stay open after the program itself has ended
SILENCE = 120     # how long a program whose output is waited for may print nothing
DEATH = 5.0       # how long to wait for a killed program to be gone
F_SETPIPE_SZ = 1031  # linux/fcntl.h; the fcntl module has it from Python 3.10 on
PIPE_SIZE = 1024 * 1024

Sink = Callable[[bytes], bool]   # takes a chunk of output; False means: no more is wanted
Source = Callable[[int], None]   # writes standard input to a descriptor; may raise OSError


class Stop:
    """A sign, shared by all threads of a run, that everything under way shall end soon."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def set(self) -> None:
        self.event.set()

    def is_set(self) -> bool:
        return self.event.is_set()


class Limits(NamedTuple):
    """`deadline` is a time.monotonic() value; `output` and `memory` are bytes, `grace` seconds."""

    deadline: float
    output: int
    grace: float = 5.0
    memory: int = 0  # address space of the program; 0 for no limit


class Ending(NamedTuple):
    """How a program ended. `status` is as in subprocess, None when it had to be abandoned."""

    status: Optional[int]
    timed_out: bool = False
    cut: bool = False  # at the output limit, or because the sink wanted no more


def find_program(name: bytes, folders: Iterable[bytes]) -> Optional[bytes]:
    """Return the path of a program, looked up in the folders unless the name has a slash."""
    candidates = [name] if b"/" in name else [os.path.join(folder, name) for folder in folders]
    for path in candidates:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def run(program: bytes, argv: Sequence[bytes], environ: Mapping[str, str], sink: Sink,
        limits: Limits, stop: Stop, source: Optional[Source] = None,
        descriptors: Sequence[int] = ()) -> Ending:
    """Run the program at a path until it ends or a limit ends it; hand its output to the sink.

    Standard error is merged into the output. `source` feeds standard input, from a thread of its
    own; without it that is empty. The program gets the open `descriptors` under their own numbers,
    and no others. Raises OSError when the program cannot be started, and whatever source and sink
    raise; no process is left either way.
    """
    if any(b"\0" in word for word in argv):
        raise OSError(errno.EINVAL, "an argument has a NUL byte")
    given = subprocess.PIPE if source else open_nothing()
    try:
        child = subprocess.Popen(
            argv, executable=program, stdin=given, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd=b"/", env=dict(environ), start_new_session=True,
            close_fds=True, pass_fds=descriptors, bufsize=0)
    finally:
        if not source:
            os.close(given)
    if limits.memory:
        import resource  # late: only the filter of large logs is limited
        resource.prlimit(child.pid, resource.RLIMIT_AS, (limits.memory, limits.memory))
    feeder = None if source is None else Feeder(child, source)
    running = Running(child, sink, limits)
    try:
        running.follow(stop)
    finally:
        running.end_group(1.0 if stop.is_set() else limits.grace)
        if feeder is not None:
            feeder.finish()
    return Ending(child.returncode, running.timed_out, running.cut)


class Output(io.RawIOBase):
    """What a program prints, to be read as it comes; the program is ended when it is closed.

    One that prints nothing for too long is not waited for.
    """

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        assert child.stdout is not None
        self.child = child
        self.pipe = child.stdout
        self.poller = select.poll()
        self.poller.register(self.pipe, select.POLLIN)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; raise OSError where the program ended, but not well."""
        if not self.poller.poll(SILENCE * 1000):
            raise OSError(errno.ETIMEDOUT, "the program printed nothing for %d s" % SILENCE)
        block = self.pipe.read(size)
        if not block and self.child.wait():
            raise OSError(errno.EPIPE, "the program ended with status %d" % self.child.returncode)
        return block

    def close(self) -> None:
        if not self.closed:
            self.pipe.close()
            for number in (signal.SIGTERM, signal.SIGKILL):
                if self.child.poll() is None:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(self.child.pid, number)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self.child.wait(DEATH)
        super().close()


def open_output(program: bytes, argv: Sequence[bytes], environ: Mapping[str, str]) -> Output:
    """Start the program at a path, without input; raise OSError. What it says is not kept."""
    return Output(subprocess.Popen(
        argv, executable=program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, cwd=b"/", env=dict(environ), start_new_session=True,
        close_fds=True, bufsize=0))


def open_nothing() -> int:
    """Return a descriptor with nothing to read, also where /dev is empty."""
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        reader, writer = os.pipe()
        os.close(writer)
        return reader


class Feeder:
    """Writes a program's standard input from a thread of its own."""

    def __init__(self, child: "subprocess.Popen[bytes]", source: Source) -> None:
        self.child = child
        self.source = source
        self.error: Optional[Exception] = None
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()

    def write(self) -> None:
        assert self.child.stdin is not None
        try:
            with self.child.stdin as pipe:
                widen(pipe.fileno())
                self.source(pipe.fileno())
        except BrokenPipeError:
            return  # the program wanted no more
        except Exception as error:  # noqa: BLE001  # handed to the caller, by finish()
            self.error = error

    def finish(self) -> None:
        """Wait for the thread and raise what the source raised."""
        self.thread.join(DEATH)
        if self.error is not None:
            raise self.error


def widen(pipe: int) -> None:
    """Let a pipe hold more, so that its two ends wait less for each other."""
    try:
        fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE_SIZE)
    except OSError:
        pass  # an old kernel, or the user's limit is reached


class Running:
    """A program under way: its output, what ended it, and its end."""

    def __init__(self, child: "subprocess.Popen[bytes]", sink: Sink, limits: Limits) -> None:
        assert child.stdout is not None
        self.child = child
        self.output = child.stdout.fileno()
        self.poller = select.poll()
        self.poller.register(self.output, select.POLLIN)
        self.sink = sink
        self.limits = limits
        self.taken = 0
        self.open = True
        self.timed_out = False
        self.cut = False

    def follow(self, stop: Stop) -> None:
        """Take output until the program has ended, or a limit or the stop sign is reached."""
        ended_at: Optional[float] = None
        pause = 0.0005
        while not (self.cut or stop.is_set()):
            now = time.monotonic()
            if ended_at is None and self.has_ended():
                ended_at = now
            if ended_at is not None and (not self.open or now > ended_at + HELD_OPEN):
                return
            if now > self.limits.deadline:
                self.timed_out = ended_at is None
                return
            if self.open:
                self.take(min(TICK, max(0.0, self.limits.deadline - now)))
            else:
                time.sleep(pause)
                pause = min(pause * 2, TICK)

    def take(self, wait: float) -> None:
        """Wait for output and hand it on; note the end of the output and its limit."""
        if not self.poller.poll(wait * 1000):
            return
        chunk = os.read(self.output, CHUNK)
        if not chunk:
            self.open = False
            return
        room = self.limits.output - self.taken
        self.taken += len(chunk)
        if not self.sink(chunk[:room]) or len(chunk) > room:
            self.cut = True

    def has_ended(self) -> bool:
        """Tell whether the program has ended, and leave it unreaped."""
        return os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def end_group(self, grace: float) -> None:
        """End what is left of the group and reap the program.

        After a normal end, helpers that it left in the background are only asked to go.
        """
        normal = not self.open and self.has_ended()
        self.signal_group(signal.SIGTERM)
        if not normal:
            self.wait_for(self.group_has_ended, grace)
            self.signal_group(signal.SIGKILL)
        if self.wait_for(self.has_ended, DEATH):
            self.child.wait()
        assert self.child.stdout is not None
        self.child.stdout.close()

    def group_has_ended(self) -> bool:
        """Tell whether the program has ended, and everything that it started in its group.

        It is unreaped and must be seen itself, or this is no /proc that knows of us.
        """
        return self.has_ended() and set(group_states(self.child.pid)) == {b"Z"}

    def wait_for(self, ended: Callable[[], bool], seconds: float) -> bool:
        """Wait for an end, throwing away what is still printed; False when the time is over."""
        until = time.monotonic() + seconds
        pause = 0.0005
        while not ended():
            if time.monotonic() > until:
                return False
            if self.open and self.poller.poll(pause * 1000):
                self.open = bool(os.read(self.output, CHUNK))
            else:
                time.sleep(pause)
            pause = min(pause * 2, 0.05)
        return True

    def signal_group(self, number: int) -> None:
        try:
            os.killpg(self.child.pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # nobody of the group is left, or it changed its user


def group_states(group: int) -> Iterator[bytes]:
    """Yield the state of each process of a group, as /proc gives it (proc(5), stat), if it does."""
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue  # it has just ended
            if int(fields[2]) == group:
                yield fields[0]
