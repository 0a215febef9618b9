"""From specs to tasks: what exactly is opened or run, and what it is called in the archive.

Files come first, then globs, then commands, each in the order of the rules. One thing that several
specs name is collected once, with the lines that any of them keeps, the larger of their sizes and
the shorter of their times.
"""
import os
import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from insights_mini.core.collect import commandline, expand, instead, kernel
from insights_mini.core.exclusions.match import Excluder, split
from insights_mini.core.specs import COMMAND, FILE, GLOB, Rules, Spec
from insights_mini.log import show
from insights_mini.process import find_program

ANSWER = "answer"    # a command that is answered without running it
INSTEAD = "instead"  # one that is answered from files, because its host does not run
ORDER = (FILE, GLOB, COMMAND)
ARGUMENT = re.compile(rb"[A-Za-z0-9][A-Za-z0-9.-]*")  # of a pre-command, in a member's name

ABSENT = "absent"
NOT_INSTALLED = "not installed"
REFUSED = "refused"
EXCLUDED = "excluded"
NAME_TAKEN = "name taken"
FAILED = "failed"
LIVE = "of a running host only"
FOREIGN = "of the container's host"


class Task(NamedTuple):
    """One thing to collect. `specs` are the places, in the rules, of the specs that name it."""

    kind: str      # FILE, COMMAND, ANSWER or INSTEAD
    label: bytes   # path or command line, for messages
    member: bytes  # its path below the archive's top folder
    keep: Tuple[bytes, ...]
    specs: Tuple[int, ...]
    program: bytes = b""
    argv: Tuple[bytes, ...] = ()
    answer: Optional[instead.Answer] = None
    rank: int = 0  # what is read one after the other is best read in this order
    most: int = 0      # as of a Spec
    slow: float = 0.0


class Skip(NamedTuple):
    """A spec, by its place in the rules, of which nothing will be collected, and why."""

    spec: int
    outcome: str
    detail: str = ""


class Plan(NamedTuple):
    tasks: Tuple[Task, ...]
    skips: Tuple[Skip, ...]


PreCommand = Callable[[bytes], Optional[List[bytes]]]  # shell line -> its output lines, or None


class NotPlanned(Exception):
    """Nothing of a spec can be collected."""

    def __init__(self, outcome: str, detail: str = "") -> None:
        super().__init__(outcome, detail)
        self.outcome = outcome
        self.detail = detail


def make_plan(rules: Rules, run_pre_command: PreCommand, excluder: Excluder) -> Plan:
    """Expand the specs on the excluder's root, without what the owner excludes.

    Runs only the pre-commands of installed commands, and of a root that runs.
    """
    planner = Planner(rules, run_pre_command, excluder)
    for kind in ORDER:
        for place, spec in enumerate(rules.specs):
            if spec.kind == kind:
                planner.add(place, spec)
    return Plan(tuple(planner.tasks.values()), tuple(planner.skips))


class Planner:
    def __init__(self, rules: Rules, run_pre_command: PreCommand, excluder: Excluder) -> None:
        self.rules = rules
        self.excluder = excluder
        self.root = excluder.root
        self.run_pre_command = run_pre_command
        self.outputs: Dict[str, Optional[List[bytes]]] = {}
        self.tasks: Dict[bytes, Task] = {}
        self.skips: List[Skip] = []

    def add(self, place: int, spec: Spec) -> None:
        try:
            refuse(self.excluder.spec(spec.name, spec.target))
            found = self.expand(place, spec)
        except NotPlanned as error:
            self.skips.append(Skip(place, error.outcome, error.detail))
            return
        if not found:
            self.skips.append(Skip(place, ABSENT))
        for task in found:
            self.merge(task)

    def expand(self, place: int, spec: Spec) -> List[Task]:
        if spec.kind == COMMAND:
            return self.expand_command(place, spec)
        if self.root.is_live(spec.target):
            raise NotPlanned(FOREIGN if self.root.runs else LIVE)
        expanded = expand.expand_file if spec.kind == FILE else expand.expand_glob
        paths = expanded(spec.target, self.root)
        return self.allow([(Task(FILE, path, member_of(path), spec.keep, (place,),
                                 rank=self.root.rank(path), most=spec.most),
                            self.excluder.path(path)) for path in paths])

    def expand_command(self, place: int, spec: Spec) -> List[Task]:
        line = spec.target.replace(commandline.MOUNT_POINT, b"/")
        pre_line = self.rules.pre_commands.get(spec.pre_command, b"")
        for text, words in ((line, split(line)), (pre_line, [b"sh", b"-c", pre_line])):
            word = commandline.find_forbidden(text)
            if word:
                raise NotPlanned(REFUSED, "%s is never run" % word.decode("ascii"))
            refuse(self.excluder.command(text, words) if text else "")
        if spec.name == "hostname":
            return [command_task(ANSWER, line, spec, place)]
        try:
            words = commandline.split_words(line)
        except ValueError:
            raise NotPlanned(REFUSED, "a quote is not closed")
        if not self.root.runs:
            return self.allow_commands(self.find_instead(line, words, spec, place))
        if self.root.is_live(b"/proc") and kernel.tells_of_kernel(words):
            raise NotPlanned(FOREIGN)
        program = locate(words[0])
        if program is None:
            raise NotPlanned(NOT_INSTALLED)
        if not spec.pre_command:
            return self.allow_commands([command_task(COMMAND, line, spec, place, program, words)])
        return self.allow_commands([
            command_task(COMMAND, line + b" " + argument, spec, place, program, words + [argument])
            for argument in self.arguments(spec.pre_command)])

    def find_instead(self, line: bytes, words: List[bytes], spec: Spec, place: int) -> List[Task]:
        """Return what an earlier archive of ours holds of a command, or what else answers it."""
        task = command_task(INSTEAD, line, spec, place, words=words)
        found = [(b"", instead.copy(b"/" + task.member))] if self.root.exists(
            b"/" + task.member) else []
        if spec.pre_command:
            folder, name = os.path.split(b"/" + task.member + b"_")
            found += [(b" " + other[len(name):], instead.copy(os.path.join(folder, other)))
                      for other in expand.list_names(folder, self.root)
                      if other.startswith(name) and ARGUMENT.fullmatch(other[len(name):])]
        elif not found:
            answer = instead.find_instead(words, self.root)
            found = [(b"", answer)] if answer else []
        if not found:
            raise NotPlanned(LIVE)
        return [command_task(INSTEAD, line + more, spec, place, words=words)._replace(
            answer=answer.answer, rank=self.root.rank(answer.path)) for more, answer in found]

    def allow_commands(self, tasks: List[Task]) -> List[Task]:
        return self.allow([(task, self.excluder.command(task.label, task.argv)) for task in tasks])

    def allow(self, tasks: List[Tuple[Task, str]]) -> List[Task]:
        """Return the tasks that no entry of the owner forbids, and account for the others."""
        allowed = [task for task, entry in tasks if not entry]
        for task, entry in tasks:
            if entry and allowed:
                self.skips.append(Skip(task.specs[0], EXCLUDED, entry))
            elif entry:
                raise NotPlanned(EXCLUDED, entry)
        return allowed

    def arguments(self, alias: str) -> List[bytes]:
        """Return the output lines of a pre-command, which runs once however many specs use it."""
        if alias not in self.rules.pre_commands:
            raise NotPlanned(FAILED, "unknown pre-command %s" % alias)
        if alias not in self.outputs:
            self.outputs[alias] = self.run_pre_command(self.rules.pre_commands[alias])
        lines = self.outputs[alias]
        if lines is None:
            raise NotPlanned(FAILED, "pre-command %s" % alias)
        return lines

    def merge(self, task: Task) -> None:
        """Add a task, or join it with the one that collects the same thing."""
        known = self.tasks.get(task.member)
        if known is None:
            self.tasks[task.member] = task
        elif known.label == task.label:
            self.tasks[task.member] = known._replace(
                keep=known.keep + task.keep if known.keep and task.keep else (),
                specs=known.specs + task.specs,
                most=max(known.most, task.most) if known.most and task.most else 0,
                slow=min(known.slow or task.slow, task.slow or known.slow))
        else:
            self.skips.append(Skip(task.specs[0], NAME_TAKEN, show(task.member)))


def refuse(entry: str) -> None:
    if entry:
        raise NotPlanned(EXCLUDED, entry)


def command_task(kind: str, line: bytes, spec: Spec, place: int, program: bytes = b"",
                 words: Sequence[bytes] = ()) -> Task:
    name = commandline.mangle(line) or b"command"
    return Task(kind, line, b"insights_commands/" + name, spec.keep, (place,), program,
                tuple(words), most=spec.most, slow=spec.slow)


def member_of(path: bytes) -> bytes:
    """Return a host path as it stands in the archive: relative and without detours."""
    parts: List[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def locate(word: bytes) -> Optional[bytes]:
    """Return the program that a command's first word names, or None when it is not installed.

    Distributions put the same program into different system folders, so one that is not where the
    rules expect it is looked for in the others.
    """
    program = find_program(word, commandline.SYSTEM_FOLDERS)
    folder, _, name = word.rpartition(b"/")
    if program is None and folder in commandline.SYSTEM_FOLDERS:
        program = find_program(name, commandline.SYSTEM_FOLDERS)
    return program
