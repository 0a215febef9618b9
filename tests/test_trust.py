"""Who vouches for a file: every attack on a signature that we know of is refused, by its reason."""
import os
import pwd
import random
import shutil
import stat
import time
import unittest
import zlib
from typing import ClassVar, Dict, List, Optional, Sequence, Tuple

from insights_mini import trust
from insights_mini.process import Stop
from tests.signing import Signer
from tests.support import Scratch

CONTENT = b"the egg\n" * 1000
OTHER = b"another egg\n" * 1000
PATIENCE = 30.0  # seconds; far more than any run of gpg takes
PAST, LATER = "20200101T000000", "20200601T000000"
MISFIT = "does not fit"
STRANGER = "is by a key that is not trusted here"
SEVERAL = "holds more than one signature"
MESSAGE = "holds a message, not a detached signature"
NOTHING = "holds no OpenPGP signature"
CUT = "the signature is cut off"

Keys = Sequence[Tuple[str, bytes]]


def packet(tag: int, body: bytes) -> bytes:
    """Return an OpenPGP packet with a length of four bytes."""
    return bytes([0xC0 | tag, 255]) + len(body).to_bytes(4, "big") + body


def literal(content: bytes) -> bytes:
    return packet(11, b"b\0" + b"\0" * 4 + content)


class TrustCase(Scratch):
    """A test with signing keys, made once per class, and a private folder to verify in."""

    signer: ClassVar[Optional[Signer]] = None
    keys: ClassVar[Dict[str, str]] = {}
    public: ClassVar[Dict[str, bytes]] = {}
    good: ClassVar[bytes] = b""

    @classmethod
    def setUpClass(cls) -> None:
        signer = cls.signer = Signer.find()
        if signer is None:
            raise unittest.SkipTest("no gpg")
        cls.keys = {name: signer.make(name) for name in ("publisher", "stranger")}
        cls.public = {name: signer.export(key) for name, key in cls.keys.items()}
        cls.good = cls.sign()

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.signer is not None:
            cls.signer.close()

    @classmethod
    def gpg(cls) -> Signer:
        assert cls.signer is not None
        return cls.signer

    @classmethod
    def sign(cls, *options: str, content: bytes = CONTENT, key: str = "publisher",
             at: str = "") -> bytes:
        return cls.gpg().sign(content, cls.keys.get(key, key), *options, at=at)

    def setUp(self) -> None:
        super().setUp()
        self.program = os.fsencode(self.gpg().gpg)
        self.private = self.path("private folder")
        os.mkdir(self.private, 0o700)

    def verify(self, signature: bytes, content: bytes = CONTENT, keys: Optional[Keys] = None,
               seconds: float = PATIENCE) -> str:
        """Verify in the private folder, and check that nothing is left there."""
        path = os.fsencode(self.write("copies/egg", content))
        given = [("publisher.gpg", self.public["publisher"])] if keys is None else keys
        try:
            with trust.open_keyring(self.program, os.fsencode(self.private), given, seconds,
                                    Stop()) as keyring:
                return keyring.verify(path, signature)
        finally:
            self.assertEqual(os.listdir(self.private), [])

    def refuses(self, why: str, signature: bytes, content: bytes = CONTENT,
                keys: Optional[Keys] = None, seconds: float = PATIENCE) -> trust.Untrusted:
        with self.assertRaises(trust.Untrusted) as caught:
            self.verify(signature, content, keys, seconds)
        self.assertIn(why, caught.exception.why)
        return caught.exception

    def refuses_each(self, cases: Dict[str, Tuple[str, bytes]]) -> None:
        for name, (why, signature) in cases.items():
            with self.subTest(name):
                self.refuses(why, signature)

    def accepts(self, signature: bytes, key: str = "publisher", content: bytes = CONTENT,
                keys: Optional[Keys] = None) -> None:
        self.assertEqual(self.verify(signature, content, keys), self.keys.get(key, key))

    def stand_in(self, script: str) -> None:
        """Let a shell script be gpg."""
        self.program = os.fsencode(self.write("gpg stand-in", "#!/bin/sh\n" + script, 0o700))

    def answering(self, verify: str) -> None:
        """Let a script be gpg that knows the publisher's key and verifies as given."""
        self.write("answer", verify)
        self.stand_in('case "$*" in *--dump-options) echo --status-fd;; *--import)\n'
                      'echo "[GNUPG:] IMPORT_OK 1 %s";; *) while IFS= read -r line; do\n'
                      'printf "%%s\\n" "$line"; done < "%s";; esac\n'
                      % (self.keys["publisher"], self.path("answer")))


class ContentAndSignerTest(TrustCase):
    def test_a_flipped_byte_of_the_content_is_refused(self) -> None:
        for at in (0, len(CONTENT) // 2, len(CONTENT) - 1):
            flipped = bytearray(CONTENT)
            flipped[at] ^= 1
            with self.subTest(at=at):
                self.refuses(MISFIT, self.good, bytes(flipped))

    def test_content_that_is_cut_longer_or_empty_is_refused(self) -> None:
        for content in (b"", CONTENT[:-1], CONTENT + b"\n"):
            with self.subTest(size=len(content)):
                self.refuses(MISFIT, self.good, content)

    def test_a_flipped_byte_of_the_signature_is_refused(self) -> None:
        flipped = bytearray(self.good)
        flipped[-1] ^= 1
        self.refuses(MISFIT, bytes(flipped))

    def test_no_flip_in_a_signature_lets_anybody_else_vouch_or_ends_in_another_error(self) -> None:
        chance = random.Random(4)
        egg = os.fsencode(self.write("egg", OTHER))
        with trust.open_keyring(self.program, os.fsencode(self.private),
                                [("key", self.public["publisher"])], PATIENCE, Stop()) as keyring:
            for at in range(len(self.good)):
                flipped = bytearray(self.good)
                flipped[at] ^= 1 << chance.randrange(8)
                with self.subTest(at=at), self.assertRaises(trust.Untrusted):
                    keyring.verify(egg, bytes(flipped))

    def test_a_signature_of_another_file_is_refused(self) -> None:
        self.refuses(MISFIT, self.sign(content=OTHER))

    def test_a_strangers_signature_is_refused_and_names_his_key(self) -> None:
        error = self.refuses(STRANGER, self.sign(key="stranger"))
        self.assertIn(self.keys["stranger"][-16:], error.why)

    def test_a_key_only_in_the_users_own_keyring_is_refused(self) -> None:
        home = self.path("home")
        os.mkdir(home, 0o700)
        os.mkdir(self.path("home", ".gnupg"), 0o700)
        shutil.copy(os.path.join(self.gpg().home, "pubring.kbx"), self.path("home", ".gnupg"))
        before = sorted(os.listdir(self.path("home", ".gnupg")))
        for variable, value in (("HOME", home), ("GNUPGHOME", self.path("home", ".gnupg"))):
            self.set_variable(variable, value)
        self.refuses(STRANGER, self.sign(key="stranger"))
        self.accepts(self.good)
        self.assertEqual(sorted(os.listdir(self.path("home", ".gnupg"))), before)

    def test_a_signature_of_the_text_and_not_of_the_bytes_is_refused(self) -> None:
        signature = self.sign("--textmode")
        self.refuses("is of a text", signature)
        self.refuses("is of a text", signature, CONTENT.replace(b"\n", b"\r\n"))

    def test_a_digest_of_sha_1_or_weaker_is_refused(self) -> None:
        key = self.gpg().make("old kind", "rsa2048")
        keys = [("key", self.gpg().export(key))]
        for digest, why in (("SHA1", "not strong enough (SHA-1)"),
                            ("RIPEMD160", "not strong enough (RIPEMD-160)"),
                            ("MD5", "uses an algorithm that gpg here refuses")):
            with self.subTest(digest):
                self.refuses(why, self.sign("--digest-algo", digest, "--allow-weak-digest-algos",
                                            key=key), keys=keys)
        for digest in ("SHA224", "SHA256", "SHA384", "SHA512"):
            with self.subTest(digest):
                self.accepts(self.sign("--digest-algo", digest, key=key), key, keys=keys)

    def set_variable(self, name: str, value: str) -> None:
        before = os.environ.get(name)
        os.environ[name] = value
        self.addCleanup(os.environ.__setitem__ if before is not None else os.environ.pop, name,
                        before or "")

    def test_armoured_and_binary_keys_and_signatures_are_accepted(self) -> None:
        armoured = self.sign("--armor")
        public = self.gpg().export(self.keys["publisher"], armour=True)
        for signature in (self.good, armoured, armoured.replace(b"\n", b"\r\n"),
                          b"\n\n" + armoured + b"\n\n"):
            for key in (self.public["publisher"], public):
                self.accepts(signature, keys=[("key", key)])

    def test_any_key_of_any_key_file_vouches_and_the_primary_key_is_named(self) -> None:
        both = self.gpg().export(*self.keys.values())
        for keys in ([("both", both)], list(self.public.items())):
            for name in self.keys:
                self.accepts(self.sign(key=name), name, keys=keys)

    def test_a_users_language_home_and_configuration_change_nothing(self) -> None:
        """FAULTS 32."""
        for name, value in (("LC_ALL", "de_DE.UTF-8"), ("LANGUAGE", "de"), ("HOME", ""),
                            ("GNUPGHOME", self.path("nowhere")), ("GPG_AGENT_INFO", "/x:1:1")):
            self.set_variable(name, value)
        self.accepts(self.good)
        self.refuses(MISFIT, self.good, OTHER)
        self.assertFalse(os.path.lexists(self.path("nowhere")))


class KeyStateTest(TrustCase):
    def test_an_expired_signature_is_refused(self) -> None:
        key = self.gpg().make("old", at=PAST)
        signature = self.sign("--default-sig-expire", "7", key=key, at=LATER)
        self.refuses("the signature has expired", signature, keys=[("k", self.gpg().export(key))])

    def test_an_expired_key_and_an_expired_subkey_are_refused(self) -> None:
        key = self.gpg().make("expired", expire="1y", at=PAST)
        holder = self.gpg().make("holder of an expired subkey", at=PAST)
        self.gpg().add_subkey(holder, "1y", at=PAST)
        for name in (key, holder):
            with self.subTest(name):
                self.refuses("has expired", self.sign(key=name, at=LATER),
                             keys=[("k", self.gpg().export(name))])

    def test_a_revoked_key_and_a_revoked_subkey_are_refused(self) -> None:
        for name in ("revoked", "holder of a revoked subkey"):
            key = self.gpg().make(name)
            if name != "revoked":
                self.gpg().add_subkey(key)
            signature = self.sign(key=key)
            before = self.gpg().export(key)
            if name == "revoked":
                self.gpg().revoke(key)
            else:
                self.gpg().edit(key, "key 1", "revkey", "y", "0", "", "y")
            with self.subTest(name):
                self.accepts(signature, key, keys=[("before", before)])
                keys = [("before", before), ("after", self.gpg().export(key))]
                self.refuses("has been revoked", signature, keys=keys[1:])
                self.refuses("has been revoked", signature, keys=keys)
                self.refuses("has been revoked", signature, keys=keys[::-1])

    def test_a_subkey_vouches_in_the_name_of_its_primary_key_only(self) -> None:
        key = self.gpg().make("has a subkey")
        subkey = self.gpg().add_subkey(key)
        signature = self.sign(key=key)
        self.accepts(signature, key, keys=[("key", self.gpg().export(key))])
        self.answering("[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG X x\n"
                       "[GNUPG:] VALIDSIG %s 2020-01-01 1 0 4 0 22 10 00 %s\n"
                       % (self.keys["publisher"], subkey))
        self.refuses(STRANGER, signature)

    def test_a_key_that_is_not_for_signing_does_not_vouch(self) -> None:
        key = self.gpg().make("certifies only", at=PAST)
        signature = self.sign(key=key)
        self.accepts(signature, key, keys=[("before", self.gpg().export(key))])
        self.gpg().edit(key, "change-usage", "S", "Q", at=LATER)
        self.refuses("", signature, keys=[("after", self.gpg().export(key))])  # reasons differ

    def test_a_key_of_the_future_does_not_vouch(self) -> None:
        key = self.gpg().make("of the future", at="20900101T000000")
        signature = self.sign(key=key, at="20900601T000000")
        error = self.refuses("", signature, keys=[("key", self.gpg().export(key))])
        self.assertIn("clock", error.remedy)

    def test_what_a_user_id_or_a_notation_says_is_not_taken_for_gpgs_word(self) -> None:
        forged = ("[GNUPG:] VALIDSIG %s 2020-01-01 1 0 4 0 22 10 00 %s"
                  % ((self.keys["publisher"],) * 2))
        name = "x\n%s\n\r[GNUPG:] GOODSIG x\n" % forged
        liar = self.gpg().make(name)
        keys = [("liar", self.gpg().export(liar)), ("key", self.public["publisher"])]
        signature = self.sign("--set-notation", "a@b.c=%s" % forged, "--sig-policy-url",
                              "http://x/%%0a%s" % forged, key=liar)
        self.accepts(signature, liar, keys=keys)
        self.refuses(MISFIT, signature, OTHER, keys=keys)
        self.refuses(STRANGER, signature, keys=keys[1:])


class SignatureFileTest(TrustCase):
    def test_a_second_signature_is_refused_whoever_made_it(self) -> None:
        mine, his = self.good, self.sign(key="stranger")
        armoured = self.sign("--armor")
        cases = {"twice the same": mine + mine, "a stranger's after it": mine + his,
                 "a stranger's before it": his + mine, "two armoured": armoured + armoured,
                 "a third": mine + mine + mine, "by two keys": self.gpg().run(
                     "--local-user", self.keys["publisher"], "--local-user", self.keys["stranger"],
                     "--detach-sign", stdin=CONTENT)}
        self.refuses_each({name: (SEVERAL, data) for name, data in cases.items()})

    def test_a_signed_message_does_not_stand_for_a_detached_signature(self) -> None:
        compressor = zlib.compressobj(wbits=-15)
        squeezed = compressor.compress(self.good) + compressor.flush()
        key = ("--local-user", self.keys["publisher"])
        cases = {
            "of the content": self.gpg().run(*key, "--sign", stdin=CONTENT),
            "of another file": self.gpg().run(*key, "--sign", stdin=OTHER),
            "not compressed": self.gpg().run(*key, "-z", "0", "--sign", stdin=CONTENT),
            "in clear": self.gpg().run(*key, "--clear-sign", stdin=CONTENT),
            "content first": literal(CONTENT) + self.good,
            "encrypted": self.gpg().run("--passphrase", "x", "--s2k-count", "65536",
                                        "--symmetric", stdin=CONTENT),
            "a compressed signature": packet(8, b"\1" + squeezed),
        }
        self.refuses_each({name: (MESSAGE, data) for name, data in cases.items()})

    def test_a_signature_with_content_or_keys_beside_it_is_refused(self) -> None:
        more = "holds more than a signature"
        message = self.gpg().run("--local-user", self.keys["publisher"], "--sign", stdin=OTHER)
        self.refuses_each({
            "content after it": (more, self.good + literal(CONTENT)),
            "a message after it": (more, self.good + message),
            "a key after it": (more, self.good + self.public["stranger"]),
            "a key before it": (NOTHING, self.public["stranger"] + self.good),
            "text after it": (more, self.good + b"\n"),
            "text after its armour": (CUT, self.sign("--armor") + b"more"),
            "text before its armour": (NOTHING, b"more\n" + self.sign("--armor")),
            "an armoured message": (NOTHING, self.gpg().run(
                "--local-user", self.keys["publisher"], "--armor", "--sign", stdin=CONTENT)),
        })

    def test_what_is_no_signature_is_refused(self) -> None:
        armoured = self.sign("--armor")
        chance = random.Random(4)
        self.refuses_each({
            "empty": ("is empty", b""),
            "text": (NOTHING, b"good signature, honestly\n"),
            "empty lines": (NOTHING, b"\n\n"),
            "zeros": (NOTHING, bytes(1000)),
            "a key": (NOTHING, self.public["publisher"]),
            "an armoured key": (NOTHING, self.gpg().export(self.keys["publisher"], armour=True)),
            "nothing in armour": (NOTHING, b"%s\n\n%s\n" % (trust.BEGIN, trust.END)),
            "no base64": (NOTHING, b"%s\n\nabcde\n%s\n" % (trust.BEGIN, trust.END)),
            "armour cut off": (CUT, armoured[:len(armoured) // 2]),
            "armour without a body": (CUT, trust.BEGIN),
            "armour without an empty line": (CUT, trust.BEGIN + b"\n" + trust.END),
            "cut off": (CUT, self.good[:-1]),
            "cut off in its length": (CUT, self.good[:1]),
            "of open length": (CUT, b"\x8b" + len(self.good).to_bytes(8, "big") + self.good),
            "in parts": (CUT, b"\xc2\xe1" + len(self.good).to_bytes(4, "big") + self.good),
            "an empty packet": ("", packet(2, b"")),
        })
        for size in (1, 2, 3, 5, 8, 100, 1000):
            data = bytes(chance.randrange(256) for _ in range(size))
            with self.subTest(data=data):
                self.refuses("", data)
                self.refuses("", b"\x88" + data)

    def test_every_way_to_write_the_length_of_a_packet_is_understood(self) -> None:
        short = self.body_of(191)
        long = self.body_of(192 + 300)
        number = len(long) - 192
        forms = (bytes([0x88, len(short)]) + short, b"\x89" + len(short).to_bytes(2, "big") + short,
                 b"\x8a" + len(short).to_bytes(4, "big") + short,
                 bytes([0xC2, len(short)]) + short, packet(2, short),
                 b"\xc2\xc0\0" + self.body_of(192),
                 bytes([0xC2, 192 + (number >> 8), number & 255]) + long,
                 b"\x89" + len(long).to_bytes(2, "big") + long, packet(2, long))
        for form in forms:
            with self.subTest(form[:6]):
                self.accepts(form)
                self.refuses(SEVERAL, form + form)
                self.refuses(CUT, form[:-1])

    def body_of(self, size: int) -> bytes:
        """Return a good signature of that many bytes, without the header of its packet.

        What fills it is a subpacket of no meaning among those that are not signed.
        """
        self.assertEqual(self.good[0], 0x88)
        body = self.good[2:]
        start = 6 + int.from_bytes(body[4:6], "big")
        end = start + 2 + int.from_bytes(body[start:start + 2], "big")
        room = size - len(body)
        length = bytes([room - 1]) if room < 193 else bytes([192 + (room - 194 >> 8),
                                                             room - 194 & 255])
        filling = length + b"\x64" + bytes(room - len(length) - 1)
        return b"".join((body[:start], (end - start - 2 + room).to_bytes(2, "big"),
                         body[start + 2:end], filling, body[end:]))

    def test_armour_is_read_whatever_the_padding_of_its_end(self) -> None:
        for size in (100, 101, 102):
            self.accepts(self.sign("--armor", "--set-notation", "long@x.y=" + "x" * size))

    def test_a_missing_signature_or_content_is_refused(self) -> None:
        present = os.fsencode(self.write("egg", CONTENT))
        absent = os.fsencode(self.path("absent"))
        huge = self.write("huge", b"\x89" + bytes(trust.MOST_SIGNATURE))
        for path in (absent, os.fsencode(self.folder), os.fsencode(huge)):
            with self.subTest(path), self.assertRaises(trust.Untrusted):
                trust.read_signature(path)
        with trust.open_keyring(self.program, os.fsencode(self.private),
                                [("key", self.public["publisher"])], PATIENCE, Stop()) as keyring:
            with self.assertRaises(trust.Untrusted):
                keyring.verify(absent, self.good)
            self.assertEqual(keyring.verify(present, self.good), self.keys["publisher"])

    def test_a_signature_file_that_is_a_link_is_refused(self) -> None:
        self.write("egg.asc", self.good)
        os.symlink("egg.asc", self.path("link.asc"))
        self.assertEqual(trust.read_signature(os.fsencode(self.path("egg.asc"))), self.good)
        with self.assertRaises(trust.Untrusted) as caught:
            trust.read_signature(os.fsencode(self.path("link.asc")))
        self.assertIn("is a link", caught.exception.why)


class KeyFileTest(TrustCase):
    def test_without_a_key_nothing_is_trusted(self) -> None:
        self.refuses("there is no public key", self.good, keys=[])

    def test_a_key_file_without_a_public_key_is_refused_by_name(self) -> None:
        for name, content in (("empty", b""), ("text", b"no key\n"), ("signature", self.good),
                              ("cut off", self.public["publisher"][:20]), ("zip", b"PK\3\4" * 99),
                              ("no user id", self.public["stranger"][:53])):
            with self.subTest(name):
                error = self.refuses(name + ".gpg holds no public key", self.good,
                                     keys=[("key", self.public["publisher"]),
                                           (name + ".gpg", content)])
                self.assertIn(self.private, error.remedy)

    def test_a_secret_key_is_refused(self) -> None:
        secret = self.gpg().run("--export-secret-keys", self.keys["publisher"])
        self.refuses("k.gpg holds a secret key", self.good, keys=[("k.gpg", secret)])
        self.refuses("k.gpg holds a secret key", self.good,
                     keys=[("k.gpg", self.public["publisher"] + secret)])


class TrustedKeysTest(TrustCase):
    """The file with the public keys is itself what is trusted: only root may be able to change it.
    """

    def load(self, name: str = "etc/key.gpg") -> List[Tuple[str, bytes]]:
        return trust.load_keys(os.fsencode(self.path(name)))

    def refuses_keys(self, why: str) -> None:
        with self.assertRaises(trust.Untrusted) as caught:
            self.load()
        self.assertIn("cannot read the public key %s: " % self.path("etc/key.gpg"),
                      caught.exception.why)
        self.assertIn(why, caught.exception.why)

    def test_an_absent_key_or_folder_is_named(self) -> None:
        self.refuses_keys("No such file")
        os.mkdir(self.path("etc"), 0o755)
        self.refuses_keys("No such file")
        os.symlink("nowhere", self.path("etc/key.gpg"))
        self.refuses_keys("No such file")

    def test_a_key_that_others_can_write_is_refused(self) -> None:
        path = self.write("etc/key.gpg", self.public["publisher"])
        for name, mode in (("etc/key.gpg", 0o620), ("etc/key.gpg", 0o646), ("etc", 0o777),
                           ("etc", 0o770)):
            os.chmod(self.path("etc"), 0o755)
            os.chmod(path, 0o644)
            self.load()
            os.chmod(self.path(name), mode)
            with self.subTest(name, mode=mode):
                self.refuses_keys("others than root can write " + self.path(name))

    def test_what_is_no_file_of_a_keys_size_is_refused(self) -> None:
        path = self.write("etc/key.gpg", b"x" * (trust.MOST_KEYS + 1))
        self.refuses_keys("larger than")
        os.unlink(path)
        os.mkdir(path, 0o755)
        self.refuses_keys("is a directory")
        os.rmdir(path)
        os.mkfifo(path)
        self.refuses_keys("is a FIFO")

    def test_a_key_that_only_root_can_write_is_given_with_its_path(self) -> None:
        path = self.write("etc/key.gpg", self.public["publisher"])
        self.assertEqual(self.load(), [(path, self.public["publisher"])])
        os.symlink("key.gpg", self.path("etc/link.gpg"))  # as a package may install it
        self.assertEqual(self.load("etc/link.gpg"),
                         [(self.path("etc/link.gpg"), self.public["publisher"])])
        self.accepts(self.good, keys=self.load())


class TraceTest(TrustCase):
    def test_the_home_is_private_and_gone_afterwards_also_after_an_error(self) -> None:
        with self.assertRaises(ZeroDivisionError), trust.open_keyring(
                self.program, os.fsencode(self.private), [("key", self.public["publisher"])],
                PATIENCE, Stop()) as keyring:
            mode = os.stat(keyring.home).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o700)
            self.assertEqual(os.path.dirname(keyring.home), os.fsencode(self.private))
            keyring.verify(os.fsencode(self.write("egg", CONTENT)), self.good)
            self.assertNotIn(b"trustdb.gpg", os.listdir(keyring.home))
            raise ZeroDivisionError
        self.assertEqual(os.listdir(self.private), [])

    def test_no_agent_is_started_and_nothing_appears_outside_of_the_folder(self) -> None:
        """FAULTS 31."""
        places = [os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".gnupg"),
                  "/run/user/%d/gnupg" % os.getuid()]

        def look() -> List[Optional[List[str]]]:
            return [sorted(os.listdir(place)) if os.path.isdir(place) else None
                    for place in places[:1]] + [
                        sorted(name for name in os.listdir(place) if name.startswith("d."))
                        if os.path.isdir(place) else [] for place in places[1:]]

        secret = self.gpg().run("--export-secret-keys", self.keys["publisher"])
        before = look()
        self.accepts(self.good)
        self.refuses(STRANGER, self.sign(key="stranger"))
        self.refuses("holds a secret key", self.good, keys=[("key", secret)])
        self.assertEqual(look(), before)
        self.assertEqual(running(self.folder), [])

    def test_long_paths_and_paths_with_blanks_work(self) -> None:
        parts = ["with blank", "ü", "x" * 200, "y z" * 60, "-" * 200, "%s"]
        self.private = self.path(*parts)
        os.makedirs(self.private)
        self.accepts(self.good)
        self.refuses(MISFIT, self.good, OTHER)

    def test_a_folder_that_cannot_take_a_home_is_named_with_the_reason(self) -> None:
        self.private = self.path("absent")
        with self.assertRaises(trust.Untrusted) as caught, trust.open_keyring(
                self.program, os.fsencode(self.private), [], PATIENCE, Stop()):
            pass
        self.assertIn("No such file", caught.exception.why)
        self.assertIn(self.private, caught.exception.remedy)


def running(word: str) -> List[str]:
    """Return the command lines of the living processes that have the word in theirs."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/cmdline" % name, "rb") as file:
                    line = file.read()
            except OSError:
                continue
            if os.fsencode(word) in line:
                found.append(os.fsdecode(line))
    return found


class ProgramTest(TrustCase):
    """A gpg that is not there, not whole, or not gpg."""

    def test_a_host_without_gpg_is_told_so_and_what_to_install(self) -> None:
        relative = os.path.relpath(self.write("relative/gpg", b"", 0o700)[:-len("/gpg")])
        for path in ("", ":", relative, self.folder):
            with self.subTest(path), self.assertRaises(trust.Untrusted) as caught:
                self.find(path)
            self.assertIn("no gpg", caught.exception.why)
            self.assertIn("install", caught.exception.remedy)

    def test_gpg2_is_preferred_but_never_one_of_path_to_one_of_the_system(self) -> None:
        mine, system = self.path("mine"), self.path("system")
        for expected in ("mine/gpg", "mine/gpg2", "system/gpg", "system/gpg2"):
            self.write(expected, b"", 0o700)
            self.assertEqual(self.find(mine, system), os.fsencode(self.path(expected)))

    def find(self, path: str, system: str = "/nowhere") -> bytes:
        return trust.find_gpg(path, (os.fsencode(system),))

    def test_a_program_that_cannot_be_run_is_named(self) -> None:
        for content in (b"\x7fELF", b"#!/no/such/interpreter\n"):
            self.program = os.fsencode(self.write("broken", content, 0o700))
            error = self.refuses("cannot be run", self.good)
            self.assertIn(self.path("broken"), error.why)

    def test_a_program_that_is_not_gpg_or_fails_at_once_is_refused(self) -> None:
        for script in ("exit 0", "exit 1", "echo Good signature", "kill -9 $$"):
            self.stand_in(script)
            self.refuses("does not work", self.good)

    def test_gpg_gets_nothing_of_the_callers_environment(self) -> None:
        seen = self.path("seen")
        self.stand_in("/usr/bin/env > '%s'" % seen)
        self.refuses("does not work", self.good)
        with open(seen) as file:
            names = {line.partition("=")[0] for line in file}
        self.assertLessEqual(names - {"PWD", "OLDPWD", "SHLVL", "_"}, {"LC_ALL"})

    def test_the_folder_that_gpg_makes_for_an_agents_socket_is_removed_also_after_an_error(
            self) -> None:
        self.write("gpgconf", "#!/bin/sh\necho \"$@\" >> '%s'\n" % self.path("asked"), 0o700)
        self.answering("")
        self.refuses("could not check", self.good)
        self.stand_in("exit 1")
        self.refuses("does not work", self.good)
        with open(self.path("asked")) as file:
            asked = file.read().splitlines()
        self.assertEqual(len(asked), 2)
        for line in asked:
            self.assertTrue(line.startswith("--homedir " + self.private))
            self.assertTrue(line.endswith(" --remove-socketdir"))

    def test_a_gpg_that_hangs_is_ended_in_time_and_leaves_nothing(self) -> None:
        for script in ("/bin/sleep 600", "trap '' TERM; while :; do /bin/sleep 600; done"):
            self.stand_in(script)
            before = time.monotonic()
            self.refuses("did not finish within 0.2 seconds", self.good, seconds=0.2)
            self.assertLess(time.monotonic() - before, 10)
            self.assertEqual(running(self.folder), [])

    def test_a_gpg_that_prints_without_end_is_ended(self) -> None:
        self.stand_in("while :; do echo %s; done" % ("x" * 4000))
        self.refuses("printed more than", self.good)

    def test_a_run_that_ends_does_not_wait_for_gpg(self) -> None:
        stop = Stop()
        stop.set()
        with self.assertRaises(trust.Untrusted) as caught, trust.open_keyring(
                self.program, os.fsencode(self.private), [], PATIENCE, stop):
            pass
        self.assertIn("the run ends", caught.exception.why)
        self.assertEqual(os.listdir(self.private), [])

    def test_only_whole_status_lines_that_say_all_that_is_needed_count(self) -> None:
        mine, his = self.keys["publisher"], self.keys["stranger"]
        good = "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG X publisher\n"
        fields = "[GNUPG:] VALIDSIG %s 2020-01-01 1 0 4 0 22 %s %s %s\n"
        valid = fields % (mine, "10", "00", mine)
        cases = {
            "human text": ("could not check", 'gpg: Good signature from "publisher"\n'),
            "nothing": ("could not check", ""),
            "text before the line": ("could not check", "gpg: " + good.replace("\n", " ")),
            "blank before the line": ("could not check", " [GNUPG:] GOODSIG X x\n" + " " + valid),
            "text before the prefix": ("could not check",
                                       "x[GNUPG:] GOODSIG X x\nx" + valid),
            "carriage return": ("could not check", "gpg: x\r[GNUPG:] GOODSIG X x\r" + valid),
            "GOODSIG alone": ("does not tell which key", good),
            "VALIDSIG alone": ("could not check", valid),
            "too few fields": ("does not tell which key", good + valid[:-42] + "\n"),
            "a stranger's": (STRANGER, good + fields % (his, "10", "00", his)),
            "a stranger's primary key": (STRANGER, good + fields % (mine, "10", "00", his)),
            "unknown digest": ("OpenPGP number 99", good + fields % (mine, "99", "00", mine)),
            "two results": (SEVERAL, good + valid + "[GNUPG:] BADSIG X x\n"),
            "two begun": (SEVERAL, "[GNUPG:] NEWSIG\n" + good + valid),
            "two valid": (SEVERAL, good + valid + valid),
            "a message": (MESSAGE, good + valid + "[GNUPG:] PLAINTEXT 62 0 x\n"),
            "unexpected data": (MESSAGE, good + valid + "[GNUPG:] UNEXPECTED 0\n"),
            "short ERRSIG": ("cannot check the signature", "[GNUPG:] ERRSIG\n"),
            "unknown error": ("its error 77", "[GNUPG:] ERRSIG X 1 10 00 1 77 X\n"),
        }
        for name, (why, answer) in cases.items():
            with self.subTest(name):
                self.answering(answer)
                self.refuses(why, self.good)
        self.answering(good + valid)
        self.accepts(self.good)
        self.answering(good.replace("[GNUPG:] NEWSIG\n", "") + valid)  # as gpg 2.0 does
        self.accepts(self.good)

    def test_a_status_line_that_is_cut_off_does_not_count(self) -> None:
        valid = "[GNUPG:] VALIDSIG %s 2020-01-01 1 0 4 0 22 10 00 %s" % (
            (self.keys["publisher"],) * 2)
        self.stand_in('case "$*" in *--dump-options) echo --status-fd;; *--import)\n'
                      'echo "[GNUPG:] IMPORT_OK 1 %s";; *) echo "[GNUPG:] GOODSIG X x"\n'
                      'printf "%s";; esac\n' % (self.keys["publisher"], valid))
        self.refuses("does not tell which key", self.good)


if __name__ == "__main__":
    unittest.main()
