"""Which rules serve: the user's, the cache, the fallback, the catalogue; and what may not serve."""
import os
import unittest
from typing import Any, ClassVar, List, Optional

from insights_mini.core.catalogue import load_catalogue
from insights_mini.core.rules import SHOWN, load_rules
from insights_mini.core.specs import Rules
from insights_mini.exits import Failure
from insights_mini.log import NOTHING, Console, Log
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from tests.signing import Signer
from tests.support import HostCase, Scratch


def named(name: str) -> Any:
    return {"version": name, "files": [{"file": "/etc/hosts", "symbolic_name": name}]}


class Case(Scratch):
    def setUp(self) -> None:
        super().setUp()
        folder = os.fsencode(self.folder)
        self.paths = Paths(folder, folder, folder, folder)
        log = os.open(self.path("log"), os.O_WRONLY | os.O_CREAT, 0o600)
        self.addCleanup(os.close, log)
        self.log = Log(Console(NOTHING), log)

    def load(self, **settings: Any) -> Rules:
        return load_rules(Settings(**settings), self.paths, self.log)

    def logged(self) -> str:
        with open(self.path("log"), encoding="utf-8") as file:
            return file.read()

    def fail(self, **settings: Any) -> str:  # type: ignore[override]
        with self.assertRaises(Failure) as caught:
            self.load(**settings)
        return str(caught.exception)


class Choice(Case):
    """Signatures are another class's matter."""

    def load(self, **settings: Any) -> Rules:
        return super().load(no_gpg=True, **settings)

    def test_a_file_that_the_user_named_must_be_right(self) -> None:
        os.mkfifo(self.path("fifo"))
        self.write("broken", b"{")
        self.write(".cache.json", named("cache"))
        for name, why in (("missing", "No such file"), ("fifo", "a FIFO"), (".", "a directory"),
                          ("broken", "not JSON")):
            with self.subTest(name):
                message = self.fail(from_file=self.path(name))
                self.assertIn(self.path(name), message)
                self.assertIn(why, message)

    def test_thousands_of_problems_make_a_message_of_bounded_length(self) -> None:
        path = self.write("many", {"version": "1", "files": [{}] * 3000})
        message = self.fail(from_file=path)
        self.assertIn("files[%d]" % (SHOWN // 2 - 1), message)
        self.assertIn("and %d more" % (6000 - SHOWN), message)
        self.assertNotIn("files[2999]", message)
        self.assertLess(len(message), 10000)

    def test_an_endless_file_is_read_within_bounds(self) -> None:
        """FAULTS 37."""
        with open(self.path("huge"), "wb") as file:
            file.truncate(1 << 40)
        self.assertIn("is larger than", self.fail(from_file=self.path("huge")))

    def test_the_users_file_comes_before_the_cache_the_fallback_and_the_catalogue(self) -> None:
        mine = self.write("mine", named("mine"))
        self.write(".cache.json", named("cache"))
        self.write(".fallback.json", named("fallback"))
        self.assertEqual(self.load(from_file=mine).version, "mine")
        self.assertEqual(self.load().version, "cache")
        os.unlink(self.path(".cache.json"))
        self.assertEqual(self.load().version, "fallback")
        os.unlink(self.path(".fallback.json"))
        self.assertEqual(self.load().version, load_catalogue().version)
        self.assertEqual(self.logged().count("WARNING"), 2)
        self.assertEqual(self.logged().count("is not checked"), 2)

    def test_an_unusable_cache_is_warned_of_and_the_next_one_serves(self) -> None:
        self.write(".fallback.json", named("fallback"))
        for content, why in ((b"{", "not JSON"), (b"[]", "JSON object"), (b"", "not JSON"),
                             (b"\xff", "UTF-8")):
            with self.subTest(content=content):
                os.truncate(self.path("log"), 0)
                self.write(".cache.json", content)
                self.assertEqual(self.load().version, "fallback")
                self.assertIn("WARNING", self.logged())
                self.assertIn(".cache.json", self.logged())
                self.assertIn(why, self.logged())

    def test_a_cache_that_others_could_have_written_is_not_used(self) -> None:
        self.write(".fallback.json", named("fallback"))
        for mode in (0o620, 0o602, 0o666, 0o777):
            with self.subTest(mode=oct(mode)):
                os.truncate(self.path("log"), 0)
                self.write(".cache.json", named("cache"), mode)
                self.assertEqual(self.load().version, "fallback")
                self.assertIn("others than root can write", self.logged())
        self.write(".cache.json", named("cache"), 0o644)
        self.assertEqual(self.load().version, "cache")

    def test_a_cache_of_another_user_is_not_used(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("only root can give a file away")
        os.chown(self.write(".cache.json", named("cache")), 65534, 65534)
        self.assertNotEqual(self.load().version, "cache")
        self.assertIn("others than root can write", self.logged())

    def test_what_is_no_plain_file_costs_a_warning_and_no_time(self) -> None:
        os.mkfifo(self.path(".cache.json"), 0o600)
        os.symlink(".fallback.json", self.path(".fallback.json"))
        self.assertEqual(self.load().version, load_catalogue().version)
        self.assertIn("a FIFO", self.logged())
        self.assertIn(".fallback.json are not used", self.logged())


class Signed(Case):
    signer: ClassVar[Optional[Signer]] = None
    keys: ClassVar[List[str]] = []

    @classmethod
    def setUpClass(cls) -> None:
        signer = cls.signer = Signer.find()
        if signer is None:
            raise unittest.SkipTest("no gpg")
        cls.keys = [signer.make(name) for name in ("publisher", "stranger")]

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.signer is not None:
            cls.signer.close()

    def setUp(self) -> None:
        super().setUp()
        assert self.signer is not None
        self.gpg = self.signer
        self.write("redhattools.pub.gpg", self.gpg.export(self.keys[0]))

    def offer(self, name: str, key: int = 0, content: bytes = b"") -> None:
        """Write rules of this name with a signature, of other content if there is any."""
        path = self.write(name, named(name))
        with open(path, "rb") as file:
            text = file.read()
        self.write(name + ".asc", self.gpg.sign(content or text, self.keys[key], "--armor"))

    def assert_refused(self, why: str, version: str = ".fallback.json") -> None:
        os.truncate(self.path("log"), 0)
        self.assertEqual(self.load().version, version)
        self.assertIn("rules in %s are not used" % self.path(".cache.json"), self.logged())
        self.assertIn(why, self.logged())

    def test_rules_that_no_trusted_key_has_signed_are_not_used_and_the_fallback_serves(
            self) -> None:
        self.offer(".fallback.json")
        self.write(".cache.json", named("cache"))
        self.assert_refused("cannot read the signature: No such file")
        self.offer(".cache.json", key=1)
        self.assert_refused("by a key that is not trusted here")
        self.offer(".cache.json", content=b"another")
        self.assert_refused("does not fit")
        self.offer(".cache.json")
        self.write(".cache.json.asc", b"garbage")
        self.assert_refused("holds no OpenPGP signature")
        self.offer(".cache.json")
        self.write(".cache.json", named("changed"))
        self.assert_refused("does not fit")

    def test_without_a_key_neither_serves_and_the_catalogue_does(self) -> None:
        self.offer(".cache.json")
        self.offer(".fallback.json")
        os.unlink(self.path("redhattools.pub.gpg"))
        version = load_catalogue().version
        self.assert_refused("cannot read the public key", version)
        self.write("redhattools.pub.gpg", b"garbage")
        self.assert_refused("holds no public key", version)

    def test_signed_rules_are_used_without_a_warning_and_gpg_leaves_nothing(self) -> None:
        self.offer(".cache.json")
        before = sorted(os.listdir(self.folder))
        self.assertEqual(self.load().version, ".cache.json")
        self.assertNotIn("WARNING", self.logged())
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_no_gpg_uses_unsigned_rules_and_says_so(self) -> None:
        self.write(".cache.json", named("cache"))
        self.assertEqual(self.load(no_gpg=True).version, "cache")
        self.assertIn("WARNING", self.logged())
        self.assertIn("is not checked", self.logged())

    def test_rules_that_the_user_names_need_no_signature(self) -> None:
        self.assertEqual(self.load(from_file=self.write("mine", named("mine"))).version, "mine")


class Selection(Case):
    def test_an_unknown_name_is_answered_with_a_near_one(self) -> None:
        path = self.write("rules", {"version": "1", "files": [
            {"file": "/etc/hosts", "symbolic_name": name} for name in ("hosts", "sshd_config")]})
        message = self.fail(from_file=path, run_these=("hosts", "shd_config", "zzz"))
        self.assertIn("no spec named shd_config, zzz", message)
        self.assertIn("did you mean sshd_config?", message)
        self.assertIn("--list-specs", self.fail(from_file=path, run_these=("zzzzz",)))

    def test_only_the_named_specs_are_left_in_their_order(self) -> None:
        path = self.write("rules", {"version": "1", "files": [
            {"file": "/etc/" + name, "symbolic_name": name[0]} for name in ("a1", "b", "a2", "c")]})
        chosen = self.load(from_file=path, run_these=("c", "a")).specs
        self.assertEqual([spec.target for spec in chosen], [b"/etc/a1", b"/etc/a2", b"/etc/c"])


class StandardInput(HostCase):
    def test_rules_from_standard_input_come_before_the_cache_and_must_be_right(self) -> None:
        self.write("etc/.cache.json", named("cached"))
        done = self.run_product("--list-specs", "--from-stdin", stdin=b'{"version": 1}')
        self.assertEqual((done.status, done.out), (1, b""))
        self.assertIn(b"on standard input cannot be used: version", done.err)
        done = self.run_product("--list-specs", "--from-stdin", stdin=b'{"version": "1", "files": '
                                b'[{"file": "/etc/hosts", "symbolic_name": "piped"}]}')
        self.assertEqual(done.status, 0, done.text)
        self.assertIn(b"piped", done.out)
        self.assertNotIn(b"cached", done.out)
