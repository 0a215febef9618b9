"""The conductor of the long road: specs -> collect -> redact -> archive -> where it belongs."""
import json
import time
from typing import Dict, List, Mapping, NamedTuple, Optional, Set

from insights_mini import process
from insights_mini.core import output, signals
from insights_mini.core.archive import (
    COMMANDS,
    Archive,
    make_compressor,
    safe_name,
    usual_compressor,
)
from insights_mini.core.collect import commandline, grep, plan, pool, work
from insights_mini.core.host import find_name
from insights_mini.core.redact.clean import clean
from insights_mini.core.rules import load_rules
from insights_mini.core.specs import FILE, Rules
from insights_mini.core.spool import Store
from insights_mini.core.summary import OVER_SIZE, Summary
from insights_mini.log import Log, show
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from insights_mini.version import VERSION

PATIENCE = 30.0  # seconds beyond a command's own time after which its thread is given up
OUTPUT = 1024 * 1024  # most bytes that a pre-command may print
RENAMED = "stored under another name"
BRANCH_INFO = {"remote_branch": -1, "remote_leaf": -1}
# What the user's exclusions removed. A run that finds exclusions does not get as far as here.
NOTHING_EXCLUDED = {"commands": 0, "files": 0, "components": 0, "patterns": 0, "keywords": 0}


class Run(NamedTuple):
    """What every step of one collection needs to know."""

    settings: Settings
    rules: Rules
    host: str
    environ: Mapping[str, str]  # of the commands
    deadline: float             # a time.monotonic() value
    stop: process.Stop
    log: Log


def collect_archive(settings: Settings, paths: Paths, environ: Mapping[str, str],
                    log: Log) -> None:
    """Collect what the rules name into a new archive, and tell what came of it; raise Failure."""
    started = time.monotonic()
    rules = load_rules(settings, paths, log)
    run = Run(settings, rules, find_name(settings.offline), command_environment(environ),
              started + settings.max_time, process.Stop(), log)
    usual = usual_compressor()
    target = output.choose_target(settings, paths, run.host, time.localtime(), usual)
    compressor = make_compressor(target.compressor)
    if target.compressor == usual == "none":
        log.warning("this Python has no zlib, so the archive is a plain .tar")
    if output.sweep(paths.temp_dir, target.folder):
        log.debug("an unfinished archive of a killed run was removed")

    signals.raise_stopped()
    made = output.open_output(target)
    try:
        log.info("Starting to collect Insights data for %s" % run.host)
        summary = fill_archive(run, made, Archive(made.write, compressor, target.top), paths)
        signals.ignore()
        made.finish()
    except BaseException:  # whatever it was, nothing of the archive is left
        signals.ignore()
        made.discard()
        raise
    finally:
        log.console.status("")
    tell(run, summary, made, time.monotonic() - started)
    signals.raise_stopped()  # whoever reads the archive from here may take long
    output.pass_on(made, target)


def fill_archive(run: Run, made: output.Output, archive: Archive, paths: Paths) -> Summary:
    """Collect everything into the archive and close it; leave no thread and no process behind."""
    summary = Summary(run.rules.specs)
    planned = plan.make_plan(run.rules, lambda line: run_pre_command(line, run))
    for skip in planned.skips:
        summary.miss([skip.spec], skip.outcome, skip.detail,
                     run.rules.specs[skip.spec].target)
    means = make_means(run, made, paths)
    workers = pool.Pool(planned.tasks, lambda task, beat: work.collect(task, means, beat),
                        run.settings.cmd_timeout + PATIENCE, run.deadline + PATIENCE)
    try:
        filling = Filling(run, archive, summary)
        for task, result in workers.run(make_watch(run, len(planned.tasks))):
            filling.add(task, result)
        filling.finish()
    finally:
        run.stop.set()
        workers.leave()
    return summary


class Filling:
    """Puts results into the archive as they come, and the client's own members behind them."""

    def __init__(self, run: Run, archive: Archive, summary: Summary) -> None:
        self.run = run
        self.archive = archive
        self.summary = summary
        self.names: Set[bytes] = set()
        self.full = False

    def add(self, task: plan.Task, result: work.Result) -> None:
        """Store one result, or account for its absence."""
        for kind, detail in result.notes:
            self.summary.remark(kind, task.label, detail)
        if result.spool is None:
            outcome = OVER_SIZE if self.full else result.outcome
            self.summary.miss(task.specs, outcome, result.detail, task.label,
                              outcome in (kind for kind, _ in result.notes))
            return
        if self.summary.bytes + result.spool.size > self.run.settings.max_size:
            self.full = True
            self.run.stop.set()  # nothing more fits: end what is under way
        name, changed = safe_name(task.member, task.kind != FILE)
        if self.full or name in self.names:
            result.spool.discard()
            self.summary.miss(task.specs, OVER_SIZE if self.full else plan.NAME_TAKEN, "",
                              task.label)
            return
        if changed:
            self.summary.remark(RENAMED, task.label, show(name))
        self.names.add(name)
        size = result.spool.size
        self.archive.add(name, size, result.spool.blocks())
        self.summary.add_member(task.specs, size)

    def finish(self) -> None:
        """Add the client's own members and close the archive.

        The analysis side tells the archive by its insights_commands, so that is never empty.
        """
        if not any(name.startswith(COMMANDS + b"/") for name in self.names):
            self.put(COMMANDS + b"/insights-mini_--version", VERSION + "\n")
        self.put(b"branch_info", json.dumps(BRANCH_INFO))
        self.put(b"version_info", json.dumps({"core_version": VERSION, "client_version": VERSION}))
        if self.run.settings.display_name:
            self.put(b"display_name", self.run.settings.display_name)
        self.put(b"blacklist_report", json.dumps(NOTHING_EXCLUDED))
        self.archive.close()

    def put(self, name: bytes, text: str) -> None:
        content = clean(text.encode("utf-8", "surrogateescape"))
        self.archive.add(name, len(content), [content])


def make_means(run: Run, made: output.Output, paths: Paths) -> work.Means:
    settings = run.settings
    return work.Means(
        clean=clean, store=Store(made.work or paths.temp_dir), stop=run.stop, environ=run.environ,
        answer=lambda: run.host.encode("utf-8", "surrogateescape") + b"\n",
        cmd_timeout=settings.cmd_timeout, deadline=run.deadline, max_member=settings.max_member,
        max_read=settings.max_read, find_grep=grep.Finder(run.environ, run.stop))


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
        run.log.console.status("%d/%d  %s  %d s" % (
            done, total, show(task.label), time.monotonic() - started))

    return watch


def tell(run: Run, summary: Summary, made: output.Output, seconds: float) -> None:
    """Tell what was collected, what was not, and where the archive is."""
    for line in summary.lines(made.size, seconds):
        run.log.info(line)
    for line in summary.details():
        run.log.debug(line)
    if made.path:
        run.log.info("Archive saved at %s" % show(made.path))
