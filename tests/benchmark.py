"""Measures what DESIGN.md promises of speed and size, each as a ratio to a reference in one run.

    python3 tests/benchmark.py [--rules uploader.json] [--quick]

Prints one table; never fails on a time. Needs root, a build, and grep and gzip for the references.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from typing import Any, Callable, List, Optional, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TOP, "src"), TOP]

from insights_mini.core.collect import commandline, plan  # noqa: E402
from insights_mini.core.exclusions.expressions import translate  # noqa: E402
from insights_mini.core.exclusions.load import Exclusions, Loaded  # noqa: E402
from insights_mini.core.exclusions.match import Excluder  # noqa: E402
from insights_mini.core.redaction import make_redaction  # noqa: E402
from insights_mini.core.specs import parse_rules  # noqa: E402
from insights_mini.log import NOTHING, Console, Log  # noqa: E402
from insights_mini.paths import find_paths  # noqa: E402
from insights_mini.settings import Settings  # noqa: E402
from insights_mini.statefiles import write_private  # noqa: E402
from insights_mini.wrapper.chain import Chain  # noqa: E402
from tests import server as servers  # noqa: E402
from tests.eggmaker import ours  # noqa: E402
from tests.signing import Signer  # noqa: E402

PRODUCT = os.path.join(TOP, "insights-mini.pyz")
RULES = os.path.join(os.path.dirname(TOP), "shared", "reference", "uploader-2019.json")
ENVIRON = {"LC_ALL": "C", "PATH": commandline.PATH}
Row = Tuple[str, str, str, str]


def run_commands(tasks: List[plan.Task]) -> None:
    """Run the commands four at a time and read their output: the reference for a whole run."""
    left = list(reversed(tasks))
    lock = threading.Lock()

    def serve() -> None:
        while True:
            with lock:
                if not left:
                    return
                task = left.pop()
            subprocess.run(task.argv, executable=task.program, env=ENVIRON, cwd="/",
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, check=False)

    threads = [threading.Thread(target=serve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Bench:
    """A scratch folder, and how the product is run there."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.environ = dict(os.environ, TMPDIR=folder, INSIGHTS_CONF_DIR=folder + "/etc",
                            INSIGHTS_STATE_DIR=folder + "/state", INSIGHTS_LOG_DIR=folder + "/log")

    def product(self, *arguments: str) -> float:
        """Run the product and return its seconds."""
        started = time.monotonic()
        subprocess.run([sys.executable, PRODUCT, *arguments], env=self.environ, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return time.monotonic() - started

    def collect(self, rules: str, *arguments: str) -> float:
        out = os.path.join(self.folder, "out")
        seconds = self.product("--offline", "--quiet", "--from-file", rules, "--output-dir", out,
                               *arguments)
        shutil.rmtree(out)
        return seconds


def timed(work: Callable[[], Any]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def pairs(first: Callable[[], float], second: Callable[[], float], count: int,
          ) -> Tuple[float, float]:
    """Run the two in turn and return the median of each."""
    first(), second()  # warm up
    both = [(first(), second()) for _ in range(count)]
    return (statistics.median(a for a, _ in both), statistics.median(b for _, b in both))


def whole_run(bench: Bench, rules: str, count: int) -> Row:
    """The whole run against its own commands."""
    with open(rules, "rb") as file:
        parsed = parse_rules(file.read())
    made = plan.make_plan(parsed, pre_command, Excluder(Exclusions()))
    tasks = [task for task in made.tasks if task.kind == "command"]
    ours, reference = pairs(lambda: bench.collect(rules),
                            lambda: timed(lambda: run_commands(tasks)), count)
    return ("whole run, %d commands" % len(tasks), "%.3f s" % ours,
            "%.3f s  commands alone, four at a time" % reference, "%+.3f s" % (ours - reference))


def pre_command(line: bytes) -> Optional[List[bytes]]:
    done = subprocess.run(["/bin/sh", "-c", line], env=ENVIRON, stdout=subprocess.PIPE, check=False)
    return done.stdout.split() if done.returncode == 0 else None


def start_up(bench: Bench, count: int) -> Row:
    """--version against a Python that does nothing."""
    ours, bare = pairs(lambda: bench.product("--version"), lambda: timed(lambda: subprocess.run(
        [sys.executable, "-I", "-c", "pass"], check=True)), count * 3)
    return "--version", "%.1f ms" % (ours * 1e3), "%.1f ms  python3 -I -c pass" % (bare * 1e3), (
        "x %.2f" % (ours / bare))


def make_log(path: str, size: int, patterns: List[str]) -> None:
    """Write a log of syslog-like lines, one in fifty of which has one of the patterns."""
    lines = []
    for number in range(20000):
        words = " ".join("word%d" % ((number * 7919 + i * 104729) % 9973) for i in range(9))
        extra = patterns[number // 50 % len(patterns)] if number % 50 == 0 else ""
        lines.append("Nov 24 13:%02d:%02d host service[%d]: %s %s" % (
            number // 60 % 60, number % 60, number % 30000, words, extra))
    block = ("\n".join(lines) + "\n").encode()
    with open(path, "wb") as file:
        while file.tell() < size:
            file.write(block)


def large_log(bench: Bench, size: int, count: int) -> List[Row]:
    """A log through 60 patterns, with and without grep on the host, against grep and gzip."""
    patterns = ["pattern %d of sixty, %s" % (i, chr(97 + i % 26) * (i % 17)) for i in range(60)]
    log = os.path.join(bench.folder, "large.log")
    make_log(log, size, patterns)
    strings = os.path.join(bench.folder, "patterns")
    with open(strings, "w") as file:
        file.write("\n".join(patterns) + "\n")
    rules = os.path.join(bench.folder, "rules.json")
    with open(rules, "w") as file:
        json.dump({"version": "1", "files": [
            {"file": log, "symbolic_name": "large", "pattern": patterns}]}, file)

    def reference() -> float:
        return timed(lambda: subprocess.run(
            "grep -F -f %s %s | gzip > %s/out.gz" % (strings, log, bench.folder), shell=True,
            env=ENVIRON, check=True))

    rows = []
    for name, prefix in (("with grep", []), ("without grep", hide_grep(bench.folder))):
        ours, theirs = pairs(partial(collect_with, prefix, bench, rules), reference, count)
        rows.append(("%d MB log, 60 patterns, %s" % (size // 1000000, name), "%.2f s" % ours,
                     "%.2f s  grep -F -f | gzip" % theirs, "x %.2f" % (ours / theirs)))
    peak = measure_peak(bench, rules)
    rows.append(("peak memory on it", "%.0f MB" % peak, "64 MB", "x %.2f" % (peak / 64)))
    os.unlink(log)
    return rows


def hide_grep(folder: str) -> List[str]:
    """Return a command prefix under which the host has no grep: a mount namespace of its own."""
    script = os.path.join(folder, "hide.sh")
    with open(script, "w") as file:
        file.write("for f in /bin/grep /usr/bin/grep; do [ -e $f ] && "
                   "mount --bind /dev/null $f; done\nexec \"$@\"\n")
    return ["unshare", "-m", "sh", script]


def collect_with(prefix: List[str], bench: Bench, rules: str) -> float:
    out = os.path.join(bench.folder, "out")
    started = time.monotonic()
    subprocess.run([*prefix, sys.executable, PRODUCT, "--offline", "--quiet", "--from-file", rules,
                    "--output-dir", out], env=bench.environ, check=True)
    seconds = time.monotonic() - started
    shutil.rmtree(out)
    return seconds


def measure_peak(bench: Bench, rules: str) -> float:
    """Return the peak resident memory, in MB, of the largest process of a run."""
    script = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    out = os.path.join(bench.folder, "out")
    done = subprocess.run([sys.executable, "-c", script, sys.executable, PRODUCT, "--offline",
                           "--quiet", "--from-file", rules, "--output-dir", out],
                          env=bench.environ, stdout=subprocess.PIPE, check=True)
    shutil.rmtree(out)
    return int(done.stdout) / 1024


WORDS = ["kernel", "service", "started", "unit", "failed", "connection", "session", "opened",
         "user", "root", "systemd", "network", "link", "device", "error", "reset", "timeout",
         "port", "request", "completed", "status", "write", "read", "sector", "page", "buffer"]
# What the owner forbids in the redaction rows: as much as the issue of redaction asks for.
KEYWORDS = ["%s-%s" % (WORDS[i], WORDS[(i * 7 + 3) % len(WORDS)].upper()) for i in range(20)]
PATTERNS = ["%s %s refused" % (WORDS[(i * 5) % len(WORDS)], WORDS[i]) for i in range(20)]
REGEX = ["secret-[[:digit:]]+", "[[:digit:]]{3}-[[:digit:]]{2}-[[:digit:]]{4}",
         "user=[[:alpha:]]+@corp", "(alpha|beta)gamma", "id [A-F0-9]{8}"]


def make_syslog(size: int, host: str) -> bytes:
    """Return lines of a log, each with the host's name and one in ten with an address."""
    lines = []
    for number in range(size // 100):
        words = " ".join(WORDS[(number * 31 + i * 17) % len(WORDS)] for i in range(10))
        address = " from 10.%d.%d.%d port %d" % (number % 4, number % 251, number % 254 + 1,
                                                 1024 + number % 60000) if number % 10 == 0 else ""
        lines.append("Nov 24 13:%02d:%02d %s %s[%d]: %s%s" % (
            number // 60 % 60, number % 60, host, WORDS[number % 7], number % 30000, words,
            address))
    return ("\n".join(lines) + "\n").encode()


def redaction(bench: Bench, size: int) -> List[Row]:
    """A log with all that an owner can ask for: the cleaner alone, the whole run, the proof."""
    host = os.uname().nodename
    block = make_syslog(2000000, host)
    settings = Settings(obfuscate=True, obfuscate_hostname=True)
    exclusions = Exclusions(patterns=tuple(p.encode() for p in PATTERNS), regex=tuple(REGEX),
                            expressions=tuple(map(translate, REGEX)),
                            keywords=tuple(k.encode() for k in KEYWORDS))
    made = make_redaction(settings, find_paths(bench.environ), Loaded(exclusions, (), ()), [host])
    cleaner = made.policy.make_cleaner()
    seconds = timed(lambda: [cleaner(part) for _ in range(size // len(block))
                             for part in split_lines(block)])
    rate = size / seconds / 1e6
    rows = [("cleaner, %d keywords, %d patterns, %d expressions, obfuscation" % (
        len(KEYWORDS), len(PATTERNS), len(REGEX)), "%.1f MB/s" % rate, "25 MB/s  promised",
        "x %.2f" % (rate / 25))]
    obfuscator = made.policy.obfuscator
    assert obfuscator is not None
    final = obfuscator.resolve(cleaner(block))
    started = time.monotonic()
    for part in split_lines(final):
        made.proof.read(b"log", part)
    proof = time.monotonic() - started
    made.guard.end()
    log, rules = os.path.join(bench.folder, "sys.log"), os.path.join(bench.folder, "sys.json")
    with open(log, "wb") as file:
        for _ in range(size // len(block)):
            file.write(block)
    with open(rules, "w") as text:
        json.dump({"version": "1", "files": [{"file": log, "symbolic_name": "sys",
                                              "pattern": []}]}, text)
    os.makedirs(bench.folder + "/etc", exist_ok=True)
    with open(bench.folder + "/etc/file-content-redaction.yaml", "w") as text:
        json.dump({"patterns": {"regex": REGEX}, "keywords": KEYWORDS}, text)
    os.chmod(bench.folder + "/etc/file-content-redaction.yaml", 0o600)
    bench.environ.update(INSIGHTS_OBFUSCATE="yes", INSIGHTS_OBFUSCATE_HOSTNAME="yes")
    run = bench.collect(rules, "--max-member", "1G")
    share = proof * (size / len(final)) / run
    peak = measure_peak(bench, rules)
    os.unlink(log)
    return [*rows, ("whole run on %d MB of it" % (size // 1000000), "%.1f s" % run,
                    "%.1f MB/s" % (size / run / 1e6), ""),
            ("share of the proof in that", "%.0f %%" % (share * 100), "25 %  promised",
             "x %.2f" % (share / 0.25)),
            ("peak memory on it", "%.0f MB" % peak, "64 MB", "x %.2f" % (peak / 64))]


def split_lines(block: bytes) -> List[bytes]:
    """Return a block in parts of whole lines, as a run reads it."""
    parts, start = [], 0
    while start < len(block):
        end = block.rfind(b"\n", start, start + 262144) + 1
        parts.append(block[start:end])
        start = end
    return parts


def verification(bench: Bench, size: int) -> List[Row]:
    """Copying, verifying and understanding an egg, against gpg alone on the same files."""
    signer = Signer.find()
    if signer is None:
        return []
    try:
        key = signer.make("publisher", "rsa3072")
        egg = ours("7.0.0", "filling = '%s'" % os.urandom(size // 8).hex())
        paths = find_paths(bench.environ)
        for path, content in ((paths.public_keys, signer.export(key)), (paths.new_egg, egg),
                              (paths.new_egg + b".asc", signer.sign(egg, key))):
            write_private(path, content)

        def find() -> float:
            with Chain(Settings(), paths, {}, Log(Console(NOTHING))) as chain:
                return timed(lambda: [str(egg) for egg in chain.find()].index("NEW egg 7.0.0"))

        gpg = [signer.gpg, "--homedir", signer.home, "--verify",
               os.fsdecode(paths.new_egg + b".asc"), os.fsdecode(paths.new_egg)]
        mine, alone = pairs(find, lambda: timed(lambda: subprocess.run(
            gpg, stderr=subprocess.DEVNULL, check=True)), 5)
        os.unlink(paths.new_egg)
    finally:
        signer.close()
    return [("verifying an egg of %.1f MB" % (len(egg) / 1e6), "%.0f ms" % (mine * 1e3),
             "%.0f ms  gpg --verify; 500 ms promised" % (alone * 1e3), "x %.2f" % (mine / 0.5))]


def upload(bench: Bench, size: int) -> List[Row]:
    """Uploading a file over TLS, against curl to the same server."""
    curl = shutil.which("curl")
    if curl is None or servers.missing():
        return []
    payload = os.path.join(bench.folder, "payload.tar.gz")
    with open(payload, "wb") as file:
        file.truncate(size)
    server = servers.Server({"/r/insights/platform/ingress/v1/upload": (
        202, {}, b'{"request_id": "1"}')}, "server", hashes=False)
    authority = servers.Certificates.path("ca.pem")
    bench.environ.update(INSIGHTS_BASE_URL=server.name + "/r/insights/platform",
                         INSIGHTS_CERT_VERIFY=authority, INSIGHTS_AUTO_UPDATE="no")
    kind = "application/vnd.redhat.advisor.collection+tgz"
    try:
        mine, its = pairs(
            lambda: bench.product("--payload", payload, "--content-type", kind),
            lambda: timed(lambda: subprocess.run(
                [curl, "-sS", "--cacert", authority, "-F", "file=@%s;type=%s" % (payload, kind),
                 server.url("/r/insights/platform/ingress/v1/upload")], check=True,
                stdout=subprocess.DEVNULL)), 2)
    finally:
        server.close()
        os.unlink(payload)
    return [("upload of %.0f MB" % (size / 1e6), "%.0f MB/s" % (size / mine / 1e6),
             "%.0f MB/s  curl" % (size / its / 1e6), "x %.2f" % (its / mine))]


def mounted_root(bench: Bench) -> List[Row]:
    """The bundled catalogue on this machine's root, as if it did not run."""
    script = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
              "use = resource.getrusage(resource.RUSAGE_CHILDREN); "
              "print(use.ru_utime + use.ru_stime, use.ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", script, sys.executable, PRODUCT, "--offline",
                           "--silent", "--analyze-mountpoint", "/", "--output-dir",
                           os.path.join(bench.folder, "mounted")], env=bench.environ,
                          stdout=subprocess.PIPE, check=True)
    seconds, kilobytes = map(float, done.stdout.split())
    return [("this root, not running", "%.2f s of CPU" % seconds, "3 s", "x %.2f" % (seconds / 3)),
            ("peak memory on it", "%.0f MB" % (kilobytes / 1024), "64 MB",
             "x %.2f" % (kilobytes / 1024 / 64))]


def main(argv: List[str]) -> int:
    parser = argparse.ArgumentParser(description="Measure speed and size, as ratios.")
    parser.add_argument("--rules", default=RULES, help="a real rules file")
    parser.add_argument("--quick", action="store_true", help="a tenth of the log, fewer repeats")
    options = parser.parse_args(argv)
    count, size = (2, 50000000) if options.quick else (5, 500000000)
    rows: List[Row] = []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        bench = Bench(folder)
        if os.path.exists(options.rules):
            rows.append(whole_run(bench, options.rules, count))
        rows.append(start_up(bench, count))
        rows += mounted_root(bench)
        rows += large_log(bench, size, count)
        rows += redaction(bench, size * 2 // 5)
        rows += verification(bench, 1000000)
        rows += upload(bench, size * 2)
    kilobytes = os.path.getsize(PRODUCT) / 1000
    rows.append(("size of the .pyz", "%.0f kB" % kilobytes, "400 kB", "x %.2f" % (kilobytes / 400)))
    print("Python %s, %d processors" % (sys.version.split()[0], os.cpu_count() or 0))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print("%s  %s  %s  %s" % (row[0].ljust(widths[0]), row[1].rjust(widths[1]),
                                  row[2].ljust(widths[2]), row[3]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
