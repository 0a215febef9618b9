"""Archives against the host, by an independent and plain reading of the rules (CONTRACT 4, 5)."""
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
from typing import Any, Dict, List, Optional, Set, Tuple

from tests.support import SHARED, TOP, HostCase

RULES_2019 = os.path.join(SHARED, "reference", "uploader-2019.json")
OWN = {"branch_info", "version_info", "blacklist_report"}
FOLDERS = ("/sbin", "/bin", "/usr/sbin", "/usr/bin")
ENVIRON = {"LC_ALL": "C", "PATH": ":".join(FOLDERS)}
# Programs whose output depends on nothing but what stands still on a host.
STABLE = {"uname", "lspci", "rpm", "getconf", "readlink", "md5sum"}
LISTED = ("/boot", "/etc", "/usr", "/lib", "-")  # what stands still when ls lists it


def load_catalogue() -> Dict[str, Any]:
    """Return conf/specs in the form of uploader.json."""
    rules: Dict[str, Any] = {"commands": [], "files": [], "globs": []}
    with open(os.path.join(TOP, "conf", "specs", "catalogue.json"), encoding="utf-8") as file:
        groups = {"@" + name: group["strings"] for name, group in json.load(file)["keeps"].items()}
    for path in sorted(glob.glob(os.path.join(TOP, "conf", "specs", "*.json"))):
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        rules["pre_commands"] = data.get("pre_commands", rules.get("pre_commands", {}))
        for spec in data.get("specs", []):
            for kind in ("command", "file", "glob"):
                targets = spec.get(kind, [])
                for target in [targets] if isinstance(targets, str) else targets:
                    entry = {kind: target, "symbolic_name": spec["name"],
                             "pattern": [string for item in spec.get("keep", [])
                                         for string in groups.get(item, [item])]}
                    if "pre_command" in spec:
                        entry["pre_command"] = spec["pre_command"]
                    rules[kind + "s"].append(entry)
    return rules


def load_2019() -> Dict[str, Any]:
    with open(RULES_2019, encoding="utf-8") as file:
        rules: Dict[str, Any] = json.load(file)
    return rules


def mangle(line: str) -> str:
    """Return the file name of a command's output, a character at a time."""
    for folder in ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"):
        if line.startswith(folder):
            line = line[len(folder):]
            break
    name, in_run = "", False
    for character in line:
        if (character.isascii() if hasattr(character, "isascii") else character < "\x80") and (
                character.isalnum() or character in "_.-/"):
            name, in_run = name + ("." if character == "/" else character), False
        elif not in_run:
            name, in_run = name + "_", True
    while name and name[0] in " ._-":
        name = name[1:]
    while name and name[-1] in " ._-":
        name = name[:-1]
    return name[:255]


def expand(path: str) -> List[str]:
    """Return the files that a path with regular expressions names."""
    if "*" not in path:
        return [path]
    found = [""]
    parts = path.strip("/").split("/")
    for number, part in enumerate(parts):
        deeper = []
        for parent in found:
            literal = parent + "/" + part
            if number < len(parts) - 1 and os.path.isdir(literal):
                deeper.append(literal)
            elif "*" in part or number == len(parts) - 1:
                try:
                    names = sorted(os.listdir(parent or "/"))
                except OSError:
                    continue
                deeper += [parent + "/" + name for name in names if re.match(part, name)]
        found = deeper
    return found


def keep(content: bytes, patterns: Optional[List[bytes]]) -> bytes:
    """Return the lines that contain any of the strings; all without any string."""
    content = content.decode("utf-8", "ignore").encode("utf-8")
    if not patterns:
        return content
    return b"".join(line for line in re.findall(rb"[^\n]*\n|[^\n]+\Z", content)
                    if any(pattern in line for pattern in patterns))


def read(path: str) -> bytes:
    """Return the content of a regular file; nothing where there is none that can be read."""
    if not os.path.isfile(path):
        return b""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def run(argv: List[str], home: str) -> bytes:
    try:
        return subprocess.run(argv, env=dict(ENVIRON, HOME=home), cwd="/", stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                              check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return b""


def find_program(word: str) -> Optional[str]:
    """Return the program that the first word names, or one of its name in a system folder."""
    folder, _, name = word.rpartition("/")
    candidates = [word] if folder else []
    if folder in ("",) + FOLDERS:
        candidates += [os.path.join(other, name) for other in FOLDERS]
    for path in candidates:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def stands_still(line: str) -> bool:
    """Tell whether a command prints the same while the host is left alone."""
    program, *words = shlex.split(line)
    name = os.path.basename(program)
    return name in STABLE or (name == "ls" and all(word.startswith(LISTED) for word in words))


Wanted = Dict[str, Optional[List[bytes]]]  # patterns by path or command line; None keeps all


def want(wanted: Wanted, key: str, spec: Dict[str, Any]) -> None:
    patterns = [pattern.encode() for pattern in spec.get("pattern") or []]
    if not patterns or wanted.get(key, []) is None:
        wanted[key] = None
    else:
        wanted[key] = (wanted.get(key) or []) + patterns


def want_files(rules: Dict[str, Any]) -> Wanted:
    wanted: Wanted = {}
    for spec in rules["files"]:
        for path in expand(spec["file"]):
            want(wanted, path, spec)
    for spec in rules["globs"]:
        for path in glob.glob(spec["glob"]):
            want(wanted, path, spec)
    return wanted


def want_commands(rules: Dict[str, Any], home: str) -> Tuple[Wanted, Set[str]]:
    """Return the commands whose programs are installed, and those answered without running."""
    wanted: Wanted = {}
    answered = set()
    for spec in rules["commands"]:
        line = spec["command"].replace("{CONTAINER_MOUNT_POINT}", "/")
        before = rules["pre_commands"].get(spec.get("pre_command"), "")
        if set(re.split(r"[^\w.+-]+", line + " " + before)) & {"rm", "kill", "reboot", "shutdown"}:
            continue
        if spec["symbolic_name"] == "hostname":
            answered.add(line)
        elif find_program(shlex.split(line)[0]):
            arguments = [""]
            if before:
                output = run(["/bin/sh", "-c", before], home).decode()
                arguments = [" " + text for text in output.splitlines() if text.strip()]
            for argument in arguments:
                want(wanted, line + argument, spec)
    return wanted, answered


def run_line(line: str, home: str) -> bytes:
    words = shlex.split(line)
    return run([str(find_program(words[0])), *words[1:]], home)


class Contents(HostCase):
    def setUp(self) -> None:
        super().setUp()
        # What looks like a key or a token is masked as well; it has tests of its own.
        self.environ["INSIGHTS_REDACT_SECRETS"] = "false"

    def collect_and_compare(self, rules: Dict[str, Any], *arguments: str) -> None:
        files = want_files(rules)
        commands, answered = want_commands(rules, self.folder)
        before = {key: read(key) for key in files}
        outputs = {line: run_line(line, self.folder) for line in commands}
        members = self.collect(*arguments)
        self.assertGreater(len(members), 60)
        self.check_names(members, files, commands, answered)
        for path, patterns in files.items():
            self.check_file(members, path, before[path], patterns)
        for line, patterns in commands.items():
            self.check_command(members, line, outputs[line], patterns)

    def check_names(self, members: Dict[str, bytes], files: Wanted, commands: Wanted,
                    answered: Set[str]) -> None:
        """Check that nothing has a name that no spec accounts for."""
        possible = {os.path.normpath(path).lstrip("/") for path in files}
        possible |= {"insights_commands/" + mangle(line) for line in [*commands, *answered]}
        self.assertEqual(set(members) - possible, OWN)
        for line in answered:
            self.assertIn("insights_commands/" + mangle(line), members)

    def check_file(self, members: Dict[str, bytes], path: str, before: bytes,
                   patterns: Optional[List[bytes]]) -> None:
        name = os.path.normpath(path).lstrip("/")
        after = read(path)
        expected = keep(before, patterns)
        if expected and keep(after, patterns):
            self.assertIn(name, members)
        counts = path.startswith("/proc/") and path != "/proc/cmdline"
        if before == after and not counts and len(before) < 64 * 1024 * 1024:
            self.assert_same(members.get(name, b""), expected, path)

    def check_command(self, members: Dict[str, bytes], line: str, before: bytes,
                      patterns: Optional[List[bytes]]) -> None:
        name = "insights_commands/" + mangle(line)
        expected = keep(before, patterns)
        if expected:
            self.assertIn(name, members)
        if stands_still(line) and run_line(line, self.folder) == before:
            self.assert_same(members.get(name, b""), expected, line)

    def assert_same(self, found: bytes, expected: bytes, what: str) -> None:
        """Compare line for line; a line with a password only as far as that word."""
        if b"password" not in expected.lower():
            self.assertEqual(found, expected, what)
            return
        pairs = list(zip(found.split(b"\n"), expected.split(b"\n")))
        self.assertEqual(found.count(b"\n"), expected.count(b"\n"), what)
        for one, other in pairs:
            at = other.lower().find(b"password")
            self.assertEqual(*((one, other) if at < 0 else (one[:at + 8], other[:at + 8])), what)

    def test_everything_that_the_2019_rules_name_is_there_line_for_line(self) -> None:
        if not os.path.exists(RULES_2019):
            return
        self.collect_and_compare(load_2019(), RULES_2019)

    def test_everything_that_the_bundled_catalogue_names_is_there_line_for_line(self) -> None:
        rules = load_catalogue()
        path = self.write("catalogue.json", dict(rules, version="1"))
        self.collect_and_compare(rules, path)

    def test_the_bundled_catalogue_is_what_a_run_without_rules_collects(self) -> None:
        done = self.run_product("--list-specs", "--json")
        rules = load_catalogue()
        self.assertEqual(
            sorted((spec["name"], spec["kind"], spec["target"], spec["keep"])
                   for spec in json.loads(done.out.decode())),
            sorted((spec["symbolic_name"], kind, spec[kind], spec["pattern"])
                   for kind in ("command", "file", "glob") for spec in rules[kind + "s"]))

    def test_the_check_itself_knows_the_contracts_examples(self) -> None:
        self.assertEqual(mangle("/bin/df -alP"), "df_-alP")
        self.assertEqual(mangle("/bin/ls -lanR /boot"), "ls_-lanR_.boot")
        self.assertEqual(keep(b"a\nb\xff\nab", [b"b"]), b"b\nab")
        self.write("d/e/ab.conf", "")
        self.assertEqual(expand(self.folder + "/()*d/.*/a"), [self.path("d", "e", "ab.conf")])
        self.assertIsNotNone(find_program("/usr/bin/sh"))
        self.assertIsNone(find_program("/usr/bin/no-such-program"))
        self.assertTrue(shutil.which("ls"))
