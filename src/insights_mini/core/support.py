"""--support: an archive for those who help: log, settings, versions, eggs, the way to the service.

Nothing that the host's owner hides is in it: known secrets go first, wherever they stand, then each
text is cleaned like any that is collected, and proven. What cannot be cleaned is left out.
"""
import contextlib
import hashlib
import os
import re
import stat
import sys
import time
from typing import Callable, Iterable, Iterator, List, Mapping, Optional, Tuple
from urllib.parse import quote, unquote

from insights_mini import bundle, eggs, hostfiles, trust
from insights_mini.core import signals
from insights_mini.core.archive import Archive, make_compressor, usual_compressor
from insights_mini.core.diskspace import BY_TMPDIR, cannot_write
from insights_mini.core.exclusions.load import load_exclusions
from insights_mini.core.host import find_names
from insights_mini.core.machineid import read_machine_id
from insights_mini.core.output import SUFFIXES
from insights_mini.core.redact.masking import MASK
from insights_mini.core.redaction import (
    Redaction,
    encode,
    find_hit,
    keep_replacements,
    make_redaction,
)
from insights_mini.core.rules import SECONDS
from insights_mini.core.server.autoconfig import Rhsm, configure
from insights_mini.exits import Failure, Uncleaned, reason
from insights_mini.log import KEPT, Log, choose_file, printable, show
from insights_mini.paths import Paths
from insights_mini.process import Stop
from insights_mini.settings import MIB, Settings, Value
from insights_mini.sources import read_environment, read_file
from insights_mini.statefiles import write_private
from insights_mini.version import describe

Mask = Callable[[bytes], bytes]
MARK = MASK.decode("ascii")
LOGIN = re.compile(r"([a-z]+://)?(?:[^:@]*:(.*)|.*)@", re.I | re.S)  # of a URL: scheme, password
TIME = re.compile(r"[0-9T:.+Z -]{1,40}")
OS_RELEASE = b"/etc/os-release"
MOST_NAMES = 1000  # of a folder


def write_support(settings: Settings, paths: Paths, environ: Mapping[str, str], log: Log) -> bytes:
    """Write the archive into the temporary folder and return its path; raise Failure."""
    signals.raise_stopped()
    redaction = make_redaction(settings, paths, load_exclusions(settings, paths),
                               find_names(settings.offline))
    log.clean = redaction.policy.clean_text
    kind = usual_compressor()
    top = encode("insights-support-%s-%s" % (time.strftime("%Y%m%d%H%M%S"), os.urandom(3).hex()))
    packed: List[bytes] = []  # of some megabytes at most
    archive = Archive(packed.append, make_compressor(kind), top)
    mask = make_mask(settings, paths, environ)
    for name, lines in gather(settings, paths, environ, log):
        text = "".join(printable(line) + "\n" for line in lines)
        put(archive, redaction, name, mask(encode(text)), log)
    log_file = choose_file(settings, paths)
    for path in (OS_RELEASE, log_file, *(b"%s.%d" % (log_file, number)
                                         for number in range(1, KEPT + 1))):
        if not redaction.excluder.path(path):
            put(archive, redaction, os.path.basename(path), mask(read_tail(path)), log)
    archive.close()
    hit = find_hit(redaction)
    if hit is not None:
        raise Failure("the archive was not kept", hit, "please report this")
    keep_replacements(settings, paths, redaction.policy)
    path = os.path.join(paths.temp_dir, top + SUFFIXES[kind])
    try:
        write_private(path, b"".join(packed))
    except OSError as error:
        raise cannot_write(path, error, BY_TMPDIR)
    return path


def put(archive: Archive, redaction: Redaction, name: bytes, content: bytes, log: Log) -> None:
    """Add a member, cleaned and shown to the proof, or say why it is left out."""
    policy, proof = redaction.policy, redaction.proof
    try:
        name = policy.clean_name(name) or os.urandom(3).hex().encode("ascii")
        content = policy.make_cleaner()(content)
    except Uncleaned as error:
        log.warning("left out of the archive: %s: %s" % (show(name), error.why))
        return
    if policy.obfuscator:
        content = policy.obfuscator.resolve(content)
    proof.read(name, name)
    proof.read(name, content)
    archive.add(name, len(content), [content])


def read_tail(path: bytes) -> bytes:
    """Return the newest megabyte of a file, or why there is none."""
    try:
        with open(hostfiles.open_regular(path, path == OS_RELEASE), "rb", 0) as file:
            window = hostfiles.find_window(file, os.fstat(file.fileno()).st_size, MIB)
            return b"".join(hostfiles.read_window(file, *window))
    except hostfiles.Unreadable as error:
        return encode(error.why)
    except OSError as error:
        return encode(reason(error))


def make_mask(settings: Settings, paths: Paths, environ: Mapping[str, str]) -> Mask:
    """Return what masks, wherever they stand, the passwords in settings, URLs and environment."""
    words = set()
    for name, value in (*read_file(settings.conf, paths)[0].items(), *environ.items(),
                        *settings._asdict().items(),
                        ("password", Rhsm(paths.rhsm_conf).get("server", "proxy_password"))):
        login = LOGIN.match(str(value))
        for word in (str(value) if name.lower().endswith("password") else "",
                     (login and login.group(2)) or ""):
            words |= {word, unquote(word), quote(word, "", errors="surrogateescape")}
    words.discard("")
    pattern = b"|".join(re.escape(encode(word)) for word in sorted(words, key=len, reverse=True))
    return lambda content: re.sub(pattern or b"(?!)", MASK, content)


def gather(settings: Settings, paths: Paths, environ: Mapping[str, str],
           log: Log) -> Iterator[Tuple[bytes, Iterable[str]]]:
    """Yield the names and lines of what is told of this host."""
    if not settings.offline:
        from insights_mini.core.server.connectiontest import test_connection  # network code
        lines: List[str] = []
        test_connection(settings._replace(phase_timeout=settings.phase_timeout / 2), paths,
                        environ, log, lines.append)
        yield b"connection", lines
    yield b"settings", list_settings(settings, paths, environ)
    yield b"versions", (
        *describe(environ.get("INSIGHTS_CLIENT_VERSION", "unknown")).splitlines(),
        "Egg: %s, sha256 %s" % (environ.get("INSIGHTS_EGG"), digest(bundle.read_whole())),
        "Python: " + sys.version, "Kernel: " + " ".join(os.uname()[::2]))
    yield b"eggs", list_eggs(paths, environ)
    yield b"folders", list_folders(paths)


def list_settings(settings: Settings, paths: Paths, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield each option with its value, without secrets, and where it is set.

    Where a source sets it, the command line may have set it to something else.
    """
    sources = read_environment(environ), read_file(settings.conf, paths)
    for name, value in configure(settings, paths)[0]._asdict().items():
        origins = [where for found, where in sources if name in found]
        if value != getattr(settings, name):
            origins = ["from " + show(paths.rhsm_conf)]
        elif not origins:
            origins = ["default" if value == getattr(Settings(), name) else "command line"]
        yield "%s = %s  (%s)" % (name, mask_value(name, value), ", ".join(origins))


def mask_value(name: str, value: Value) -> str:
    """Return a value without a password, the login in a URL, or its query."""
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    if name == "password":
        return text and MARK
    text = LOGIN.sub(lambda login: (login.group(1) or "") + MARK + "@", text)
    return re.sub(r"(?s)\?.*", "?" + MARK, text)


def list_eggs(paths: Paths, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what is known of each place of an egg, and of the keys that may vouch for it."""
    with contextlib.ExitStack() as stack:
        ring: Optional[trust.Keyring] = None
        try:
            ring = stack.enter_context(trust.open_keyring(
                trust.find_gpg(environ.get("PATH", "")), paths.temp_dir,
                trust.load_keys(paths.public_keys), SECONDS, Stop()))
            yield "Fingerprints of trusted keys: " + ", ".join(sorted(ring.trusted))
        except trust.Untrusted as error:
            yield "No signature can be checked: %s; %s" % (error.why, error.remedy)
        for name, path in ((eggs.ENV, os.fsencode(environ.get("EGG", ""))),
                           (eggs.NEW, paths.new_egg), (eggs.STABLE, paths.stable_egg),
                           (eggs.RPM, paths.rpm_egg)):
            yield "%s %s" % (name, show(path))
            try:
                content = hostfiles.read_small(path, eggs.LARGEST, follow=False)
                yield "  sha256 %s %s" % (digest(content), look(path))
                if ring:
                    yield verify(name, path, content, ring)
            except (hostfiles.Unreadable, trust.Untrusted, eggs.Unfit) as fault:
                yield "  not used: " + fault.why
            except OSError as fault:
                yield "  not used: " + reason(fault)


def verify(name: str, path: bytes, content: bytes, ring: trust.Keyring) -> str:
    """Return who vouches for an egg, as the wrapper would find; raises as that does."""
    if name != eggs.ENV:
        hostfiles.check_guarded(path)
    copy = os.path.join(ring.home, b"egg")
    with open(copy, "wb") as file:
        file.write(content)
    signer = ring.verify(copy, trust.read_signature(path + b".asc"))
    return "  signed by %s; format %s, version %s" % (signer, *eggs.identify(content))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def look(path: bytes) -> str:
    status = os.lstat(path)
    return "%s %d:%d %d bytes %s" % (
        stat.filemode(status.st_mode), status.st_uid, status.st_gid, status.st_size,
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(status.st_mtime)))


def list_folders(paths: Paths) -> Iterator[str]:
    """Yield the machine id, the times in the marks, and what lies in the folders."""
    try:
        yield "Machine id: " + (read_machine_id(paths) or "none")
    except Failure as failure:
        yield str(failure)
    for path in (paths.registered, paths.unregistered, paths.last_upload):
        try:
            text = hostfiles.read_small(path, 4096).decode("latin-1").strip()
            yield "%s: %s" % (show(path), text if TIME.fullmatch(text) else "no time")
        except hostfiles.Unreadable as error:
            yield "%s: %s" % (show(path), error.why)
    for folder in (paths.conf_dir, paths.older_conf_dirs[0], paths.state_dir):
        try:
            for name in (b"", *sorted(os.listdir(folder))[:MOST_NAMES]):
                path = os.path.join(folder, name)
                yield "%s %s" % (look(path), show(path))
        except OSError as error:
            yield "%s: %s" % (show(folder), reason(error))
