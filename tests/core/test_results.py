"""What the service found out: fetched and kept, shown as a table or raw; the diagnosis."""
import json
import os
from typing import Any, Dict, List, Tuple

from insights_mini.core.results import make_table
from insights_mini.exits import STOP_DONE, STOP_FAILED
from tests import server as servers
from tests.api import CLASSIC, EXISTS, HOST, ID, JSON, PLATFORM, ApiCase, Seen

REPORTS = "GET /insights/v1/system/%s/reports/" % HOST
DIAGNOSIS = "GET /remediations/v1/diagnosis/" + ID
KEPT = "state/insights-details.json"
FETCH = "; fetch them with --check-results\n"


def report(rule: str, risk: Any, title: str, resolution: str) -> Dict[str, Any]:
    return {"rule": {"rule_id": rule, "total_risk": risk, "description": title},
            "details": {"error_key": rule}, "resolution": {"resolution": resolution}}


# what was kept, the table
TABLES: Tuple[Tuple[Any, str], ...] = (
    ([], "Nothing is known to be wrong here.\n"),
    ({"reports": []}, "Nothing is known to be wrong here.\n"),
    ([report("low|LOW", 1, "A low one", ""), report("high|HIGH", 4, "A high one", "Do  this.\n\n")],
     "RISK  RULE\n   4  high|HIGH\n      A high one\n      -> Do this.\n"
     "   1  low|LOW\n      A low one\n"),
    ({"reports": [{"rule_id": "old|OLD", "title": "Classic", "resolution": "Update."}]},
     "RISK  RULE\n   ?  old|OLD\n      Classic\n      -> Update.\n"),
)
NONE: Tuple[Any, ...] = (
    {}, {"upload": {"account_number": "1"}, "request_id": "x"}, "text", 5, None, [1], [{}],
    [{"rule": None}], [{"rule": {"rule_id": "a", "total_risk": "high"}}])


class ResultsCase(ApiCase):
    certificate = ""

    def setUp(self) -> None:
        super().setUp()
        self.use(PLATFORM)
        self.write("etc/machine-id", ID)
        self.answers[EXISTS] = (200, {"id": HOST})

    def kept(self) -> Any:
        return self.snapshot().get(KEPT)


class Checked(ResultsCase):
    def test_what_keeps_them_from_being_fetched_is_one_line_and_the_old_ones_stay(self) -> None:
        self.write(KEPT, b"[]")
        place = self.server.name
        for change, line in (
                ({REPORTS: 401}, "cannot fetch the results: the service refuses the username and "
                 "password (401); correct them in %s" % self.path("etc/insights-client.conf")),
                ({REPORTS: 404}, "cannot fetch the results: the service has none (404); upload "
                 "first, and wait a little"),
                ({REPORTS: 503}, "no usable answer from %s: cannot fetch the results, it answers "
                 "503; try again later" % place),
                ({REPORTS: (200, {"Content-Type": "text/html"}, b"<html>")},
                 "no usable answer from %s: status 200 with text/html that is not JSON; see what "
                 "answers there in its place" % place),
                ({EXISTS: (404, {})}, "cannot fetch the results: this host is not registered; "
                 "register it with --register")):
            with self.subTest(line):
                self.use(PLATFORM)
                self.answers.update({EXISTS: (200, {"id": HOST}), **change})
                self.assertEqual(self.see("pre_update", check_results=True),
                                 Seen(STOP_FAILED, "", "ERROR: %s\n" % line))
                self.assertEqual(self.kept(), (0o600, b"[]"))

    def test_the_classic_api_and_a_host_without_machine_id_have_none(self) -> None:
        for flag in ({"check_results": True}, {"diagnosis": "-"}):
            self.use(CLASSIC)
            self.assertEqual(self.see("pre_update", **flag), Seen(
                STOP_FAILED, "", "ERROR: --%s is not possible here: the service at %s has the "
                "classic API; set base_url to one that ends in /r/insights/platform\n" % (
                    next(iter(flag)).replace("_", "-"), self.server.name + CLASSIC)))
            self.use(PLATFORM)
            os.rename(self.path("etc/machine-id"), self.path("id"))
            self.assertEqual(self.see("pre_update", **flag), Seen(
                STOP_FAILED, "", "ERROR: this host is not registered: it has no machine id; "
                "register it with --register\n"))
            os.rename(self.path("id"), self.path("etc/machine-id"))
        self.assertEqual(self.asked(), [])

    def test_they_are_kept_for_root_alone_as_they_came(self) -> None:
        body = b' [ {"rule": {"rule_id": "a"}}, {}]'
        self.answers[REPORTS] = (200, JSON, body)
        self.assertEqual(self.see("pre_update", check_results=True), Seen(
            STOP_DONE, "The results were fetched; see them with --show-results.\n", ""))
        self.assertEqual(self.kept(), (0o600, body))
        self.assertEqual(self.see("pre_update", check_results=True, to_json=True),
                         Seen(STOP_DONE, body.decode() + "\n", ""))

    def test_what_cannot_be_kept_is_told(self) -> None:
        self.answers[REPORTS] = (200, [])
        os.makedirs(self.path(KEPT))
        self.assertEqual(self.see("pre_update", check_results=True), Seen(
            STOP_FAILED, "", "ERROR: cannot write %s: Is a directory; make its folder writable\n" %
            self.path(KEPT)))


class Shown(ResultsCase):
    def test_what_is_not_there_or_holds_none_is_one_line(self) -> None:
        path = self.path(KEPT)
        for content, why in ((None, "there are none"), (b"", path + " holds none"),
                             (b"[1", path + " holds none"), (b"[" * 100000, path + " holds none"),
                             *((json.dumps(data), path + " holds none") for data in NONE)):
            for to_json in (False, True):
                if content is not None:
                    self.write(KEPT, content)
                seen = self.see("pre_update", show_results=True, to_json=to_json)
                if to_json and isinstance(content, str):
                    self.assertEqual(seen, Seen(STOP_DONE, content + "\n", ""))
                else:
                    self.assertEqual(seen, Seen(STOP_FAILED, "", "ERROR: cannot show the results: "
                                                "%s%s" % (why, FETCH)))
        os.unlink(path)
        os.mkdir(path)
        self.assertEqual(self.see("pre_update", show_results=True).err,
                         "ERROR: cannot show the results: %s is a directory%s" % (path, FETCH))

    def test_a_table_has_the_highest_risk_first(self) -> None:
        for data, table in TABLES:
            with self.subTest(data=data):
                self.write(KEPT, json.dumps(data))
                self.assertEqual(self.see("pre_update", show_results=True),
                                 Seen(STOP_DONE, table, ""))
                seen = self.see("pre_update", show_results=True, to_json=True)
                self.assertEqual((seen.status, json.loads(seen.out)), (STOP_DONE, data))
        self.assertEqual(self.asked(), [])

    def test_a_table_fits_and_cannot_drive_a_terminal(self) -> None:
        evil = "\x1b[2J\x9b1m\u202e\x00" + "long " * 200 + "x" * 300
        for field in range(4):
            values: List[Any] = ["rule", 3, "title", "hint"]
            values[field] = 1 if field == 1 else evil
            table = make_table([report(*values)])
            self.assertTrue(all(len(line) <= 80 for line in table.splitlines()), table)
            self.assertTrue(all(line.isprintable() for line in table.split("\n")), table)
        self.assertTrue(table.endswith(" ...\n"))


class Diagnosed(ResultsCase):
    certificate = "server"

    def test_the_diagnosis_is_printed_and_nothing_is_written(self) -> None:
        body = b'{"insights_id":"x","details":{"a":[1]}}'
        for flag, name in (("-", DIAGNOSIS), ("a b", DIAGNOSIS + "?remediation=a%20b")):
            self.answers[name] = (200, JSON, body)
            before = self.snapshot()
            seen = self.see("pre_update", diagnosis=flag, net_debug=True)
            self.assertEqual(seen.out, json.dumps(json.loads(body.decode()), indent=2) + "\n")
            self.assertEqual(self.see("pre_update", diagnosis=flag, to_json=True),
                             Seen(STOP_DONE, body.decode() + "\n", ""))
            self.assertEqual((self.asked(), self.snapshot()), ([name, name], before))

    def test_what_keeps_it_from_being_had_is_one_line(self) -> None:
        for answer, line in (
                (404, "cannot fetch the diagnosis: the service has none (404); upload first, and "
                 "wait a little"),
                ((200, {}, b"<html>"), "no usable answer from %s: status 200 with something that "
                 "is not JSON; see what answers there in its place" % self.server.name)):
            self.answers[DIAGNOSIS] = answer
            self.assertEqual(self.see("pre_update", diagnosis="-"),
                             Seen(STOP_FAILED, "", "ERROR: %s\n" % line))

    def test_with_messages_on_standard_output_would_not_parse_so_there_are_none(self) -> None:
        """FAULTS 52."""
        self.answers.update({DIAGNOSIS: (200, {}), REPORTS: (200, [])})
        for flag in ({"diagnosis": "-"}, {"check_results": True}):
            for more in ({"net_debug": True}, {"verbose": True},
                         {"verbose": True, "cert_verify": servers.Certificates.path("ca.pem")}):
                seen = self.see("pre_update", to_json=True, **flag, **more)
                self.assertIn(json.loads(seen.out), ({}, []))
                self.assertNotEqual(seen.err, "")
