"""Where things lie on the host (CONTRACT.md section 1), and the environment that moves them."""
import os
from typing import Mapping, NamedTuple

# Names that begin like settings in the environment but are none.
RESERVED = ("INSIGHTS_PHASE", "INSIGHTS_CONF_DIR", "INSIGHTS_STATE_DIR", "INSIGHTS_LOG_DIR")


class Paths(NamedTuple):
    """The folders of a run, absolute."""

    conf_dir: bytes
    state_dir: bytes
    log_dir: bytes
    temp_dir: bytes

    @property
    def configuration(self) -> bytes:
        return os.path.join(self.conf_dir, b"insights-client.conf")

    @property
    def cached_rules(self) -> bytes:
        return os.path.join(self.conf_dir, b".cache.json")

    @property
    def fallback_rules(self) -> bytes:
        return os.path.join(self.conf_dir, b".fallback.json")

    @property
    def public_keys(self) -> bytes:
        return os.path.join(self.conf_dir, b"redhattools.pub.gpg")

    @property
    def log_file(self) -> bytes:
        return os.path.join(self.log_dir, b"insights-client.log")

    @property
    def lock(self) -> bytes:
        return os.path.join(self.state_dir, b"insights-mini.lock")


def make_private_folder(path: bytes) -> None:
    """Create a folder for our own files, 0700, unless it is there; raise OSError.

    What is missing above it becomes 0755 whatever the umask, so that nobody else can write there.
    """
    parent = os.path.dirname(path)
    if not os.path.lexists(parent):
        make_private_folder(parent)
        os.chmod(parent, 0o755)
    if not os.path.isdir(path):
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)


def find_paths(environ: Mapping[str, str]) -> Paths:
    """Return the folders of this run."""
    def folder(variable: str, default: str) -> bytes:
        return os.path.abspath(os.fsencode(environ.get(variable) or default))

    return Paths(folder("INSIGHTS_CONF_DIR", "/etc/insights-client"),
                 folder("INSIGHTS_STATE_DIR", "/var/lib/insights"),
                 folder("INSIGHTS_LOG_DIR", "/var/log/insights-client"),
                 folder("TMPDIR", "/var/tmp"))
