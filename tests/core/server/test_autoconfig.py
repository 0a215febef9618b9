"""What is taken from the host's subscription, and what never is."""
import os
from typing import Any, Dict

from insights_mini import log
from insights_mini.core.server.autoconfig import Rhsm, apply, configure, has_service
from insights_mini.core.server.tls import find_trust
from insights_mini.core.server.transport import open_service
from insights_mini.core.update import RULES_URL
from insights_mini.paths import find_paths
from insights_mini.settings import Settings
from tests.core.test_update import ServiceCase, make_rules
from tests.server import Certificates
from tests.support import Scratch

SATELLITE = """\
# a comment
[server]
hostname = sat.example.com
port = 8443

[rhsm]
ca_cert_dir = HERE/ca/
repo_ca_cert = %(ca_cert_dir)skatello.pem
consumerCertDir = HERE/consumer
"""
PROXY = "proxy_hostname = proxy.example.com\n"
CA = "HERE/ca/katello.pem"
URL = "sat.example.com:8443/redhat_access/r/insights"
TAKEN = {"authmethod": "CERT", "base_url": URL, "cert_verify": CA}
CERT = {"authmethod": "CERT"}


class RhsmCase(Scratch):
    def setUp(self) -> None:
        super().setUp()
        for name in ("consumer/cert.pem", "consumer/key.pem", "ca/katello.pem"):
            self.write(name, "x")
        self.paths = find_paths({"INSIGHTS_CONF_DIR": self.folder})._replace(
            rhsm_conf=os.fsencode(self.path("rhsm.conf")))

    def configure(self, text: str = SATELLITE, **given: Any) -> Dict[str, Any]:
        """Return what differs from the settings given; the warnings stay in the case."""
        self.write("rhsm.conf", text.replace("HERE", self.folder))
        before = Settings(**given)
        after, self.warnings = configure(before, self.paths)
        for line in self.warnings:
            self.assertNotIn("pw", line.replace(self.folder, ""))  # whose name is drawn
        return {name: str(value).replace(self.folder, "HERE") for name, old, value in
                zip(Settings._fields, before, after) if old != value}

    def warns(self, text: str, *expected: str) -> None:
        for warning in self.warnings:
            self.assertIn(self.path("rhsm.conf"), warning, text)
        self.assertEqual(len(self.warnings), len(expected), self.warnings)
        for warning, words in zip(self.warnings, expected):
            self.assertIn(words, warning)


class NotTaken(RhsmCase):
    def test_nothing_is_taken_by_a_host_that_is_not_registered(self) -> None:
        for missing in ("cert.pem", "key.pem"):
            os.rename(self.path("consumer", missing), self.path("away"))
            with self.subTest(missing=missing):
                self.assertEqual(self.configure(SATELLITE.replace("8443", "8443\n" + PROXY)), {})
            os.rename(self.path("away"), self.path("consumer", missing))
        self.assertEqual(self.configure(), dict(TAKEN))

    def test_nothing_is_taken_offline_or_where_it_is_switched_off(self) -> None:
        for given in ({"offline": True}, {"auto_config": False}):
            self.assertEqual(self.configure("broken", **given), {}, given)
            self.assertEqual(self.warnings, [])

    def test_a_broken_file_is_a_warning_and_the_settings_stay(self) -> None:
        for text, line in (
                ("hostname = x\n", "line 1 of"),
                ("[server]\nhostname = sat.example.com\nproxy_password pw\n", "line 3 of"),
                (SATELLITE + "pw\n", "line 10 of")):
            with self.subTest(text=text):
                self.assertEqual(self.configure(text), {})
                self.warns(text, line)

    def test_a_file_that_cannot_be_read_is_a_warning_and_an_absent_one_is_not(self) -> None:
        os.mkdir(self.path("rhsm.conf"))
        for warnings in (["cannot read %s: is a directory" % self.path("rhsm.conf")], []):
            self.assertEqual(configure(Settings(), self.paths), (Settings(), warnings))
            if warnings:
                os.rmdir(self.path("rhsm.conf"))

    def test_a_wrong_value_is_a_warning_with_its_line_and_is_not_taken(self) -> None:
        for old, new, taken, warning in (
                ("sat.example.com", "-", CERT, "hostname in "),
                ("sat.example.com", "a b", CERT, "and port are no address of a service"),
                ("sat.example.com", "x@pw", CERT, "hostname in "),
                ("sat.example.com", "a/b", CERT, "hostname in "),
                ("sat.example.com", "a\n  b", CERT, "hostname in "),
                ("8443", "0", CERT, "hostname in "),
                ("8443", "65536", CERT, "and port are no address of a service"),
                ("8443", "x", CERT, "hostname in "),
                ("8443", "\u0664\u0664\u0663", CERT, "hostname in "),
                ("8443", "8443\ninsecure = 1", TAKEN, "insecure in "),
                ("katello.pem", "pem", dict(CERT, base_url=URL), "repo_ca_cert in "),
                ("%(ca_cert_dir)s", "%(other)s", dict(CERT, base_url=URL), "names a file that is"),
                ("8443", "8443\nproxy_hostname = http://a", TAKEN, "proxy_hostname in "),
                ("8443", "8443\n%sproxy_port = pw" % PROXY, TAKEN, "proxy_hostname in "),
                ("8443", "8443\n%sproxy_scheme = https" % PROXY, TAKEN, "no proxy")):
            with self.subTest(new=new):
                self.assertEqual(self.configure(SATELLITE.replace(old, new)), taken)
                self.warns(new, warning)

    def test_what_the_owner_set_stays(self) -> None:
        text = SATELLITE.replace("8443", "8443\n%sno_proxy = a.example.com" % PROXY)
        proxy = {"proxy": "http://proxy.example.com:3128", "no_proxy": "a.example.com"}
        for given, taken in (
                ({"username": "u"}, proxy),
                ({"base_url": "own.example.com/r/insights"}, dict(CERT, **proxy)),
                ({"cert_verify": "/own.pem"}, dict(CERT, base_url=URL, **proxy)),
                ({"cert_verify": "True"}, dict(CERT, base_url=URL, **proxy)),
                ({"proxy": "http://own.example.com:1"}, TAKEN),
                ({"no_proxy": "own.example.com"}, dict(TAKEN, proxy=proxy["proxy"]))):
            with self.subTest(given=given):
                self.assertEqual(self.configure(text, **given), taken)

    def test_red_hats_own_service_stays_the_service(self) -> None:
        for name in ("subscription.rhsm.redhat.com", "subscription.rhn.redhat.com",
                     "subscription.rhsm.stage.redhat.com", "Subscription.RHSM.redhat.com",
                     "subscription.stage.rhn.redhat.com", ""):
            self.assertEqual(self.configure(SATELLITE.replace("sat.example.com", name)), CERT, name)
        for name in ("subscription.rhsm.redhat.com.example.com", "xsubscription.rhsm.redhat.com"):
            taken = self.configure(SATELLITE.replace("sat.example.com", name))
            self.assertTrue(taken["base_url"].startswith(name), name)


class Taken(RhsmCase):
    def test_a_satellite_is_the_service_and_its_authority_is_trusted(self) -> None:
        self.assertEqual(self.configure(), TAKEN)
        self.assertEqual(self.warnings, [])

    def test_the_default_port_and_the_last_of_two_values(self) -> None:
        text = SATELLITE.replace("port = 8443\n", "").replace("sat.", "old.")
        self.assertEqual(self.configure(text + "[server]\nHOSTNAME: new.example.com\n")["base_url"],
                         "new.example.com:443/redhat_access/r/insights")

    def test_values_refer_to_others_and_to_the_usual_folder(self) -> None:
        for text, value in (("ca_cert_dir = %(x)s/b/\nx = a\n", "a/b/c.pem"),
                            ("", "/etc/rhsm/ca/c.pem"), ("ca_cert_dir = d%%\n", "d%c.pem")):
            self.write("rhsm.conf", "\ufeff[rhsm]\nrepo_ca_cert = %(ca_cert_dir)sc.pem\n" + text)
            rhsm = Rhsm(self.paths.rhsm_conf)
            self.assertEqual(rhsm.get("rhsm", "REPO_ca_cert"), value)
            self.assertEqual((rhsm.consumer, rhsm.faults), ("/etc/pki/consumer", []))

    def test_where_the_file_of_authorities_is_not_named_the_usual_ones_count(self) -> None:
        taken = self.configure(SATELLITE.replace("repo_ca_cert", "other"))
        self.assertEqual((taken, self.warnings), (dict(CERT, base_url=URL), []))

    def test_a_proxy_with_its_login(self) -> None:
        for lines, proxy in (
                ("", "http://proxy.example.com:3128"),
                ("proxy_port = 81\nproxy_scheme =\n", "http://proxy.example.com:81"),
                ("proxy_user = u\nproxy_password = pw\n", "http://u:pw@proxy.example.com:3128"),
                ("proxy_user = u@x\nproxy_password = p/w:%@\n",
                 "http://u%40x:p%2Fw%3A%25%40@proxy.example.com:3128"),
                ("proxy_password = pw\n", "http://proxy.example.com:3128")):
            with self.subTest(lines=lines):
                taken = self.configure(SATELLITE.replace("[rhsm]", PROXY + lines + "[rhsm]"))
                self.assertEqual(taken, dict(TAKEN, proxy=proxy))
                self.assertEqual(self.warnings, [])

    def test_a_subscribed_host_has_a_service_which_is_opened_so(self) -> None:
        self.assertFalse(has_service(Settings()))
        journal = os.open(self.path("journal"), os.O_RDWR | os.O_CREAT, 0o600)
        self.addCleanup(os.close, journal)
        self.configure(SATELLITE + "[server]\ninsecure = 1\n")
        to = log.Log(log.Console(log.NOTHING), journal)
        service = open_service(apply(Settings(), self.paths, to), self.paths, {}, to)
        self.assertTrue(has_service(service.settings))
        self.assertEqual(service.url("/x"), "https://%s/x" % URL)
        self.assertEqual(service.trust, (True, self.path("ca/katello.pem"), self.path("consumer")))
        text = os.pread(journal, 10000, 0).decode()
        self.assertRegex(text, r"WARNING +\d+ insecure in .* is not followed")

    def test_one_reader_finds_the_certificate_for_tls(self) -> None:
        self.configure()
        trust = find_trust(Settings(authmethod="CERT"), self.paths)
        self.assertEqual(trust.consumer, self.path("consumer"))
        self.write("rhsm.conf", "broken")
        trust = find_trust(Settings(authmethod="CERT"), self.paths)
        self.assertEqual(trust.consumer, "/etc/pki/consumer")


class Update(ServiceCase):
    def test_a_host_of_a_satellite_fetches_from_there_without_any_setting(self) -> None:
        self.offer("/redhat_access/r/insights" + RULES_URL, make_rules())
        self.paths = self.paths._replace(rhsm_conf=os.fsencode(self.write(
            "rhsm.conf", "[server]\nhostname = 127.0.0.1\nport = %d\n[rhsm]\n"
            "repo_ca_cert = %s\nconsumerCertDir = %s\n" % (
                self.server.port, Certificates.path("ca.pem"), Certificates.path("client")))))
        self.settings = Settings(auto_config=False)
        self.update()
        self.assertEqual(self.targets(), [])
        self.settings = Settings()
        self.assertIn("INFO Newer collection rules", "\n".join(self.update()))
