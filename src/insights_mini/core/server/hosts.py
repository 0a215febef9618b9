"""The requests about this host, of both APIs (CONTRACT.md section 7), and what the answers mean.

No file of the host is read or written here, and nothing is told to the user. Only the answers that
the contract names count; any other one is a Failure and never a "no".
"""
import json
import re
from typing import Any, Dict, Mapping, NamedTuple, Tuple
from urllib.parse import quote

from insights_mini.core.server.api import (
    ask,
    is_platform,
    need,
    quoted,
    refuse,
    strange,
)
from insights_mini.core.server.transport import Answer, Service
from insights_mini.exits import Failure
from insights_mini.log import show
from insights_mini.paths import Paths
from insights_mini.settings import Settings

NO_BRANCH = {"remote_branch": -1, "remote_leaf": -1}
FOUND = (200, 404)
MADE = (200, 201)
CHANGED = (200, 201, 202, 204)


class Status(NamedTuple):
    """Whether the host is registered; `since` when it is not any more, or "".

    `host` is its inventory id on the platform API. Not `sure`: the "no" may come from something in
    between, such as a web server that knows no such page.
    """

    registered: bool
    since: str = ""
    host: str = ""
    sure: bool = True


class Hosts:
    """The service as this host sees it.

    All methods raise NotReached without a clear answer, and Failure for one that is a clear no.
    """

    def __init__(self, service: Service, settings: Settings, paths: Paths) -> None:
        self.service = service
        self.settings = settings
        self.platform = is_platform(settings)
        self.file = settings.conf or show(paths.configuration)

    def status(self, machine_id: str) -> Status:
        """Ask whether this host is registered."""
        what = "cannot find out whether this host is registered"
        if not self.platform:
            answer = self.expect(what, FOUND, "GET", "/v1/systems/" + machine_id)
            return read_system(answer)
        query = "?insights_id=" + machine_id
        answer = self.expect(what, FOUND, "GET", "/inventory/v1/host_exists" + query)
        if answer.status == 404 and answer.body[:1] != b"{":  # it may not know this request yet
            answer = self.expect(what, FOUND, "GET", "/inventory/v1/hosts" + query)
        return read_inventory(answer, machine_id)

    def register(self, machine_id: str, hostname: str) -> bool:
        """Register this host (classic API); False: another host has the machine id."""
        branch = dict(NO_BRANCH, **self.branch_info())
        data = {"machine_id": machine_id, "hostname": hostname,
                **{name: branch[name] for name in NO_BRANCH}}
        if self.settings.display_name:
            data["display_name"] = self.settings.display_name
        return self.expect("cannot register this host", (*MADE, 409), "POST", "/v1/systems",
                           data).status != 409

    def unregister(self, machine_id: str, status: Status) -> None:
        """Take this host, whose status was asked for, out of the service."""
        self.expect("cannot unregister this host", CHANGED, "DELETE",
                    self.locate(machine_id, status))

    def rename(self, machine_id: str, status: Status) -> None:
        """Tell the display name and, where the service knows it, the Ansible host, if set."""
        names = ("display_name", "ansible_host") if self.platform else ("display_name",)
        data = {name: getattr(self.settings, name) for name in names
                if getattr(self.settings, name)}
        if data:
            self.expect("cannot change the name of this host", CHANGED,
                        "PATCH" if self.platform else "PUT", self.locate(machine_id, status), data)

    def locate(self, machine_id: str, status: Status) -> str:
        return ("/inventory/v1/hosts/" + status.host if self.platform else
                "/v1/systems/" + machine_id)

    def join_group(self, machine_id: str, name: str) -> None:
        """Put this host into a group, which is made if there is none of that name (classic API)."""
        what = "cannot put this host into the group"
        answer = self.expect(what, FOUND, "GET", "/v1/groups?display_name=" + quote(name, ""))
        found = answer.json() if answer.status == 200 else []
        try:
            ids = [group["id"] for group in (found if isinstance(found, list) else [found])
                   if group.get("display_name", name) == name]
            if not ids:
                answer = self.expect(what, MADE, "POST", "/v1/groups", {"display_name": name})
                ids = [answer.json()["id"]]
        except (AttributeError, LookupError, TypeError):
            raise strange(answer)
        self.expect(what, CHANGED, "PUT", "/v1/groups/%s/systems" % quote(str(ids[0]), ""),
                    {"machine_id": machine_id})

    def branch_info(self) -> Dict[str, Any]:
        """Return where this host hangs below a Satellite; the default if the service has none."""
        url = self.settings.branch_info_url or re.sub(
            "(/platform)?/*$", "/v1/branch_info", self.settings.base_url, count=1)
        answer = self.expect("cannot fetch the branch information", FOUND, "GET", url)
        return dict(NO_BRANCH) if answer.status == 404 else need(answer)

    def check_in(self, facts: Mapping[str, Any]) -> None:
        """Tell that this host is alive; `facts` are those of an upload."""
        self.expect("cannot check in", MADE, "POST", "/inventory/v1/hosts/checkin", facts)

    def diagnosis(self, machine_id: str, remediation: str = "") -> Answer:
        """Return the answer with the diagnosis of this host, which is JSON."""
        query = "?remediation=" + quote(remediation, "") if remediation else ""
        return self.fetch("cannot fetch the diagnosis",
                          "/remediations/v1/diagnosis/%s%s" % (machine_id, query))

    def results(self, status: Status) -> Answer:
        """Return the answer with what was found out about this host, which is JSON."""
        return self.fetch("cannot fetch the results",
                          "/insights/v1/system/%s/reports/" % status.host)

    def fetch(self, what: str, path: str) -> Answer:
        answer = self.expect(what, FOUND, "GET", path)
        if answer.status == 404:
            raise Failure(what, "the service has none (404)" + quoted(answer),
                          "upload first, and wait a little")
        answer.json()
        return answer

    def expect(self, what: str, wanted: Tuple[int, ...], method: str, path: str,
               data: Any = None) -> Answer:
        """Make a request; an answer of another status than those wanted is raised as its error."""
        body = None if data is None else json.dumps(data).encode("ascii")
        answer = ask(self.service, method, path, body,
                     {"Content-Type": "application/json"} if body else None)
        if answer.status not in wanted:
            raise refuse(what, answer, self.settings, self.file)
        return answer


def read_system(answer: Answer) -> Status:
    """Return the status that an answer of the classic API tells."""
    if answer.status == 404:
        return Status(False, sure=not is_page(answer))
    since = need(answer).get("unregistered_at", 0)
    if since is not None and not isinstance(since, str):
        raise strange(answer)
    return Status(since is None, since or "")


def read_inventory(answer: Answer, machine_id: str) -> Status:
    """Return the status that an answer of the platform API tells, for one host or with a list."""
    if answer.status == 404:
        return Status(False, sure=not is_page(answer))
    data = need(answer)
    if "total" in data:
        found = data.get("results")
        if found == [] and data["total"] == 0:
            return Status(False)
        if not (found and data["total"] and isinstance(found, list)):
            raise strange(answer)
        data = found[0] if isinstance(found[0], dict) else {}
    # Not ours: else another host would be renamed or unregistered.
    other = str(data.get("insights_id") or machine_id).replace("-", "").lower()
    host = str(data.get("id", ""))
    if other != machine_id.replace("-", "") or not re.fullmatch(r"[\w-]+", host):
        raise strange(answer)
    return Status(True, host=host)


def is_page(answer: Answer) -> bool:
    """Tell whether an answer is a page for people, which the service does not send."""
    return answer.body.lstrip()[:1] == b"<"
