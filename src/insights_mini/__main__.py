"""First code to run. It parses under any Python, so that an old one gets a line, not a traceback.

build.py puts this file at the top of insights-mini.pyz as well, where the interpreter looks for it.
"""
# mypy: allow-untyped-defs, allow-untyped-calls
import os
import sys


def open_standard_streams():
    """Put /dev/null where standard input, output or error is closed.

    Otherwise the next file opened would take that number, and a stray message would land in it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Takes the lowest free number, which is this one. Read-only, so that an archive that
            # should go there is an error and not lost.
            os.open(os.devnull, os.O_RDONLY)


def run():
    if sys.version_info < (3, 6):
        os.write(2, ("insights-mini needs Python 3.6 or newer; this is Python %d.%d. "
                     "Start it with a newer python3.\n" % sys.version_info[:2]).encode("ascii"))
        return 1
    open_standard_streams()
    try:
        from insights_mini.start import main
        return main(sys.argv[1:], os.environ)
    except KeyboardInterrupt:  # before anything has begun
        return 130


if __name__ == "__main__":
    sys.exit(run())
