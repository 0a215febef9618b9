"""The number by which the service knows this host: made once, then only read (CONTRACT.md, 1)."""
import contextlib
import os
import uuid
from typing import Iterator

from insights_mini import hostfiles
from insights_mini.exits import Failure, reason
from insights_mini.log import show
from insights_mini.paths import Paths, make_private_folder
from insights_mini.statefiles import write_private

LARGEST = 1024


def read_machine_id(paths: Paths) -> str:
    """Return the machine id in lower case with dashes, or "" where there is none; raise Failure.

    An older client's place counts where ours is empty. What is there but is no machine id is not
    taken for none: a host must not change its number by accident.
    """
    for folder in (paths.conf_dir, *paths.older_conf_dirs):
        path = os.path.join(folder, os.path.basename(paths.machine_id))
        try:
            text = hostfiles.read_small(path, LARGEST).decode("latin-1").strip()
            if text:
                return str(uuid.UUID(text))
        except hostfiles.Unreadable as error:
            if not error.absent:
                raise Failure("cannot read the machine id %s" % show(path), error.why)
        except ValueError:
            raise Failure("the machine id %s is none" % show(path), "it is not a UUID",
                          "restore it, or register as a new host with --force-reregister")
    return ""


def ensure_machine_id(paths: Paths) -> str:
    """Return the machine id and make one if there is none; raise Failure.

    Of runs that make one at once all return the same.
    """
    known = read_machine_id(paths)
    if known:
        return known
    with writing(paths) as path:
        known = read_machine_id(paths)
        if known:
            return known  # another run was first
        made = make_machine_id()
        try:
            write_private(path, made.encode("ascii"), replace=os.path.lexists(path))
        except FileExistsError:
            return read_machine_id(paths)  # of a run that could not lock the folder
    return made


def make_machine_id() -> str:
    return str(uuid.uuid4())


def replace_machine_id(paths: Paths, machine_id: str) -> None:
    """Give this host another machine id; raise Failure."""
    with writing(paths) as path:
        write_private(path, machine_id.encode("ascii"))


@contextlib.contextmanager
def writing(paths: Paths) -> Iterator[bytes]:
    """Give the path of the machine id with its folder locked where it can be; raise Failure."""
    import fcntl
    path = paths.machine_id
    try:
        make_private_folder(paths.conf_dir)
        lock = os.open(paths.conf_dir, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with contextlib.suppress(OSError):  # a network's folders do not lock everywhere
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield path
        finally:
            os.close(lock)
    except OSError as error:
        raise Failure("cannot write the machine id %s" % show(path), reason(error),
                      "make its folder writable")
