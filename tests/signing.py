"""Keys and signatures for tests, made with the host's gpg in a home of their own."""
import os
import shutil
import subprocess
import tempfile
from typing import List, Optional

from insights_mini import trust


class Signer:
    """A home of gpg with secret keys. Without a gpg that can make keys, find() gives None."""

    def __init__(self, gpg: str) -> None:
        self.gpg = gpg
        self.home = tempfile.mkdtemp(prefix="signer-")  # short: the agent's socket may lie there

    @classmethod
    def find(cls) -> "Optional[Signer]":
        try:
            return cls(os.fsdecode(trust.find_gpg(os.environ.get("PATH", ""))))
        except trust.Untrusted:
            return None

    def close(self) -> None:
        """End the agent that gpg started, and remove all keys."""
        for order in (["--kill", "gpg-agent"], ["--remove-socketdir"]):
            subprocess.run(["gpgconf", "--homedir", self.home, *order], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.home, True)

    def run(self, *arguments: str, stdin: bytes = b"", at: str = "") -> bytes:
        """Run gpg, `at` a time such as 20200101T000000, and return what it prints."""
        clock = ["--faked-system-time", at] if at else []
        done = subprocess.run(
            [self.gpg, "--homedir", self.home, "--no-options", "--batch", "--yes", "--quiet",
             "--pinentry-mode", "loopback", "--passphrase", "", *clock, *arguments],
            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise AssertionError((arguments, done.stderr))
        return done.stdout

    def make(self, name: str, kind: str = "ed25519", expire: str = "never", at: str = "") -> str:
        """Make a key that signs and return its fingerprint."""
        status = self.run("--allow-freeform-uid", "--status-fd", "1", "--quick-generate-key", name,
                          kind, "sign", expire, at=at)
        return status.partition(b"KEY_CREATED P ")[2].split()[0].decode()

    def add_subkey(self, key: str, expire: str = "never", at: str = "") -> str:
        """Add a subkey that signs, and return its fingerprint; gpg signs with the newest."""
        self.run("--quick-add-key", key, "ed25519", "sign", expire, at=at)
        return self.fingerprints(key)[-1]

    def edit(self, key: str, *answers: str, at: str = "") -> None:
        """Change a key as a person would, answer by answer."""
        self.run("--command-fd", "0", "--edit-key", key, at=at,
                 stdin="\n".join((*answers, "save", "")).encode())

    def revoke(self, key: str) -> None:
        """Revoke a key with the certificate that gpg laid by when it made the key."""
        path = os.path.join(self.home, "openpgp-revocs.d", key + ".rev")
        with open(path, "rb") as file:
            self.run("--import", stdin=file.read().replace(b"\n:---", b"\n---"))

    def fingerprints(self, key: str) -> List[str]:
        """Return the fingerprints of a key and its subkeys."""
        lines = self.run("--with-colons", "--with-subkey-fingerprint", "--list-keys", key)
        return [line.split(b":")[9].decode() for line in lines.split(b"\n")
                if line.startswith(b"fpr:")]

    def export(self, *keys: str, armour: bool = False) -> bytes:
        return self.run(*(["--armor"] if armour else []), "--export", *keys)

    def sign(self, content: bytes, key: str, *options: str, at: str = "") -> bytes:
        """Return a detached signature, binary unless told otherwise."""
        return self.run("--local-user", key, *options, "--detach-sign", stdin=content, at=at)
