"""A service made in the test, for tests of the requests about a host: both APIs, over real TLS."""
import json
import os
import signal
import tempfile
import unittest
from typing import Any, Dict, List, NamedTuple, Tuple, Union

from insights_mini import log
from insights_mini.core import phases
from insights_mini.core.server.hosts import Hosts
from insights_mini.core.server.transport import open_service
from insights_mini.core.signals import ENDING
from insights_mini.paths import find_paths
from insights_mini.settings import Settings, imply
from insights_mini.sources import Loaded
from tests import server as servers
from tests.support import Scratch

CLASSIC, PLATFORM = "/r/insights", "/r/insights/platform"
ID = "0f0e0d0c-0b0a-4908-8706-050403020100"
HOST = "aaaabbbb-0000-4000-8000-00000000cccc"
EXISTS = "GET /inventory/v1/host_exists?insights_id=" + ID
LISTED = "GET /inventory/v1/hosts?insights_id=" + ID
SYSTEM = "GET /v1/systems/" + ID
BRANCH = "GET /v1/branch_info"
JSON = {"Content-Type": "application/json"}
PAGE = (404, {"Content-Type": "text/html"}, b"<html>Not Found</html>")
Reply = Union[int, Tuple[int, Any], servers.Reply]


class Seen(NamedTuple):
    """A phase that ended: its status, standard output and standard error."""

    status: int
    out: str
    err: str


def reply(value: Reply) -> servers.Reply:
    """Make a reply of a status, a status and a JSON value, or a whole reply."""
    if isinstance(value, int):
        return value, {}, b""
    if len(value) == 2:
        return value[0], JSON, json.dumps(value[1]).encode()
    return value


class ApiCase(Scratch):
    """A test with a service. `answers`: "METHOD path below base_url" to a reply, or a list of
    them, of which the last one stays; what is not in it is answered with 404 and nothing else.
    Without a `certificate` it is plain HTTP, where only the answers matter and there are many.
    """

    certificate = "server"

    def setUp(self) -> None:
        super().setUp()
        if servers.missing():
            raise unittest.SkipTest(servers.missing())
        for name in ("etc", "tmp"):
            os.makedirs(self.path(name), 0o755, exist_ok=True)
        self.environ = {
            "INSIGHTS_CONF_DIR": self.path("etc"), "TMPDIR": self.path("tmp"),
            "INSIGHTS_STATE_DIR": self.path("state"), "INSIGHTS_LOG_DIR": self.path("log")}
        self.paths = find_paths(self.environ)
        self.answers: Dict[str, Any] = {}
        self.server = servers.Server(self.answer, self.certificate)
        self.addCleanup(self.server.close)
        self.use(CLASSIC)

    def use(self, base: str, **settings: Any) -> None:
        """Choose the API, with no answers and no requests yet."""
        self.base = base
        self.answers.clear()
        del self.server.requests[:]
        self.settings = Settings(
            base_url=self.server.name + base, http_timeout=20.0,
            insecure_connection=not self.certificate,
            cert_verify=servers.Certificates.path("ca.pem"))._replace(**settings)

    def answer(self, request: servers.Request, connection: Any) -> servers.Reply:
        value = self.answers.get(self.name(request), 404)
        if isinstance(value, list):
            value = value.pop(0) if len(value) > 1 else value[0]
        return reply(value)

    def name(self, request: servers.Request) -> str:
        path = request.target
        for base in (self.base, CLASSIC):  # branch information is without /platform
            if path.startswith(base + "/"):
                path = path[len(base):]
                break
        return "%s %s" % (request.method, path)

    def asked(self) -> List[str]:
        """Return what was asked since the last look."""
        names = [self.name(request) for request in self.server.requests]
        del self.server.requests[:]
        return names

    def sent(self, number: int = -1) -> Any:
        """Return the JSON that came with a request."""
        request = self.server.requests[number]
        self.assertEqual(request.headers["content-type"], "application/json")
        return json.loads(request.body.decode())

    def hosts(self, **settings: Any) -> Hosts:
        chosen = self.settings._replace(**settings)
        return Hosts(open_service(chosen, self.paths, {}, log.Log(log.Console(log.NOTHING))),
                     chosen, self.paths)

    def see(self, phase: str, **settings: Any) -> Seen:
        """Run a phase in this process, and return how it ended and all that the user sees.

        The warning that plain HTTP costs is left out.
        """
        loaded = Loaded(imply(self.settings._replace(**settings)), (), "")
        kept = [os.dup(1), os.dup(2)]
        handlers = [signal.getsignal(number) for number in ENDING]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            try:
                status = phases.run(phase, loaded, self.environ)
            finally:
                for number, descriptor in enumerate(kept, 1):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
                for number, handler in zip(ENDING, handlers):
                    signal.signal(number, handler)
            out.seek(0)
            err.seek(0)
            told = err.read().decode()
            return Seen(status, out.read().decode(), told)

    def snapshot(self) -> Dict[str, Tuple[int, bytes]]:
        """Return mode and content of every file below the scratch folder, and its folders."""
        found: Dict[str, Tuple[int, bytes]] = {}
        for folder, folders, names in os.walk(self.folder):
            for name in folders:
                found[os.path.relpath(os.path.join(folder, name), self.folder)] = (0, b"")
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, self.folder)] = (
                        os.fstat(file.fileno()).st_mode & 0o777, file.read())
        return found
