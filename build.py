#!/usr/bin/env python3
"""Builds insights-mini.pyz from src/ and conf/: the same bytes from any Python, anywhere.

    build.py           write conf/insights-client.conf and insights-mini.pyz
    build.py --check   compare both with what would be written; exit 1 and name what differs
    build.py --sign KEY   write them, and sign the .pyz with the gpg key of that name or number

Entries are stored, sorted, with one time and mode, so that neither zlib's version nor the file
system shows in the result. The trusted floor, which people audit from the file itself, is packed as
it is written. Since nothing is deflated, the core is packed without what its machine does not need:
comments, docstrings and indentation beyond tabs; each line keeps its number. JSON loses its blanks
and what is "about" it. Needs Python 3.6 or newer and nothing else.
"""
import argparse
import io
import json
import os
import subprocess
import sys
import tokenize
import zipfile
from collections import OrderedDict
from typing import Dict, List, Optional, Set

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "src"))

from insights_mini.settings import GROUPS, Option, Settings  # noqa: E402

PRODUCT = os.path.join(HERE, "insights-mini.pyz")
CORE = os.path.join(HERE, "src", "insights_mini", "core", "")
TEMPLATE = os.path.join("conf", "insights-client.conf")
SHEBANG = b"#!/usr/bin/env python3\n"
TIME = (1980, 1, 1, 0, 0, 0)
MODE = 0o644
HEADING = """\
# insights-client.conf: the settings of insights-mini on this host.
# The command line comes before the environment (INSIGHTS_ and the name in upper case), that before
# this file, and this file before the defaults, which stand below behind a '#'.
[insights-client]
"""


def make_template() -> str:
    """Return conf/insights-client.conf as the table of options describes it."""
    defaults = Settings()
    parts = [HEADING]
    for group in GROUPS[1:]:  # the first one holds what is done instead of collecting
        parts.append("\n## %s\n" % (group.title[0].upper() + group.title[1:]))
        for option in group.options:
            if not option.action:
                comment = option.help[0].upper() + option.help[1:]
                parts.append("\n# %s\n#%s=%s\n" % (
                    comment, option.name, show_default(option, getattr(defaults, option.name))))
    return "".join(parts)


def show_default(option: Option, value: object) -> str:
    """Return a default as a user would write it."""
    if option.kind == "names":
        return ""
    if option.kind == "size" and isinstance(value, int):
        return "%dM" % (value // 1024 // 1024)
    return "%g" % value if isinstance(value, float) else str(value)


def list_entries() -> Dict[str, bytes]:
    """Return the content of every entry by its name."""
    entries = {}
    for top, kept in (("src", (".py",)), ("conf", ())):
        for folder, folders, names in os.walk(os.path.join(HERE, top)):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in names:
                path = os.path.join(folder, name)
                if not kept or name.endswith(kept):
                    start = os.path.join(HERE, "src") if top == "src" else HERE
                    entries[os.path.relpath(path, start).replace(os.sep, "/")] = shrink(path)
    entries[TEMPLATE.replace(os.sep, "/")] = make_template().encode("utf-8")
    entries["__main__.py"] = entries["insights_mini/__main__.py"]
    return entries


def shrink(path: str) -> bytes:
    """Return the content of a file as it goes into the .pyz."""
    with open(path, "rb") as file:
        content = file.read()
    if path.startswith(CORE):
        return strip_words(content)
    if path.endswith(".json"):
        data = json.loads(content.decode("utf-8"), object_pairs_hook=OrderedDict)
        data.pop("about", None)  # of an area of specs: for those who edit it
        return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode("utf-8") + b"\n"
    return content


def strip_words(source: bytes) -> bytes:
    """Return the same code, line by line, without comments and docstrings, indented with tabs.

    An empty docstring is left, for a body needs something. Blanks that begin a line count in fours;
    less are left only where a line goes on within brackets, and mean nothing. What is within a
    string stays.
    """
    lines = source.splitlines(True)
    whole: Set[int] = set()  # numbers of the lines that begin within a string
    before = tokenize.NEWLINE
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        (first, start), last = token.start, token.end[0]
        if token.type == tokenize.COMMENT:
            before_it = lines[first - 1].decode("utf-8")[:start]
            lines[first - 1] = before_it.rstrip().encode("utf-8") + b"\n"
        elif token.type == tokenize.STRING and before != tokenize.OP:
            lines[first - 1] = b" " * start + b'""' + b"\n" * (last - first + 1)
            lines[first:last] = [b""] * (last - first)
        elif token.type == tokenize.STRING:
            whole.update(range(first + 1, last + 1))
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            before = tokenize.OP
        if token.type in (tokenize.ENCODING, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            before = tokenize.NEWLINE
    for number, line in enumerate(lines, 1):
        blanks = 0 if number in whole else len(line) - len(line.lstrip(b" "))
        lines[number - 1] = b"\t" * (blanks // 4) + line[blanks:]
    return b"".join(lines)


def pack(entries: Dict[str, bytes]) -> bytes:
    """Return the bytes of the .pyz."""
    buffer = io.BytesIO()
    buffer.write(SHEBANG)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, TIME)
            info.create_system = 3
            info.external_attr = MODE << 16
            archive.writestr(info, entries[name])
    return buffer.getvalue()


def find_difference(old: bytes, entries: Dict[str, bytes]) -> Optional[str]:
    """Return what differs first between a .pyz and the entries it should have, or None."""
    if old == pack(entries):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(old)) as archive:
            there = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError):
        return "the whole file: it is no zip"
    for name in sorted(set(there) | set(entries)):
        if there.get(name) != entries.get(name):
            return name
    return "the order or the attributes of the entries"


def read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def check(entries: Dict[str, bytes]) -> int:
    """Compare the committed files with the entries; print the first difference."""
    if read(os.path.join(HERE, TEMPLATE)) != make_template().encode("utf-8"):
        print("stale: %s" % TEMPLATE)
        return 1
    difference = find_difference(read(PRODUCT), entries)
    if difference is not None:
        print("stale: insights-mini.pyz differs first in %s" % difference)
        return 1
    return 0


def write(path: str, content: bytes, mode: int) -> None:
    """Replace a file at once, so that a build that is broken off leaves the old one."""
    part = path + ".part"
    with open(part, "wb") as file:
        file.write(content)
    os.chmod(part, mode)
    os.replace(part, path)


def sign(key: str) -> int:
    """Write the detached signature beside the .pyz and return gpg's exit status."""
    signature = PRODUCT + ".asc"
    if os.path.exists(signature):
        os.unlink(signature)  # that of another build: worse than none
    try:
        return subprocess.call(["gpg", "--batch", "--armor", "--digest-algo", "SHA256",
                                "--local-user", key, "--output", signature, "--detach-sign",
                                PRODUCT])
    except OSError:
        print("cannot run gpg: install gnupg")
        return 1


def main(argv: List[str]) -> int:
    parser = argparse.ArgumentParser(description="Build insights-mini.pyz.")
    parser.add_argument("--check", action="store_true",
                        help="compare only; exit 1 and name the first difference")
    parser.add_argument("--sign", metavar="KEY",
                        help="write insights-mini.pyz.asc too, with this key of your gpg")
    options = parser.parse_args(argv)
    entries = list_entries()
    if options.check:
        return check(entries)
    write(os.path.join(HERE, TEMPLATE), make_template().encode("utf-8"), MODE)
    write(PRODUCT, pack(entries), 0o755)
    return sign(options.sign) if options.sign else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
