"""The test of the connection says where the way to the service ends, step by step."""
import os
import socket
import unittest
from typing import Any, Dict, List

from insights_mini import log
from insights_mini.core.server.connectiontest import TITLES, test_connection
from insights_mini.paths import find_paths
from insights_mini.settings import Settings
from tests.server import Certificates, Proxy, Raw, Reply, Server, missing
from tests.support import HostCase, Scratch

BASE, PLATFORM = "/r/insights", "/r/insights/platform"
PING: Dict[str, Reply] = {BASE + "/": (200, {}, b"{}")}
WORKS: Dict[str, Reply] = {PLATFORM + "/apicast-tests/ping": (200, {}, b""),
                           PLATFORM + "/ingress/v1/upload": (200, {}, b"")}
STEPS = list(TITLES.values())


def speak_plainly(connection: socket.socket) -> None:
    """Answer a greeting of TLS as a server of something else does."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")


class ConnectionCase(Scratch):
    @classmethod
    def setUpClass(cls) -> None:
        if missing():
            raise unittest.SkipTest(missing())

    def setUp(self) -> None:
        super().setUp()
        self.paths = find_paths({"INSIGHTS_CONF_DIR": self.folder, "TMPDIR": self.folder,
                                 "INSIGHTS_STATE_DIR": self.folder})._replace(
            rhsm_conf=os.fsencode(self.path("rhsm.conf")))

    def serve(self, answers: Any = None, certificate: str = "server", **more: Any) -> Server:
        server = Server(PING if answers is None else answers, certificate, **more)
        self.addCleanup(server.close)
        return server

    def proxy(self, **more: Any) -> Proxy:
        proxy = Proxy(**more)
        self.addCleanup(proxy.close)
        return proxy

    def lines(self, server: Any, **values: Any) -> List[str]:
        """Test the connection, and see that each step is told once, in order; return the lines."""
        values.setdefault("base_url", server.name + BASE if server else "")
        values.setdefault("cert_verify", Certificates.path("ca.pem"))
        values.setdefault("http_timeout", 10.0)
        environ = values.pop("environ", {})
        lines: List[str] = []
        before = os.listdir(self.folder)
        self.reached = test_connection(Settings(**values), self.paths, environ,
                                       log.Log(log.Console(log.NOTHING)), lines.append)
        self.assertEqual(os.listdir(self.folder), before)
        told = [line.partition(":")[0] for line in lines]
        self.assertEqual(told, [step for step in STEPS if step in told])
        for line in lines:
            self.assertNotIn("Pw-42", line)
            self.assertNotIn("secret-user", line)
        return lines

    def fails(self, step: str, why: str, server: Any, **values: Any) -> List[str]:
        """All is well before a step, which fails for this reason, and nothing is tried after."""
        lines = self.lines(server, **values)
        place = [line.partition(":")[0] for line in lines].index(step)
        for number, line in enumerate(lines):
            how = line.partition(": ")[2]
            if number == place:
                self.assertRegex(how, "^FAILED: .*" + why)
            else:
                self.assertRegex(how, "^ok, .+$" if number < place else "^not tried$")
        self.assertFalse(self.reached)
        return lines


class Broken(ConnectionCase):
    def test_settings(self) -> None:
        server = self.serve()
        for why, values in (
                ("base_url cannot be used: it is no URL", {"base_url": "u:Pw-42@x/y"}),
                ("proxy cannot be used: .*name an HTTP proxy", {"proxy": "socks5://u:Pw-42@x"}),
                ("HTTPS_PROXY cannot be used", {"environ": {"HTTPS_PROXY": "https://u:Pw-42@x"}}),
                ("upload_url cannot be used", {"upload_url": "https://u:Pw-42@x/"}),
                ("cert_verify cannot be used: no certificates.*/none", {"cert_verify": "/none"}),
                ("authmethod=CERT cannot be used.*register", {"authmethod": "CERT"}),
                ("plain HTTP can be read", {"base_url": "http://x/r/insights"})):
            with self.subTest(why=why):
                self.fails("settings", why, server, **values)
        self.assertEqual(server.requests, [])

    def test_name(self) -> None:
        self.fails("name resolution", "its name is not known here.*check base_url", None,
                   base_url="none.invalid/r/insights")
        self.fails("name resolution", "proxy none.invalid:3128: its name", None,
                   base_url="x.example/r/insights", proxy="secret-user:Pw-42@none.invalid:3128")

    def test_connect(self) -> None:
        with socket.socket() as taken:  # bound, and nobody listens
            taken.bind(("127.0.0.1", 0))
            name = "127.0.0.1:%d" % taken.getsockname()[1]
            lines = self.fails("TCP connection", "Connection refused; check base_url", None,
                               base_url=name + BASE)
            self.assertIn("name resolution: ok, 127.0.0.1", lines)
            self.fails("TCP connection", "proxy %s: Connection refused; check proxy" % name, None,
                       base_url="x.example" + BASE, proxy="secret-user:Pw-42@" + name)

    def test_proxy(self) -> None:
        server = self.serve()
        for why, login, options in (
                (r"it wants a user and password \(407\); add them to proxy", "", {"login": "a:b"}),
                (r"it refuses the user and password \(407\)", "secret-user:Pw-42",
                 {"login": "a:b"}),
                (r"it does not connect to .*\(403\); have it allow", "", {"status": 403}),
                ("silence for 0.5 seconds", "", {"silent": True})):
            proxy = self.proxy(**options)
            with self.subTest(why=why):
                self.fails("proxy", why, server, proxy=proxy.url(login), http_timeout=0.5)
        self.assertEqual(server.requests, [])

    def test_certificates(self) -> None:
        for certificate, why in (("expired", "expired|out of date"),
                                 ("other", "another host|mismatch|doesn't match"),
                                 ("unknown", "no authority in ")):
            with self.subTest(certificate=certificate):
                self.fails("TLS", why, self.serve(certificate=certificate))

    def test_what_does_not_speak_tls(self) -> None:
        server = Raw(speak_plainly)
        self.addCleanup(server.close)
        self.fails("TLS", "does not speak TLS; check the port in base_url", server)

    def test_a_client_certificate_that_is_missing(self) -> None:
        self.fails("TLS", "it wants a client certificate", self.serve(clients="ca", tls12=True))

    def test_http(self) -> None:
        def garble(request: Any, connection: Any) -> None:
            connection.sendall(b"220 mail.example ESMTP\r\n")

        lines = self.fails("HTTP", "what came is not HTTP; check base_url", self.serve(garble))
        self.assertTrue(lines[3].startswith("TLS: ok, TLSv1."))
        away = {BASE + "/": (302, {"Location": "https://127.0.0.1:1/"}, b"")}
        self.fails("HTTP", "cannot reach 127.0.0.1:1: Connection refused", self.serve(away))

    def test_api(self) -> None:
        login = "check username and password in %s, or the host's subscription"
        conf = self.path("insights-client.conf")
        for status, why, values in (
                (401, login % conf, {}), (401, login % "/own.conf", {"conf": "/own.conf"}),
                (402, login % conf, {}), (403, login % conf, {}),
                (404, "status 404; check the URLs in " + conf, {}),
                (503, "status 503; try again later", {})):
            server = self.serve({BASE + "/": (status, {}, b"<html>")})
            with self.subTest(status=status):
                lines = self.fails("API", why, server, username="secret-user", password="Pw-42",
                                   **values)
                self.assertIn("HTTP: ok, status %d" % status, lines)

    def test_upload_url(self) -> None:
        base: Dict[str, Reply] = {PLATFORM + "/apicast-tests/ping": (200, {}, b"")}
        server = self.serve(base)
        self.fails("upload", "answers with status 404; check the URLs in", server,
                   base_url=server.name + PLATFORM)
        self.fails("upload", "cannot reach 127.0.0.1:1", server, base_url=server.name + PLATFORM,
                   upload_url="https://127.0.0.1:1/upload")


class Works(ConnectionCase):
    def ok(self, *arguments: Any, **values: Any) -> List[str]:
        lines = self.lines(*arguments, **values)
        self.assertTrue(self.reached, lines)
        for line in lines:
            self.assertRegex(line, ": ok, .+$")
        return lines

    def test_the_classic_service(self) -> None:
        server = self.serve()
        lines = self.ok(server)
        self.assertEqual(lines[0], "settings: ok, https://%s/r/insights; uploads to "
                         "https://%s/r/insights/uploads; BASIC without a username; no proxy; "
                         "certificates are checked against %s" % (
                             server.name, server.name, Certificates.path("ca.pem")))
        self.assertEqual(lines[1:3], ["name resolution: ok, 127.0.0.1", "TCP connection: ok, "
                                      "127.0.0.1 port %d" % server.port])
        self.assertRegex(lines[3], r"^TLS: ok, TLSv1\.[23]; the certificate is for localhost, "
                         r"127\.0\.0\.1, by ca, from .* GMT to .* GMT$")
        self.assertEqual(lines[4:], ["HTTP: ok, status 200",
                                     "API: ok, https://%s/r/insights/" % server.name])
        self.assertEqual([request.method for request in server.requests], ["GET"])

    def test_the_platform_and_its_upload_url(self) -> None:
        server = self.serve(WORKS)
        lines = self.ok(server, base_url=server.name + PLATFORM)
        self.assertTrue(lines[-1].endswith("/ingress/v1/upload"))
        post = server.requests[1]
        self.assertEqual((post.method, post.body, post.headers["content-type"]),
                         ("POST", b"test=test", "application/x-www-form-urlencoded"))
        other = self.serve({"/up?token=Pw-42": (200, {}, b"")})
        self.ok(server, base_url=server.name + PLATFORM, upload_url=other.url("/up?token=Pw-42"))
        self.assertEqual(other.requests[0].body, b"test=test")

    def test_through_a_proxy_with_a_login(self) -> None:
        proxy, server = self.proxy(login="secret-user:Pw-42"), self.serve()
        lines = self.ok(server, proxy=proxy.url("secret-user:Pw-42"))
        self.assertIn("proxy: ok, " + server.name, lines)
        self.assertIn("; proxy %s from proxy; " % proxy.name, lines[0])
        lines = self.ok(server, environ={"HTTPS_PROXY": proxy.url("secret-user:Pw-42")})
        self.assertIn("; proxy %s from HTTPS_PROXY; " % proxy.name, lines[0])
        lines = self.ok(server, proxy=proxy.url("secret-user:Pw-42"), no_proxy="127.0.0.1")
        self.assertIn("; no proxy; ", lines[0])
        self.assertEqual(len(proxy.heads), 2)

    def test_with_what_the_subscription_says(self) -> None:
        server = self.serve({"/redhat_access/r/insights/": (200, {}, b"")}, clients="ca")
        self.write("rhsm.conf", "[server]\ninsecure = 1\nhostname = 127.0.0.1\nport = %d\n[rhsm]\n"
                   "repo_ca_cert = %s\nconsumerCertDir = %s\n" % (
                       server.port, Certificates.path("ca.pem"), Certificates.path("client")))
        lines: List[str] = []
        self.assertTrue(test_connection(Settings(), self.paths, {}, log.Log(log.Console(
            log.NOTHING)), lines.append), lines)
        self.assertEqual(server.requests[0].client, "client")
        self.assertTrue(lines[0].startswith("warning: insecure in "))
        self.assertIn("; CERT %s; " % Certificates.path("client"), lines[1])

    def test_certificates_that_are_not_checked(self) -> None:
        lines = self.ok(self.serve(certificate="other"), cert_verify="False")
        self.assertRegex(lines[3], r"^TLS: ok, TLSv1\.\d; the certificate is not checked$")
        self.assertTrue(lines[0].endswith("certificates are not checked"))

    def test_plain_http_for_tests(self) -> None:
        server, proxy = self.serve(certificate=""), self.proxy()
        for values in ({}, {"proxy": proxy.url()}):
            lines = self.ok(server, insecure_connection=True, **values)
            self.assertEqual(lines[3], "HTTP: ok, status 200")

    def test_a_redirect_is_followed_and_each_step_told_once(self) -> None:
        server = self.serve()
        first = self.serve({BASE + "/": (302, {"Location": server.url(BASE + "/")}, b"")})
        self.assertIn("HTTP: ok, status 200", self.ok(first))


class WholeRun(HostCase):
    def test_the_exit_status_says_it_and_nothing_is_written(self) -> None:
        if missing():
            self.skipTest(missing())
        server = Server(PING, "server")
        self.addCleanup(server.close)
        for base, status, last in ((BASE, 0, "API: ok, https://"), ("/x", 1, "API: FAILED: ")):
            done = self.run_product("--test-connection", INSIGHTS_BASE_URL=server.name + base,
                                    INSIGHTS_CERT_VERIFY=Certificates.path("ca.pem"))
            self.assertEqual(done.status, status, done.text)
            self.assertIn(last, done.out.decode().splitlines()[-1])
            self.assertEqual(done.err, b"")
        self.assertEqual(sorted(os.listdir(self.folder)), ["etc", "out", "tmp"])
        self.assertEqual(self.leftovers() + os.listdir(self.path("etc")), [])

    def test_it_does_not_go_with_offline(self) -> None:
        done = self.run_product("--test-connection", "--offline")
        self.assertEqual(done.status, 2)
        self.assertIn("--offline and --test-connection exclude each other", done.text)
