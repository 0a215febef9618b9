"""Reads the data files that come with the code: conf/ of the .pyz, or of a checkout."""
import os
import sys


def read(name: str) -> bytes:
    """Return the content of a file below conf/, such as "specs/catalogue.json"; raise OSError."""
    here = sys.modules[__name__]
    top = os.path.dirname(os.path.dirname(str(here.__file__)))
    if os.path.basename(top) == "src":  # in a checkout conf/ stands beside src/
        top = os.path.dirname(top)
    content = here.__loader__.get_data(os.path.join(top, "conf", name))  # type: ignore[union-attr]
    return bytes(content)


def read_whole() -> bytes:
    """Return the bytes of the .pyz that this code runs from, or none in a checkout."""
    archive = getattr(sys.modules[__name__].__loader__, "archive", None)
    if archive is None:
        return b""
    with open(archive, "rb") as file:
        return file.read()
