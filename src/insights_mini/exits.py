"""Every exit status with its meaning, and the one shape of an error that a user sees."""

OK = 0             # done; of a phase: go on with the next one
FAILED = 1         # not done, one line on standard error says why
USAGE = 2          # the command line, the environment or the configuration file is wrong
INTERRUPTED = 130  # Ctrl-C
STOP_DONE = 100    # of a phase: stop now, the run succeeded
STOP_FAILED = 101  # of a phase: stop now, the run failed


class Failure(Exception):
    """Something the user must know: what failed, on what, why, and what to do about it.

    `status` is the exit status of a run that ends with it.
    """

    def __init__(self, what: str, why: str = "", remedy: str = "", status: int = FAILED) -> None:
        super().__init__(what, why, remedy)
        self.what = what
        self.why = why
        self.remedy = remedy
        self.status = status

    def __str__(self) -> str:
        sentence = self.what
        if self.why:
            sentence += ": " + self.why
        if self.remedy:
            sentence += "; " + self.remedy
        return sentence


class Stopped(Exception):
    """A signal asked this run to end."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def reason(error: OSError) -> str:
    """Return the system's word for an error, without the path that messages name elsewhere."""
    return error.strerror or type(error).__name__


class Uncleaned(Exception):
    """A content could not be cleaned. It is left out of the archive, whatever the cause."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
