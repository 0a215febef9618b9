"""Which eggs of a host may run: with the host's gpg, each copied first, and examined once."""
import os
import resource
import signal
import stat
import unittest
from typing import ClassVar, Dict, List, Optional

from insights_mini import eggs
from insights_mini.core.output import sweep
from insights_mini.eggs import BUILT_IN, ENV, NEW, ORIGINAL, RPM, STABLE, Egg
from insights_mini.log import INFO, Console, Log
from insights_mini.paths import COPIES, HOME, find_paths
from insights_mini.settings import Settings
from insights_mini.wrapper.chain import Chain
from tests.signing import Signer
from tests.support import Scratch
from tests.test_eggs import make_original, make_ours
from tests.test_log import Captured, captured

HIGH, HIGHER, HIGHEST = (make_ours(version) for version in ("100.0", "101.0", "102.0"))
LOW = make_ours("0.0.1")
FOREIGN = make_original("3.0.8")


class ChainCase(Scratch):
    """A test with a chain over folders of its own; it is left when the test ends."""

    signer: ClassVar[Optional[Signer]] = None
    key: ClassVar[str] = ""
    public: ClassVar[bytes] = b""
    signatures: ClassVar[Dict[bytes, bytes]] = {}

    @classmethod
    def setUpClass(cls) -> None:
        signer = cls.signer = Signer.find()
        if signer is None:
            raise unittest.SkipTest("no gpg")
        cls.key = signer.make("publisher")
        cls.public = signer.export(cls.key)
        cls.signatures = {}

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.signer is not None:
            cls.signer.close()

    def setUp(self) -> None:
        super().setUp()
        for name in ("etc", "state", "tmp", "stick"):
            os.mkdir(self.path(name), 0o700)
        self.write("etc/redhattools.pub.gpg", self.public)
        self.places = {NEW: "state/newest.egg", STABLE: "state/last_stable.egg",
                       RPM: "etc/rpm.egg", ENV: "stick/egg"}
        self.environ = {"PATH": os.environ.get("PATH", ""), "TMPDIR": self.path("tmp"),
                        "INSIGHTS_CONF_DIR": self.path("etc"),
                        "INSIGHTS_STATE_DIR": self.path("state")}

    def sign(self, content: bytes) -> bytes:
        if content not in self.signatures:
            assert self.signer is not None
            self.signatures[content] = self.signer.sign(content, self.key)
        return self.signatures[content]

    def put(self, name: str, content: bytes, signature: Optional[bytes] = None) -> str:
        """Put an egg and its good signature, or another one, in a place; under a new inode."""
        path = self.path(self.places[name])
        for suffix, data in (("", content), (".asc", self.sign(content) if signature is None
                                             else signature)):
            self.write("part", data)
            os.replace(self.path("part"), path + suffix)
        if name == ENV:
            self.environ["EGG"] = path
        return path

    def chain(self, **settings: bool) -> Chain:
        chain = Chain(Settings(**settings), find_paths(self.environ), self.environ,  # type: ignore[arg-type]
                      Log(Console(INFO)))
        self.addCleanup(chain.close)
        return chain

    def find(self, chain: Optional[Chain] = None) -> List[Egg]:
        """Return the usable eggs; what was said is in `self.said`."""
        with captured() as got:
            found = (chain or self.chain()).find()
        self.said: Captured = got
        return found

    def names(self, found: List[Egg]) -> List[str]:
        return [egg.name for egg in found]

    def warnings(self) -> List[str]:
        return self.said.err.decode().splitlines()

    def copies(self) -> List[str]:
        """Return the private copies below the temporary folder."""
        return sorted(os.path.join(folder, name) for folder, _, names
                      in os.walk(self.path("tmp")) for name in names if name.endswith(".pyz"))


class Refused(ChainCase):
    def refuse(self, name: str, *parts: str, found: Optional[Chain] = None) -> None:
        """Find the built-in egg only, with one warning about the other one."""
        self.assertEqual(self.find(found), [BUILT_IN])
        lines = self.warnings()
        self.assertEqual(len(lines), 1, lines)
        for part in ("WARNING: %s %s is not used: " % (name, self.path(self.places[name])), *parts):
            self.assertIn(part, lines[0])

    def test_an_egg_that_nobody_trusted_vouches_for_costs_a_warning(self) -> None:
        assert self.signer is not None
        stranger = self.signer.make("stranger")
        for name in (NEW, STABLE, RPM, ENV):
            for signature, why in ((b"", "is empty"), (self.sign(HIGHER), "does not fit"),
                                   (self.signer.sign(HIGH, stranger), "not trusted here")):
                path = self.put(name, HIGH, signature)
                self.refuse(name, why)
            os.unlink(path + ".asc")
            self.refuse(name, "cannot read the signature: No such file")
            os.unlink(path)
            self.environ.pop("EGG", None)

    def test_an_egg_that_is_trusted_but_no_egg_costs_a_warning(self) -> None:
        for content, why in ((b"text", "is no zip"), (b"PK", "is no zip"),
                             (make_ours("x"), "does not tell its version")):
            self.put(NEW, content)
            self.refuse(NEW, why)

    def test_what_is_no_plain_file_costs_a_warning(self) -> None:
        path = self.put(NEW, HIGH)
        os.rename(path, self.path("elsewhere"))
        for make, why in ((os.mkdir, "is a directory"), (os.mkfifo, "is a FIFO"),
                          (lambda path: os.symlink("../elsewhere", path), "is a link"),
                          (lambda path: os.symlink("nowhere", path), "No such file")):
            make(path)
            self.refuse(NEW, why)
            (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)
        os.rename(path + ".asc", path + ".there")
        os.rename(self.path("elsewhere"), path)
        os.symlink("newest.egg.there", path + ".asc")
        self.refuse(NEW, "cannot read the signature: is a link")

    def test_an_egg_that_is_too_large_is_refused_before_it_is_copied(self) -> None:
        path = self.put(NEW, HIGH)
        os.truncate(path, eggs.LARGEST + 1)
        self.refuse(NEW, "larger than")
        self.assertEqual(self.copies(), [])

    def test_an_egg_that_others_can_write_is_refused_but_on_a_stick_its_signature_decides(
            self) -> None:
        for name in (NEW, RPM):
            path = self.put(name, HIGH)
            os.chmod(path, 0o666)
            self.refuse(name, "others than root can write " + path)
            os.chmod(path, 0o600)
            os.chmod(os.path.dirname(path), 0o777)
            self.refuse(name, "others than root can write " + os.path.dirname(path))
            os.chmod(os.path.dirname(path), 0o700)
            os.unlink(path)
        os.chmod(self.put(ENV, HIGH), 0o666)
        self.assertEqual(self.names(self.find()), [ENV, BUILT_IN.name])
        self.refuse(ENV, "others than root can write", found=self.chain(no_gpg=True))

    def test_without_a_key_or_with_one_that_others_can_write_no_egg_is_trusted(self) -> None:
        self.put(NEW, HIGH)
        os.chmod(self.path("etc", "redhattools.pub.gpg"), 0o666)
        self.refuse(NEW, "cannot read the public key", "others than root can write")
        os.unlink(self.path("etc", "redhattools.pub.gpg"))
        self.refuse(NEW, "cannot read the public key", "No such file")

    def test_an_egg_that_the_environment_names_and_that_is_not_there_costs_a_warning(self) -> None:
        self.environ["EGG"] = self.path(self.places[ENV])
        self.refuse(ENV, "No such file")
        self.environ["EGG"] = ""
        self.assertEqual((self.find(), self.warnings()), ([BUILT_IN], []))

    def test_a_temporary_folder_that_is_missing_costs_a_warning_with_a_remedy(self) -> None:
        self.put(NEW, HIGH)
        os.rmdir(self.path("tmp"))
        self.refuse(NEW, "it cannot be copied: No such file", "make room in " + self.path("tmp"))
        self.assertFalse(os.path.exists(self.path("tmp")))

    def test_a_full_temporary_folder_costs_a_warning_and_leaves_nothing(self) -> None:
        """FAULTS 40. A limit on the size of files refuses what a full disk refuses."""
        self.put(NEW, HIGH)
        chain = self.chain()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
                os.dup2(writer, 2)
                with chain:
                    found = chain.find()
                os.write(writer, b"%d" % len(found))
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        self.assertIn(b"it cannot be copied: File too large; make room in", said)
        self.assertTrue(said.endswith(b"\n1"), said)
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_a_refused_egg_is_examined_and_warned_about_once(self) -> None:
        self.put(NEW, HIGH, b"")
        chain = self.chain()
        self.refuse(NEW, found=chain)
        self.assertEqual((self.find(chain), self.warnings()), ([BUILT_IN], []))
        self.assertEqual(len(self.copies()), 1)


class Found(ChainCase):
    def test_without_candidates_the_built_in_egg_is_all_and_nothing_is_made(self) -> None:
        chain = self.chain()
        self.assertEqual(self.find(chain), [BUILT_IN])
        self.assertEqual((self.said.out, self.said.err), (b"", b""))
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_they_are_found_in_their_order_with_all_that_is_known_of_them(self) -> None:
        self.put(ENV, LOW)
        self.put(NEW, HIGH)
        self.put(STABLE, HIGHER)
        self.put(RPM, FOREIGN)
        found = self.find()
        self.assertEqual(self.names(found), [ENV, NEW, STABLE, RPM, BUILT_IN.name])
        self.assertEqual([egg.version for egg in found[:4]], ["0.0.1", "100.0", "101.0", "3.0.8"])
        self.assertEqual(found[3].format, ORIGINAL)
        for egg, content in zip(found, (LOW, HIGH, HIGHER, FOREIGN)):
            self.assertEqual(egg.source, os.fsencode(self.path(self.places[egg.name])))
            self.assertEqual(egg.signature, self.sign(content))
            with open(egg.path, "rb") as file:
                self.assertEqual(file.read(), content)
        self.assertEqual(self.warnings(), [])

    def test_one_that_is_older_than_this_file_is_passed_over_and_debug_phases_tells(self) -> None:
        self.put(NEW, LOW)
        self.put(STABLE, HIGH)
        self.assertEqual(self.names(self.find(self.chain(debug_phases=True))),
                         [STABLE, BUILT_IN.name])
        self.assertEqual(self.said.out.decode().splitlines(), [
            "NEW egg 0.0.1 is passed over: it is older than " + str(BUILT_IN),
            "eggs in the order they are tried: STABLE egg 100.0, " + str(BUILT_IN)])

    def test_the_same_bytes_in_two_places_are_one_egg(self) -> None:
        self.put(NEW, HIGH)
        self.put(STABLE, HIGH)
        self.put(RPM, HIGH)
        self.assertEqual(self.names(self.find()), [NEW, BUILT_IN.name])
        self.assertEqual(self.warnings(), [])

    def test_what_was_verified_is_what_runs_whatever_happens_to_the_file_it_came_from(self) -> None:
        path = self.put(NEW, HIGH)
        found = self.find()
        with open(path, "r+b") as file:
            file.write(b"evil")
        with open(found[0].path, "rb") as file:
            self.assertEqual(file.read(), HIGH)

    def test_unchecked_eggs_are_used_with_a_warning_each_and_without_a_signature(self) -> None:
        self.put(NEW, HIGH, b"rubbish")
        self.put(STABLE, HIGHER, b"")
        for environ, settings in (({}, {"no_gpg": True}), ({"BYPASS_GPG": "True"}, {}),
                                  ({"BYPASS_GPG": "true"}, {})):
            self.environ.pop("BYPASS_GPG", None)
            self.environ.update(environ)
            found = self.find(self.chain(**settings))
            self.assertEqual(self.names(found), [NEW, STABLE, BUILT_IN.name])
            self.assertEqual([egg.signature for egg in found], [b""] * 3)
            self.assertEqual([line.partition(" /")[0] for line in self.warnings()], [
                "WARNING: the signature of NEW egg", "WARNING: the signature of STABLE egg"])
        for value in ("", "False", "0", "1", "yes"):
            self.environ["BYPASS_GPG"] = value
            self.assertEqual(self.find(), [BUILT_IN])


class Again(ChainCase):
    """The eggs are looked for once more after the update."""

    def test_what_is_as_it_was_is_not_read_again(self) -> None:
        self.put(NEW, HIGH)
        self.put(STABLE, HIGHER)
        chain = self.chain()
        first = self.find(chain)
        copies = self.copies()
        self.write("etc/redhattools.pub.gpg", b"no key")  # no gpg could say yes now
        self.assertEqual(self.find(chain), first)
        self.assertEqual((self.copies(), self.warnings()), (copies, []))

    def test_a_new_one_that_came_in_is_seen_and_one_that_went_is_kept(self) -> None:
        self.put(STABLE, HIGH)
        chain = self.chain()
        self.assertEqual(self.names(self.find(chain)), [STABLE, BUILT_IN.name])
        path = self.put(NEW, HIGHER)
        self.assertEqual(self.names(self.find(chain)), [NEW, STABLE, BUILT_IN.name])
        os.unlink(path)
        self.assertEqual(self.names(self.find(chain)), [NEW, STABLE, BUILT_IN.name])

    def test_another_new_takes_the_place_of_the_one_before(self) -> None:
        self.put(NEW, HIGH)
        chain = self.chain()
        self.find(chain)
        self.put(NEW, HIGHEST)
        self.assertEqual(self.find(chain)[0].version, "102.0")
        self.put(NEW, HIGHER, b"")  # it is refused, and the verified one before it stays
        self.assertEqual(self.find(chain)[0].version, "102.0")

    def test_the_same_bytes_put_there_once_more_are_the_same_egg_as_before(self) -> None:
        """As after an update that brings what was there; an egg that failed has failed."""
        self.put(NEW, HIGH)
        chain = self.chain()
        first = self.find(chain)
        self.put(NEW, HIGH)
        self.assertEqual(self.find(chain), first)


class Private(ChainCase):
    def test_the_folder_is_0700_and_the_copies_0600_under_any_umask(self) -> None:
        """FAULTS 50."""
        self.addCleanup(os.umask, os.umask(0))
        self.put(NEW, HIGH)
        path = self.find()[0].path
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        self.assertTrue(os.path.basename(os.path.dirname(path)).startswith(COPIES))
        for name in os.listdir(os.path.dirname(path)):
            if name.startswith(HOME):
                mode = os.stat(os.path.join(os.path.dirname(path), name)).st_mode
                self.assertEqual(stat.S_IMODE(mode), 0o700)

    def test_it_is_gone_afterwards_also_after_an_error(self) -> None:
        self.put(NEW, HIGH)
        with self.assertRaises(ZeroDivisionError), self.chain() as chain:
            self.find(chain)
            self.assertEqual(len(os.listdir(self.path("tmp"))), 1)
            raise ZeroDivisionError
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_another_run_does_not_sweep_it_while_it_is_used_but_what_a_killed_one_left(
            self) -> None:
        """FAULTS 38."""
        self.put(NEW, HIGH)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self.find()
                os.write(writer, b"found")
                signal.pause()
            finally:
                os._exit(0)
        self.assertEqual(os.read(reader, 5), b"found")
        self.assertEqual(len(self.copies()), 1)
        sweep(os.fsencode(self.path("tmp")), os.fsencode(self.path("tmp")))
        self.assertEqual(len(self.copies()), 1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
        sweep(os.fsencode(self.path("tmp")), os.fsencode(self.path("tmp")))
        self.assertEqual(os.listdir(self.path("tmp")), [])


if __name__ == "__main__":
    unittest.main()
