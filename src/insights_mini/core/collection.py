"""The conductor of the long road: exclusions, specs -> collect -> redact -> archive."""
import os
import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from insights_mini import process
from insights_mini.core import diskspace, output, signals
from insights_mini.core.archive import Archive, make_compressor, usual_compressor
from insights_mini.core.collect import commandline, grep, plan, pool, work
from insights_mini.core.filling import Filling
from insights_mini.core.host import choose_name
from insights_mini.core.origin import Origin, open_origin
from insights_mini.core.redact import HOSTNAME
from insights_mini.core.redact.cleaner import Cleaner
from insights_mini.core.redaction import Redaction, find_hit, keep_replacements, make_redaction
from insights_mini.core.report import Report, choose_path
from insights_mini.core.rules import load_rules
from insights_mini.core.specs import Rules
from insights_mini.core.spool import Store
from insights_mini.core.summary import Summary
from insights_mini.core.tags import load_tags
from insights_mini.eggs import BUILT_IN
from insights_mini.exits import Failure
from insights_mini.log import INFO, Log, show
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from insights_mini.version import VERSION

PATIENCE = 30.0  # seconds beyond a command's own time after which its thread is given up
NO_BRANCH = {"remote_branch": -1, "remote_leaf": -1}  # of a host that hangs below no Satellite
OUTPUT = 1024 * 1024  # most bytes that a pre-command may print


class Run(NamedTuple):
    """What every step of one collection needs to know."""

    settings: Settings
    origin: Origin
    rules: Rules
    host: str
    environ: Mapping[str, str]  # of the commands
    deadline: float             # a time.monotonic() value
    stop: process.Stop
    log: Log
    redaction: Redaction
    versions: Mapping[str, str]  # of what does this run
    branch: Mapping[str, Any] = NO_BRANCH


class Collected(NamedTuple):
    """A finished archive, its host, the clean facts about that, and how long it took in seconds."""

    path: bytes
    host: str
    facts: Mapping[str, Any]
    seconds: float


def collect_archive(settings: Settings, paths: Paths, environ: Mapping[str, str], log: Log,
                    branch: Mapping[str, Any] = NO_BRANCH) -> Collected:
    """Collect what the rules name into a new archive, and tell what came of it; raise Failure.

    `branch` is the branch information, which is known where the host hangs below a Satellite.
    """
    started = time.monotonic()
    run = prepare(settings, paths, environ, log, started)._replace(branch=branch)
    usual = usual_compressor()
    target = choose_target(run, paths, usual)
    compressor = make_compressor(target.compressor)
    if target.compressor == usual == "none":
        log.warning("this Python has no zlib, so the archive is a plain .tar; gzip can pack it")
    if paths.instead_of and target.private and target.file:
        log.warning(diskspace.tell_moved(paths))
    if output.sweep(paths.temp_dir, target.folder):
        log.debug("an unfinished archive of a killed run was removed")

    signals.raise_stopped()
    made = output.open_output(target, redacts(run))
    try:
        if made.exposed:
            log.warning(diskspace.tell_exposed(target.folder))
        log.info("Starting to collect Insights data for %s" % run.host)
        report = Report()
        archive = Archive(made.write, compressor, target.top)
        summary = fill_archive(run, made, archive, paths, report)
        facts = {} if settings.no_upload else find_facts(run, paths)
        prove(run)
        signals.ignore()
        made.beside = write_report(run, made, report, paths)
        made.finish()
        if settings.redaction_report:
            made.beside = b""  # the owner's own place: it stays where the archive goes elsewhere
    except BaseException:  # whatever it was, nothing of the archive is left
        signals.ignore()
        made.discard()
        run.redaction.guard.end()  # it may be busy for long
        raise
    finally:
        log.status("")
        run.origin.root.close()
    seconds = time.monotonic() - started
    tell(run, summary, made, target, seconds)
    if not settings.no_upload or (target.stream and made.path):
        signals.raise_stopped()  # whoever takes the archive from here may take long
    output.pass_on(made, target)
    return Collected(made.path, run.host, facts, seconds)


def prepare(settings: Settings, paths: Paths, environ: Mapping[str, str], log: Log,
            started: float) -> Run:
    """Read everything that decides about this run; nothing of the host has been opened yet."""
    origin = open_origin(settings, paths, environ)
    for warning in origin.loaded.warnings:
        log.warning(warning)
    settings = origin.settings
    redaction = make_redaction(settings, paths, origin.loaded, origin.names, origin.root)
    log.clean = redaction.policy.clean_text  # before what may name a path or a spec
    rules = load_rules(settings, paths, log)
    return Run(settings, origin, rules, choose_name(origin.names), command_environment(environ),
               started + settings.max_time, process.Stop(), log, redaction, name_versions(environ))


def name_versions(environ: Mapping[str, str]) -> Dict[str, str]:
    """Return the content of version_info: the wrapper tells who it is, and what it calls us."""
    return {"core_version": VERSION, "egg": environ.get("INSIGHTS_EGG", BUILT_IN.name),
            "client_version": environ.get("INSIGHTS_CLIENT_VERSION", VERSION)}


def read_tags(origin: Origin, log: Log) -> List[Dict[str, str]]:
    """Return the tags of this host; without them where they cannot be understood, said once."""
    try:
        return load_tags(origin.settings, origin.paths, origin.root)
    except Failure as failure:
        log.warning("the archive has no tags: %s" % failure)
        return []


def redacts(run: Run) -> bool:
    """Tell whether there is something that the proof could find."""
    exclusions = run.redaction.exclusions
    return bool(exclusions.keywords or exclusions.patterns or run.redaction.policy.obfuscator)


def choose_target(run: Run, paths: Paths, usual: str) -> output.Target:
    """Return where the archive goes, with a name that shows nothing the owner hides."""
    policy, proof = run.redaction.policy, run.redaction.proof
    hides = policy.obfuscator is not None and HOSTNAME in policy.obfuscator.kinds
    host = b"" if hides else policy.clean_name(os.fsencode(run.host)) or b""
    target = output.choose_target(run.settings, paths, host, time.localtime(), usual)
    if run.settings.output_file:  # what the owner calls the file is not for those who open it
        target = target._replace(top=policy.clean_name(target.top) or b"insights")
    proof.read(b"its top folder", target.top if run.settings.output_file else host)
    return target


def find_facts(run: Run, paths: Paths) -> Dict[str, Any]:
    """Return the facts that go with an upload, cleaned, and seen by the proof."""
    from insights_mini.core.facts import clean_facts, gather_facts, list_values  # late: not offline
    facts = clean_facts(gather_facts(run.settings, paths, run.redaction.excluder, run.host),
                        run.redaction.policy)
    facts["branch_info"] = dict(run.branch)
    run.redaction.proof.read(b"the facts", "\n".join(list_values(facts)).encode("utf-8"))
    return facts


def prove(run: Run) -> None:
    """Raise Failure when something is in the archive that must not leave the host."""
    hit = find_hit(run.redaction)
    if hit is not None:
        raise Failure("the archive was not kept", hit,
                      "please report this; until it is mended, exclude that member")


def write_report(run: Run, made: output.Output, report: Report, paths: Paths) -> bytes:
    """Write the owner's report, if there is anything to say and a place for it; raise Failure.

    Returns its path, or nothing.
    """
    keep_replacements(run.settings, paths, run.redaction.policy)
    path = choose_path(run.settings.redaction_report, made.path)
    if not path or (report.is_empty() and not run.settings.redaction_report):
        return b""
    report.write(path, run.redaction.policy)
    return path


def fill_archive(run: Run, made: output.Output, archive: Archive, paths: Paths,
                 report: Report) -> Summary:
    """Collect everything into the archive and close it; leave no thread and no process behind."""
    summary = Summary(run.rules.specs)
    planned = plan.make_plan(run.rules, lambda line: run_pre_command(line, run),
                             run.redaction.excluder)
    for skip in planned.skips:
        label = run.rules.specs[skip.spec].target
        summary.miss([skip.spec], skip.outcome, skip.detail, label)
        if skip.outcome == plan.EXCLUDED:
            report.leave_out(label, skip.detail)
    means = make_means(run, made, paths)
    workers = pool.Pool(planned.tasks, lambda task, beat: work.collect(task, means, beat),
                        run.settings.cmd_timeout + PATIENCE, run.deadline + PATIENCE)
    try:
        filling = Filling(archive, run.redaction, run.settings, summary, report, means)
        for task, result in workers.run(make_watch(run, len(planned.tasks))):
            filling.add(task, result)
        filling.finish(read_tags(run.origin, run.log), run.versions, run.branch)
    finally:
        run.stop.set()
        workers.leave()
        means.store.close()
    return summary


def make_means(run: Run, made: output.Output, paths: Paths) -> work.Means:
    settings = run.settings
    return work.Means(
        make_cleaner=lambda: with_counts(run.redaction.policy.make_cleaner()),
        forbidden=run.redaction.excluder.forbidden_inodes(),
        store=Store(made.work or paths.temp_dir, remedy=made.remedy), stop=run.stop,
        environ=run.environ, forbids=run.redaction.excluder.path, root=run.origin.root,
        host=run.host,
        cmd_timeout=settings.cmd_timeout, deadline=run.deadline, max_member=settings.max_member,
        max_read=settings.max_read, find_grep=grep.Finder(run.environ, run.stop))


def with_counts(cleaner: Cleaner) -> Tuple[Callable[[bytes], bytes], Mapping[str, int]]:
    return cleaner, cleaner.counts


def command_environment(environ: Mapping[str, str]) -> Dict[str, str]:
    """Return the environment of collected commands: the same on every host and for every user."""
    clean_environment = {"LC_ALL": "C", "PATH": commandline.PATH}
    if "HOME" in environ:
        clean_environment["HOME"] = environ["HOME"]
    return clean_environment


def run_pre_command(line: bytes, run: Run) -> Optional[List[bytes]]:
    """Return the output lines of a shell line, or None when it failed."""
    shell = process.find_program(b"sh", commandline.SYSTEM_FOLDERS)
    if shell is None:
        return None
    chunks: List[bytes] = []

    def take(chunk: bytes) -> bool:
        chunks.append(chunk)
        return True

    deadline = min(time.monotonic() + run.settings.cmd_timeout, run.deadline)
    try:
        ending = process.run(shell, [b"sh", b"-c", line], run.environ, take,
                             process.Limits(deadline, OUTPUT), run.stop)
    except OSError:
        return None
    if ending.status != 0 or ending.timed_out or ending.cut:
        return None
    return [line for line in b"".join(chunks).split(b"\n") if line.strip()]


def make_watch(run: Run, total: int) -> pool.Watch:
    """Return what is done while waiting: show the progress, look after the parent."""
    parent = signals.Parent()
    started = time.monotonic()

    def watch(task: plan.Task, done: int) -> None:
        parent.check()
        run.log.status("%d/%d  %s  %d s" % (
            done, total, show(task.label), time.monotonic() - started))

    return watch


def tell(run: Run, summary: Summary, made: output.Output, target: output.Target,
         seconds: float) -> None:
    """Tell what was collected, what was not, and where the archive is."""
    for line in summary.lines(made.size, seconds):
        run.log.info(line)
    for line in summary.details():
        run.log.debug(line)
    if target.file and run.settings.no_upload:  # on the console as it is: somebody has to fetch it
        saved = "Archive saved at %s" % show(made.path)
        run.log.console.line(INFO, saved)
        run.log.note(INFO, saved)
