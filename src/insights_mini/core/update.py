"""The update phase: fetches a newer egg and newer collection rules, and installs what is trusted.

Order for each: fetch, verify, understand, compare with what this host has, and only then store. A
step that fails leaves the host as it was and is one line; the run goes on with what it has.
"""
import os
import re
import time
from typing import Callable, Mapping, NamedTuple, Optional

from insights_mini import eggs, hostfiles, trust
from insights_mini.core.rules import LARGEST as LARGEST_RULES
from insights_mini.core.rules import SECONDS
from insights_mini.core.server import autoconfig
from insights_mini.core.server.faults import NotReached
from insights_mini.core.server.transport import Answer, Service, open_service
from insights_mini.core.specs import BadRules, parse_rules
from insights_mini.exits import reason
from insights_mini.log import Log
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from insights_mini.statefiles import write_pair, write_private
from insights_mini.version import VERSION

EGG_URL = "/v1/static/core/insights-core.egg"
RULES_URL = "/v1/static/uploader.v2.json"
ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,500}"')  # RFC 7232, section 2.3
DATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
SHARE = 0.5  # of the phase's time: beyond it the wrapper would take this egg for a hanging one


class Rejected(Exception):
    """The reason, fit for a message, why something that was fetched is not installed."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Update(NamedTuple):
    """What the steps of one update work with; `deadline` is a time.monotonic() value."""

    settings: Settings
    paths: Paths
    service: Service
    deadline: float
    log: Log


def update(settings: Settings, paths: Paths, environ: Mapping[str, str], log: Log) -> None:
    """Fetch and install what is newer on the server, if one is set up for this host."""
    settings = autoconfig.apply(settings, paths, log)
    served = autoconfig.has_service(settings)
    wants_egg = served or settings.egg_path
    wants_rules = (served or settings.collection_rules_url) and not (
        settings.from_file or settings.from_stdin)
    if not (wants_egg or wants_rules):
        log.debug("no service is set up for this host, so nothing newer is looked for")
        return
    try:
        run = Update(settings, paths, open_service(settings, paths, environ, log),
                     time.monotonic() + SHARE * settings.phase_timeout, log)
        if wants_egg:
            attempt("core", lambda: update_egg(run, environ.get("INSIGHTS_EGG", "")), log)
        if wants_rules:
            attempt("collection rules", lambda: update_rules(run), log)
    except NotReached as error:  # then the other would not come either
        log.warning("nothing newer is fetched: %s" % error)


def attempt(what: str, work: Callable[[], None], log: Log) -> None:
    """Do one update, or say in one line why not."""
    try:
        work()
    except Rejected as error:
        why = error.why
    except trust.Untrusted as error:
        why = error.why + (error.remedy and "; " + error.remedy)
    except eggs.Unfit as error:
        why = "it " + error.why
    except OSError as error:
        why = "it cannot be stored: " + reason(error)
    else:
        return
    log.warning("no newer %s: %s" % (what, why))


def update_egg(run: Update, working: str) -> None:
    """Install a newer egg as NEW. Raises Rejected, Untrusted, Unfit, OSError or NotReached.

    `working` names the egg that does this phase. Only when that is one which was fetched, the tag
    of the last fetch stands for it; any other may be here because the fetched one is spoilt.
    """
    settings, paths = run.settings, run.paths
    url = settings.egg_path or run.service.url(EGG_URL)
    tag = read_tag(paths.egg_etag) if working in (eggs.NEW, eggs.STABLE) else ""
    answer = fetch(run, url, eggs.LARGEST, {"If-None-Match": tag} if tag else {})
    if answer.status == 304:
        run.log.debug("the core on the server is the one that was fetched")
        return
    content = answer.body
    if not eggs.looks_like_zip(content):
        raise Rejected("what the server sent is no zip")
    signed = fetch_signature(run, settings.egg_gpg_path or url + ".asc")
    verify(run, content, signed, "core")
    format, version = eggs.identify(content)
    refuse_older(format, version, paths)
    if content not in (read_or_none(paths.new_egg), read_or_none(paths.stable_egg)):
        write_pair(paths.new_egg, content, signed.body)
        run.log.info("A newer core was fetched: %s" % version)
    write_tag(paths.egg_etag, answer)
    write_tag(paths.signature_etag, signed)


def refuse_older(format: str, version: str, paths: Paths) -> None:
    """Raise Rejected for a version that is older than one which has done a run here.

    With every signature ever made an old egg would come back otherwise, with its known holes.
    """
    try:
        known = eggs.read_versions(paths.versions).get(format, version)
    except eggs.Unfit as error:
        raise Rejected("%s %s; remove it" % (os.fsdecode(paths.versions), error.why))
    for other in (known, VERSION if format == eggs.OURS else version):
        if eggs.is_older(version, other):
            raise Rejected("the server offers %s, which is older than %s that this host has run" % (
                version, other))


def update_rules(run: Update) -> None:
    """Install newer collection rules in the cache; raises as update_egg does."""
    paths = run.paths
    url = run.settings.collection_rules_url or run.service.url(RULES_URL)
    content = fetch(run, url, LARGEST_RULES).body
    signed = fetch_signature(run, url + ".asc")
    verify(run, content, signed, "collection rules")
    try:
        version = parse_rules(content).version
    except BadRules as error:
        raise Rejected("they cannot be used: %s" % error.problems[0])
    cached = read_or_none(paths.cached_rules)
    if content == cached and signed.body == read_or_none(paths.cached_rules + b".asc"):
        return
    refuse_older_rules(version, cached)
    write_pair(paths.cached_rules, content, signed.body)
    run.log.info("Newer collection rules were fetched: %s" % version)


def refuse_older_rules(version: str, cached: Optional[bytes]) -> None:
    """Raise Rejected when both versions are dates and what is cached has the later one."""
    try:
        known = parse_rules(cached).version if cached is not None else ""
    except BadRules:
        return
    if DATED.match(version) and DATED.match(known) and version < known:
        raise Rejected("the server offers %s, which is older than %s that is cached" % (
            version, known))


def verify(run: Update, content: bytes, signed: Answer, what: str) -> None:
    """Raise Untrusted unless a trusted key vouches for what was fetched."""
    if run.settings.no_gpg:
        run.log.warning("the signature of the fetched %s is not checked" % what)
        return
    if signed.status != 200:
        raise Rejected("there is no signature: the server answers %d" % signed.status)
    trust.vouch(content, signed.body, trust.load_keys(run.paths.public_keys), run.paths.temp_dir,
                SECONDS)


def fetch(run: Update, url: str, most: int, headers: Optional[Mapping[str, str]] = None) -> Answer:
    """Return the server's answer, which is 200 or, if asked for, 304; Rejected or NotReached."""
    answer = run.service.get(url, most, run.deadline, headers)
    if answer.status != 200 and not (answer.status == 304 and headers):
        raise Rejected("the server answers %d" % answer.status)
    return answer


def fetch_signature(run: Update, url: str) -> Answer:
    """Return the answer with a signature; without one it has an empty body. Raises NotReached."""
    answer = run.service.get(url, trust.MOST_SIGNATURE, run.deadline)
    return answer if answer.status == 200 else answer._replace(body=b"")


def read_or_none(path: bytes) -> Optional[bytes]:
    try:
        return hostfiles.read_small(path, eggs.LARGEST)
    except hostfiles.Unreadable:
        return None


def read_tag(path: bytes) -> str:
    """Return the ETag that was remembered, if it is one."""
    text = (read_or_none(path) or b"").decode("latin-1").strip()
    return text if ETAG.fullmatch(text) else ""


def write_tag(path: bytes, answer: Answer) -> None:
    """Remember the ETag of what was installed, or forget the one before; raise OSError."""
    tag = answer.headers.get("etag", "")
    if ETAG.fullmatch(tag):
        write_private(path, tag.encode("latin-1"))
    elif os.path.lexists(path):
        os.unlink(path)
