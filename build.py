#!/usr/bin/env python3
"""Builds insights-mini.pyz from src/ and conf/: the same bytes from any Python, anywhere.

    build.py           write conf/insights-client.conf and insights-mini.pyz
    build.py --check   compare both with what would be written; exit 1 and name what differs
    build.py --sign KEY   write them, and sign the .pyz with the gpg key of that name or number
    build.py --publisher-key FILE   put a public OpenPGP key into the .pyz as conf/publisher.gpg, as
                          it is; goes with both of the others

Entries are stored, sorted, with one time and mode, so that neither zlib's version nor the file
system shows in the result. The trusted floor, which people audit from the file itself, is packed as
it is written. Since nothing is deflated, the core is packed without what its machine does not need:
comments, docstrings, the types of parameters and results, and indentation beyond tabs; each line
keeps its number. The catalogue, conf/specs/, is checked and packed as one table,
conf/specs/catalogue.json, a line a spec. Needs Python 3.6 or newer and nothing else.
"""
import argparse
import io
import os
import re
import subprocess
import sys
import tokenize
import zipfile
from typing import Dict, Iterator, List, Optional, Sequence, Set, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "src"))

from insights_mini.core import catalogue_source  # noqa: E402
from insights_mini.options import GROUPS, Option  # noqa: E402
from insights_mini.settings import Settings  # noqa: E402

PRODUCT = os.path.join(HERE, "insights-mini.pyz")
CORE = os.path.join(HERE, "src", "insights_mini", "core", "")
TEMPLATE = os.path.join("conf", "insights-client.conf")
SPECS = os.path.join(HERE, "conf", "specs")
# Folders that do not go into the .pyz as they are; the last four are for those who embed it.
LEFT_OUT = ("__pycache__", "specs", "dracut", "kickstart", "mkosi", "rear")
FOR_EDITORS = "insights_mini/core/catalogue_source.py"  # which the product has no use for
PUBLISHER = "conf/publisher.gpg"
MOST_KEY = 1024 * 1024  # bytes of a public key file
PUBLIC = re.compile(rb"^-----BEGIN PGP PUBLIC KEY BLOCK-----\s*$", re.MULTILINE)
SECRET = re.compile(rb"BEGIN PGP (PRIVATE|SECRET) KEY")  # SECRET: what PGP 2 wrote
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
            folders[:] = [name for name in folders if name not in LEFT_OUT]
            for name in names:
                path = os.path.join(folder, name)
                if not kept or name.endswith(kept):
                    start = HERE if top == "conf" else os.path.join(HERE, "src")
                    entries[os.path.relpath(path, start).replace(os.sep, "/")] = shrink(path)
    entries[TEMPLATE.replace(os.sep, "/")] = make_template().encode("utf-8")
    entries["conf/specs/catalogue.json"] = pack_catalogue()
    entries["__main__.py"] = entries["insights_mini/__main__.py"]
    entries.pop(FOR_EDITORS)
    entries.pop(PUBLISHER, None)  # only the option puts one in, for that has looked at it
    return entries


def read_public_key(path: str) -> bytes:
    """Return the content of a public key file; end the build if it is anything else."""
    shown = "the publisher's key " + path
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_KEY + 1)
    except OSError as error:
        sys.exit("cannot read %s: %s" % (shown, error.strerror))
    if not content:
        sys.exit(shown + " is empty")
    tags = list(list_packets(content))
    if SECRET.search(content) or not {5, 7}.isdisjoint(tags):  # a secret key, a secret subkey
        sys.exit("%s holds a SECRET key, which must never be published: give the public one "
                 "(gpg --export), and make sure that no copy of the other is around" % shown)
    if len(content) > MOST_KEY:
        sys.exit(shown + " is larger than 1 MiB: export one key only")
    if not PUBLIC.search(content) and (tags[0] != 6 or 0 in tags):
        sys.exit("%s is no OpenPGP public key, or damaged: write it with gpg --export" % shown)
    return content


def list_packets(content: bytes) -> Iterator[int]:
    """Give the tag of each packet (RFC 4880, sections 4.2 and 4.3), at last 0 if the rest is none.
    """
    from insights_mini.trust import measure  # late: only this needs a POSIX system
    at = 0
    while at < len(content):
        tag, end = measure(content, at)
        yield tag
        if not tag or end > len(content):
            yield 0
            return
        at = end


def shrink(path: str) -> bytes:
    """Return the content of a file as it goes into the .pyz."""
    with open(path, "rb") as file:
        content = file.read()
    if path.startswith(CORE):
        return strip_words(strip_types(content))
    return content


def pack_catalogue() -> bytes:
    """Return all of conf/specs/ as one JSON text; end the build if something is wrong with it."""
    try:
        manifest, files = catalogue_source.load(SPECS)
    except ValueError as error:
        sys.exit(str(error))
    faults = catalogue_source.find_faults(manifest, files)
    if faults:
        sys.exit("\n".join(faults))
    return catalogue_source.pack(manifest, files)


Place = Tuple[int, int]  # line, from 1, and column, from 0


def strip_types(source: bytes) -> bytes:
    """Return the same code, line by line, without the types of parameters and results.

    Types of variables and of fields of classes stay: a NamedTuple is made of them. Where a type
    went over several lines, its line ends stay too, within the brackets of the parameters.
    """
    tokens = [token for token in tokenize.tokenize(io.BytesIO(source).readline)
              if token.type not in (tokenize.COMMENT, tokenize.NL)]
    words = [token.string if token.type in (tokenize.NAME, tokenize.OP) else "" for token in tokens]
    cuts: List[Tuple[Place, Place, str]] = []
    for number in [number for number, word in enumerate(words) if word == "def"]:
        at = number + 2  # "(" before the parameters, then the "," or "=" before what follows
        while words[at] != ")":
            colon = seek(words, at + 1, ":=,)")
            at = seek(words, colon, "=,)")
            if words[colon] == ":":
                end, word = ((tokens[at + 1].start, "=") if words[at] == "=" else
                             (tokens[at - 1].end, ""))
                cuts.append((tokens[colon - 1].end, end, word))
        if words[at + 1] == "->":
            cuts.append((tokens[at].start, tokens[seek(words, at + 1, ":")].start, ")"))
    lines = [line.decode("utf-8") for line in source.splitlines(True)]
    for (first, left), (last, right), word in reversed(cuts):
        lines[first - 1:last] = [lines[first - 1][:left] + "\n" * (last - first) + word
                                 + lines[last - 1][right:]]
    return "".join(lines).encode("utf-8")


def seek(words: Sequence[str], at: int, wanted: str) -> int:
    """Return where the first of some operators is that stands in no brackets and no lambda's head.
    """
    depth = lambdas = 0
    while depth or lambdas or not words[at] or words[at] not in wanted:
        word = words[at]
        depth += (word in ("(", "[", "{")) - (word in (")", "]", "}"))
        if not depth:
            lambdas += (word == "lambda") - (word == ":" and lambdas > 0)
        at += 1
    return at


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
    parser.add_argument("--publisher-key", metavar="FILE",
                        help="put this public key into insights-mini.pyz")
    options = parser.parse_args(argv)
    publisher = {}
    if options.publisher_key is not None:
        publisher[PUBLISHER] = read_public_key(options.publisher_key)
    entries = dict(list_entries(), **publisher)
    if options.check:
        return check(entries)
    write(os.path.join(HERE, TEMPLATE), make_template().encode("utf-8"), MODE)
    write(PRODUCT, pack(entries), 0o755)
    return sign(options.sign) if options.sign else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
