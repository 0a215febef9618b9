"""The way to the service through real parts: nginx that demands a client certificate, and squid."""
import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional

from tests import server as servers
from tests.support import Done, HostCase

PATIENCE = 30.0
LOGIN, SECRET = "bob", "hunter2secret"
TYPE = "application/vnd.redhat.advisor.collection+tgz"
NGINX = """
daemon off; worker_processes 1; error_log %(folder)s/error.log; pid %(folder)s/nginx.pid;
events {}
http {
  access_log %(folder)s/access.log;
  client_max_body_size 0; proxy_request_buffering off;
  client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy;
  fastcgi_temp_path %(folder)s/fastcgi; uwsgi_temp_path %(folder)s/uwsgi;
  scgi_temp_path %(folder)s/scgi;
  server {
    listen 127.0.0.1:%(port)d ssl;
    ssl_certificate %(certificates)s/server/cert.pem;
    ssl_certificate_key %(certificates)s/server/key.pem;
    ssl_client_certificate %(certificates)s/ca.pem; ssl_verify_client on;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {
      proxy_pass http://127.0.0.1:%(upstream)d;
      proxy_set_header X-Client $ssl_client_s_dn;
    }
  }
}
"""
SQUID = """
http_port 127.0.0.1:%(port)d
pid_filename none
cache deny all
access_log stdio:%(folder)s/access.log
cache_log %(folder)s/cache.log
netdb_filename none
coredump_dir %(folder)s
auth_param basic program %(helper)s %(folder)s/users
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
shutdown_lifetime 0 seconds
"""
HELPERS = ("/usr/lib/squid/basic_ncsa_auth", "/usr/lib64/squid/basic_ncsa_auth")
# Puts a copy of /etc in its place, in which this host has a subscription.
SUBSCRIBED = 'mount --bind "$COPY" /etc\nexec "$@"'

# Runs a program and writes down the kilobytes of its largest process. A process of its own does
# that: one that is forked from a large process counts as large.
MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service(HostCase):
    """nginx before a server of ours, squid before nginx, and a host with a client certificate."""

    def setUp(self) -> None:
        super().setUp()
        for program in ("nginx", "squid", "openssl", "unshare"):
            if not shutil.which(program):
                self.skipTest("%s is not installed" % program)
        os.chmod(self.folder, 0o755)
        self.answers: Dict[str, servers.Reply] = {}
        self.upstream = servers.Server(self.answer)
        self.addCleanup(self.upstream.close)
        self.nginx = self.start("nginx", NGINX, ["nginx", "-p", self.path("nginx"), "-c"])
        self.squid = self.start("squid", SQUID, ["squid", "-N", "-f"])
        self.base = "127.0.0.1:%d/r/insights/platform" % self.nginx
        self.environ.update(INSIGHTS_BASE_URL=self.base, INSIGHTS_AUTHMETHOD="CERT",
                            INSIGHTS_AUTO_UPDATE="no", INSIGHTS_HTTP_TIMEOUT="20",
                            INSIGHTS_CERT_VERIFY=servers.Certificates.path("ca.pem"))
        self.payload = self.write("other.tar.gz", gzip.compress(os.urandom(100000)))

    def start(self, name: str, configuration: str, argv: List[str]) -> int:
        """Start a daemon in the foreground, wait until it listens, and return its port."""
        folder = self.path(name)
        os.mkdir(folder, 0o777)
        os.chmod(folder, 0o777)
        port = free_port()
        helper = next((path for path in HELPERS if os.path.exists(path)), HELPERS[0])
        hashed = subprocess.check_output(["openssl", "passwd", "-apr1", SECRET]).decode().strip()
        self.write(name + "/users", "%s:%s\n" % (LOGIN, hashed), 0o644)
        path = self.write(name + ".conf", configuration % {
            "folder": folder, "port": port, "upstream": self.upstream.port, "helper": helper,
            "certificates": servers.Certificates.path()}, 0o644)
        daemon = subprocess.Popen([*argv, path], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def end() -> None:
            daemon.terminate()
            daemon.wait(PATIENCE)

        self.addCleanup(end)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port
            except OSError:
                self.assertIsNone(daemon.poll(), name + " has ended")
                self.assertLess(time.monotonic(), until)
                time.sleep(0.05)

    def answer(self, request: servers.Request, connection: Any) -> Optional[servers.Reply]:
        if request.target.endswith("/upload"):
            return 202, {}, b'{"request_id": "r", "upload": {"account_number": "1"}}'
        return self.answers.get(request.target, (404, {}, b"{}"))

    def run_subscribed(self, *arguments: str, own: str = "client", **environ: str) -> Done:
        """Run the product on a host whose subscription has this client certificate."""
        copy = self.path("copy of etc")
        if not os.path.exists(copy):
            subprocess.run(["cp", "-a", "/etc", copy], check=True)
        consumer = os.path.join(copy, "pki", "consumer")
        os.makedirs(consumer, exist_ok=True)
        os.makedirs(os.path.join(copy, "rhsm"), exist_ok=True)
        for name in ("cert.pem", "key.pem"):
            shutil.copy(servers.Certificates.path(own, name), consumer)
        argv = [sys.executable, "-c", MEASURE, self.path("peak"), "unshare", "-m", "sh", "-ec",
                SUBSCRIBED, "sh", *self.argv(*arguments)]
        done = subprocess.run(argv, env=dict(self.environ, COPY=copy, **environ), cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120, check=False)
        with open(self.path("peak")) as file:
            self.peak = int(file.read()) * 1024
        return Done(done.returncode, done.stdout, done.stderr)

    def upload(self, **more: str) -> Done:
        return self.run_subscribed("--payload", self.payload, "--content-type", TYPE, **more)

    def proxied(self, login: str) -> str:
        return "http://%s@127.0.0.1:%d" % (login, self.squid)

    def test_a_payload_arrives_with_the_client_certificate_of_the_subscription(self) -> None:
        done = self.upload()
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        (request,) = self.upstream.requests
        self.assertEqual((request.method, request.target),
                         ("POST", "/r/insights/platform/ingress/v1/upload"))
        self.assertIn("CN=client", request.headers["x-client"])
        self.assertGreater(request.length, os.path.getsize(self.payload))
        self.assertTrue(os.path.exists(self.payload))

    def test_through_a_proxy_with_a_login_the_login_stays_with_the_proxy(self) -> None:
        done = self.upload(INSIGHTS_PROXY=self.proxied("%s:%s" % (LOGIN, SECRET)))
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        (request,) = self.upstream.requests
        self.assertIn("CN=client", request.headers["x-client"])
        self.assertNotIn("proxy-authorization", request.headers)
        with open(self.path("squid", "access.log")) as file:
            self.assertRegex(file.read(), r"/200 [0-9]+ CONNECT 127\.0\.0\.1:%d bob" % self.nginx)

    def test_a_wrong_login_of_the_proxy_is_one_line_and_the_archive_stays(self) -> None:
        for login, why in (("bob:wrong" + SECRET, "it refuses the user and password (407)"),):
            done = self.upload(INSIGHTS_PROXY=self.proxied(login))
            self.assertEqual(done.status, 1)
            self.assertEqual(done.err.count(b"\n"), 1, done.err)
            self.assertIn(why, done.text)
            self.assertNotIn(SECRET, done.text)
            self.assertEqual(self.upstream.requests, [])
            self.assertIn("--payload %s --content-type %s" % (self.payload, TYPE), done.text)

    def test_without_or_with_a_strange_client_certificate_nothing_is_taken(self) -> None:
        for more in ({"INSIGHTS_AUTHMETHOD": "BASIC", "INSIGHTS_AUTO_CONFIG": "no"},
                     {"own": "impostor"}):
            done = self.upload(**more)
            self.assertEqual(done.status, 1, done.text)
            self.assertEqual(done.err.count(b"\n"), 1, done.err)
            self.assertEqual(self.upstream.requests, [])

    def test_a_gigabyte_goes_through_with_little_memory(self) -> None:
        with open(self.payload, "wb") as file:
            file.truncate(1 << 30)
        done = self.upload()
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        self.assertGreater(self.upstream.requests[0].length, 1 << 30)
        self.assertLess(self.peak, 64 << 20)

    def test_a_collection_is_uploaded_and_removed(self) -> None:
        done = self.run_subscribed("--register", "--from-file", self.rules(["/bin/echo hello"]))
        self.assertEqual(done.status, 0, done.text)
        self.assertIn(b"Successfully uploaded report for ", done.out)
        (request,) = [each for each in self.upstream.requests if each.method == "POST"]
        metadata = json.loads(request.body.rpartition(b"application/json\r\n\r\n")[2].partition(
            b"\r\n--")[0].decode())
        with open(self.path("etc", "machine-id")) as file:
            self.assertEqual(metadata["insights_id"], file.read())
        left = [name for name in self.leftovers() if name.endswith(".tar.gz")]
        self.assertEqual(left, [])
        self.assertTrue(os.path.exists(self.path("etc", ".lastupload")))
