"""The one place that holds the version (semantic versioning)."""

VERSION = "0.1.0"


def describe(client: str = VERSION) -> str:
    """Return what --version prints; the client, which is the wrapper, may be another file."""
    return "Client: %s\nCore: %s\n" % (client, VERSION)
