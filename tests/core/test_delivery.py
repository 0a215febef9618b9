"""Whole runs that upload: what the host has afterwards, and what the user is told."""
import json
import os
import re
import shlex
import signal
import threading
from typing import Any, Dict, List, Optional, Tuple

from tests import server as servers
from tests.support import Done, HostCase, Product, read_archive_bytes

GOOD = b'{"request_id": "r", "upload": {"account_number": "1"}}'
ID = "dc194312-8cdd-4e75-8cf1-2094bf666f45"
TYPE = "application/vnd.redhat.advisor.collection+tgz"
UPLOAD = "/r/insights/platform/ingress/v1/upload"
EXISTS = "/r/insights/platform/inventory/v1/host_exists?insights_id=" + ID


class Delivery(HostCase):
    def setUp(self) -> None:
        super().setUp()
        if servers.missing():
            self.skipTest(servers.missing())
        self.uploads: List[Tuple[int, Dict[str, str], bytes]] = [(202, {}, GOOD)]
        self.server = servers.Server(self.answer, "server")
        self.addCleanup(self.server.close)
        self.environ.update(
            INSIGHTS_BASE_URL=self.server.name + "/r/insights/platform", INSIGHTS_USERNAME="bob",
            INSIGHTS_PASSWORD="hunter2secret", INSIGHTS_AUTO_UPDATE="no",
            INSIGHTS_RETRY_WAIT="0.1", INSIGHTS_AUTO_CONFIG="no", INSIGHTS_HTTP_TIMEOUT="20",
            INSIGHTS_CERT_VERIFY=servers.Certificates.path("ca.pem"))
        self.write("etc/machine-id", ID)
        self.write("etc/.registered", "2026-01-01T00:00:00")
        self.wanted = self.rules(["/bin/echo hello zebra"])

    def answer(self, request: servers.Request, connection: Any) -> Optional[servers.Reply]:
        if request.target == UPLOAD:
            number = min(len(self.sent()), len(self.uploads)) - 1
            return self.uploads[number]
        if request.target == EXISTS:
            return 200, {}, b'{"id": "some-inventory-id"}'
        return 404, {}, b'{"detail": "no such thing"}'

    def sent(self) -> List[servers.Request]:
        return [each for each in self.server.requests if each.target == UPLOAD]

    def upload(self, *arguments: str, **environ: Any) -> Done:
        done = self.run_product("--from-file", self.wanted, *arguments, **environ)
        self.assertNotIn("hunter2secret", done.text)
        return done

    def archives(self) -> List[str]:
        return [os.path.join(folder, name) for folder, _, names in os.walk(self.path("tmp"))
                for name in names if name.endswith(".tar.gz")]

    def part(self, name: str) -> bytes:
        """Return a part of the last form that was uploaded."""
        body = self.sent()[-1].body
        match = re.search(b'name="%s".*?\r\n\r\n' % name.encode(), body, re.DOTALL)
        assert match
        return body[match.end():].partition(b"\r\n--")[0]


class Refused(Delivery):
    def check_kept(self, done: Done, why: str) -> None:
        self.assertEqual(done.status, 1, done.text)
        errors = [line for line in done.err.decode().splitlines() if line.startswith("ERROR")]
        self.assertEqual(len(errors), 1, done.text)
        self.assertIn("the archive was not uploaded: ", errors[0])
        self.assertIn(why, errors[0])
        (archive,) = self.archives()
        command = "python3 %s --payload %s --content-type %s" % (Product.build(), archive, TYPE)
        self.assertTrue(errors[0].endswith("it is kept; to send it later: " + command), errors[0])
        self.assertFalse(os.path.exists(self.path("etc", ".lastupload")))

    def test_an_archive_that_was_not_accepted_is_kept_and_the_command_that_is_shown_sends_it(
            self) -> None:
        cases: Tuple[Tuple[str, List[Tuple[int, Dict[str, str], bytes]], int], ...] = (
                ("it answers 500", [(500, {}, b"")], 1), ("it answers 503", [(503, {}, b"")], 3),
                ("refuses the username and password (401)", [(401, {}, b"")], 3),
                ("that is not JSON", [(200, {}, b"<html>")], 3),
                ("it is too large (413); the largest members are ",
                 [(413, {}, b"")], 3))
        for why, replies, tries in cases:
            with self.subTest(why):
                del self.server.requests[:]
                self.uploads = replies
                done = self.upload("--retry", str(tries))
                self.check_kept(done, why)
                expected = tries if replies[0][0] >= 500 else 1
                self.assertEqual(len(self.sent()), expected)
                self.uploads = [(202, {}, GOOD)]
                (line,) = [line for line in done.err.decode().splitlines() if "--payload" in line]
                words = shlex.split(line.partition("later: ")[2])
                later = self.run_product(*words[2:])
                self.assertEqual((later.status, later.err), (0, b""), later.text)
                (archive,) = self.archives()  # what the user names is his
                os.unlink(archive)
                os.unlink(self.path("etc", ".lastupload"))

    def test_a_settings_folder_that_goes_meanwhile_keeps_the_archive_and_names_it(self) -> None:
        etc = self.path("etc")
        self.wanted = self.rules(["/bin/sh -c 'mv %s %s.gone; echo > %s'" % (etc, etc, etc),
                                  "/bin/echo hello"])
        done = self.upload()
        self.assertEqual((done.status, self.sent()), (1, []))
        (archive,) = self.archives()
        self.assertIn("cannot write the machine id", done.text)
        self.assertIn("--payload " + archive, done.text)

    def test_a_server_that_is_gone_keeps_the_archive(self) -> None:
        self.environ["INSIGHTS_UPLOAD_URL"] = "https://127.0.0.1:1/upload"
        self.check_kept(self.upload(), "Connection refused")

    def test_a_host_that_was_unregistered_on_the_server_is_marked_so(self) -> None:
        self.uploads = [(412, {}, b'{"message": "gone since May"}')]
        self.check_kept(self.upload(), "the service has this host as unregistered (412), it says: "
                        "gone since May")
        self.assertTrue(os.path.exists(self.path("etc", ".unregistered")))
        self.assertFalse(os.path.exists(self.path("etc", ".registered")))

    def test_ctrl_c_during_the_upload_keeps_the_archive(self) -> None:
        asked = threading.Event()
        usual = self.answer

        def stall(request: servers.Request, connection: Any) -> Optional[servers.Reply]:
            if request.target != UPLOAD:
                return usual(request, connection)
            asked.set()
            self.server.closing.wait(servers.PATIENCE)
            return None

        self.server.answers = stall
        child = self.start_product("--from-file", self.wanted)
        self.assertTrue(asked.wait(servers.PATIENCE))
        child.send_signal(signal.SIGINT)
        assert child.stderr is not None
        said = child.stderr.read().decode()
        self.assertEqual(child.wait(servers.PATIENCE), 130)
        (archive,) = self.archives()
        self.assertIn("stopped by SIGTERM while uploading; it is kept; to send it later: ", said)
        self.assertIn("--payload " + archive, said)

    def test_a_host_that_is_not_registered_collects_nothing(self) -> None:
        for name in (".registered", "machine-id"):
            os.unlink(self.path("etc", name))
        done = self.upload()
        self.assertEqual((done.status, done.out, done.err), (
            1, b"", b"This host has not been registered. Use --register to register this host.\n"))
        self.assertEqual((self.sent(), self.archives()), ([], []))


class Payload(Delivery):
    """An archive of another host says nothing about this one."""

    def send(self, *replies: Tuple[int, Dict[str, str], bytes], **environ: Any) -> Done:
        for name in (".registered", "machine-id"):
            if os.path.exists(self.path("etc", name)):
                os.unlink(self.path("etc", name))
        self.uploads = list(replies)
        payload = self.write("other.tar.gz", b"content")
        return self.run_product("--payload", payload, "--content-type", TYPE, **environ)

    def test_neither_success_nor_refusal_changes_what_this_host_is(self) -> None:
        for code, body, status in ((202, GOOD, 0), (412, b"{}", 1)):
            self.assertEqual(self.send((code, {}, body)).status, status)
            self.assertEqual(sorted(os.listdir(self.path("etc"))),
                             [".last-upload.results", ".lastupload"])

    def test_the_classic_api_wants_a_machine_id_and_gets_one(self) -> None:
        done = self.send((202, {}, GOOD), INSIGHTS_BASE_URL=self.server.name + "/r/insights")
        self.assertEqual(done.status, 1)  # there is no such API here; the request tells
        with open(self.path("etc", "machine-id")) as file:
            self.assertEqual(self.server.requests[-1].target,
                             "/r/insights/uploads/" + file.read())


class Accepted(Delivery):
    def test_the_archive_is_gone_and_the_upload_is_noted(self) -> None:
        done = self.upload()
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        self.assertRegex(done.out.decode().splitlines()[-1],
                         r"\ASuccessfully uploaded report for \S+\.\Z")
        self.assertEqual((self.archives(), len(self.sent())), ([], 1))
        with open(self.path("etc", ".last-upload.results"), "rb") as file:
            self.assertEqual(file.read(), GOOD)
        with open(self.path("etc", ".lastupload")) as when:
            self.assertRegex(when.read(), r"\A2\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\Z")
        members = read_archive_bytes(self.part("file"))
        self.assertEqual(members["insights_commands/echo_hello_zebra"], b"hello zebra\n")
        facts = json.loads(self.part("metadata").decode())
        self.assertEqual(facts["insights_id"], ID)
        self.assertGreater(float(self.sent()[0].headers["x-rh-collection-time"]), 0)

    def test_a_way_that_is_not_safe_is_told_once_a_run(self) -> None:
        done = self.upload(INSIGHTS_CERT_VERIFY="False", INSIGHTS_AUTO_UPDATE="yes")
        self.assertEqual(done.status, 0, done.text)
        self.assertEqual(done.text.count("anybody can pose as the service"), 1, done.text)
        for quiet in (("--offline", "--from-file", self.wanted, "--to-stdout"), ("--list-specs",)):
            done = self.run_product(*quiet, INSIGHTS_CERT_VERIFY="False")
            self.assertEqual((done.status, done.err), (0, b""))

    def test_it_stays_where_that_is_wanted(self) -> None:
        done = self.upload("--keep-archive")
        (archive,) = self.archives()
        self.assertIn("Archive saved at %s\n" % archive, done.out.decode())

    def test_the_answer_alone_is_on_standard_output_where_that_is_wanted(self) -> None:
        """FAULTS 52."""
        done = self.upload("--to-json")
        self.assertEqual((done.status, done.out), (0, GOOD + b"\n"))

    def test_no_byte_that_is_sent_shows_what_the_owner_forbids_or_hides(self) -> None:
        """FAULTS 5, 24."""
        self.write("etc/file-content-redaction.yaml", "keywords:\n- zebra\n")
        done = self.upload("--display-name", "zebra one", "--ansible-host", "zebra.two",
                           INSIGHTS_OBFUSCATE="yes", INSIGHTS_OBFUSCATE_HOSTNAME="yes")
        self.assertEqual(done.status, 0, done.text)
        body = self.part("metadata") + b"".join(
            name.encode() + content for name, content in
            read_archive_bytes(self.part("file")).items())
        for secret in (b"zebra", b"hunter2secret", os.uname().nodename.encode() + b"."):
            self.assertNotIn(secret, body)
        self.assertIn(b"keyword0 one", body)
        for request in self.server.requests:
            self.assertNotIn(b"zebra", request.target.encode() + (
                request.body if request.target != UPLOAD else b""))

    def test_an_upload_again_after_faults_is_one_success(self) -> None:
        """FAULTS 36."""
        self.uploads = [(503, {}, b""), (429, {"Retry-After": "0"}, b""), (202, {}, GOOD)]
        done = self.upload("--retry", "5")
        self.assertEqual((done.status, len(self.sent()), self.archives()), (0, 3, []))
        self.assertEqual(done.err.decode().count("trying again in"), 2, done.text)
