"""What tests of whole runs with eggs share: a host with a trusted key, eggs put in their places."""
import json
import os
import shutil
import unittest
from typing import Any, ClassVar, Dict, List, Optional, Sequence, Tuple, Union

from tests.eggmaker import read_marks
from tests.signing import Signer
from tests.support import Done, HostCase, read_archive

ENV, NEW, STABLE, RPM = "ENV egg", "NEW egg", "STABLE egg", "RPM egg"
BUILT_IN = "built-in egg"
PLACES = {ENV: "stick/egg.pyz", NEW: "state/newest.egg", STABLE: "state/last_stable.egg",
          RPM: "etc/rpm.egg"}
KEYS = "etc/redhattools.pub.gpg"
PATIENCE = 60.0


class EggCase(HostCase):
    """A test with the keys of a publisher, who is trusted, and of a stranger, made once a class."""

    signer: ClassVar[Optional[Signer]] = None
    keys: ClassVar[Dict[str, str]] = {}
    public: ClassVar[bytes] = b""

    @classmethod
    def setUpClass(cls) -> None:
        signer = cls.signer = Signer.find()
        if signer is None:
            raise unittest.SkipTest("no gpg that could sign eggs")
        cls.keys = {name: signer.make(name) for name in ("publisher", "stranger")}
        cls.public = signer.export(cls.keys["publisher"])

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.signer is not None:
            cls.signer.close()

    @classmethod
    def gpg(cls) -> Signer:
        assert cls.signer is not None
        return cls.signer

    @classmethod
    def sign(cls, content: bytes, key: str = "publisher", *options: str, at: str = "") -> bytes:
        return cls.gpg().sign(content, cls.keys[key], *options, at=at)

    def setUp(self) -> None:
        super().setUp()
        self.plain = self.environ
        self.refresh()

    def refresh(self) -> None:
        """Begin anew: a host with the publisher's key, no egg, and an empty home."""
        for name in ("etc", "state", "stick", "tmp", "out", "home", "log"):
            shutil.rmtree(self.path(name), True)
        for name in ("state", "stick", "tmp", "home"):
            os.mkdir(self.path(name), 0o700)
        for name in ("marks", "pids"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        self.write(KEYS, self.public)
        self.environ = dict(self.plain, HOME=self.path("home"), EGG_MARKS=self.path("marks"),
                            EGG_PIDS=self.path("pids"))

    def put(self, place: str, content: bytes, signature: Union[bytes, str, None] = "publisher",
            path: str = "") -> str:
        """Put an egg in a place, with a signature, or the name of who signs; return its path."""
        if isinstance(signature, str):
            signature = self.sign(content, signature)
        path = path or PLACES[place]
        if signature is not None:
            self.write(path + ".asc", signature)
        if place == ENV:
            self.environ["EGG"] = self.path(path)
        return self.write(path, content)

    def command(self, *arguments: str) -> List[str]:
        """Return the options of a small collection into the folder `out`."""
        return ["--offline", "--from-file", self.rules(["/bin/echo hi"]),
                "--output-dir", self.path("out"), *arguments]

    def run_eggs(self, *arguments: str, **environ: Any) -> Done:
        """Collect into an empty folder `out`; nothing may be left in the temporary folder."""
        shutil.rmtree(self.path("out"), True)
        done = self.run_product(*self.command(*arguments), timeout=PATIENCE, **environ)
        self.assertEqual(os.listdir(self.path("tmp")), [], done.text)
        return done

    def marks(self) -> List[Tuple[str, str]]:
        """Return place and phase of each egg that ran."""
        return [(place, phase) for place, phase, _ in read_marks(self.path("marks"))]

    def versions(self) -> List[str]:
        """Return the version of the egg that ran, for each phase."""
        return [version for _, _, version in read_marks(self.path("marks"))]

    def assert_worker(self, done: Done, place: str = BUILT_IN, version: str = "") -> None:
        """Check that a run succeeded and that its archive names this egg."""
        self.assertEqual(done.status, 0, done.text)
        names = os.listdir(self.path("out"))
        self.assertEqual(len(names), 1, done.text)
        members = read_archive(self.path("out", names[0]))
        self.assertEqual(members["insights_commands/echo_hi"], b"hi\n")
        told = json.loads(members["version_info"].decode())
        self.assertEqual(told["egg"], place)
        if version:
            self.assertEqual(told["core_version"], version)

    def assert_warnings(self, done: Done, expected: Sequence[Tuple[str, str]]) -> None:
        """Check that standard error holds a warning for each path and reason, and nothing else."""
        lines = done.err.decode("utf-8", "backslashreplace").splitlines()
        self.assertEqual(len(lines), len(expected), done.text)
        for line, (path, reason) in zip(lines, expected):
            self.assertTrue(line.startswith("WARNING: "), line)
            self.assertIn(" %s " % path, line)
            self.assertRegex(line, reason)
