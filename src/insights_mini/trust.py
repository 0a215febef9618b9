"""Vouches for a file: the host's gpg checks its detached signature against given public keys.

gpg works in a home of its own that is removed afterwards. It reads no keyring and no options of
the user (from 2.3 on it does read root's /etc/gnupg), starts no agent and asks no network. What it
says is taken from its status lines only (GnuPG, doc/DETAILS), never from its exit status or from
text for people. It gets to see a signature file only when that is one signature packet and nothing
else (RFC 4880, sections 4.2 and 6.2): what gpg does with messages, keys and encrypted data found
there differs between versions.

Who owns the files and which keys are trusted is the caller's matter.
"""
import binascii
import contextlib
import os
import time
from typing import FrozenSet, Iterator, List, NoReturn, Optional, Sequence, Tuple

from insights_mini import bundle, hostfiles, process
from insights_mini.exits import reason
from insights_mini.log import write_all
from insights_mini.paths import HOME, make_room, temporary_folder

SYSTEM_FOLDERS = (b"/usr/bin", b"/bin")
MOST_SIGNATURE = 64 * 1024   # bytes; a signature has some hundred
MOST_KEYS = 1024 * 1024      # bytes of a file of public keys
MOST_OUTPUT = 1024 * 1024    # bytes of one run of gpg
GRACE = 1.0                  # seconds between SIGTERM and SIGKILL
ENVIRON = {"LC_ALL": "C"}    # nothing of the user's

# What every gpg from 1.4 to 2.4 knows, and what later ones are told besides. (2.0 starts an agent
# for secret keys only and retrieves no keys unless told to.)
OPTIONS = (b"--no-options", b"--batch", b"--no-tty", b"--lock-never", b"--trust-model", b"always",
           b"--logger-file", b"/dev/null", b"--status-fd", b"1")
SHIELDS = (b"--no-autostart", b"--disable-dirmngr", b"--no-auto-key-retrieve",
           b"--no-auto-key-import")

SIGNATURE = 2                          # packet tags: RFC 4880, section 4.3
MESSAGE = (1, 3, 4, 8, 9, 11, 18)      # what a signed, compressed or encrypted message begins with
ENDLESS = 1 << 62                      # where a packet ends that does not give its length
STRONG = ("8", "9", "10", "11")        # SHA-256, 384, 512 and 224: RFC 4880, section 9.4
WEAK = {"1": "MD5", "2": "SHA-1", "3": "RIPEMD-160"}
BEGIN = b"-----BEGIN PGP SIGNATURE-----"
END = b"-----END PGP SIGNATURE-----"
BEGIN_TEXT = b"-----BEGIN PGP SIGNED MESSAGE-----"

NO_SIGNATURE = "the signature file holds no OpenPGP signature"
SEVERAL = "the signature file holds more than one signature"
SIGNED_MESSAGE = "the signature file holds a message, not a detached signature"
STRANGER = "the signature is by a key that is not trusted here (%s)"
REFUSED = {  # status lines that give the result of one signature, besides GOODSIG and ERRSIG
    "BADSIG": "the signature does not fit: it is of another file, or one of the two was changed",
    "EXPSIG": "the signature has expired",
    "EXPKEYSIG": "the key of the signature has expired",
    "REVKEYSIG": "the key of the signature has been revoked",
}

Status = List[List[str]]  # the words of each status line, without the prefix


class Untrusted(Exception):
    """The reason, fit for a message, why nothing vouches for a file, and perhaps a remedy."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why, remedy)
        self.why = why
        self.remedy = remedy


def find_gpg(path: str, system: Sequence[bytes] = SYSTEM_FOLDERS) -> bytes:
    """Return the path of the host's gpg: a system folder's, or else one on a PATH; or Untrusted.

    Where gpg2 exists beside gpg, the latter can be the old 1.4.
    """
    listed = [os.fsencode(folder) for folder in path.split(":") if folder.startswith("/")]
    for folders in (system, listed):
        for name in (b"gpg2", b"gpg"):
            program = process.find_program(name, folders)
            if program is not None:
                return program
    raise Untrusted("this host has no gpg to check signatures with", "install gnupg2 (or gnupg)")


@contextlib.contextmanager
def open_keyring(gpg: bytes, folder: bytes, keys: Sequence[Tuple[str, bytes]], seconds: float,
                 stop: process.Stop) -> Iterator["Keyring"]:
    """Give a keyring of the keys in a new home below `folder`, which nobody else may write to.

    `keys` are names for messages and contents of public key files, binary or armoured, each with
    one key or more. `seconds` bounds each run of gpg. Raises Untrusted.
    """
    with contextlib.ExitStack() as stack:
        try:
            home = stack.enter_context(temporary_folder(folder, HOME))
        except OSError as error:
            raise Untrusted("gpg gets no folder to work in: " + reason(error),
                            make_room(folder))
        stack.callback(remove_socket_folder, gpg, home, seconds)
        yield Keyring(gpg, home, keys, seconds, stop)


def remove_socket_folder(gpg: bytes, home: bytes, seconds: float) -> None:
    """Remove the empty folder that importing makes below /run/user for an agent, from 2.1.13 on."""
    gpgconf = process.find_program(b"gpgconf", [os.path.dirname(gpg)])
    if gpgconf is None:
        return
    try:
        process.run(gpgconf, (gpgconf, b"--homedir", home, b"--remove-socketdir"), ENVIRON,
                    lambda chunk: True, limit(seconds), process.Stop())
    except OSError:
        pass  # it may stay: it is empty, private, and in memory


def limit(seconds: float) -> process.Limits:
    return process.Limits(time.monotonic() + seconds, MOST_OUTPUT, GRACE)


def read_signature(path: bytes) -> bytes:
    """Return the content of a file with a detached signature, which is no link; or Untrusted."""
    try:
        return hostfiles.read_small(path, MOST_SIGNATURE, follow=False)
    except hostfiles.Unreadable as error:
        raise Untrusted("cannot read the signature: " + error.why)


def load_keys(path: bytes) -> List[Tuple[str, bytes]]:
    """Return the trusted public keys: those of the file at this path, which only root may be able
    to write, and the one that was built into this .pyz; or Untrusted."""
    keys = []
    with contextlib.suppress(OSError):
        keys.append(("the publisher's key", bundle.read("publisher.gpg")))
    try:
        hostfiles.check_guarded(path)
        keys.append((os.fsdecode(path), hostfiles.read_small(path, MOST_KEYS)))
    except hostfiles.Unreadable as error:
        if not (error.absent and keys):
            raise Untrusted("cannot read the public key %s: %s" % (os.fsdecode(path), error.why))
    return keys


def vouch(content: bytes, signature: bytes, keys: Sequence[Tuple[str, bytes]], folder: bytes,
          seconds: float) -> None:
    """Raise Untrusted unless a content is signed by one of the keys; as open_keyring and verify."""
    with open_keyring(find_gpg(""), folder, keys, seconds, process.Stop()) as ring:
        copy = os.path.join(ring.home, b"content")
        try:
            with open(copy, "wb") as file:
                file.write(content)
        except OSError as error:
            raise Untrusted("gpg cannot be given the file: " + reason(error))
        ring.verify(copy, signature)


class Keyring:
    """Public keys that are trusted, and the gpg that knows them and no others."""

    def __init__(self, gpg: bytes, home: bytes, keys: Sequence[Tuple[str, bytes]], seconds: float,
                 stop: process.Stop) -> None:
        self.gpg = gpg
        self.home = home
        self.seconds = seconds
        self.stop = stop
        known = self.run((b"--homedir", home, b"--no-options", b"--dump-options")).split()
        if b"--status-fd" not in known:
            raise Untrusted("gpg (%s) does not work" % os.fsdecode(gpg),
                            "see what it answers to --version")
        self.options = [b"--homedir", home, *OPTIONS, *(o for o in SHIELDS if o in known)]
        self.trusted: FrozenSet[str] = frozenset().union(*(self.add(*key) for key in keys))
        if not self.trusted:
            raise Untrusted("there is no public key to check signatures with")

    def add(self, name: str, content: bytes) -> FrozenSet[str]:
        """Import a key file and return the fingerprints of its primary keys; or Untrusted."""
        status = self.ask(b"--import", source=lambda pipe: write_all(pipe, content))
        summaries = [line for line in status if line[0] == "IMPORT_RES" and len(line) > 10]
        if any(line[10] != "0" for line in summaries):
            raise Untrusted(name + " holds a secret key", "put the public key in its place")
        found = frozenset(line[2] for line in status if line[0] == "IMPORT_OK" and len(line) > 2)
        if not found:
            raise Untrusted(name + " holds no public key that gpg here can use",
                            "compare it with its source; gpg needs a right clock, too, and room in "
                            + os.fsdecode(os.path.dirname(self.home)))
        return found

    def verify(self, content: bytes, signature: bytes) -> str:
        """Return the fingerprint of the primary key that vouches for a file; or Untrusted.

        `content` is the absolute path of a regular file that nobody else can change, `signature`
        the content of its signature file.
        """
        packet = extract(signature)
        try:
            copy = os.path.join(self.home, b"signature")
            with open(copy, "wb") as file:
                file.write(packet)
        except OSError as error:
            raise Untrusted("gpg cannot be given the signature: " + reason(error))
        return judge(self.ask(b"--verify", b"--", copy, content), self.trusted)

    def ask(self, *command: bytes, source: Optional[process.Source] = None) -> Status:
        """Run a command of gpg and return its status lines; a line that is cut off is left out."""
        lines = self.run((*self.options, *command), source).split(b"\n")[:-1]
        return [line.decode("ascii", "replace").split(" ")[1:] for line in lines
                if line.startswith(b"[GNUPG:] ")]

    def run(self, arguments: Sequence[bytes], source: Optional[process.Source] = None) -> bytes:
        """Run gpg and return all that it printed; Untrusted unless it came to its own end."""
        output = bytearray()

        def take(chunk: bytes) -> bool:
            output.extend(chunk)
            return True

        try:
            ending = process.run(self.gpg, (self.gpg, *arguments), ENVIRON, take,
                                 limit(self.seconds), self.stop, source)
        except OSError as error:
            raise Untrusted("gpg (%s) cannot be run: %s" % (os.fsdecode(self.gpg), reason(error)))
        if self.stop.is_set():
            raise Untrusted("the run ends, so the signature is not checked")
        if ending.timed_out:
            raise Untrusted("gpg did not finish within %g seconds" % self.seconds)
        if ending.cut:
            raise Untrusted("gpg printed more than %d bytes" % MOST_OUTPUT)
        return bytes(output)


def judge(status: Status, trusted: FrozenSet[str]) -> str:
    """Return the fingerprint of the trusted primary key that made the one signature; or Untrusted.

    Fields by GnuPG's doc/DETAILS: VALIDSIG has the digest in 8, the class in 9, the primary key's
    fingerprint in 10; ERRSIG has the key in 1, the error in 6. NEWSIG is not printed by gpg 2.0.
    """
    results = [line for line in status if line[0] in REFUSED or line[0] in ("GOODSIG", "ERRSIG")]
    valid = [line for line in status if line[0] == "VALIDSIG"]
    if len(results) > 1 or len(valid) > 1 or sum(line[0] == "NEWSIG" for line in status) > 1:
        raise Untrusted(SEVERAL)
    if any(line[0] in ("PLAINTEXT", "UNEXPECTED") for line in status):
        raise Untrusted(SIGNED_MESSAGE)
    if not results:
        raise Untrusted("gpg could not check the signature")
    result = results[0]
    if result[0] == "ERRSIG":
        refuse_unchecked(result)
    if result[0] != "GOODSIG":
        raise Untrusted(REFUSED[result[0]])
    if not valid or len(valid[0]) < 11:
        raise Untrusted("gpg does not tell which key made the signature")
    digest, kind, primary = valid[0][8:11]
    if primary not in trusted:
        raise Untrusted(STRANGER % primary)
    if digest not in STRONG:
        raise Untrusted("the signature uses a digest that is not strong enough (%s)"
                        % WEAK.get(digest, "OpenPGP number " + digest))
    if kind != "00":
        raise Untrusted("the signature is of a text, whose line ends may differ, not of the bytes")
    return primary


def refuse_unchecked(result: List[str]) -> NoReturn:
    """Raise Untrusted for a signature that gpg could not check; the errors are libgpg-error's."""
    key, error = (result + [""] * 7)[1:7:5]
    if error == "9":  # no public key
        raise Untrusted(STRANGER % key)
    if error in ("4", "5"):  # public key algorithm, digest
        raise Untrusted("the signature uses an algorithm that gpg here refuses or does not know")
    raise Untrusted("gpg cannot check the signature (its error %s)" % error,
                    "look at this host's clock, and at what the key is for")


def extract(content: bytes) -> bytes:
    """Return the signature packet that is all there is in a signature file; or Untrusted."""
    if not content:
        raise Untrusted("the signature file is empty")
    packets = content if content[0] & 0x80 else strip_armour(content)
    tag, end = measure(packets, 0)
    if tag in MESSAGE:
        raise Untrusted(SIGNED_MESSAGE)
    if tag != SIGNATURE:
        raise Untrusted(NO_SIGNATURE)
    if end > len(packets):
        raise Untrusted("the signature is cut off")
    if end < len(packets):
        raise Untrusted(SEVERAL if measure(packets, end)[0] == SIGNATURE else
                        "the signature file holds more than a signature")
    return packets


def strip_armour(content: bytes) -> bytes:
    """Return the packets in an armoured signature. Its checksum is not needed: gpg checks more."""
    lines = [line.strip() for line in content.strip().split(b"\n")]
    if lines[0] == BEGIN_TEXT:
        raise Untrusted(SIGNED_MESSAGE)
    if lines[0] != BEGIN:
        raise Untrusted(NO_SIGNATURE)
    if lines.count(BEGIN) > 1:
        raise Untrusted(SEVERAL)
    if lines[-1] != END or b"" not in lines:
        raise Untrusted("the signature is cut off")
    body = [line for line in lines[lines.index(b"") + 1:-1] if not line.startswith(b"=")]
    try:
        return binascii.a2b_base64(b"".join(body)) or b"\0"
    except binascii.Error:
        raise Untrusted(NO_SIGNATURE)


def measure(packets: bytes, at: int) -> Tuple[int, int]:
    """Return the tag of the packet that begins there (0: none does) and where it ends."""
    first = packets[at]
    if not first & 0x80:
        return 0, at
    if not first & 0x40:
        return first >> 2 & 15, end_of_number(packets, at + 1, 1 << (first & 3))
    tag, octet = first & 63, int.from_bytes(packets[at + 1:at + 2], "big")
    if octet < 192:
        return tag, at + 2 + octet
    if octet < 224:
        return tag, end_of_number(packets, at + 1, 2) - (192 << 8) + 192
    return tag, end_of_number(packets, at + 2, 4 if octet == 255 else 8)


def end_of_number(packets: bytes, at: int, width: int) -> int:
    """Return where what a number of that many bytes gives the length of ends; 8 stands for open."""
    if width == 8:
        return ENDLESS
    return at + width + int.from_bytes(packets[at:at + width], "big")
