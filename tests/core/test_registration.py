"""What a run does about registration, for each answer of both APIs: lines, status, marks, requests.
"""
import json
import os
import re
import uuid
from typing import Any, Dict, List, Optional, Tuple

from insights_mini.exits import OK, STOP_DONE, STOP_FAILED
from tests import server as servers
from tests.api import (
    BRANCH,
    CLASSIC,
    EXISTS,
    HOST,
    ID,
    LISTED,
    PAGE,
    PLATFORM,
    SYSTEM,
    ApiCase,
    Seen,
)
from tests.support import HostCase

LINE = "This host has not been registered. Use --register to register this host.\n"
POST = "POST /v1/systems"
DELETES = {CLASSIC: "DELETE /v1/systems/" + ID, PLATFORM: "DELETE /inventory/v1/hosts/" + HOST}
ASKS = {CLASSIC: SYSTEM, PLATFORM: EXISTS}
KNOWN = {CLASSIC: (200, {"unregistered_at": None}), PLATFORM: (200, {"id": HOST})}
UNKNOWN: Dict[str, Any] = {CLASSIC: (404, {}), PLATFORM: (404, {})}
SINCE = (200, {"unregistered_at": "2026-01-02T03:04:05Z"})
BOTH = (CLASSIC, PLATFORM)
REGISTERED, UNREGISTERED = ".registered", ".unregistered"
TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
NAMES: Dict[str, Any] = {"display_name": "shown", "ansible_host": "web1", "group": "g"}
UNCLEAR: Tuple[Any, ...] = (503, 400, (200, {}), (200, {}, b"<html>"))


class RegistrationCase(ApiCase):
    certificate = ""

    def put(self, machine_id: str = ID, *marks: str) -> None:
        """Give the host a machine id and marks, and nothing else of that kind."""
        for name in ("machine-id", REGISTERED, UNREGISTERED):
            if os.path.lexists(self.path("etc", name)):
                os.unlink(self.path("etc", name))
        for mark in marks:
            self.write("etc/" + mark, "2020-01-01T00:00:00")
        if machine_id:
            self.write("etc/machine-id", machine_id)

    def marks(self, folder: str = "etc") -> List[str]:
        return sorted(name for name in os.listdir(self.path(folder)) if name.endswith("registered"))

    def machine_id(self) -> Optional[str]:
        try:
            with open(self.path("etc", "machine-id")) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def settle(self, **settings: Any) -> Seen:
        return self.see("post_update", **settings)


class Faults(RegistrationCase):
    def test_no_failure_or_unclear_answer_changes_a_mark_or_the_machine_id(self) -> None:
        """FAULTS 34."""
        for api in BOTH:
            for answer in (*UNCLEAR, 401, 402, 403):
                for marks in ((REGISTERED,), (UNREGISTERED,)):
                    for flag in ({}, {"register": True}, {"unregister": True}, {"status": True}):
                        with self.subTest(api, answer=answer, marks=marks, flag=flag):
                            self.use(api)
                            self.put(ID, *marks)
                            self.answers[ASKS[api]] = answer
                            before = self.snapshot()
                            seen = self.settle(**flag)
                            if flag or marks != (REGISTERED,) or answer in (401, 402, 403):
                                self.assertEqual((seen.status, seen.out), (STOP_FAILED, ""))
                            after = self.snapshot()
                            for name in ("log", "log/insights-client.log"):
                                after.pop(name, None)
                                before.pop(name, None)
                            self.assertEqual(after, before)
                            self.assertEqual(seen.err.count("\n"), 1, seen.err)
                            self.assertEqual(self.asked(), [ASKS[api]])

    def test_a_service_that_is_gone_costs_a_registered_host_a_warning_and_no_upload(self) -> None:
        """FAULTS 34."""
        self.server.close()
        why = ("cannot reach %s: Connection refused; check base_url and the network, or set proxy "
               "if this host needs one" % self.server.name)
        for api in BOTH:
            self.use(api)
            for marks in ((REGISTERED,), (UNREGISTERED,), (), (REGISTERED, UNREGISTERED)):
                with self.subTest(api, marks=marks):
                    self.put(ID, *marks)
                    goes_on = marks == (REGISTERED,)
                    seen = self.settle()
                    self.assertEqual((seen.status, seen.out), (OK if goes_on else STOP_FAILED, ""))
                    self.assertEqual(seen.err.rstrip("\n"), (
                        "WARNING: %s; this host counts as registered, as it was before" if goes_on
                        else "ERROR: %s") % why)
                    self.assertEqual(self.marks(), sorted(marks))

    def test_registering_that_fails_leaves_the_host_as_it_was(self) -> None:
        for flag in ("register", "force_reregister"):
            for answer in (401, 403, 409, 500, 302, 202):
                with self.subTest(flag, answer=answer):
                    self.use(CLASSIC)
                    self.put(ID, UNREGISTERED)
                    self.answers.update({SYSTEM: UNKNOWN[CLASSIC], POST: answer})
                    seen = self.settle(**{flag: True})
                    self.assertEqual((seen.status, seen.out), (STOP_FAILED, ""))
                    self.assertEqual((self.machine_id(), self.marks()), (ID, [UNREGISTERED]))
                    self.assertEqual(self.asked().count(POST), 2 if answer == 409 else 1)
        self.answers[POST] = 409
        self.assertEqual(self.settle(register=True).err, (
            "ERROR: cannot register this host: the service refuses a new machine id too (409); "
            "ask those who run it\n"))

    def test_a_machine_id_that_is_none_is_told_before_anything_is_asked(self) -> None:
        for flag in ({}, {"register": True}, {"unregister": True}, {"status": True}):
            self.put("garbage")
            seen = self.settle(**flag)
            self.assertEqual(seen.err, (
                "ERROR: the machine id %s is none: it is not a UUID; restore it, or register as a "
                "new host with --force-reregister\n" % self.path("etc/machine-id")))
            self.assertEqual((seen.status, self.asked()), (STOP_FAILED, []))

    def test_unregistering_that_fails_leaves_the_mark(self) -> None:
        for api in BOTH:
            for answer in (404, 401, 500):
                with self.subTest(api, answer=answer):
                    self.use(api)
                    self.put(ID, REGISTERED)
                    self.answers.update({ASKS[api]: KNOWN[api], DELETES[api]: answer})
                    seen = self.settle(unregister=True)
                    self.assertEqual((seen.status, seen.out), (STOP_FAILED, ""))
                    self.assertEqual(self.marks(), [REGISTERED])

    def test_the_word_of_the_service_that_the_host_is_unregistered_sets_the_mark(self) -> None:
        for api in BOTH:
            for flag in ({}, {"register": True}):
                self.use(api)
                self.put(ID, REGISTERED)
                self.answers[ASKS[api]] = (412, {"message": "gone"})
                seen = self.settle(**flag)
                self.assertEqual(seen.err, (
                    "ERROR: cannot find out whether this host is registered: the service has this "
                    "host as unregistered (412), it says: gone; register it with --register\n"))
                self.assertEqual((seen.status, self.marks()), (STOP_FAILED, [UNREGISTERED]))

    def test_a_mark_that_cannot_be_written_is_a_warning(self) -> None:
        self.put(ID)
        os.mkdir(self.path("etc", UNREGISTERED))
        self.answers[SYSTEM] = KNOWN[CLASSIC]
        seen = self.settle()
        self.assertEqual(seen.status, OK)
        self.assertIn("WARNING: cannot change the mark %s: Is" % self.path("etc", UNREGISTERED),
                      seen.err)


class Checked(RegistrationCase):
    def test_what_an_upload_needs_is_looked_for_and_the_marks_follow(self) -> None:
        for api, answer, status, after in (
                *((api, KNOWN[api], OK, [REGISTERED]) for api in BOTH),
                *((api, UNKNOWN[api], STOP_FAILED, [UNREGISTERED]) for api in BOTH),
                (CLASSIC, SINCE, STOP_FAILED, [UNREGISTERED])):
            for marks in ((), (REGISTERED,), (UNREGISTERED,), (REGISTERED, UNREGISTERED)):
                with self.subTest(api, answer=answer, marks=marks):
                    self.use(api)
                    self.put(ID, *marks)
                    self.answers[ASKS[api]] = answer
                    self.assertEqual(self.settle(), Seen(status, "", "" if status == OK else LINE))
                    self.assertEqual((self.marks(), self.machine_id()), (after, ID))

    def test_a_page_instead_of_the_service_is_a_no_but_changes_no_mark(self) -> None:
        """FAULTS 34."""
        for api in BOTH:
            for marks in ((REGISTERED,), ()):
                self.use(api)
                self.put(ID, *marks)
                self.answers.update(dict.fromkeys((SYSTEM, EXISTS, LISTED), PAGE))
                self.assertEqual(self.settle(), Seen(STOP_FAILED, "", LINE))
                self.assertEqual(self.marks(), list(marks))

    def test_a_host_without_a_machine_id_gets_the_line_and_no_machine_id(self) -> None:
        for api in BOTH:
            self.use(api)
            self.assertEqual(self.settle(), Seen(STOP_FAILED, "", LINE))
            self.assertEqual(self.settle(silent=True), Seen(STOP_FAILED, "", ""))
            self.assertEqual(self.settle(quiet=True), Seen(STOP_FAILED, "", LINE))
            self.assertEqual((os.listdir(self.path("etc")), self.asked()), ([], []))

    def test_without_an_upload_nobody_is_asked(self) -> None:
        self.put(ID)
        for settings in ({"offline": True}, {"no_upload": True}, {"output_dir": "x"},
                         {"output_file": "x"}, {"to_stdout": True}, {"payload": "x"}):
            self.assertEqual(self.settle(**settings), Seen(OK, "", ""))
        self.assertEqual((self.asked(), self.marks()), ([], []))

    def test_marks_go_to_the_folder_of_older_clients_too_if_it_is_there(self) -> None:
        self.put(ID)
        os.mkdir(self.path("redhat-access-insights"))
        os.mkdir(self.path("redhat_access_proactive"))
        for answer, mark in ((KNOWN[CLASSIC], REGISTERED), (SINCE, UNREGISTERED)):
            self.answers[SYSTEM] = answer
            self.settle()
            for folder in ("etc", "redhat-access-insights"):
                self.assertEqual(self.marks(folder), [mark])
                mode, content = self.snapshot()[folder + "/" + mark]
                self.assertEqual(mode, 0o600)
                self.assertTrue(TIME.fullmatch(content), content)
        self.assertEqual(self.marks("redhat_access_proactive"), [])

    def test_a_mark_keeps_the_time_of_its_first_writing(self) -> None:
        self.put(ID, REGISTERED)
        self.answers[SYSTEM] = KNOWN[CLASSIC]
        self.settle()
        self.assertEqual(self.snapshot()["etc/" + REGISTERED][1], b"2020-01-01T00:00:00")


class Registering(RegistrationCase):
    certificate = "server"

    def test_a_host_that_is_registered_is_told_so_and_marked(self) -> None:
        for api in BOTH:
            self.use(api)
            self.put(ID, UNREGISTERED)
            self.answers[ASKS[api]] = KNOWN[api]
            self.assertEqual(self.settle(register=True),
                             Seen(OK, "This host has already been registered.\n", ""))
            self.assertEqual((self.marks(), self.asked()), ([REGISTERED], [ASKS[api]]))

    def test_a_new_host_gets_a_machine_id_and_is_registered(self) -> None:
        self.answers[POST] = 201
        seen = self.settle(register=True, display_name="shown")
        self.assertEqual(seen, Seen(OK, "This host is registered now, as shown.\n", ""))
        made = self.machine_id() or ""
        self.assertEqual(str(uuid.UUID(made)), made)
        self.assertEqual(self.sent()["machine_id"], made)
        self.assertEqual(self.asked(), ["GET /v1/systems/" + made, BRANCH, POST])
        self.assertEqual(self.marks(), [REGISTERED])

    def test_a_machine_id_that_is_taken_is_changed_once(self) -> None:
        for flag in ("register", "force_reregister"):
            self.use(CLASSIC)
            self.put(ID, UNREGISTERED)
            self.answers[POST] = [409, 201]
            self.assertEqual(self.settle(**{flag: True}).status, OK)
            self.assertNotEqual(self.machine_id(), ID)
            self.assertEqual(self.sent()["machine_id"], self.machine_id())
            self.assertNotEqual(self.sent(-3)["machine_id"], self.machine_id())
            self.assertEqual(self.marks(), [REGISTERED])

    def test_a_hidden_host_name_is_not_told(self) -> None:
        """FAULTS 5."""
        self.put(ID)
        self.answers[POST] = 201
        for hidden in ({"obfuscate": True, "obfuscate_hostname": True},
                       {"obfuscation_list": ("hostname",)}, {}):
            seen = self.settle(register=True, **hidden)
            name = ID if hidden else self.sent()["hostname"]
            self.assertEqual(self.sent()["hostname"], name)
            self.assertEqual(seen.out, "This host is registered now, as %s.\n" % name)
            self.assertEqual(name == ID, bool(hidden))

    def test_by_force_the_host_becomes_a_new_one(self) -> None:
        for before in (ID, "garbage", ""):
            with self.subTest(before=before):
                self.use(CLASSIC)
                self.put(before, REGISTERED)
                self.answers[POST] = 201
                self.assertEqual(self.settle(force_reregister=True, display_name="shown"),
                                 Seen(OK, "This host is registered now, as shown.\n", ""))
                self.assertNotEqual(self.machine_id(), before)
                self.assertEqual(self.sent()["machine_id"], self.machine_id())
                self.assertEqual(self.asked(), [BRANCH, POST])
                self.assertTrue(TIME.fullmatch(self.snapshot()["etc/" + REGISTERED][1]))

    def test_where_the_upload_registers_it_is_left_to_it(self) -> None:
        warning = ("WARNING: an upload registers a host with this service, and none is made: this "
                   "host is not registered\n")
        for flag in ("register", "force_reregister"):
            for no_upload in (False, True):
                with self.subTest(flag, no_upload=no_upload):
                    self.use(PLATFORM)
                    self.put(ID, UNREGISTERED)
                    self.answers[EXISTS] = UNKNOWN[PLATFORM]
                    seen = self.settle(no_upload=no_upload, **{flag: True})
                    self.assertEqual(seen, Seen(OK, "", warning) if no_upload else Seen(
                        OK, "The upload will register this host.\n", ""))
                    new = flag == "force_reregister" and not no_upload
                    self.assertEqual(self.machine_id() != ID, new)
                    self.assertEqual(self.marks(), [] if new else [UNREGISTERED])


class Names(RegistrationCase):

    def test_a_registered_host_is_named_and_grouped_where_its_api_does_that(self) -> None:
        put, join = "PUT /v1/systems/" + ID, "PUT /v1/groups/7/systems"
        patch, find = "PATCH /inventory/v1/hosts/" + HOST, "GET /v1/groups?display_name=g"
        for register in (False, True):
            self.use(CLASSIC)
            self.put(ID)
            self.answers.update({SYSTEM: KNOWN[CLASSIC], put: 200, find: (200, {"id": 7}),
                                 join: 200})
            self.assertEqual(self.settle(register=register, **NAMES).err, "")
            self.assertEqual(self.asked(), [SYSTEM, put, find, join])
            self.assertNotIn("tags.yaml", os.listdir(self.path("etc")))
        self.use(PLATFORM)
        self.answers.update({EXISTS: KNOWN[PLATFORM], patch: 200})
        self.assertEqual(self.settle(**NAMES), Seen(OK, "", ""))
        self.assertEqual(self.asked(), [EXISTS, patch])
        self.assertEqual(self.snapshot()["etc/tags.yaml"], (0o600, b'group: "g"\n'))

    def test_a_new_host_of_the_classic_api_joins_its_group(self) -> None:
        self.put(ID)
        find, join = "GET /v1/groups?display_name=g", "PUT /v1/groups/7/systems"
        self.answers.update({POST: 201, find: (200, {"id": 7}), join: 200})
        self.settle(register=True, **NAMES)
        self.assertEqual(self.asked(), [SYSTEM, BRANCH, POST, find, join])

    def test_a_name_that_is_refused_is_a_warning_and_the_upload_goes_on(self) -> None:
        self.put(ID)
        for answer, line in (
                (403, "WARNING: cannot change the name of this host: the service does not allow it "
                 "(403); see to the rights of the account, or to base_url in %s\n" %
                 self.path("etc/insights-client.conf")),
                (500, "WARNING: no usable answer from %s: cannot change the name of this host, it "
                 "answers 500; try again later\n" % self.server.name)):
            self.answers.update({SYSTEM: KNOWN[CLASSIC], "PUT /v1/systems/" + ID: answer})
            self.assertEqual(self.settle(display_name="shown"), Seen(OK, "", line))
        self.assertEqual(self.marks(), [REGISTERED])
        self.answers["PUT /v1/systems/" + ID] = 412
        self.assertEqual(self.settle(display_name="shown").status, STOP_FAILED)
        self.assertEqual(self.marks(), [UNREGISTERED])


class Unregistering(RegistrationCase):
    def test_a_registered_host_is_taken_out_and_marked(self) -> None:
        for api in BOTH:
            for marks in ((REGISTERED,), ()):
                self.use(api)
                self.put(ID, *marks)
                self.answers.update({ASKS[api]: KNOWN[api], DELETES[api]: 204})
                self.assertEqual(self.settle(unregister=True, group="g"),
                                 Seen(STOP_DONE, "This host is unregistered now.\n", ""))
                self.assertEqual(self.asked(), [ASKS[api], DELETES[api]])
                self.assertEqual((self.marks(), self.machine_id()), ([UNREGISTERED], ID))
                self.assertNotIn("tags.yaml", os.listdir(self.path("etc")))

    def test_a_host_that_is_not_registered_is_told_so(self) -> None:
        said = "ERROR: This host is not registered, so it cannot be unregistered.\n"
        for api in BOTH:
            for machine_id, marks in ((ID, [UNREGISTERED]), ("", [])):
                self.use(api)
                self.put(machine_id)
                self.answers[ASKS[api]] = UNKNOWN[api]
                self.assertEqual(self.settle(unregister=True), Seen(STOP_FAILED, "", said))
                self.assertEqual(self.asked(), [ASKS[api]] if machine_id else [])
                self.assertEqual((self.marks(), self.machine_id() or ""), (marks, machine_id))


class Asked(RegistrationCase):
    def test_the_status_is_told_and_nothing_is_written(self) -> None:
        """FAULTS 35."""
        for api, machine_id, answer, text, data in (
                *((api, ID, KNOWN[api], "This host is registered.\nMachine id: %s\n" % ID,
                   (True, ID, None)) for api in BOTH),
                *((api, ID, UNKNOWN[api], "This host is not registered: the service does not know "
                   "it.\n", (False, ID, None)) for api in BOTH),
                *((api, "", 500, "This host is not registered: it has no machine id.\n",
                   (False, None, None)) for api in BOTH),
                (CLASSIC, ID, SINCE, "This host is not registered: it was unregistered at "
                 "2026-01-02T03:04:05Z.\n", (False, ID, "2026-01-02T03:04:05Z")),
                (CLASSIC, ID, (200, {"unregistered_at": "\x1b[2J"}),
                 "This host is not registered: it was unregistered at \\x1b[2J.\n",
                 (False, ID, "\x1b[2J"))):
            for marks in ((), (REGISTERED,), (UNREGISTERED,)):
                with self.subTest(api, machine_id=machine_id, answer=answer, marks=marks):
                    self.use(api)
                    self.put(machine_id, *marks)
                    self.answers[ASKS[api]] = answer
                    before = self.snapshot()
                    status = STOP_DONE if data[0] else STOP_FAILED
                    self.assertEqual(self.settle(status=True, group="g"), Seen(status, text, ""))
                    seen = self.settle(status=True, to_json=True)
                    self.assertEqual((seen.status, seen.err), (status, ""))
                    self.assertEqual(json.loads(seen.out), dict(zip(
                        ("registered", "machine_id", "unregistered_at"), data)))
                    self.assertEqual(self.snapshot(), before)


class CheckIn(RegistrationCase):
    POST = "POST /inventory/v1/hosts/checkin"

    def test_the_facts_of_the_host_are_told(self) -> None:
        self.use(PLATFORM)
        self.put(ID)
        self.answers[self.POST] = 201
        self.assertEqual(self.see("pre_update", checkin=True), Seen(
            STOP_DONE, "The service knows now that this host is alive.\n", ""))
        self.assertIsInstance(self.sent(), dict)
        self.assertEqual(self.asked(), [self.POST])

    def test_what_keeps_it_from_being_done_is_one_line(self) -> None:
        for api, machine_id, answer, line in (
                (PLATFORM, "", 201, "ERROR: this host is not registered: it has no machine id; "
                 "register it with --register\n"),
                (CLASSIC, ID, 201, "ERROR: --checkin is not possible here: the service at %s has "
                 "the classic API; set base_url to one that ends in /r/insights/platform\n" % (
                     self.server.name + CLASSIC)),
                (PLATFORM, ID, 404, "ERROR: no usable answer from %s: cannot check in, it answers "
                 "404; check base_url in %s\n" % (self.server.name,
                                                  self.path("etc/insights-client.conf")))):
            self.use(api)
            self.put(machine_id)
            self.answers[self.POST] = answer
            self.assertEqual(self.see("pre_update", checkin=True), Seen(STOP_FAILED, "", line))
            self.assertEqual(self.machine_id() or "", machine_id)


class WholeRuns(RegistrationCase, HostCase):
    certificate = "server"

    def setUp(self) -> None:
        super().setUp()
        self.environ.update(PATH=os.environ.get("PATH", ""), HOME=self.folder,
                            INSIGHTS_CERT_VERIFY=servers.Certificates.path("ca.pem"))

    def use(self, base: str, **settings: Any) -> None:
        super().use(base, **settings)
        self.environ["INSIGHTS_BASE_URL"] = self.settings.base_url

    def test_a_query_asks_once_and_writes_nothing_not_even_a_log(self) -> None:
        """FAULTS 35."""
        for api, machine_id, answer, status in (
                (CLASSIC, "", 500, 1), (CLASSIC, ID, KNOWN[CLASSIC], 0),
                (PLATFORM, ID, UNKNOWN[PLATFORM], 1)):
            self.use(api)
            self.put(machine_id)
            self.answers[ASKS[api]] = answer
            before = self.snapshot()
            done = self.run_product("--status", "--to-json", "--net-debug")
            self.assertEqual(done.status, status, done.text)
            self.assertEqual(json.loads(done.out.decode())["registered"], status == 0)
            self.assertEqual(self.snapshot(), before)
            self.assertEqual(self.asked(), [ASKS[api]] if machine_id else [])

    def test_a_run_without_registration_ends_with_the_line(self) -> None:
        done = self.run_product(INSIGHTS_AUTO_UPDATE="no")
        self.assertEqual((done.status, done.out, done.err.decode()), (1, b"", LINE))
        self.assertFalse(os.path.exists(self.path("etc/machine-id")))

    def test_unregistering_is_one_line(self) -> None:
        self.put(ID, REGISTERED)
        self.answers.update({SYSTEM: KNOWN[CLASSIC], DELETES[CLASSIC]: 200})
        done = self.run_product("--unregister")
        self.assertEqual((done.status, done.out, done.err),
                         (0, b"This host is unregistered now.\n", b""))
        self.assertEqual((self.marks(), self.asked()),
                         ([UNREGISTERED], [SYSTEM, DELETES[CLASSIC]]))

    def test_registering_without_an_upload_registers_and_collects(self) -> None:
        self.answers[POST] = 201
        done = self.run_product("--register", "--output-dir", self.path("out"), "--run-these",
                                "hosts", "--display-name", "shown", INSIGHTS_AUTO_UPDATE="no")
        self.assertEqual(done.status, 0, done.text)
        self.assertIn(b"This host is registered now, as shown.\n", done.out)
        self.assertEqual((self.marks(), len(os.listdir(self.path("out")))), ([REGISTERED], 1))


