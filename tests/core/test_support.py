"""The archive for those who help: what is in it, and that no secret is, whatever happens."""
import hashlib
import os
import signal
import stat
import tarfile
import time
import unittest
from typing import Any, Dict, List

from insights_mini.core.support import list_eggs, list_folders, make_mask, mask_value
from insights_mini.paths import find_paths
from insights_mini.settings import Settings
from insights_mini.version import VERSION
from tests.core.test_update import make_egg, make_original
from tests.e2e.test_run import NETWORK
from tests.server import Raw
from tests.signing import Signer
from tests.support import HostCase, Scratch, read_archive

MARK = "********"
LOG = "insights-client.log"
TEXTS = {"settings", "versions", "eggs", "folders", "os-release", LOG, LOG + ".1", LOG + ".2",
         LOG + ".3"}


class SupportCase(HostCase):
    def support(self, *arguments: str, **environ: Any) -> Dict[str, str]:
        """Return the texts of the archive that a run wrote, which is all that is left of it."""
        self.done = self.run_product("--support", *arguments, **environ)
        self.assertEqual(self.done.status, 0, self.done.text)
        said = self.done.out.decode().splitlines()[-1]
        left = self.leftovers()
        self.assertEqual(len(left), 1, left)
        archive = self.path(left[0])
        self.assertEqual(said, "Archive saved at " + archive)
        self.assertRegex(left[0], r"^tmp/insights-support-[0-9]{14}-[0-9a-f]{6}\.tar\.gz$")
        self.assertEqual(stat.S_IMODE(os.stat(archive).st_mode), 0o600)
        with tarfile.open(archive) as tar:
            tops = {name.partition("/")[0] for name in tar.getnames()}
        self.assertEqual(tops, {os.path.basename(archive)[:-7]})
        members = read_archive(archive)
        os.unlink(archive)
        return {name: content.decode() for name, content in members.items()}

    def fails(self, status: int, why: str, *arguments: str, **environ: Any) -> None:
        done = self.run_product("--support", *arguments, **environ)
        self.assertEqual(done.status, status, done.text)
        self.assertIn(why, done.text)
        self.assertEqual(self.leftovers(), [])

    def configure(self, text: str) -> None:
        self.write("etc/insights-client.conf", "[insights-client]\n" + text)


class NoSecrets(SupportCase):
    def test_seeded_secrets_are_nowhere(self) -> None:
        secrets = {"password": "Hunt,er 2", "proxy": "s3c/r%et", "environment": "env'pw<>",
                   "https_proxy": "otherpw", "url": "urlpw", "query": "querytoken",
                   "unknown": "mistyped"}
        self.configure("username=joe\npassword=%s\nproxy=http://pu:s3c%%2Fr%%25et@127.0.0.1:1\n"
                       "egg_path=https://eu:urlpw@example.com/egg?t=querytoken\n"
                       "upload_url=https://example.com/up?t=querytoken\npasword=mistyped\n"
                       "group=a-%s-b\n" % (secrets["password"], secrets["environment"]))
        spellings = [*secrets.values(), "s3c%2Fr%25et", "Hunt%2Cer%202", "pu:"]
        plain = [text for text in spellings if text not in ("mistyped", "querytoken", "pu:")]
        self.write("log/" + LOG, "".join("before %s after\n" % text for text in plain) +
                   "-----BEGIN PRIVATE KEY-----\nMIIEprivatekeyofthehost0\n"
                   "-----END PRIVATE KEY-----\napi_token=4f1c2tokenoflog\n")
        spellings += ["MIIEprivatekey", "4f1c2tokenoflog"]
        for offline in ((), ("--offline",)):
            found = self.support(*offline, INSIGHTS_PASSWORD=secrets["environment"],
                                 HTTPS_PROXY="http://hu:otherpw@127.0.0.1:1")
            for name, text in found.items():
                for secret in spellings:
                    self.assertNotIn(secret, text, name)
            self.assertEqual(found[LOG].count("before %s after" % MARK), len(plain))
            self.assertIn("password = %s  (in the environment, in " % MARK, found["settings"])
            self.assertIn("group = a-%s-b  (in " % MARK, found["settings"])
            self.assertIn("proxy = http://%s@127.0.0.1:1  (in " % MARK, found["settings"])
            self.assertIn("egg_path = https://%s@example.com/egg?%s  (in " % (MARK, MARK),
                          found["settings"])
            self.assertEqual("connection" in found, not offline)

    def test_the_mask_knows_each_spelling_and_the_other_sources(self) -> None:
        self.write("rhsm.conf", "[server]\nproxy_user = ru\nproxy_password = rhsm,pw\n")
        self.configure("password = filepw\n")
        paths = find_paths(self.environ)._replace(rhsm_conf=os.fsencode(self.path("rhsm.conf")))
        mask = make_mask(Settings(username="u", password="a\tb\udcff", base_url="x:y@z"), paths,
                         {"ANY": "http://au:%41%2Cb@x/", "A_PASSWORD": "third",
                            "B_PASSWORD": "thirdlonger"})
        for text in (b"a\tb\xff", b"a%09b%FF", b"rhsm,pw", b"rhsm%2Cpw", b"filepw", b"A,b",
                     b"%41%2Cb", b"third", b"thirdlonger"):
            self.assertEqual(mask(b"<" + text + b">"), b"<********>", text)
        self.assertEqual(make_mask(Settings(), find_paths({"INSIGHTS_CONF_DIR": "/none"}),
                                   {"A": "b", "MAIL": "a@b"})(b"ab"), b"ab")

    def test_values_of_settings(self) -> None:
        for name, value, shown in (
                ("password", "", ""), ("password", "x", MARK), ("username", "joe", "joe"),
                ("proxy", "u:p@h:1", MARK + "@h:1"), ("proxy", "http://u:p@q@h", "http://%s@h" %
                                                      MARK),
                ("proxy", "http://h:1", "http://h:1"), ("base_url", "h/p?q=1", "h/p?" + MARK),
                ("retry", 3, "3"), ("offline", True, "True"), ("run_these", ("a", "b"), "a, b")):
            self.assertEqual(mask_value(name, value), shown)

    def test_what_the_owner_hides_is_hidden_here_too(self) -> None:
        self.write("etc/remove.conf", "[remove]\npatterns=forbidden\nkeywords=topname,setting\n"
                   "files=/etc/os-release,%s.1\n" % self.path("log", LOG))
        self.write("log/" + LOG, "forbidden line\na topname line\nfrom 203.0.113.77 line\n")
        self.write("log/%s.1" % LOG, "must not be opened\n")
        self.write("etc/topname.txt", "")
        self.write("etc/forbidden.txt", "")
        self.configure("obfuscate=True\ndisplay_name=topname\n")
        found = self.support("--offline")
        self.assertIn("keyword1s", found)  # the name of a member is cleaned, too
        for text in (*found, *found.values()):
            for hidden in ("forbidden", "topname", "203.0.113.77", "must not", "PRETTY_NAME"):
                self.assertNotIn(hidden, text)
        self.assertIn("a keyword0 line\nfrom 10.230.230.1 line\n", found[LOG])
        self.assertFalse({LOG + ".1", "os-release"} & set(found))
        self.assertIn("keyword0.txt", found["folders"])

    def test_what_cannot_be_cleaned_is_left_out_and_said(self) -> None:
        self.write("log/%s.2" % LOG, "wide text\n".encode("utf-16"))
        found = self.support("--offline")
        self.assertEqual(set(found), TEXTS - {LOG + ".2"})
        self.assertIn("left out of the archive: %s.2: it has text in UTF-16" % LOG, self.done.text)


class Nothing(SupportCase):
    def test_no_archive_where_the_owners_will_is_not_understood(self) -> None:
        self.write("etc/remove.conf", "[other]\n")
        self.fails(1, "remove.conf")

    def test_no_archive_where_there_is_no_place_for_it(self) -> None:
        self.write("file", "")
        self.fails(1, "cannot write", "--offline", TMPDIR=self.path("file", "x"))

    def test_an_interrupt_leaves_nothing(self) -> None:
        server = Raw(lambda connection: server.closing.wait(20))
        self.addCleanup(server.close)
        child = self.start_product("--support", INSIGHTS_BASE_URL=server.name + "/r/insights")
        until = time.monotonic() + 20
        while len(server.threads) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=20)
        self.assertEqual(child.returncode, 130, errors)
        self.assertIn(b"stopped by SIGTERM", errors)  # as the wrapper passes it on
        self.assertEqual(self.leftovers(), [])


class Contents(SupportCase):
    def test_all_parts_are_there_and_say_where_the_way_ends(self) -> None:
        found = self.support(INSIGHTS_BASE_URL="127.0.0.1:1/r/insights")
        self.assertEqual(set(found), TEXTS | {"connection"})
        self.assertRegex(found["connection"], "(?m)^TCP connection: FAILED: cannot reach "
                         "127.0.0.1:1: Connection refused")
        self.assertIn("base_url = 127.0.0.1:1/r/insights  (in the environment)",
                      found["settings"])
        self.assertIn("support = True  (command line)", found["settings"])
        self.assertIn("auto_config = True  (default)", found["settings"])
        self.assertIn("phase pre_update: built-in egg", found[LOG])
        for text in ("Client: " + VERSION, "Core: " + VERSION, "Kernel: " + os.uname().sysname,
                     "Egg: built-in egg, sha256 " + self.digest()):
            self.assertIn(text, found["versions"])

    def digest(self) -> str:
        with open(self.argv()[1], "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def test_offline_no_code_for_the_network_is_read(self) -> None:
        for offline, network in (("--offline", False), ("--no-upload", True)):
            done = self.run_product("--support", offline, PYTHONVERBOSE="1",
                                    INSIGHTS_PHASE="pre_update", INSIGHTS_BASE_URL="127.0.0.1:1")
            self.assertEqual(done.status, 100)
            self.assertEqual(NETWORK.search(done.err) is not None, network, offline)

    def test_of_a_large_log_the_newest_megabyte_with_whole_lines(self) -> None:
        self.write("log/%s.1" % LOG, b"first\n" + b"x" * 99 + b"\n" + (b"line\n" * 600000) +
                   b"last\n")
        text = self.support("--offline")[LOG + ".1"]
        self.assertTrue(text.endswith("line\nlast\n"))
        self.assertEqual(set(text.split()), {"line", "last"})
        self.assertTrue(2 ** 20 - 10 < len(text) <= 2 ** 20)

    def test_a_link_in_the_place_of_a_log_is_not_followed(self) -> None:
        os.mkdir(self.path("log"))
        os.symlink(self.write("other", "not to be shown"), self.path("log", LOG + ".1"))
        self.assertEqual(self.support("--offline")[LOG + ".1"], "is a link")

    def test_names_of_folders_with_mode_and_size_but_no_contents(self) -> None:
        self.write("etc/machine-id", "6e0f3bd2-52ba-4f1c-9e05-1c7a3ac1a3d9", 0o640)
        self.write("state/a\nb", "not to be shown")
        self.write("etc/.registered", "2026-11-24T20:00:00.123456+00:00")
        self.write("etc/.unregistered", "no time at all")
        found = self.support("--offline")
        self.assertRegex(found["folders"], r"(?m)^-rw-r----- 0:0 36 bytes .*/machine-id$")
        self.assertRegex(found["folders"], r"(?m)^-rw------- 0:0 15 bytes .*/a\\nb$")
        self.assertNotIn("not to be shown", "".join(found.values()))
        for line in ("Machine id: 6e0f3bd2-52ba-4f1c-9e05-1c7a3ac1a3d9\n",
                     "/.registered: 2026-11-24T20:00:00.123456+00:00\n",
                     "/.unregistered: no time\n", "/.lastupload: No such file or directory\n"):
            self.assertIn(line, found["folders"])

    def test_marks_that_cannot_be_read(self) -> None:
        os.mkdir(self.path("etc/.registered"))
        self.write("etc/machine-id", "none")
        lines = list(list_folders(find_paths(self.environ)))
        self.assertTrue(lines[0].startswith("the machine id "), lines[0])
        self.assertIn("%s: is a directory" % self.path("etc/.registered"), lines)


class Eggs(Scratch):
    """What is said of eggs, with real signatures."""

    def setUp(self) -> None:
        super().setUp()
        signer = Signer.find()
        if signer is None:
            raise unittest.SkipTest("no gpg")
        self.addCleanup(signer.close)
        self.signer = signer
        self.keys = [signer.make(name) for name in ("publisher", "stranger")]
        os.mkdir(self.path("tmp"))
        self.paths = find_paths({"INSIGHTS_CONF_DIR": self.path("etc"), "TMPDIR": self.path("tmp"),
                                 "INSIGHTS_STATE_DIR": self.path("state")})

    def egg(self, name: str, content: bytes, key: int = 0) -> str:
        self.write(name + ".asc", self.signer.sign(content, self.keys[key]))
        return self.write(name, content)

    def lines(self, **environ: str) -> List[str]:
        lines = list(list_eggs(self.paths, dict(environ, PATH=os.environ["PATH"])))
        self.assertEqual(os.listdir(self.path("tmp")), [])
        return lines

    def test_without_a_key_nothing_is_verified_and_all_is_told(self) -> None:
        content = make_egg()
        path = self.egg("state/newest.egg", content)
        lines = self.lines()
        self.assertIn("No signature can be checked: cannot read the public key", lines[0])
        place = lines.index("NEW egg " + path)
        self.assertTrue(lines[place + 1].startswith("  sha256 %s -rw------- 0:0 %d bytes " % (
            hashlib.sha256(content).hexdigest(), len(content))), lines)
        self.assertEqual(lines[place + 3:], ["  not used: No such file or directory", "RPM egg " +
                         self.path("etc/rpm.egg"), "  not used: No such file or directory"])

    def test_each_egg_is_verified_or_it_is_said_why_not(self) -> None:
        self.write("etc/redhattools.pub.gpg", self.signer.export(self.keys[0]))
        self.egg("state/newest.egg", make_egg("7.1.0"))
        stable = self.egg("state/last_stable.egg", make_original("3.1", "2"), 1)
        given = self.write("env.egg", make_egg())
        rpm = self.egg("etc/rpm.egg", b"no zip")
        lines = self.lines(EGG=given)
        self.assertEqual(lines[0], "Fingerprints of trusted keys: " + self.keys[0])
        for name, path, said in (
                ("NEW", self.path("state/newest.egg"),
                 "  signed by %s; format ours, version 7.1.0" % self.keys[0]),
                ("STABLE", stable, "  not used: the signature is by a key that is not trusted"),
                ("RPM", rpm, "  not used: is no zip"),
                ("ENV", given, "  not used: cannot read the signature")):
            self.assertIn(said, lines[lines.index("%s egg %s" % (name, path)) + 2])
        self.egg("state/newest.egg", make_original("3.1", "2"))
        os.chmod(stable, 0o666)
        os.unlink(rpm)
        os.mkfifo(rpm)
        lines = self.lines()
        self.assertIn("  signed by %s; format original, version 3.1-2" % self.keys[0], lines)
        self.assertIn("  not used: others than root can write " + stable, lines)
        self.assertIn("  not used: is a FIFO", lines)
