"""The update phase: what a server sends is installed if it is trusted and newer, else nothing is.

The server, its certificate and the signatures are real.
"""
import io
import json
import os
import signal
import stat
import threading
import unittest
import zipfile
from typing import Any, ClassVar, Dict, List, Optional, Tuple

from insights_mini import eggs, log
from insights_mini.core.update import EGG_URL, RULES_URL, update
from insights_mini.paths import find_paths
from insights_mini.settings import Settings
from insights_mini.version import VERSION
from tests import server as servers
from tests.signing import Signer
from tests.support import HostCase, Scratch, read_archive

NEWER, NEWEST = "7.1.0", "7.10.0"
BASE = "/r/insights"
EGG, RULES = BASE + EGG_URL, BASE + RULES_URL
MARKING = ("import os\nwith open(os.environ['MARK'], 'a') as file:\n"
           "    file.write(os.environ['INSIGHTS_PHASE'] + '\\n')\n")
Snapshot = Dict[str, bytes]


def make_egg(version: str = NEWER, main: str = "") -> bytes:
    """Return an egg of ours that does nothing and succeeds."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), main)
        archive.writestr(zipfile.ZipInfo("insights_mini/version.py"), 'VERSION = "%s"\n' % version)
    return buffer.getvalue()


def make_original(version: str, release: str = "1") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("insights/client/phase/v1.py"), "")
        archive.writestr(zipfile.ZipInfo("insights/VERSION"), version + "\n")
        archive.writestr(zipfile.ZipInfo("insights/RELEASE"), release + "\n")
    return buffer.getvalue()


def make_rules(version: str = "2026-11-01T10:00:00", name: str = "hosts") -> bytes:
    return json.dumps({
        "version": version, "commands": [], "globs": [], "pre_commands": {}, "meta_specs": {},
        "files": [{"file": "/etc/hosts", "symbolic_name": name, "pattern": []}]}).encode()


class ServiceCase(Scratch):
    """A test with a TLS server, trusted by the settings, and signing keys made once per class."""

    signer: ClassVar[Optional[Signer]] = None
    keys: ClassVar[List[str]] = []

    @classmethod
    def setUpClass(cls) -> None:
        if servers.missing():
            raise unittest.SkipTest(servers.missing())
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
        for name in ("etc", "tmp"):
            os.makedirs(self.path(name), 0o755, exist_ok=True)
        assert self.signer is not None
        self.gpg = self.signer
        self.write("etc/redhattools.pub.gpg", self.gpg.export(self.keys[0]))
        self.paths = find_paths({"INSIGHTS_CONF_DIR": self.path("etc"), "TMPDIR": self.path("tmp"),
                                 "INSIGHTS_STATE_DIR": self.path("state")})
        self.answers: Dict[str, servers.Reply] = {}
        self.server = servers.Server(self.answers, "server")
        self.addCleanup(self.server.close)
        self.settings = Settings(base_url=self.server.name + BASE, http_timeout=20.0,
                                 cert_verify=servers.Certificates.path("ca.pem"))

    def offer(self, path: str, content: bytes, signature: Any = None, key: int = 0,
              etag: str = "") -> bytes:
        """Have the server serve a content and its signature; return the signature."""
        if signature is None:
            signature = self.gpg.sign(content, self.keys[key])
        self.answers[path] = (200, {"ETag": etag} if etag else {}, content)
        self.answers[path + ".asc"] = (200, {"ETag": '"s"'} if etag else {}, signature)
        return bytes(signature)

    def update(self, working: str = "built-in egg", **settings: Any) -> List[str]:
        """Update, check that no temporary file is left, and return the lines said, by level."""
        journal = os.open(self.path("journal"), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            update(self.settings._replace(**settings), self.paths, {"INSIGHTS_EGG": working},
                   log.Log(log.Console(log.NOTHING), journal))
            lines = os.pread(journal, 1 << 20, 0).decode().splitlines()
        finally:
            os.close(journal)
        self.assertEqual(os.listdir(self.path("tmp")), [])
        return ["%s %s" % (line.split()[2], line.split(None, 4)[4]) for line in lines]

    def warnings(self, working: str = "built-in egg", **settings: Any) -> List[str]:
        return [line[8:] for line in self.update(working, **settings)
                if line.startswith("WARNING ")]

    def snapshot(self) -> Snapshot:
        """Return the content of every file of the host's two folders."""
        found = {}
        for top in ("etc", "state"):
            for folder, _, names in os.walk(self.path(top)):
                for name in names:
                    path = os.path.join(folder, name)
                    with open(path, "rb") as file:
                        found[os.path.relpath(path, self.folder)] = file.read()
        return found

    def targets(self) -> List[str]:
        return [request.target for request in self.server.requests]

    def refuses(self, what: str, why: str, **settings: Any) -> None:
        """The update says this one line about what was offered and leaves the host as it was."""
        before = self.snapshot()
        lines = [line for line in self.warnings(**settings) if what in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(why, lines[0])
        self.assertEqual(self.snapshot(), before)


class NotInstalled(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        self.offer(RULES, make_rules())
        self.update()  # the rules are there; only the egg is looked at from here on

    def test_what_the_server_sends_instead_of_an_egg_is_not_stored(self) -> None:
        """FAULTS 33."""
        egg = make_egg()
        whole = self.offer(EGG, egg)
        page = b"<html><title>Sign in</title></html>"
        cases: Tuple[Tuple[str, servers.Reply, bytes], ...] = (
            ("is no zip", (200, {}, page), page),
            ("is no zip", (200, {}, b""), whole),
            ("is no zip", (200, {}, egg[:-30]), whole),
            ("server answers 404", (404, {}, page), whole),
            ("server answers 401", (401, {}, b""), whole),
            ("server answers 500", (500, {}, egg), whole),
            ("server answers 304", (304, {}, b""), whole),
            ("does not fit", (200, {}, egg + bytes(1000)), whole),
            ("does not fit", (200, {}, egg.replace(b"VERSION", b"VERSIOM")), whole),
            ("holds no OpenPGP signature", (200, {}, egg), page),
            ("is empty", (200, {}, egg), b""),
        )
        for why, answer, signature in cases:
            with self.subTest(why, signature=signature[:20]):
                self.answers[EGG] = answer
                self.answers[EGG + ".asc"] = (200, {}, signature)
                self.refuses("no newer core", why)

    def test_signatures_that_do_not_vouch(self) -> None:
        egg = make_egg()
        good = self.offer(EGG, egg)
        stranger = self.gpg.sign(egg, self.keys[1])
        for why, signature in (
                ("by a key that is not trusted here", stranger),
                ("more than one signature", good + stranger),
                ("more than one signature", good + good),
                ("digest", self.gpg.sign(egg, self.keys[0], "--digest-algo", "SHA1")),
                ("does not fit", self.gpg.sign(make_egg(NEWEST), self.keys[0]))):
            with self.subTest(why):
                self.offer(EGG, egg, signature)
                self.refuses("no newer core", why)
        del self.answers[EGG + ".asc"]
        self.refuses("no newer core", "there is no signature: the server answers 404")

    def test_signed_things_that_are_no_egg_of_use(self) -> None:
        empty = io.BytesIO()
        with zipfile.ZipFile(empty, "w"):
            pass
        for why, content in (
                ("it is no egg", empty.getvalue()), ("does not tell its version", make_egg("x")),
                ("it is a broken zip", make_egg()[200:]),
                ("older than %s that this host has run" % VERSION, make_egg("0.0.9"))):
            with self.subTest(why):
                self.offer(EGG, content)
                self.refuses("no newer core", why)

    def test_what_is_older_than_what_has_run_here_does_not_come_back(self) -> None:
        for format, ran, offered in (
                ("ours", "7.1.1", make_egg("7.1.0")), ("ours", "7.10.0", make_egg("7.9.9")),
                ("original", "3.2.1-4", make_original("3.2.1", "3")),
                ("original", "3.10.0-1", make_original("3.9.7", "1"))):
            with self.subTest(ran):
                self.write("state/insights-mini.versions", "%s %s\n" % (format, ran))
                self.offer(EGG, offered)
                self.refuses("no newer core", "older than %s that this host has run" % ran)
                self.refuses("no newer core", "older than %s that this host has run" % ran,
                             no_gpg=True)

    def test_a_note_of_what_has_run_that_is_spoilt_lets_nothing_by(self) -> None:
        self.offer(EGG, make_egg())
        self.write("state/insights-mini.versions", b"\xff\0garbage")
        self.refuses("no newer core", "remove it")

    def test_an_answer_larger_than_any_egg_is_not_read_to_its_end(self) -> None:
        self.offer(EGG, make_egg())
        self.answers[EGG] = (200, {"Content-Length": str(1 << 40)}, (b"x" * 65536,))
        self.refuses("nothing newer is fetched", "more than the %d bytes" % eggs.LARGEST)
        self.answers[EGG] = (200, {}, (bytes(1 << 20) for _ in range(1 << 20)))
        self.refuses("nothing newer is fetched", "more than the %d bytes" % eggs.LARGEST)

    def test_an_answer_that_breaks_off_is_not_stored(self) -> None:
        egg = make_egg()
        self.offer(EGG, egg)
        self.answers[EGG] = (200, {"Content-Length": str(len(egg) + 1)}, (egg,))
        self.refuses("nothing newer is fetched", "broke off")

    def test_a_server_that_cannot_be_reached_is_one_line(self) -> None:
        port = self.server.port
        self.server.close()
        self.refuses("nothing newer is fetched", "Connection refused")
        self.refuses("nothing newer is fetched", "127.0.0.1:%d" % port, username="bob")

    def test_a_server_nobody_vouches_for_gets_no_request(self) -> None:
        self.offer(EGG, make_egg())
        before = len(self.server.requests)
        self.refuses("nothing newer is fetched", "cert_verify",
                     cert_verify=servers.Certificates.path("stranger.pem"))
        self.assertEqual(len(self.server.requests), before)

    def test_a_folder_that_cannot_be_written_is_one_line(self) -> None:
        self.offer(EGG, make_egg())
        self.write("state", b"")
        self.refuses("no newer core", "it cannot be stored")


class Installed(ServiceCase):
    def test_a_newer_egg_becomes_new_with_its_signature_for_root_alone(self) -> None:
        for content in (make_egg(), make_original("3.2.1"), make_egg(NEWEST)):
            signature = self.offer(EGG, content, etag='"v1"')
            self.assertEqual([line for line in self.warnings() if "core" in line], [])
            found = self.snapshot()
            self.assertEqual(found["state/newest.egg"], content)
            self.assertEqual(found["state/newest.egg.asc"], signature)
            self.assertEqual(found["etc/.insights-core.etag"], b'"v1"')
            self.assertEqual(found["etc/.insights-core-gpg-sig.etag"], b'"s"')
            for path in ("state/newest.egg", "state/newest.egg.asc", "etc/.insights-core.etag"):
                self.assertEqual(stat.S_IMODE(os.stat(self.path(path)).st_mode), 0o600)
            self.assertEqual(stat.S_IMODE(os.stat(self.path("state")).st_mode), 0o700)

    def test_the_tag_is_sent_only_by_an_egg_that_was_fetched(self) -> None:
        self.offer(EGG, make_egg(), etag='"v1"')
        self.update()
        for working, tags in ((eggs.NEW, ['"v1"']), (eggs.STABLE, ['"v1"']), (eggs.ENV, []),
                              ("built-in egg", [])):
            with self.subTest(working):
                del self.server.requests[:]
                self.update(working)
                sent = [request.headers["if-none-match"] for request in self.server.requests
                        if "if-none-match" in request.headers]
                self.assertEqual(sent, tags)

    def test_the_answer_that_nothing_is_newer_changes_nothing_and_is_no_warning(self) -> None:
        self.offer(EGG, make_egg(), etag='"v1"')
        self.offer(RULES, make_rules())
        self.update()
        before = self.snapshot()
        self.answers[EGG] = (304, {}, b"")
        self.assertEqual(self.warnings(eggs.NEW), [])
        self.assertEqual(self.snapshot(), before)

    def test_a_tag_is_remembered_once_the_egg_is_installed_and_not_before(self) -> None:
        self.offer(EGG, make_egg("0.0.1"), etag='"v1"')
        self.update()
        self.assertNotIn("etc/.insights-core.etag", self.snapshot())
        self.offer(EGG, make_egg(), etag='"v2"')
        self.update()
        self.assertEqual(self.snapshot()["etc/.insights-core.etag"], b'"v2"')
        self.offer(EGG, make_egg("0.0.1"), etag='"v3"')
        self.update()
        self.assertEqual(self.snapshot()["etc/.insights-core.etag"], b'"v2"')
        self.offer(EGG, make_egg(NEWEST))  # a server without tags: the old one would be wrong
        self.update()
        self.assertNotIn("etc/.insights-core.etag", self.snapshot())

    def test_a_spoilt_tag_is_not_sent(self) -> None:
        self.offer(EGG, make_egg(), etag='"v1"')
        self.update()
        for tag in (b'"a"\r\nX-Evil: 1', b"no quotes", b"", b"\xff", b'"' + bytes(600) + b'"'):
            with self.subTest(tag=tag[:20]):
                self.write("etc/.insights-core.etag", tag)
                del self.server.requests[:]
                self.update(eggs.NEW)
                self.assertNotIn("if-none-match", self.server.requests[0].headers)

    def test_the_egg_that_is_there_already_is_not_installed_again(self) -> None:
        for name in ("newest.egg", "last_stable.egg"):
            with self.subTest(name):
                egg = make_egg()
                self.offer(EGG, egg, etag='"v1"')
                path = self.write("state/" + name, egg)
                before = os.stat(path)
                self.update()
                self.assertEqual(os.stat(path).st_ino, before.st_ino)
                self.assertEqual(os.path.exists(self.path("state/newest.egg")),
                                 name == "newest.egg")
                os.unlink(path)

    def test_without_verification_each_use_is_a_warning(self) -> None:
        self.offer(EGG, make_egg(), b"")
        self.offer(RULES, make_rules(), b"")
        del self.answers[EGG + ".asc"]
        lines = self.warnings(no_gpg=True)
        self.assertEqual([line for line in lines if "is not checked" in line], lines)
        self.assertEqual(len(lines), 2)
        self.assertEqual(self.snapshot()["state/newest.egg"], make_egg())
        self.assertEqual(self.snapshot()["etc/.cache.json"], make_rules())

    def test_urls_of_their_own_are_used_and_their_signatures(self) -> None:
        egg, rules = make_egg(), make_rules()
        self.offer("/site/core.pyz", egg)
        self.offer("/site/rules.json", rules)
        signature = self.gpg.sign(egg, self.keys[0])
        self.answers["/signatures/core"] = (200, {}, signature)
        for more, target in (({}, "/site/core.pyz.asc"), (
                {"egg_gpg_path": self.server.name + "/signatures/core"}, "/signatures/core")):
            del self.server.requests[:]
            self.assertEqual(self.warnings(
                egg_path=self.server.url("/site/core.pyz"),
                collection_rules_url=self.server.name + "/site/rules.json", **more), [])
            self.assertEqual(self.targets(), ["/site/core.pyz", target, "/site/rules.json",
                                              "/site/rules.json.asc"])
        self.assertEqual(self.snapshot()["etc/.cache.json"], rules)


class Rules(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        self.offer(EGG, make_egg())
        self.update()

    def test_rules_that_are_wrong_or_that_nobody_vouches_for_are_not_stored(self) -> None:
        good = make_rules()
        for why, content, signature in (
                ("they cannot be used", b"<html>", None), ("they cannot be used", b"{}", None),
                ("does not fit", good, self.gpg.sign(b"x", self.keys[0])),
                ("not trusted here", good, self.gpg.sign(good, self.keys[1])),
                ("is empty", good, b"")):
            with self.subTest(why):
                self.offer(RULES, content, signature)
                self.refuses("no newer collection rules", why)
        del self.answers[RULES + ".asc"]
        self.refuses("no newer collection rules", "there is no signature")
        del self.answers[RULES]
        self.refuses("no newer collection rules", "the server answers 404")

    def test_newer_rules_and_their_signature_replace_those_in_the_cache(self) -> None:
        for version in ("2026-11-01T10:00:00", "2026-11-02T10:00:00"):
            signature = self.offer(RULES, make_rules(version))
            self.assertEqual(self.warnings(), [])
            found = self.snapshot()
            self.assertEqual(found["etc/.cache.json"], make_rules(version))
            self.assertEqual(found["etc/.cache.json.asc"], signature)
        self.offer(RULES, make_rules("2026-11-01T23:00:00"))
        self.refuses("no newer collection rules", "older than 2026-11-02T10:00:00 that is cached")

    def test_an_egg_that_is_refused_does_not_keep_the_rules_from_coming(self) -> None:
        self.answers[EGG] = (404, {}, b"")
        self.offer(RULES, make_rules())
        self.assertEqual(len(self.warnings()), 1)
        self.assertEqual(self.snapshot()["etc/.cache.json"], make_rules())

    def test_rules_that_the_user_names_make_fetching_them_needless(self) -> None:
        for more in ({"from_file": "rules.json"}, {"from_stdin": True}):
            del self.server.requests[:]
            self.assertEqual(self.warnings(**more), [])
            self.assertEqual(self.targets(), [EGG, EGG + ".asc"])


class NotAsked(ServiceCase):
    def test_a_host_for_which_no_service_is_set_up_asks_nobody(self) -> None:
        self.settings = Settings(proxy="http://%s" % self.server.name)
        lines = self.update()
        self.assertEqual([line for line in lines if not line.startswith("DEBUG")], [])
        self.assertEqual(self.server.requests, [])

    def test_each_way_of_setting_one_up_is_enough(self) -> None:
        proxy = servers.Proxy(status=403)
        self.addCleanup(proxy.close)
        for settings in (Settings(username="bob"), Settings(authmethod="CERT"),
                         Settings(base_url="mirror.test/x"),
                         Settings(egg_path="https://mirror.test/x"),
                         Settings(collection_rules_url="https://mirror.test/x")):
            with self.subTest(settings=settings):
                self.settings = settings._replace(proxy=proxy.url(), http_timeout=20.0)
                self.assertEqual(len(self.warnings()), 1)


class WholeRuns(ServiceCase, HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.environ.update(
            INSIGHTS_BASE_URL=self.server.name + BASE, MARK=self.path("mark"),
            INSIGHTS_CERT_VERIFY=servers.Certificates.path("ca.pem"))

    def run_update(self, *arguments: str, **environ: Any) -> Tuple[Snapshot, Dict[str, str]]:
        """Run a collection that succeeds; return the host's files and what made the archive."""
        for name in os.listdir(self.path("out")):
            os.unlink(self.path("out", name))
        done = self.run_product("--output-dir", self.path("out"), "--run-these", "hosts",
                                *arguments, **environ)
        self.assertEqual(done.status, 0, done.text)
        self.done = done
        self.assertEqual(os.listdir(self.path("tmp")), [])
        names = [name for name in os.listdir(self.path("out")) if name.endswith(".tar.gz")]
        versions = [json.loads(read_archive(self.path("out", name))["version_info"].decode())
                    for name in names]
        return self.snapshot(), dict(versions[0]) if versions else {}

    def marks(self) -> List[str]:
        """Return which phases the fetched egg has run since the last look."""
        if not os.path.exists(self.path("mark")):
            return []
        with open(self.path("mark")) as file:
            marks = file.read().split()
        os.unlink(self.path("mark"))
        return marks

    def test_a_fetched_egg_works_from_that_run_on_and_is_stable_after_it(self) -> None:
        egg = make_egg(NEWER, MARKING)
        signature = self.offer(EGG, egg, etag='"v1"')
        self.offer(RULES, make_rules())
        found, _ = self.run_update()
        self.assertEqual(self.marks(), ["post_update", "collect_and_output"])
        self.assertIn(b"A newer core was fetched: 7.1.0\n", self.done.out)
        self.assertIn(b"The work was done by NEW egg 7.1.0\n", self.done.out)
        self.assertEqual(found["state/last_stable.egg"], egg)
        self.assertEqual(found["state/last_stable.egg.asc"], signature)
        self.assertEqual(found["state/insights-mini.versions"], b"ours 7.1.0\n")
        self.assertNotIn("state/newest.egg", found)
        self.assertNotIn("state/newest.egg.asc", found)

        self.run_update()
        self.assertEqual(self.marks(), ["pre_update", "update", "post_update",
                                        "collect_and_output"])

    def test_a_fetched_egg_that_is_broken_costs_one_line_and_the_built_in_one_collects(
            self) -> None:
        self.offer(EGG, make_egg(NEWER, "raise SystemExit(7)"))
        self.offer(RULES, make_rules())
        found, versions = self.run_update()
        self.assertEqual(versions["egg"], "built-in egg")
        self.assertEqual(self.done.err.count(b"\n"), 1, self.done.err)
        self.assertIn(b"NEW egg 7.1.0 failed in phase post_update: exit status 7", self.done.err)
        self.assertNotIn("state/last_stable.egg", found)

    def test_an_older_signed_egg_of_the_server_does_not_run(self) -> None:
        self.write("state/insights-mini.versions", "ours 7.2.0\n")
        self.offer(EGG, make_egg(NEWER, MARKING))
        self.offer(RULES, make_rules())
        found, versions = self.run_update()
        self.assertEqual((self.marks(), versions["egg"]), ([], "built-in egg"))
        self.assertIn(b"older than 7.2.0 that this host has run", self.done.err)
        self.assertNotIn("state/newest.egg", found)

    def test_fetched_rules_are_those_of_the_same_run(self) -> None:
        self.offer(EGG, make_egg("0.0.1"))
        self.offer(RULES, make_rules(name="only_in_these"))
        self.run_update("--run-these", "only_in_these")

    def test_offline_or_without_auto_update_nobody_is_asked(self) -> None:
        self.offer(EGG, make_egg(NEWER, MARKING))
        self.run_update("--offline")
        self.run_update(INSIGHTS_AUTO_UPDATE="no")
        self.assertEqual((self.server.requests, self.marks(), self.done.err), ([], [], b""))

    def test_a_server_that_says_nothing_costs_its_time_and_one_line(self) -> None:
        def stall(request: servers.Request, connection: Any) -> None:
            self.server.closing.wait(servers.PATIENCE)

        self.server.answers = stall
        _, versions = self.run_update(INSIGHTS_HTTP_TIMEOUT="0.5")
        self.assertEqual(versions["egg"], "built-in egg")
        self.assertEqual(len(self.server.requests), 1)
        self.assertEqual(self.done.err.count(b"\n"), 1, self.done.err)
        self.assertIn(b"silence for 0.5 seconds", self.done.err)

    def test_a_run_that_is_stopped_while_it_fetches_leaves_nothing(self) -> None:
        asked = threading.Event()

        def stall(request: servers.Request, connection: Any) -> None:
            asked.set()
            self.server.closing.wait(servers.PATIENCE)

        self.server.answers = stall
        before = self.snapshot()
        child = self.start_product("--output-dir", self.path("out"))
        self.assertTrue(asked.wait(servers.PATIENCE))
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(servers.PATIENCE), 1)
        self.assertEqual(os.listdir(self.path("tmp")) + os.listdir(self.path("out")), [])
        after = self.snapshot()
        after.pop("state/insights-mini.lock")
        self.assertEqual(after, before)
