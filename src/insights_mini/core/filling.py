"""Fills the archive: what was collected, in its final form, then the client's own members.

Each final byte and name passes the proof on its way, but for the few words that are the same in
every archive: those are the format's, and an owner who forbids `remote` does not mean them.
"""
import json
from typing import Any, Iterable, Iterator, Mapping, Optional, Sequence, Set

from insights_mini.core.archive import COMMANDS, Archive, safe_name
from insights_mini.core.collect.commandline import mangle
from insights_mini.core.collect.lines import Lines
from insights_mini.core.collect.plan import ANSWER, EXCLUDED, INSTEAD, NAME_TAKEN, Task
from insights_mini.core.collect.work import UNCLEANED, Means, Result
from insights_mini.core.redaction import Redaction, clean_value
from insights_mini.core.report import Report
from insights_mini.core.specs import FILE
from insights_mini.core.spool import Spool
from insights_mini.core.summary import OVER_SIZE, Summary
from insights_mini.exits import Uncleaned
from insights_mini.log import show
from insights_mini.settings import Settings
from insights_mini.version import VERSION

RENAMED = "stored under another name"
FROM_DISK = "read from disk"
UNLIMITED = 1 << 62
# Members in whose columns obfuscation keeps the width.
COLUMNAR = tuple(COMMANDS + name for name in (b"/netstat", b"/ss_", b"/lsof", b"/arp", b"/route"))
IN_COMMANDS = COMMANDS + b"/"


class Filling:
    def __init__(self, archive: Archive, redaction: Redaction, settings: Settings,
                 summary: Summary, report: Report, means: Means) -> None:
        self.archive = archive
        self.policy = redaction.policy
        self.proof = redaction.proof
        self.settings = settings
        self.summary = summary
        self.report = report
        self.means = means
        self.names: Set[bytes] = set()
        self.full = False

    def add(self, task: Task, result: Result) -> None:
        """Store one result, or account for its absence."""
        for kind, detail in result.notes:
            self.summary.remark(kind, task.label, detail)
        if result.spool is None:
            self.report.add(task.member, result.counts)
            told = result.outcome in (kind for kind, _ in result.notes)
            self.miss(task, result.outcome, result.detail, told)
            return
        try:
            name = self.choose_name(task)
        except Uncleaned as error:
            result.spool.discard()
            self.miss(task, UNCLEANED, error.why)
            return
        spool = self.resolve(result.spool, result, name)
        if self.summary.bytes + spool.size > self.settings.max_size:
            self.full = True
            self.means.stop.set()  # nothing more fits: end what is under way
        if self.full or name in self.names:
            spool.discard()
            self.miss(task, NAME_TAKEN, "")
            return
        self.names.add(name)
        self.report.add(name, result.counts)
        size = spool.size
        self.archive.add(name, size, self.watch(name, spool.blocks()))
        self.summary.add_member(task.specs, size)
        if task.kind == INSTEAD or (task.kind == ANSWER and not self.means.root.runs):
            self.summary.remark(FROM_DISK, task.label, "")

    def miss(self, task: Task, outcome: str, detail: str, told: bool = False) -> None:
        outcome = OVER_SIZE if self.full else outcome
        self.summary.miss(task.specs, outcome, detail, task.label, told and not self.full)
        if outcome in (EXCLUDED, UNCLEANED):
            self.report.leave_out(task.label, detail or outcome)

    def choose_name(self, task: Task) -> bytes:
        """Return a member's name, clean and safe; raise Uncleaned where it must not be shown."""
        if task.kind == FILE:
            cleaned = self.policy.clean_name(task.member)
        else:
            cleaned = self.name_command(task)
        if cleaned is None:
            raise Uncleaned("its name has a forbidden pattern")
        name, changed = safe_name(cleaned, task.kind != FILE)
        if changed:
            self.summary.remark(RENAMED, task.label, show(name))
        return name

    def name_command(self, task: Task) -> Optional[bytes]:
        """Return a command's member: its line is cleaned, since its name writes it another way,
        and then the name, which may hold what the line did not."""
        name = task.member[len(IN_COMMANDS):]
        line = self.policy.clean_name(task.label)
        if line != task.label and line is not None:
            name = mangle(line) or b"command"
        cleaned = None if line is None else self.policy.mask_name(name)
        return None if cleaned is None else IN_COMMANDS + cleaned

    def resolve(self, spool: Spool, result: Result, name: bytes) -> Spool:
        """Return the content with replacements for the marks of obfuscation."""
        obfuscator = self.policy.obfuscator
        if obfuscator is None or not result.counts.get("obfuscated"):
            return spool
        columnar = name.startswith(COLUMNAR)
        final = Spool(self.means.store, UNLIMITED)
        for whole in whole_lines(spool.blocks()):
            final.write(obfuscator.resolve(whole, columnar))
        final.finish()
        return final

    def watch(self, name: bytes, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass blocks on, and show them to the proof as whole lines."""
        lines = Lines(UNLIMITED)
        self.proof.read(name, name[len(IN_COMMANDS):] if name.startswith(IN_COMMANDS) else name)
        for block in blocks:
            self.proof.read(name, lines.feed(block))
            yield block
        self.proof.read(name, lines.finish())

    def finish(self, tags: Sequence[Mapping[str, str]], versions: Mapping[str, str],
               branch: Mapping[str, Any]) -> None:
        """Add the client's own members and close the archive.

        The analysis side tells the archive by its insights_commands, so that is never empty.
        """
        if not any(name.startswith(IN_COMMANDS) for name in self.names):
            self.put(IN_COMMANDS + b"insights-mini_--version", VERSION.encode("ascii") + b"\n")
        self.put(b"branch_info", to_json(branch))
        self.put(b"version_info", to_json(versions))
        if self.settings.display_name:
            name = self.clean(self.settings.display_name)
            self.put(b"display_name", name, name)
        self.put_tags(tags)
        self.put(b"blacklist_report", to_json(self.report.totals()))
        self.archive.close()

    def put_tags(self, tags: Sequence[Mapping[str, str]]) -> None:
        cleaned = [dict(tag, **{part: self.clean(tag[part]).decode("utf-8")
                                for part in ("key", "value")}) for tag in tags]
        if cleaned:
            written = b"\n".join(to_json(tag[part])[1:-1] for tag in cleaned
                                 for part in ("key", "value"))
            self.put(b"tags.json", to_json(cleaned), written)

    def clean(self, text: str) -> bytes:
        return clean_value(text, self.policy)

    def put(self, name: bytes, content: bytes, shown: bytes = b"") -> None:
        """Add a member of our own; `shown` is what of it is not the same in every archive."""
        self.proof.read(name, shown)
        self.archive.add(name, len(content), [content])


def to_json(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode("utf-8")


def whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    lines = Lines(UNLIMITED)
    for block in blocks:
        yield lines.feed(block)
    yield lines.finish()
