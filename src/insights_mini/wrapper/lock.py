"""One run at a time: a lock that the kernel drops with the process that holds it.

The file stays where it is, but only a living process can hold it locked; neither a reboot nor a
kill leaves it stuck. In it stands the number of the run's process, for the message of a second run.
"""
import fcntl
import os
import stat
from typing import Optional

from insights_mini.exits import Failure, reason
from insights_mini.log import Log, show
from insights_mini.paths import make_private_folder


def take(path: bytes, log: Log) -> Optional[int]:
    """Lock the file and return its descriptor; Failure when another run holds it.

    Where the folder cannot be written, the run goes on without a lock, with a warning.
    """
    try:
        make_private_folder(os.path.dirname(path))
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        log.warning("another run is not noticed: cannot open %s: %s; choose another place with "
                    "INSIGHTS_STATE_DIR" % (show(path), reason(error)))
        return None
    if not stat.S_ISREG(os.fstat(held).st_mode):
        os.close(held)
        log.warning("another run is not noticed: %s is not a regular file; remove it" % show(path))
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(held, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(held)
        raise Failure("another run is under way (process %s)" % owner,
                      remedy="wait until it has ended")
    except OSError as error:
        log.warning("another run is not noticed: cannot lock %s: %s; choose another place with "
                    "INSIGHTS_STATE_DIR" % (show(path), reason(error)))
        return held
    try:
        os.set_inheritable(held, True)  # an egg that outlives a killed wrapper still is a run
        os.fchmod(held, 0o600)
        os.ftruncate(held, 0)
        os.pwrite(held, b"%d\n" % os.getpid(), 0)
    except OSError:
        pass  # a full disk: the lock holds, only its message will lack the number
    return held


def release(held: Optional[int]) -> None:
    if held is not None:
        os.close(held)
