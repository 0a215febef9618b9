"""The one place that holds the version (semantic versioning)."""

VERSION = "0.1.0"


def describe() -> str:
    """Return what --version prints."""
    return "Client: %s\nCore: %s\n" % (VERSION, VERSION)
