"""Where things lie on the host (CONTRACT.md section 1), and the environment that moves them."""
import contextlib
import os
from typing import Iterator, Mapping, NamedTuple

# Names that begin like settings in the environment but are none.
RESERVED = ("INSIGHTS_PHASE", "INSIGHTS_CONF_DIR", "INSIGHTS_STATE_DIR", "INSIGHTS_LOG_DIR",
            "INSIGHTS_EGG", "INSIGHTS_CLIENT_VERSION", "INSIGHTS_CLIENT_FILE")

# How the names of temporary folders of our own begin: of gpg's home, of the copies of eggs. They
# are locked while they are used; what a killed run left is swept by the next one.
HOME = b"insights-gpg-"
COPIES = b"insights-eggs-"

# Where archives go that nobody chose a place for: as CONTRACT.md has it, or else a rescue image.
USUAL_TEMP = b"/var/tmp"
OTHER_TEMP = b"/tmp"


class Paths(NamedTuple):
    """The folders of a run, absolute, and the settings of another program that it reads.

    temp_dir is `instead_of` the usual one where nobody chose it and that cannot be written.
    """

    conf_dir: bytes
    state_dir: bytes
    log_dir: bytes
    temp_dir: bytes
    rhsm_conf: bytes = b"/etc/rhsm/rhsm.conf"
    instead_of: bytes = b""

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
    def older_conf_dirs(self) -> "tuple[bytes, ...]":
        """Where clients before ours kept the machine id, and the first of them the marks."""
        return tuple(os.path.join(os.path.dirname(self.conf_dir), name)
                     for name in (b"redhat-access-insights", b"redhat_access_proactive"))

    @property
    def machine_id(self) -> bytes:
        return os.path.join(self.conf_dir, b"machine-id")

    @property
    def registered(self) -> bytes:
        return os.path.join(self.conf_dir, b".registered")

    @property
    def unregistered(self) -> bytes:
        return os.path.join(self.conf_dir, b".unregistered")

    @property
    def last_upload(self) -> bytes:
        return os.path.join(self.conf_dir, b".lastupload")

    @property
    def last_results(self) -> bytes:
        return os.path.join(self.conf_dir, b".last-upload.results")

    @property
    def results(self) -> bytes:
        """What the service found out about this host, as --check-results fetched it."""
        return os.path.join(self.state_dir, b"insights-details.json")

    @property
    def ca_bundle(self) -> bytes:
        return os.path.join(self.conf_dir, b"cert-api.access.redhat.com.pem")

    @property
    def egg_etag(self) -> bytes:
        return os.path.join(self.conf_dir, b".insights-core.etag")

    @property
    def signature_etag(self) -> bytes:
        return os.path.join(self.conf_dir, b".insights-core-gpg-sig.etag")

    @property
    def rpm_egg(self) -> bytes:
        return os.path.join(self.conf_dir, b"rpm.egg")

    @property
    def new_egg(self) -> bytes:
        return os.path.join(self.state_dir, b"newest.egg")

    @property
    def stable_egg(self) -> bytes:
        return os.path.join(self.state_dir, b"last_stable.egg")

    @property
    def versions(self) -> bytes:
        """The highest version of each format of egg that has done a run here."""
        return os.path.join(self.state_dir, b"insights-mini.versions")

    @property
    def log_file(self) -> bytes:
        return os.path.join(self.log_dir, b"insights-client.log")

    @property
    def lock(self) -> bytes:
        return os.path.join(self.state_dir, b"insights-mini.lock")


@contextlib.contextmanager
def temporary_folder(parent: bytes, prefix: bytes) -> Iterator[bytes]:
    """Give a new folder, 0700 and locked, that is gone afterwards with all in it; raise OSError."""
    import fcntl  # all of these late: most runs need no such folder
    import shutil
    import tempfile
    folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with contextlib.suppress(OSError):  # where nothing can be locked, nothing is swept
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.set_inheritable(lock, True)  # an egg may outlive a killed wrapper
            yield folder
        finally:
            os.close(lock)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_room(folder: bytes) -> str:
    """Return the remedy where there can be no temporary folder."""
    return "make room in %s, or choose another place with TMPDIR" % os.fsdecode(folder)


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
    """Return the folders of this run, as the environment and what can be written say."""
    def folder(variable: str, default: str) -> bytes:
        return os.path.abspath(os.fsencode(environ.get(variable) or default))

    moved = not (environ.get("TMPDIR") or os.access(USUAL_TEMP, os.W_OK)) and os.access(
        OTHER_TEMP, os.W_OK)
    return Paths(folder("INSIGHTS_CONF_DIR", "/etc/insights-client"),
                 folder("INSIGHTS_STATE_DIR", "/var/lib/insights"),
                 folder("INSIGHTS_LOG_DIR", "/var/log/insights-client"),
                 OTHER_TEMP if moved else folder("TMPDIR", os.fsdecode(USUAL_TEMP)),
                 instead_of=USUAL_TEMP if moved else b"")
