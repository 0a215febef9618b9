"""Where the archive goes: a file that appears under its name only when it is whole, or a stream.

A file is written in a private folder, 0700, on the file system of its final place. The folder is
locked while the run lives, so that a later run can tell what a killed one has left (sweep).
"""
import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from typing import NamedTuple, Optional, Union

from insights_mini.core.diskspace import AS_FILE, BY_TMPDIR, HOLD_LESS, cannot_write, count_free
from insights_mini.exits import Failure, Stopped, reason
from insights_mini.log import show, write_all
from insights_mini.paths import COPIES, HOME, Paths
from insights_mini.settings import Settings
from insights_mini.statefiles import place, sync_folder

SUFFIXES = {"gz": b".tar.gz", "bz2": b".tar.bz2", "xz": b".tar.xz", "none": b".tar"}
UNFIT = re.compile(rb"[^A-Za-z0-9._-]+")  # for a host name within a file name
PART = b".part"
MOMENT = 1.0  # seconds
PREFIX = b"insights-"
TEMPORARY = (HOME, COPIES)  # folders with nothing in them that anybody would miss
HIDDEN_PREFIX = b".insights-"  # in a folder that is the user's


class Target(NamedTuple):
    """Where the archive is to go, under which name, and how it is packed."""

    folder: bytes
    name: bytes
    top: bytes       # the one folder in the archive
    compressor: str
    private: bool    # whether it gets a new folder of its own
    file: bool       # whether it becomes a file
    stream: bool     # whether it goes to standard output


def choose_target(settings: Settings, paths: Paths, host: bytes, now: time.struct_time,
                  usual: str) -> Target:
    """Return where the settings want the archive, named as CONTRACT.md sections 1 and 5 say.

    Without a host its name must not be seen, and something random stands in for it. The suffix of
    --output-file chooses the compressor where --compressor does not, else it is `usual`.
    """
    file, stream = settings.keep_archive or not settings.to_stdout, settings.to_stdout
    compressor = settings.compressor if settings.compressor != "auto" else usual
    if settings.output_file:
        folder, name = os.path.split(os.path.abspath(os.fsencode(settings.output_file)))
        top = name
        for kind, suffix in SUFFIXES.items():
            if name.endswith(suffix):
                compressor = kind if settings.compressor == "auto" else compressor
                top = name[:-len(suffix)]
                break
        top = top if top.strip(b".") else b"insights"
        return Target(folder, name, top, compressor, False, file, stream)
    stamp = time.strftime("%Y%m%d%H%M%S", now).encode("ascii")
    name = UNFIT.sub(b"_", host)[:200]
    top = (b"insights-%s-%s" % (name, stamp) if name else
           b"insights-%s-%s" % (stamp, os.urandom(3).hex().encode("ascii")))
    folder = os.path.abspath(os.fsencode(settings.output_dir)) if settings.output_dir else b""
    return Target(folder or paths.temp_dir, top + SUFFIXES[compressor], top, compressor,
                  not folder, file, stream)


class FileOutput:
    """An archive file in the making."""

    def __init__(self, target: Target) -> None:
        """Make the folders and open the file; Failure when the place cannot be written, or when
        something has the name already."""
        self.size = 0
        self.beside = b""  # a file that goes with the archive, also when that is discarded
        self.private = target.private
        self.remedy = BY_TMPDIR if target.stream else AS_FILE
        self.folder = target.folder
        self.made = not self.private and make_folder(self.folder)
        self.room = count_free(self.folder)
        self.work = os.path.join(self.folder, (PREFIX if self.private else HIDDEN_PREFIX) +
                                 os.urandom(6).hex().encode())
        self.path = os.path.join(self.work if self.private else self.folder, target.name)
        self.part = os.path.join(self.work, target.name + PART)
        if os.path.lexists(self.path):
            raise Failure("%s exists" % show(self.path), remedy="choose another name or remove it")
        try:
            make_private(self.work)
        except OSError as error:
            self.remove_folders()
            raise cannot_write(self.folder, error, self.remedy)
        try:
            self.lock = os.open(self.work, os.O_RDONLY | os.O_DIRECTORY)
            try_lock(self.lock)
            self.file = os.open(self.part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW,
                                0o600)
            with contextlib.suppress(OSError):
                os.fchmod(self.file, 0o600)
            self.exposed = bool(os.fstat(self.file).st_mode & 0o077)
        except OSError as error:
            self.remove_folders()
            raise cannot_write(self.part, error, self.remedy)

    def write(self, content: bytes) -> None:
        self.size += len(content)
        try:
            write_all(self.file, content)
        except OSError as error:
            raise cannot_write(self.path, error, self.remedy, self.room)

    def finish(self) -> None:
        """Bring the whole file to its place and name."""
        try:
            os.fsync(self.file)
            self.close()
            place(self.part, self.path)
            if not self.private:
                with contextlib.suppress(OSError):  # the archive is where it belongs
                    remove_empty(self.work)
            sync_folder(os.path.dirname(self.path))
        except OSError as error:
            raise cannot_write(self.path, error, self.remedy, self.room)
        os.close(self.lock)

    def close(self) -> None:
        """Let go of the file, which on NFS and FUSE keeps a name in its folder until then."""
        file, self.file = self.file, -1
        if file >= 0:
            os.close(file)

    def discard(self) -> None:
        """Leave nothing of it. Safe at any time before finish() has returned, also twice."""
        self.close()
        for path in filter(None, (self.part, self.beside)):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
        self.remove_folders()

    def remove_folders(self) -> None:
        for folder in (self.work, self.folder if self.made else b""):
            try:
                remove_empty(folder)
            except OSError:
                pass  # not there, or somebody else put something into it


class StreamOutput:
    """An archive that goes to a descriptor, as it is made."""

    path = b""
    work = b""
    beside = b""
    remedy = HOLD_LESS
    exposed = False

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.size = 0

    def write(self, content: bytes) -> None:
        self.size += len(content)
        try:
            write_all(self.descriptor, content)
        except OSError as error:
            raise Failure("cannot write the archive to standard output", reason(error))

    def finish(self) -> None:
        pass

    def discard(self) -> None:
        pass


Output = Union[FileOutput, StreamOutput]


def open_output(target: Target, proven: bool) -> Output:
    """Return where to write the archive; raise Failure.

    One that has to be proven clean before it goes out is a file first, in any case.
    """
    if target.stream and os.isatty(1):
        raise Failure("the archive would go to a terminal", remedy="redirect standard output")
    return FileOutput(target) if target.file or proven else StreamOutput(1)


def pass_on(made: Output, target: Target) -> None:
    """Copy a finished file to standard output where it is wanted there, and remove it where it is
    not wanted as a file; raise Failure."""
    if not target.stream or not made.path:
        return
    stream = StreamOutput(1)
    try:
        with open(made.path, "rb") as file:
            for block in iter(lambda: file.read(1024 * 1024), b""):
                stream.write(block)
    except Stopped as stopped:
        if not target.file:
            raise
        raise Failure("stopped by %s while writing to standard output" % stopped.name,
                      "the whole archive stays at %s" % show(made.path))
    finally:
        if not target.file:
            os.unlink(made.path)
            made.discard()


def make_folder(folder: bytes) -> bool:
    """Create the folder, 0700, unless it is there; tell whether it was made."""
    try:
        make_private(folder)
    except FileExistsError:
        if not os.path.isdir(folder):
            raise Failure("%s is not a folder" % show(folder), remedy="choose another one")
        return False
    except OSError as error:
        raise cannot_write(folder, error, AS_FILE)
    return True


def make_private(folder: bytes) -> None:
    """Create a folder, 0700 under any umask; raise OSError."""
    os.mkdir(folder, 0o700)
    with contextlib.suppress(OSError):  # a file system may have its own mind about permissions
        os.chmod(folder, 0o700)


def remove_empty(folder: bytes) -> None:
    """Remove a folder, in which NFS or FUSE may show a closed file for a moment; raise OSError."""
    until = time.monotonic() + MOMENT
    while True:
        try:
            return os.rmdir(folder)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or time.monotonic() > until:
                raise
        time.sleep(0.01)


def sweep(temp_dir: bytes, folder: bytes) -> int:
    """Remove what killed runs have left in the two folders, never what a live run is writing.

    Returns how many unfinished archives went. What is not ours, or no plain folder, is not touched.
    """
    removed = 0
    for parent, prefix in ((temp_dir, PREFIX), (folder, HIDDEN_PREFIX)):
        try:
            names = os.listdir(parent)
        except OSError:
            continue  # not there; if it is needed, writing to it will say so
        removed += sum(sweep_work(os.path.join(parent, name)) for name in names
                       if name.startswith(prefix))
    return removed


def sweep_work(work: bytes) -> int:
    removed = 0
    lock = open_own_folder(work)
    if lock is None:
        return 0
    try:
        if not try_lock(lock):
            return 0
        if os.path.basename(work).startswith(TEMPORARY):
            import shutil  # late: seldom needed
            shutil.rmtree(work, ignore_errors=True)
            return 0
        for name in os.listdir(lock):
            if os.fsencode(name).endswith(PART):
                os.unlink(name, dir_fd=lock)
                removed += 1
        os.rmdir(work)
    except OSError:
        pass  # a finished archive is in it and stays, or the folder went meanwhile
    finally:
        os.close(lock)
    return removed


def open_own_folder(path: bytes) -> Optional[int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    status = os.fstat(descriptor)
    if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o700:
        return descriptor
    os.close(descriptor)
    return None


def try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
