"""Uploads: how often each answer leads to a request, what the user is told, what is sent."""
import email.utils
import hashlib
import io
import json
import os
import re
import tarfile
import time
import unittest
from typing import Any, Dict, List, Mapping, Optional, Tuple

from insights_mini import log
from insights_mini.core.server.transport import open_service
from insights_mini.core.server.upload import Parcel, list_largest, read_wait, send
from insights_mini.exits import Failure
from insights_mini.paths import find_paths
from insights_mini.settings import Settings
from tests import server as servers
from tests.support import Scratch

CLASSIC, PLATFORM = "/r/insights", "/r/insights/platform"
TARGETS = {CLASSIC: "/r/insights/uploads/some-id",
           PLATFORM: "/r/insights/platform/ingress/v1/upload"}
GOOD = b'{"request_id": "1", "upload": {"account_number": "42"}}'
FACTS = {"insights_id": "some-id", "ip_addresses": ["10.0.0.1"]}
CONF = "/etc/insights-client/insights-client.conf"
Reply = Tuple[int, Mapping[str, str], bytes]


class UploadCase(Scratch):
    def setUp(self) -> None:
        super().setUp()
        if servers.missing():
            self.skipTest(servers.missing())
        os.mkdir(self.path("etc"))
        self.replies: List[Reply] = []
        self.server = servers.Server(self.reply, "server")
        self.addCleanup(self.server.close)
        self.slept: List[float] = []
        self.archive = self.write("insights-host.tar.gz", os.urandom(1000) + b"the end")
        self.settings = Settings(http_timeout=20.0, retry_wait=7.0, base_url=self.server.name +
                                 PLATFORM, cert_verify=servers.Certificates.path("ca.pem"))

    def reply(self, request: servers.Request, connection: Any) -> Optional[servers.Reply]:
        number = min(len(self.server.requests), len(self.replies)) - 1
        return self.replies[number]

    def send(self, *replies: Reply, parcel: Optional[Parcel] = None, **settings: Any) -> bytes:
        """Upload to a server that answers so, and then again as last."""
        self.replies = list(replies)
        del self.server.requests[:], self.slept[:]
        wanted = self.settings._replace(**settings)
        paths = find_paths({"INSIGHTS_CONF_DIR": self.path("etc")})
        journal = os.open(self.path("journal"), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        to = log.Log(log.Console(log.NOTHING), journal, log.WARNING)
        try:
            return send(parcel or Parcel(os.fsencode(self.archive), "application/x", 2.5, FACTS),
                        "some-id", wanted, CONF,
                        open_service(wanted, paths, {}, to), to, self.slept.append)
        finally:
            self.said = os.pread(journal, 1 << 20, 0).decode()
            os.close(journal)

    def refused(self, *replies: Reply, **settings: Any) -> str:
        with self.assertRaises(Failure) as caught:
            self.send(*replies, **settings)
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)


class Refused(UploadCase):
    def test_each_answer_leads_to_so_many_requests_and_no_more(self) -> None:
        """FAULTS 36."""
        page = b"<html>Sign in</html>"
        cases: Tuple[Tuple[List[int], int, int], ...] = (  # statuses, requests at 3 tries, at 1
            ([500], 3, 1), ([502], 3, 1), ([503], 3, 1), ([429], 3, 1), ([599], 3, 1),
            ([400], 1, 1), ([401], 1, 1), ([402], 1, 1), ([403], 1, 1), ([404], 1, 1),
            ([412], 1, 1), ([413], 1, 1), ([415], 1, 1), ([204], 1, 1), ([503, 503, 413], 3, 1),
            ([500, 401], 2, 1))
        for statuses, thrice, once in cases:
            for retry, expected in ((3, thrice), (1, once)):
                with self.subTest(statuses=statuses, retry=retry):
                    self.refused(*((status, {}, page) for status in statuses), retry=retry)
                    self.assertEqual(len(self.server.requests), expected)
                    self.assertEqual(self.slept, [7.0] * (expected - 1))
                    self.assertEqual(self.said.count("trying again in 7 s"), expected - 1)

    def test_what_the_user_is_told(self) -> None:
        what, place = "the service does not take it: ", "127.0.0.1:%d" % self.server.port
        for status, body, expected in (
                (401, b"", what + "the service refuses the username and password (401); correct "
                 "them in " + CONF),
                (402, b'{"message": "No subscription"}', what + "this host is not entitled to it "
                 "(402), it says: No subscription; see to its subscription"),
                (403, b"", what + "the service does not allow it (403); see to the rights of the "
                 "account, or to base_url in " + CONF),
                (412, b'{"message": "gone since May"}', what + "the service has this host as "
                 "unregistered (412), it says: gone since May; register it with --register"),
                (415, b"", what + "it does not know the type application/x (415); correct "
                 "--content-type"),
                (418, b'{"detail": "teapot"}', "no usable answer from %s: the service does not "
                 "take it, it answers 418, it says: teapot; check base_url in %s" % (place, CONF)),
                (200, b"<html>", "no usable answer from %s: status 200 with text/html that is not "
                 "JSON; see what answers there in its place" % place)):
            with self.subTest(status):
                self.assertEqual(self.refused((status, {"Content-Type": "text/html"}, body)),
                                 expected)
                self.assertEqual(len(self.server.requests), 1)

    def test_an_archive_that_is_too_large_names_its_largest_members(self) -> None:
        with tarfile.open(self.archive, "w:gz") as tar:
            for number in range(9):
                info = tarfile.TarInfo("top/var/log/%d" % number)
                info.size = 1000 * number
                tar.addfile(info, io.BytesIO(bytes(info.size)))
        message = self.refused((413, {}, b""))
        self.assertIn("it is too large (413); the largest members are var/log/8 (8.0 kB), "
                      "var/log/7 (7.0 kB)", message)
        self.assertIn("leave some out", message)
        self.write("insights-host.tar.gz", b"no tar")
        self.assertIn("it is too large (413); leave some out", self.refused((413, {}, b"")))

    def test_a_connection_that_drops_is_tried_again(self) -> None:
        """FAULTS 36."""
        def drop(request: servers.Request, connection: Any) -> Optional[servers.Reply]:
            if len(self.server.requests) < 3:
                servers.reset(connection)
                return None
            return 202, {}, GOOD

        self.server.answers = drop
        self.assertEqual(self.send((202, {}, GOOD), retry=3), GOOD)
        self.assertEqual(self.slept, [7.0, 7.0])

    def test_a_server_that_is_not_there_or_not_trusted(self) -> None:
        self.refused((202, {}, GOOD), retry=3,
                     cert_verify=servers.Certificates.path("stranger.pem"))
        self.assertEqual((self.slept, self.server.requests), ([], []))
        self.server.close()
        self.refused((202, {}, GOOD), retry=3)
        self.assertEqual(self.slept, [7.0, 7.0])

    def test_an_archive_that_cannot_be_read_is_a_failure(self) -> None:
        for path, why in ((self.path("absent"), "No such file"), (self.folder, "is a directory")):
            message = self.refused((202, {}, GOOD), parcel=Parcel(os.fsencode(path), "x"))
            self.assertIn("cannot read the archive " + path, message)
            self.assertIn(why, message)


class Accepted(UploadCase):
    def parts(self, request: servers.Request) -> Dict[str, Tuple[Dict[str, str], bytes]]:
        """Take a form apart: headers and content of each part by its name."""
        kind = request.headers["content-type"]
        self.assertRegex(kind, r"\Amultipart/form-data; boundary=[0-9a-f]{32}\Z")
        mark = b"--" + kind.rpartition("=")[2].encode()
        pieces = (b"\r\n" + request.body).split(b"\r\n" + mark)
        self.assertEqual((pieces[0], pieces[-1]), (b"", b"--\r\n"))
        found = {}
        for piece in pieces[1:-1]:
            head, _, content = piece.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
            match = re.search('name="([a-z]+)"', headers["Content-Disposition"])
            assert match
            found[match.group(1)] = headers, content
        return found

    def test_the_form_has_the_file_and_the_facts_at_the_url_of_each_api(self) -> None:
        with open(self.archive, "rb") as file:
            content = file.read()
        for api, target in TARGETS.items():
            for status in (200, 201, 202):
                with self.subTest(api=api, status=status):
                    self.assertEqual(self.send((status, {}, GOOD), base_url=self.server.name + api),
                                     GOOD)
                    (request,) = self.server.requests
                    self.assertEqual((request.method, request.target), ("POST", target))
                    self.assertEqual(request.headers["x-rh-collection-time"], "2.500")
                    self.assertEqual(int(request.headers["content-length"]), request.length)
                    parts = self.parts(request)
                    self.assertEqual(sorted(parts), ["file", "metadata"])
                    headers, sent = parts["file"]
                    self.assertEqual(sent, content)
                    self.assertEqual(headers["Content-Type"], "application/x")
                    self.assertIn('filename="insights-host.tar.gz"', headers["Content-Disposition"])
                    self.assertEqual(json.loads(parts["metadata"][1].decode()), FACTS)

    def test_a_payload_goes_without_facts_and_without_a_time(self) -> None:
        self.send((202, {}, GOOD), parcel=Parcel(os.fsencode(self.archive), "application/y"))
        (request,) = self.server.requests
        self.assertEqual(list(self.parts(request)), ["file"])
        self.assertNotIn("x-rh-collection-time", request.headers)

    def test_a_name_cannot_forge_a_header(self) -> None:
        path = self.write('a"\r\nX-Evil: 1\r\n\r\nx.tar.gz', b"content")
        self.send((202, {}, GOOD), parcel=Parcel(os.fsencode(path), "t"))
        self.assertEqual(self.parts(self.server.requests[0])["file"][1], b"content")

    def test_an_upload_url_of_its_own_is_used(self) -> None:
        self.send((202, {}, GOOD), upload_url=self.server.url("/elsewhere"))
        self.assertEqual(self.server.requests[0].target, "/elsewhere")

    def test_after_a_success_nothing_is_sent_again(self) -> None:
        """FAULTS 36."""
        for failures in ((500,), (502, 503), (429, 429)):
            replies = [(status, {"Retry-After": "3"}, b"") for status in failures]
            self.assertEqual(self.send(*replies, (202, {}, GOOD), (500, {}, b""), retry=9), GOOD)
            self.assertEqual(len(self.server.requests), len(failures) + 1)
            self.assertEqual(self.slept, [3.0] * len(failures))

    def test_how_long_the_service_wants_us_to_wait(self) -> None:
        class Answer:
            def __init__(self, text: str) -> None:
                self.headers = {"Retry-After": text}

        for text, expected in (("", 7.0), ("5", 5.0), ("0", 0.0), ("soon", 7.0), ("-3", 7.0),
                               ("99999999", 3600.0), ("1e3", 7.0)):
            with self.subTest(text):
                self.assertEqual(read_wait(Answer(text), 7.0), expected)  # type: ignore[arg-type]
        for seconds, expected in ((50, 50.0), (-50, 0.0), (1e6, 3600.0)):
            date = email.utils.formatdate(time.time() + seconds, usegmt=True)
            self.assertAlmostEqual(read_wait(Answer(date), 7.0), expected,  # type: ignore[arg-type]
                                   delta=10.0)

    def test_a_large_file_arrives_as_it_is(self) -> None:
        block = os.urandom(1 << 20)
        with open(self.archive, "wb") as file:
            for _ in range(40):
                file.write(block)
        self.send((202, {}, GOOD), parcel=Parcel(os.fsencode(self.archive), "t"))
        (request,) = self.server.requests
        head, _, _ = request.body.partition(b"\r\n\r\n")
        mark = request.headers["content-type"].rpartition("=")[2].encode()
        expected = hashlib.sha256(head + b"\r\n\r\n")
        for _ in range(40):
            expected.update(block)
        expected.update(b"\r\n--" + mark + b"--\r\n")
        self.assertEqual(request.sha256, expected.hexdigest())


class Largest(unittest.TestCase):
    def test_what_is_no_tar_has_no_members(self) -> None:
        for path in (b"/no/such", b"/dev/null", os.fsencode(__file__)):
            self.assertEqual(list_largest(path), [])
