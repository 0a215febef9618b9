"""--list-specs: by area, what the rules name, within which limits, and what it is for."""
import io
import json
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

from insights_mini.core.collect import commandline, instead
from insights_mini.core.roots import Opened, Root, Status, no_beat
from insights_mini.core.rules import choose_rules
from insights_mini.core.scope import explain, narrow
from insights_mini.core.specs import COMMAND, Spec
from insights_mini.log import Log, printable, show
from insights_mini.options import DEFAULT, FULL
from insights_mini.paths import Paths
from insights_mini.settings import MIB, Settings

Areas = Dict[str, Dict[str, List[Spec]]]  # area -> symbolic name -> its specs
HEADINGS = ("KIND", "PRESET", "DISK", "TIME", "MOST", "TARGET")
LEGEND = "DISK: can be had from a root that does not run; TIME, MOST: limits of its own\n"
NOWHERE = "in no area of the catalogue"


class Ideal(Root):
    """A root that has every file which a command may be answered from."""

    def is_folder(self, path: bytes) -> bool:
        return True

    def exists(self, path: bytes) -> bool:
        return True

    def names(self, path: bytes) -> List[bytes]:
        return []

    def entries(self, path: bytes) -> List[Tuple[bytes, Status]]:
        return [(b"system.journal", self.status(path))]

    def open(self, path: bytes, beat: Callable[[], None] = no_beat) -> Opened:
        return Opened(io.BytesIO(b"machine-id\n"), 0, (0, 0))  # type: ignore[arg-type]

    def status(self, path: bytes, follow: bool = True) -> Status:
        return Status(0, 1, 0, 0, 0, 0, (0, 0), (0, 0), 0)

    def readlink(self, path: bytes) -> bytes:
        return path

    def real(self, path: bytes) -> bytes:
        return path


IDEAL = Ideal()


def list_specs(settings: Settings, paths: Paths, log: Log) -> str:
    """Return the list as text or JSON, with all presets unless one is asked for; raise Failure."""
    if settings.preset == DEFAULT:
        settings = settings._replace(preset=FULL)
    rules = explain(narrow(choose_rules(settings, paths, log), settings))
    areas: Areas = {area: {} for area in (*rules.areas, "")}
    for spec in rules.specs:
        areas[spec.area].setdefault(spec.name, []).append(spec)
    return write_json(areas) if settings.json else "".join(write_table(areas))


def write_table(areas: Areas) -> Iterator[str]:
    """Give a line for each area, each name and each target."""
    yield "SYMBOLIC NAME: WHAT IT IS FOR\n" + write_row(HEADINGS) + LEGEND
    for area, names in areas.items():
        if names:
            yield "\n%s\n" % (area or NOWHERE)
        for name, specs in names.items():
            yield "  %s\n" % ": ".join(filter(None, (printable(name), specs[0].purpose)))
            for spec in specs:
                target = show(spec.target) + (" <%s>" % spec.pre_command) * bool(spec.pre_command)
                yield write_row((spec.kind, spec.preset, "disk" * is_on_disk(spec),
                                 ("%g s" % spec.slow) * bool(spec.slow), write_size(spec.most),
                                 printable(target)))


def write_row(row: Sequence[str]) -> str:
    return "      %-7s  %-7s  %-4s  %-5s  %-5s  %s\n" % tuple(row)


def write_size(size: int) -> str:
    """Return a number of bytes as an option takes it, or nothing for 0."""
    return "" if not size else "%dK" % (size // 1024) if size % MIB else "%dM" % (size // MIB)


def write_json(areas: Areas) -> str:
    """Return a JSON list with an object, which is a line, for each target. No limit is null."""
    return "[\n%s\n]\n" % ",\n".join(
        json.dumps(describe(spec)) for names in areas.values() for specs in names.values()
        for spec in specs)


def describe(spec: Spec) -> Dict[str, Any]:
    """Return what is known of a spec; `most` in bytes, `slow` in seconds."""
    return {"area": spec.area or None, "name": spec.name, "kind": spec.kind,
            "target": show(spec.target), "pre_command": spec.pre_command or None,
            "keep": [show(string) for string in spec.keep], "preset": spec.preset or None,
            "most": spec.most or None, "slow": spec.slow or None, "disk": is_on_disk(spec),
            "for": spec.purpose or None}


def is_on_disk(spec: Spec, find: instead.Way = instead.find_instead) -> bool:
    """Tell whether a root that does not run can have it: as a file, or from what answers it."""
    if spec.kind != COMMAND:
        return not IDEAL.is_live(spec.target)
    if spec.pre_command or spec.name == "hostname":
        return not spec.pre_command
    try:
        words = commandline.split_words(spec.target.replace(commandline.MOUNT_POINT, b"/"))
    except ValueError:
        return False
    return find(words, IDEAL) is not None
