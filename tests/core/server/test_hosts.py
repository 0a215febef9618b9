"""Requests about a host: what is asked, of both APIs, and what each answer is taken for."""
import json
from typing import Any, Callable, Dict, Tuple

from insights_mini.core.server.api import Unregistered
from insights_mini.core.server.faults import NotReached
from insights_mini.core.server.hosts import Hosts, Status
from insights_mini.exits import Failure
from tests.api import (
    BRANCH,
    CLASSIC,
    EXISTS,
    HOST,
    ID,
    JSON,
    LISTED,
    PAGE,
    PLATFORM,
    SYSTEM,
    ApiCase,
)

HERE = Status(True, host=HOST)
OTHER = "11111111-0b0a-4908-8706-050403020100"
# API, answers, what they mean
STATUSES: Tuple[Tuple[str, Any, Status], ...] = (
    (CLASSIC, {SYSTEM: (200, {"unregistered_at": None})}, Status(True)),
    (CLASSIC, {SYSTEM: (200, {"unregistered_at": "2026-01-02T03:04:05Z"})},
     Status(False, "2026-01-02T03:04:05Z")),
    (CLASSIC, {SYSTEM: (404, {"message": "none"})}, Status(False)),
    (CLASSIC, {SYSTEM: 404}, Status(False)),
    (CLASSIC, {SYSTEM: PAGE}, Status(False, sure=False)),
    (PLATFORM, {EXISTS: (200, {"id": HOST})}, HERE),
    (PLATFORM, {EXISTS: (404, {"detail": "none"})}, Status(False)),
    (PLATFORM, {LISTED: (200, {"total": 1, "results": [{"id": HOST, "insights_id": ID}]})}, HERE),
    (PLATFORM, {LISTED: (200, {"total": 1, "results": [
        {"id": HOST, "insights_id": ID.replace("-", "").upper()}]})}, HERE),
    (PLATFORM, {EXISTS: PAGE, LISTED: (200, {"total": 0, "results": []})}, Status(False)),
    (PLATFORM, {EXISTS: PAGE, LISTED: PAGE}, Status(False, sure=False)),
)
STRANGE: Tuple[Any, ...] = (
    500, 502, 503, 429, 400, 204, 409, (200, {}), (200, []), (200, None), (200, "no"),
    (200, {"unregistered_at": False, "id": "a/b"}), (200, {"unregistered_at": 0, "id": "../x"}),
    (200, JSON, b""), (200, JSON, b'{"unregistered_at": nul'), (200, {}, b"<html>sign in"))
INVENTORIES: Tuple[Any, ...] = (
    {}, {"total": 1}, {"total": 1, "results": []}, {"total": 0, "results": [{"id": HOST}]},
    {"total": 1, "results": [{"id": HOST, "insights_id": OTHER}]}, {"results": []},
    {"total": 1, "results": ["x"]}, {"total": 1, "results": [{"insights_id": ID}]})
UNCLEAR: Tuple[Tuple[str, Any], ...] = (
    *((CLASSIC, {SYSTEM: answer}) for answer in STRANGE),
    *((PLATFORM, {EXISTS: answer}) for answer in STRANGE),
    *((PLATFORM, {LISTED: (200, data)}) for data in INVENTORIES),
)
REFUSALS: Tuple[Tuple[Any, Dict[str, Any], str, str], ...] = (  # answer, settings, why, what to do
    ((401, {}), {}, "the service refuses the username and password (401)",
     "correct them in {etc}/insights-client.conf"),
    ((401, {}), {"conf": "/x/y.conf"}, "the service refuses the username and password (401)",
     "correct them in /x/y.conf"),
    ((402, {"message": "No subscription"}), {},
     "this host is not entitled to it (402), it says: No subscription", "see to its subscription"),
    ((402, {"x-rh-message": "Buy one"}, b""), {},
     "this host is not entitled to it (402), it says: Buy one", "see to its subscription"),
    ((403, {"detail": "no"}), {}, "the service does not allow it (403), it says: no",
     "see to the rights of the account, or to base_url in {etc}/insights-client.conf"),
    ((412, {"message": "gone"}), {},
     "the service has this host as unregistered (412), it says: gone",
     "register it with --register"),
)
ACTIONS: Tuple[Tuple[str, str, str, Callable[[Hosts], Any]], ...] = (
    (CLASSIC, SYSTEM, "cannot find out whether this host is registered", lambda h: h.status(ID)),
    (PLATFORM, EXISTS, "cannot find out whether this host is registered", lambda h: h.status(ID)),
    (CLASSIC, BRANCH, "cannot fetch the branch information", lambda h: h.branch_info()),
    (CLASSIC, "POST /v1/systems", "cannot register this host", lambda h: h.register(ID, "web")),
    (CLASSIC, "DELETE /v1/systems/" + ID, "cannot unregister this host",
     lambda h: h.unregister(ID, Status(True))),
    (PLATFORM, "DELETE /inventory/v1/hosts/" + HOST, "cannot unregister this host",
     lambda h: h.unregister(ID, HERE)),
    (CLASSIC, "PUT /v1/systems/" + ID, "cannot change the name of this host",
     lambda h: h.rename(ID, Status(True))),
    (PLATFORM, "PATCH /inventory/v1/hosts/" + HOST, "cannot change the name of this host",
     lambda h: h.rename(ID, HERE)),
    (CLASSIC, "GET /v1/groups?display_name=a%20%2F%26b", "cannot put this host into the group",
     lambda h: h.join_group(ID, "a /&b")),
    (CLASSIC, "POST /v1/groups", "cannot put this host into the group",
     lambda h: h.join_group(ID, "web")),
    (PLATFORM, "POST /inventory/v1/hosts/checkin", "cannot check in", lambda h: h.check_in({})),
    (PLATFORM, "GET /remediations/v1/diagnosis/" + ID, "cannot fetch the diagnosis",
     lambda h: h.diagnosis(ID)),
    (PLATFORM, "GET /insights/v1/system/%s/reports/" % HOST, "cannot fetch the results",
     lambda h: h.results(HERE)),
)


class Statuses(ApiCase):
    certificate = ""

    def test_each_clear_answer_says_whether_the_host_is_registered(self) -> None:
        for api, answers, expected in STATUSES:
            with self.subTest(api, answers=answers):
                self.use(api)
                self.answers.update(answers)
                self.assertEqual(self.hosts().status(ID), expected)

    def test_no_other_answer_is_taken_for_a_yes_or_a_no(self) -> None:
        """FAULTS 34."""
        for api, answers in UNCLEAR:
            with self.subTest(api, answers=answers):
                self.use(api)
                self.answers.update(answers)
                with self.assertRaises(NotReached) as caught:
                    self.hosts().status(ID)
                self.assertTrue(str(caught.exception).startswith(
                    "no usable answer from %s: " % self.server.name), caught.exception)
                self.assertTrue(caught.exception.remedy)

    def test_a_service_that_is_gone_is_no_answer(self) -> None:
        """FAULTS 34."""
        self.server.close()
        for api in (CLASSIC, PLATFORM):
            self.settings = self.settings._replace(base_url=self.server.name + api)
            with self.assertRaises(NotReached):
                self.hosts().status(ID)


class Refusals(ApiCase):
    certificate = ""

    def test_each_request_turns_each_refusal_into_one_line_with_a_remedy(self) -> None:
        for api, name, what, act in ACTIONS:
            for answer, settings, why, remedy in REFUSALS:
                with self.subTest(name, answer=answer):
                    self.use(api, display_name="shown", **settings)
                    self.answers.update({BRANCH: 404, name: answer})
                    with self.assertRaises(Failure) as caught:
                        act(self.hosts())
                    self.assertEqual(str(caught.exception), "%s: %s; %s" % (
                        what, why, remedy.format(etc=self.path("etc"))))
                    self.assertNotIsInstance(caught.exception, NotReached)
                    self.assertEqual(isinstance(caught.exception, Unregistered),
                                     answer[0] == 412)

    def test_each_request_takes_no_other_answer_for_a_success(self) -> None:
        for api, name, what, act in ACTIONS:
            for status, remedy in ((500, "try again later"), (503, "try again later"),
                                   (429, "try again later"),
                                   (418, "check base_url in %s/insights-client.conf" %
                                    self.path("etc"))):
                with self.subTest(name, status=status):
                    self.use(api, display_name="shown")
                    self.answers.update({BRANCH: 404, name: (status, {"message": "m"})})
                    with self.assertRaises(NotReached) as caught:
                        act(self.hosts())
                    self.assertEqual(str(caught.exception), (
                        "no usable answer from %s: %s, it answers %d, it says: m; %s" % (
                            self.server.name, what, status, remedy)))

    def test_what_is_special_about_certificates_and_satellites(self) -> None:
        self.use("/redhat_access/r/insights")
        self.answers[SYSTEM] = 403
        with self.assertRaisesRegex(Failure, r"Insights is not enabled on the Satellite \(403\)"):
            self.hosts().status(ID)
        self.answers[SYSTEM] = 401
        hosts = self.hosts()
        hosts.settings = hosts.settings._replace(authmethod="CERT")
        with self.assertRaisesRegex(Failure, r"certificate of the subscription \(401\); renew it"):
            hosts.status(ID)

    def test_what_the_service_has_nothing_of_is_said(self) -> None:
        self.use(PLATFORM)
        for what in ("the diagnosis", "the results"):
            with self.assertRaises(Failure) as caught:
                if what == "the results":
                    self.hosts().results(HERE)
                self.hosts().diagnosis(ID)
            self.assertEqual(str(caught.exception), "cannot fetch %s: the service has none (404); "
                             "upload first, and wait a little" % what)

    def test_a_page_instead_of_json_is_no_result(self) -> None:
        self.use(PLATFORM)
        self.answers["GET /insights/v1/system/%s/reports/" % HOST] = (200, {}, b"<html>sign in")
        with self.assertRaisesRegex(NotReached, "is not JSON"):
            self.hosts().results(HERE)


class Requests(ApiCase):
    def test_registering_tells_name_and_branch_and_knows_when_the_id_is_taken(self) -> None:
        plain = {"machine_id": ID, "hostname": "web", "remote_branch": -1, "remote_leaf": -1}
        for branch, name, answer, expected, done in (
                (404, "", 201, plain, True), (404, "", 200, plain, True),
                (404, "", 409, plain, False),
                ((200, {"remote_branch": "b", "remote_leaf": "l"}), "shown", 201,
                 dict(plain, remote_branch="b", remote_leaf="l", display_name="shown"), True)):
            with self.subTest(branch=branch, answer=answer):
                self.use(CLASSIC, display_name=name)
                self.answers.update({BRANCH: branch, "POST /v1/systems": answer})
                self.assertEqual(self.hosts().register(ID, "web"), done)
                self.assertEqual(self.sent(), expected)
                self.assertEqual(self.asked(), [BRANCH, "POST /v1/systems"])

    def test_unregistering_and_naming_go_to_where_the_api_has_the_host(self) -> None:
        for api, status, place, method, names in (
                (CLASSIC, Status(True), "/v1/systems/" + ID, "PUT", {"display_name": "shown"}),
                (PLATFORM, HERE, "/inventory/v1/hosts/" + HOST, "PATCH",
                 {"display_name": "shown", "ansible_host": "web1"})):
            for answer in (200, 201, 202, 204):
                with self.subTest(api, answer=answer):
                    self.use(api, display_name="shown", ansible_host="web1")
                    self.answers.update({"DELETE " + place: answer, method + " " + place: answer})
                    hosts = self.hosts()
                    hosts.rename(ID, status)
                    self.assertEqual(self.sent(), names)
                    hosts.unregister(ID, status)
                    self.assertEqual(self.asked(), [method + " " + place, "DELETE " + place])
            self.use(api)
            self.hosts().rename(ID, status)
            self.assertEqual(self.asked(), [])

    def test_a_group_is_looked_for_made_if_need_be_and_joined(self) -> None:
        find, make = "GET /v1/groups?display_name=a%20b", "POST /v1/groups"
        for found, requests in (
                ((200, {"id": 7}), [find]), ((200, {"id": 7, "display_name": "a b"}), [find]),
                ((200, [{"id": 6, "display_name": "a b c"}, {"id": 7, "display_name": "a b"}]),
                 [find]),
                ((200, []), [find, make]), (404, [find, make]),
                ((200, [{"id": 6, "display_name": "a b c"}]), [find, make])):
            with self.subTest(found=found):
                self.use(CLASSIC)
                join = "PUT /v1/groups/7/systems"
                self.answers.update({find: found, make: (201, {"id": 7}), join: 200})
                self.hosts().join_group(ID, "a b")
                self.assertEqual(self.sent(), {"machine_id": ID})
                if make in requests:
                    self.assertEqual(self.sent(-2), {"display_name": "a b"})
                self.assertEqual(self.asked(), [*requests, join])

    def test_an_answer_about_groups_that_is_none_is_no_group(self) -> None:
        find, make = "GET /v1/groups?display_name=g", "POST /v1/groups"
        for found, made in (((200, ["x"]), 201), ((200, {"display_name": "g"}), 201),
                            ((200, None), 201), (404, (201, [])), (404, (201, {})), (404, 201)):
            with self.subTest(found=found, made=made):
                self.use(CLASSIC)
                self.answers.update({find: found, make: made})
                with self.assertRaises(NotReached):
                    self.hosts().join_group(ID, "g")

    def test_branch_information_comes_from_the_classic_api_or_the_url_that_is_set(self) -> None:
        info = {"remote_branch": "b", "remote_leaf": "l"}
        for api, target in ((CLASSIC, CLASSIC), (PLATFORM, CLASSIC), ("/api", "/api")):
            self.use(api)
            self.answers[BRANCH] = (200, info)
            self.assertEqual(self.hosts().branch_info(), info)
            self.assertEqual(self.server.requests[0].target, target + "/v1/branch_info")
        self.use(CLASSIC, branch_info_url=self.server.url("/site/branch"))
        self.assertEqual(self.hosts().branch_info(), {"remote_branch": -1, "remote_leaf": -1})
        self.assertEqual(self.asked(), ["GET /site/branch"])
        self.answers["GET /site/branch"] = (200, [])
        with self.assertRaises(NotReached):
            self.hosts().branch_info()

    def test_facts_diagnosis_and_results_go_as_the_contract_has_them(self) -> None:
        self.use(PLATFORM)
        checkin, diagnosis = "POST /inventory/v1/hosts/checkin", "/remediations/v1/diagnosis/" + ID
        reports = "GET /insights/v1/system/%s/reports/" % HOST
        self.answers.update({checkin: 201, "GET " + diagnosis: (200, {"a": 1}),
                             "GET %s?remediation=x%%2F%%3F" % diagnosis: (200, {"b": 2}),
                             reports: (200, [])})
        self.hosts().check_in({"fqdn": "web"})
        self.assertEqual(self.sent(), {"fqdn": "web"})
        self.assertEqual(json.loads(self.hosts().diagnosis(ID).body.decode()), {"a": 1})
        self.assertEqual(json.loads(self.hosts().diagnosis(ID, "x/?").body.decode()), {"b": 2})
        self.assertEqual(self.hosts().results(HERE).body, b"[]")
