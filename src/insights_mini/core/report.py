"""What was redacted: counts for the archive, and the owner's report beside it, never in it."""
import json
import os
from typing import Any, Dict, List, Mapping

from insights_mini.core.redact.cleaner import Policy
from insights_mini.exits import Failure, reason
from insights_mini.log import show
from insights_mini.statefiles import write_private

SUFFIX = b".redactions.json"


class Report:
    """Gathers, per member and rule, how many lines or values went."""

    def __init__(self) -> None:
        self.members: Dict[str, Dict[str, int]] = {}
        self.left_out: List[Dict[str, str]] = []

    def add(self, member: bytes, counts: Mapping[str, int]) -> None:
        if counts:
            self.members[show(member)] = dict(counts)

    def leave_out(self, label: bytes, rule: str) -> None:
        """Note what was not collected, or not stored, and the entry or rule that said so."""
        self.left_out.append({"what": show(label), "rule": rule})

    def totals(self) -> Dict[str, int]:
        """Return the counts for the archive's blacklist_report: no names and no values."""
        totals = {"excluded": len(self.left_out), "patterns": 0, "regex": 0, "keywords": 0,
                  "passwords": 0, "secrets": 0, "obfuscated": 0}
        for counts in self.members.values():
            for rule, number in counts.items():
                totals[total_of(rule)] += number
        return totals

    def is_empty(self) -> bool:
        return not self.members and not self.left_out

    def write(self, path: bytes, policy: Policy) -> None:
        """Write the owner's report, with the originals that obfuscation replaced; Failure."""
        data: Dict[str, Any] = {"members": self.members, "left_out": self.left_out}
        if policy.obfuscator:
            data["obfuscation"] = [
                {"kind": kind, "original": original, "replacement": new}
                for kind, original, new in policy.obfuscator.replacements.pairs()]
        try:
            write_private(path, json.dumps(data, indent=1, sort_keys=True).encode("utf-8"),
                          replace=False)
        except OSError as error:
            raise Failure("cannot write the redaction report %s" % show(path), reason(error),
                          "choose another place with --redaction-report")


def total_of(rule: str) -> str:
    """Return the total under which a rule counts: `keyword3` under keywords."""
    word = rule.rstrip("0123456789 ")
    return word if word in ("regex", "obfuscated") else word + "s"


def choose_path(settings_path: str, archive: bytes) -> bytes:
    """Return where the report goes: where it was asked for, else beside the archive, if any."""
    if settings_path:
        return os.path.abspath(os.fsencode(settings_path))
    return archive + SUFFIX if archive else b""
