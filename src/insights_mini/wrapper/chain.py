"""Finds the eggs that may run: each candidate is copied to a private folder and verified there.

So the bytes that were verified are the bytes that run, whatever happens to the file they came from.
Candidates and their order: CONTRACT.md section 3.2. Each is examined once in a run; one that is
refused costs a warning, never the run, for the built-in egg always remains.
"""
import contextlib
import os
from typing import Dict, List, Mapping, Optional, Set, Tuple

from insights_mini import bundle, eggs, hostfiles, trust
from insights_mini.eggs import Egg
from insights_mini.exits import reason
from insights_mini.log import Log, show
from insights_mini.paths import COPIES, Paths, make_room, temporary_folder
from insights_mini.process import Stop
from insights_mini.settings import Settings
from insights_mini.statefiles import write_private

SECONDS = 20.0  # for each run of gpg
Identity = Tuple[int, ...]


class Chain(contextlib.ExitStack):
    """The eggs of one run, and the private folder of their copies, which goes with this object."""

    def __init__(self, settings: Settings, paths: Paths, environ: Mapping[str, str],
                 log: Log) -> None:
        super().__init__()
        self.paths = paths
        self.log = log
        self.search_path = environ.get("PATH", "")
        self.unchecked = settings.no_gpg or environ.get("BYPASS_GPG", "").lower() == "true"
        self.tell = log.info if settings.debug_phases else log.debug
        given = environ.get("EGG")
        self.candidates = [(eggs.NEW, paths.new_egg), (eggs.STABLE, paths.stable_egg),
                           (eggs.RPM, paths.rpm_egg)]
        if given:
            path = os.fsencode(given)
            with contextlib.suppress(OSError):  # where the folder we are in is gone
                path = os.path.abspath(path)
            self.candidates.insert(0, (eggs.ENV, path))
        self.examined: Dict[str, Tuple[Identity, Optional[Egg]]] = {}  # by place
        self.found: Optional[List[Egg]] = None
        self.known: Set[bytes] = set()  # contents of the eggs that may run
        self.folder = b""
        self.ring: Optional[trust.Keyring] = None

    def find(self) -> List[Egg]:
        """Return the usable eggs in the order in which they are tried.

        Called again, it looks at those files only that are others than before.
        """
        looked = [self.look(name, path) for name, path in self.candidates]
        found = [egg for egg in looked if egg is not None]
        ordered = eggs.put_in_order(found)
        if found != self.found:
            for egg in found:
                if egg not in ordered:
                    self.tell("%s is passed over: it is older than %s" % (egg, eggs.BUILT_IN))
            self.tell("eggs in the order they are tried: " + ", ".join(map(str, ordered)))
        self.found = found
        return ordered

    def look(self, name: str, path: bytes) -> Optional[Egg]:
        """Return the egg of a place unless there is none, or none that may be used.

        Where a file that was examined is gone, or one took its place that may not be used, that is
        the egg from before: its copy is as good as it was.
        """
        before, egg = self.examined.get(name, (None, None))
        try:
            status = os.lstat(path)
        except OSError as error:
            if name == eggs.ENV and before is None:
                self.log.warning("%s %s is not used: %s" % (name, show(path), reason(error)))
                self.examined[name] = (), None  # said once
            return egg
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns,
                    status.st_ctime_ns)
        if identity != before:
            egg = self.examine(name, path) or egg
            self.examined[name] = identity, egg
        return egg

    def examine(self, name: str, path: bytes) -> Optional[Egg]:
        try:
            return self.admit(name, path)
        except (eggs.Unfit, hostfiles.Unreadable) as error:
            why = error.why
        except trust.Untrusted as error:
            why = error.why + (error.remedy and "; " + error.remedy)
        except OSError as error:
            why = "it cannot be copied: %s; %s" % (reason(error), make_room(self.paths.temp_dir))
        self.log.warning("%s %s is not used: %s" % (name, show(path), why))
        return None

    def admit(self, name: str, path: bytes) -> Optional[Egg]:
        """Copy an egg and verify the copy. Raises Unreadable, Untrusted, Unfit or OSError.

        For one that is named in the environment the signature alone decides: a stick may belong to
        anybody. None is returned for bytes that have another place in the order already.
        """
        if name != eggs.ENV or self.unchecked:
            hostfiles.check_guarded(path)
        content = hostfiles.read_small(path, eggs.LARGEST, follow=False)
        if content in self.known or content == bundle.read_whole():
            self.tell("%s %s: these bytes have their place already" % (name, show(path)))
            return None
        copy = self.store(content)
        signature = b""
        if self.unchecked:
            self.log.warning("the signature of %s %s is not checked" % (name, show(path)))
        else:
            signature = trust.read_signature(path + b".asc")
            self.open_ring().verify(copy, signature)
        format, version = eggs.identify(content)
        self.known.add(content)
        return Egg(name, version, format, copy, path, signature)

    def store(self, content: bytes) -> bytes:
        """Write a private copy and return its path; raise OSError."""
        if not self.folder:
            self.folder = self.enter_context(temporary_folder(self.paths.temp_dir, COPIES))
        path = os.path.join(self.folder, b"%d.pyz" % len(os.listdir(self.folder)))
        write_private(path, content)
        return path

    def open_ring(self) -> trust.Keyring:
        if self.ring is None:
            self.ring = self.enter_context(trust.open_keyring(
                trust.find_gpg(self.search_path), self.folder,
                trust.load_keys(self.paths.public_keys), SECONDS, Stop()))
        return self.ring
