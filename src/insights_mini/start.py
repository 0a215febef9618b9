"""Where the floors meet: decide whether this process is the wrapper or a phase of the built-in egg.

The wrapper never imports the core. It is handed a function that does, and calls it only in a child
process of its own (CONTRACT.md section 3).
"""
from typing import List, Mapping


def main(argv: List[str], environ: Mapping[str, str]) -> int:
    """Run the wrapper, or the one phase that INSIGHTS_PHASE names; return the exit status."""
    phase = environ.get("INSIGHTS_PHASE")
    if phase:
        return run_phase(phase, argv, environ)
    from insights_mini.wrapper.main import run
    return run(argv, environ, run_phase)


def run_phase(phase: str, argv: List[str], environ: Mapping[str, str]) -> int:
    """Run one phase of the built-in egg in this process; return its exit status."""
    from insights_mini.core.phases import run
    return run(phase, argv, environ)
