"""Where the floors meet: decide whether this process is the wrapper or a phase of the built-in egg.

The wrapper never imports the core. It is handed a function that does, and calls it only in a child
process of its own (CONTRACT.md section 3).
"""
import os

from insights_mini.version import describe

TYPE_CHECKING = False  # as in typing, whose import alone would cost half of --version's time
if TYPE_CHECKING:
    from typing import List, Mapping

    from insights_mini.sources import Loaded


def main(argv: "List[str]", environ: "Mapping[str, str]") -> int:
    """Run the wrapper, or the one phase that INSIGHTS_PHASE names; return the exit status."""
    phase = environ.get("INSIGHTS_PHASE")
    if phase:
        from insights_mini.core.phases import run_alone
        return run_alone(phase, argv, environ)
    if argv == ["--version"] and os.geteuid() == 0 and is_alone(environ):
        try:
            os.write(1, describe().encode("ascii"))
            return 0
        except OSError:
            pass  # the long way knows what to say
    from insights_mini.wrapper.main import run
    return run(argv, environ, run_phase)


def is_alone(environ: "Mapping[str, str]") -> bool:
    """Tell whether there can be no other egg than this file, without what paths.py would import."""
    conf = environ.get("INSIGHTS_CONF_DIR") or "/etc/insights-client"
    state = environ.get("INSIGHTS_STATE_DIR") or "/var/lib/insights"
    return "EGG" not in environ and not any(os.path.lexists(path) for path in (
        state + "/newest.egg", state + "/last_stable.egg", conf + "/rpm.egg"))


def run_phase(phase: str, loaded: "Loaded", environ: "Mapping[str, str]") -> int:
    """Run one phase of the built-in egg in this process, with the settings that the wrapper read.

    The egg is the same file as the wrapper, so reading them once more would give the same.
    """
    from insights_mini.core.phases import run
    return run(phase, loaded, environ)
