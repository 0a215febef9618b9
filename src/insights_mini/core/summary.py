"""What a run collected, what it did not, and why: counted by spec, told at the end."""
from typing import Dict, List, Sequence, Tuple

from insights_mini.core.collect import plan, work
from insights_mini.core.specs import Spec
from insights_mini.log import human, show

OVER_SIZE = "archive full"

# Ordinary on any host: counted, and named in the log only.
QUIET = (plan.NOT_INSTALLED, plan.ABSENT, plan.EXCLUDED, plan.LIVE, plan.FOREIGN, work.EMPTY)
NAMED = 5  # names in a line of the console; the log has them all


class Summary:
    """Counts are of specs, since those are what the rules name; each counts once, as collected if
    anything of it was."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        self.specs = specs
        self.collected = set()  # type: set[int]
        self.missed: Dict[int, Tuple[str, str]] = {}
        self.remarks: Dict[str, List[str]] = {}
        self.members = 0
        self.bytes = 0

    def add_member(self, places: Sequence[int], size: int) -> None:
        self.members += 1
        self.bytes += size
        self.collected.update(places)

    def miss(self, places: Sequence[int], outcome: str, detail: str, label: bytes,
             told: bool = False) -> None:
        """Account for what was not collected; `told` when a remark says so already."""
        for place in places:
            self.missed.setdefault(place, (outcome, detail))
        if outcome not in QUIET and not told:
            self.remark(outcome, label, detail)

    def remark(self, kind: str, label: bytes, detail: str) -> None:
        text = show(label)
        self.remarks.setdefault(kind, []).append("%s (%s)" % (text, detail) if detail else text)

    def counts(self) -> Dict[str, int]:
        """Return how many specs were not collected, by reason."""
        counts: Dict[str, int] = {}
        for place, (outcome, _) in self.missed.items():
            if place not in self.collected:
                counts[outcome] = counts.get(outcome, 0) + 1
        return counts

    def lines(self, packed: int, seconds: float) -> List[str]:
        """Return the summary for the console; `packed` is the size of the archive in bytes."""
        lines = ["Collected %d of %d specs: %d files and commands, %s, packed to %s, in %.1f s" % (
            len(self.collected), len(self.specs), self.members, human(self.bytes), human(packed),
            seconds)]
        counts = self.counts()
        if counts:
            lines.append("Not collected: " + ", ".join(
                "%d %s" % (count, outcome) for outcome, count in
                sorted(counts.items(), key=lambda item: (-item[1], item[0]))))
        for kind, names in self.remarks.items():
            more = len(names) - NAMED
            lines.append("%s: %s%s" % (kind.capitalize(), ", ".join(names[:NAMED]),
                                       " and %d more, see the log" % more if more > 0 else ""))
        return lines

    def details(self) -> List[str]:
        """Return what the log says beyond that: every spec that was missed, every remark."""
        lines = []
        for place, (outcome, detail) in sorted(self.missed.items()):
            if place not in self.collected:
                spec = self.specs[place]
                lines.append("not collected: %s, %s: %s%s" % (
                    spec.name, show(spec.target), outcome, " (%s)" % detail if detail else ""))
        for kind, names in self.remarks.items():
            lines.extend("%s: %s" % (kind, name) for name in names)
        return lines
