"""What a run collects from, and what the owner of that host says there.

A root that does not run has exclusions and settings of its own; both its owner and the one of the
running system are obeyed: what either forbids is not collected.
"""
import os
from typing import List, Mapping, NamedTuple

from insights_mini import sources
from insights_mini.core.exclusions.load import Exclusions, Loaded, load_exclusions
from insights_mini.core.host import find_names, read_names
from insights_mini.core.redaction import choose_kinds
from insights_mini.core.roots import Root, read_small
from insights_mini.core.roots.running import HOST, Contained
from insights_mini.exits import USAGE, Failure
from insights_mini.hostfiles import Unreadable
from insights_mini.paths import Paths, find_paths
from insights_mini.settings import Settings

LARGEST = 1024 * 1024
# Settings of the host that is collected that count beside those of the run.
FILES = ("remove_file", "redaction_file", "content_redaction_file")
HIDES = ("obfuscate", "obfuscate_hostname", "obfuscation_list")


class Origin(NamedTuple):
    """`settings` are those of the run with what the collected host's own add; `paths` are those by
    which its own files are found in the root; `names` are its names."""

    root: Root
    settings: Settings
    paths: Paths
    loaded: Loaded
    names: List[str]


def open_origin(settings: Settings, paths: Paths, environ: Mapping[str, str]) -> Origin:
    """Return what is collected from, with the exclusions of all its owners; raise Failure."""
    loaded = load_exclusions(settings, paths)
    root = open_root(settings, environ)
    if root.runs:
        return Origin(root, settings, paths, loaded, find_names(settings.offline))
    paths = find_paths({})
    own = read_settings(root, paths)
    theirs = load_exclusions(own, paths, root)
    both = Exclusions(**{kind: getattr(loaded.exclusions, kind) + getattr(theirs.exclusions, kind)
                         for kind in Exclusions._fields})
    return Origin(root, add_hiding(settings, own), paths,
                  Loaded(both, loaded.sources, loaded.warnings + theirs.warnings),
                  read_names(root))


def open_root(settings: Settings, environ: Mapping[str, str]) -> Root:
    """Return the root that the settings want; raise Failure."""
    if settings.analyze_mountpoint:
        from insights_mini.core.roots.mounted import Mounted
        return Mounted(os.fsencode(settings.analyze_mountpoint))
    if settings.analyze_file:
        from insights_mini.core.roots.packed import open_packed
        return open_packed(os.fsencode(settings.analyze_file), settings.max_time)
    if settings.analyze_image_id:
        from insights_mini.core.roots.image import open_image
        return open_image(settings.analyze_image_id, environ, settings.max_time)
    return Contained() if settings.analyze_container else HOST


def read_settings(root: Root, paths: Paths) -> Settings:
    """Return the settings of the collected host that say what must not leave it; raise Failure."""
    shown = root.show(paths.configuration)
    try:
        items = sources.parse_file(read_small(root, paths.configuration, LARGEST), shown)
    except Unreadable as error:
        if error.absent:
            return Settings()
        raise Failure("nothing is collected: cannot read %s" % shown, error.why,
                      "mend it; what it forbids is not known", USAGE)
    values = {name: sources.parse_or_fail(sources.KNOWN[name], text, "in " + shown)
              for name, text in items.items() if name in FILES + HIDES}
    # A relative name would be one in the folder that this run was started in.
    values.update((name, os.path.join("/", str(values[name]))) for name in FILES
                  if values.get(name))
    return Settings(**values)  # type: ignore[arg-type]  # the table's kinds match the fields


def add_hiding(settings: Settings, own: Settings) -> Settings:
    """Return the settings of a run that hides what the collected host hides as well."""
    kinds = choose_kinds(settings) | choose_kinds(own)
    return settings._replace(obfuscation_list=tuple(sorted(kinds)))
