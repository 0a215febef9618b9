"""What the service found out about this host: fetched, kept, and shown as a table or as JSON."""
import json
import textwrap
from typing import Any, List, Mapping, Tuple

from insights_mini import hostfiles
from insights_mini.core.registration import need_machine_id, need_platform
from insights_mini.core.server.hosts import Hosts
from insights_mini.core.server.transport import open_service
from insights_mini.exits import Failure, reason
from insights_mini.log import Log, printable, show
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from insights_mini.statefiles import write_private

LARGEST = 16 * 1024 * 1024
WIDTH = 80
HINT = 240  # characters of a resolution, which may be a page long


def answer(settings: Settings, paths: Paths, environ: Mapping[str, str], log: Log) -> str:
    """Return what --show-results, --check-results or --diagnosis prints; raise Failure."""
    if settings.show_results:
        return show_results(settings, paths)
    hosts = Hosts(open_service(settings, paths, environ, log), settings, paths)
    need_platform(hosts, "--diagnosis" if settings.diagnosis else "--check-results")
    machine_id = need_machine_id(paths)
    if settings.diagnosis:
        wanted = "" if settings.diagnosis == "-" else settings.diagnosis
        got = hosts.diagnosis(machine_id, wanted)
        return as_text(got.body) if settings.to_json else json.dumps(got.json(), indent=2) + "\n"
    body = fetch_results(hosts, machine_id)
    try:
        write_private(paths.results, body)
    except OSError as error:
        raise Failure("cannot write %s" % show(paths.results), reason(error),
                      "make its folder writable")
    if settings.to_json:
        return as_text(body)
    return "The results were fetched; see them with --show-results.\n"


def fetch_results(hosts: Hosts, machine_id: str) -> bytes:
    status = hosts.status(machine_id)
    if not status.registered:
        raise Failure("cannot fetch the results", "this host is not registered",
                      "register it with --register")
    return hosts.results(status).body


def show_results(settings: Settings, paths: Paths) -> str:
    """Return the results that were kept, as a table or as they came."""
    what, remedy = "cannot show the results", "fetch them with --check-results"
    try:
        text = as_text(hostfiles.read_small(paths.results, LARGEST))
        data = json.loads(text)
        return text if settings.to_json else make_table(data)
    except hostfiles.Unreadable as error:
        why = "there are none" if error.absent else "%s %s" % (show(paths.results), error.why)
        raise Failure(what, why, remedy)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise Failure(what, "%s holds none" % show(paths.results), remedy)


def as_text(body: bytes) -> str:
    """Return JSON as text that ends its line."""
    return body.decode("utf-8-sig", "replace").rstrip("\n") + "\n"


def make_table(data: Any) -> str:
    """Return the reports, those of the highest risk first; errors of all kinds for other data."""
    reports = data["reports"] if isinstance(data, dict) else data
    lines = ["RISK  RULE"]
    for risk, rule, title, hint in sorted(map(read_report, reports)):
        for text, first in ((rule, "%4s  " % (-risk or "?")), (title, " " * 6),
                            (textwrap.shorten(hint, HINT, placeholder=" ..."), " " * 6 + "-> ")):
            lines += textwrap.wrap(text, WIDTH, initial_indent=first,
                                   subsequent_indent=" " * len(first))
    return "\n".join(lines) + "\n" if lines[1:] else "Nothing is known to be wrong here.\n"


def read_report(item: Any) -> Tuple[int, str, str, str]:
    """Return the risk (from -4, the highest, to 0, unknown), the rule, its title, what to do."""
    rule = item.get("rule", item)
    hint = item.get("resolution")
    texts: List[Any] = [rule["rule_id"], rule.get("description") or rule.get("title"),
                        hint.get("resolution") if isinstance(hint, dict) else hint]
    name, title, hint = (printable(" ".join(str(text or "").split())) for text in texts)
    return -int(rule.get("total_risk", 0)), name, title, hint
