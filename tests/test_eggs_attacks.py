"""Attacks on the eggs of a host, in whole runs: none runs, and the host collects all the same."""
import os
import shutil
import socket
import subprocess
import unittest
from typing import Callable, ClassVar, Dict, List, Tuple

from tests.eggcase import ENV, KEYS, NEW, PLACES, RPM, STABLE, EggCase
from tests.eggmaker import COLLECT, MARK, PHASES, inflate, leave, original, ours, pack

EGG = ours("9.9.9")
NOBODY = 65534
PAST, LATER = "20200101T000000", "20200601T000000"
MISFIT = "does not fit"
SEVERAL = "holds more than one signature"
STRANGER = "is by a key that is not trusted here"
OTHERS = "others than root can write "
HTML = b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n"
MEMORY = 200 * 1024  # kB

Attack = Callable[[str], str]  # prepares the given place of an egg and returns its path
Make = Callable[[str], object]  # makes something at a path
Rows = Dict[str, Tuple[str, Attack]]


def flip(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


def sparse(path: str) -> None:
    with open(path, "wb") as file:
        file.truncate(2 ** 35)


def listen(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)


def nothing(path: str) -> None:
    pass


class AttackCase(EggCase):
    signatures: ClassVar[Dict[str, bytes]] = {}

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.signatures = {"good": cls.sign(EGG), "stranger": cls.sign(EGG, "stranger")}

    def refuses(self, rows: Rows) -> None:
        """Check that no egg of them runs, costs more than a warning, or leaves a trace.

        To be quick, four are put on a host at a time, each in another place.
        """
        attacks = list(rows.items())
        for first in range(0, len(attacks), len(PLACES)):
            self.refresh()
            some = attacks[first:first + len(PLACES)]
            with self.subTest(", ".join(name for name, _ in some)):
                self.refuse([(attack(place), reason)
                             for place, (_, (reason, attack)) in zip(PLACES, some)])

    def refuses_each(self, rows: Rows, place: str = NEW) -> None:
        """Check the same, each attack in the same place of a new host."""
        for name, (reason, attack) in rows.items():
            self.refresh()
            with self.subTest(name):
                self.refuse([(attack(place), reason)])

    def refuse(self, warnings: List[Tuple[str, str]]) -> None:
        before = self.look_at_home()
        done = self.run_eggs()
        self.assertEqual(self.marks(), [])
        self.assert_warnings(done, warnings)
        self.assert_worker(done)
        self.assertEqual(self.look_at_home(), before)

    def look_at_home(self) -> List[Tuple[str, int, int]]:
        found = []
        for folder, folders, names in os.walk(self.path("home")):
            for name in folders + names:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                found.append((path, status.st_size, status.st_mtime_ns))
        return sorted(found)

    def signed(self, content: bytes, signature: bytes) -> Attack:
        return lambda place: self.put(place, content, signature)

    def signed_well(self, content: bytes) -> Attack:
        return lambda place: self.put(place, content)

    def instead(self, make: Make) -> Attack:
        """Return the attack that makes something, with a good signature, in an egg's place."""
        def attack(place: str) -> str:
            path = self.put(place, EGG, self.signatures["good"])
            os.unlink(path)
            make(path)
            return path
        return attack

    def beside(self, make: Make) -> Attack:
        """Return the attack that makes something in the place of an egg's signature."""
        def attack(place: str) -> str:
            path = self.put(place, EGG, None)
            make(path + ".asc")
            return path
        return attack


class BadSignatures(AttackCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        signer = cls.gpg()
        cls.keys.update({
            "expired": signer.make("expired", expire="1y", at=PAST), "old": signer.make(
                "old", at=PAST), "revoked": signer.make("revoked"),
            "rsa": signer.make("rsa", "rsa2048")})
        cls.signatures.update({
            "expired key": cls.sign(EGG, "expired", at=LATER),
            "expired": cls.sign(EGG, "old", "--default-sig-expire", "7", at=LATER),
            "revoked": cls.sign(EGG, "revoked"),
            "SHA-1": cls.sign(EGG, "rsa", "--digest-algo", "SHA1", "--allow-weak-digest-algos"),
        })
        signer.revoke(cls.keys["revoked"])
        cls.public = signer.export(*(key for name, key in cls.keys.items() if name != "stranger"))

    def test_no_byte_of_an_egg_runs_without_one_good_signature_of_just_these_bytes(self) -> None:
        """FAULTS 29."""
        good, his = self.signatures["good"], self.signatures["stranger"]
        message = self.gpg().run("--local-user", self.keys["publisher"], "--sign", stdin=EGG)
        self.refuses({
            "a flipped byte in the egg": (MISFIT, self.signed(
                flip(EGG, EGG.index(b"9.9.9")), good)),
            "a flipped byte in the signature": (MISFIT, self.signed(EGG, flip(good, -1))),
            "a signature of another file": (MISFIT, self.signed(EGG, self.sign(ours("9.9.8")))),
            "a byte more": (MISFIT, self.signed(EGG + b"\n", good)),
            "the same signature twice": (SEVERAL, self.signed(EGG, good + good)),
            "a stranger's signature too": (SEVERAL, self.signed(EGG, good + his)),
            "a stranger's signature first": (SEVERAL, self.signed(EGG, his + good)),
            "a message for a signature": ("holds a message", self.signed(EGG, message)),
        })

    def test_no_key_vouches_that_is_not_trusted_now(self) -> None:
        self.refuses({
            "a stranger's": (STRANGER, self.signed(EGG, self.signatures["stranger"])),
            "an expired key": ("key of the signature has expired", self.signed(
                EGG, self.signatures["expired key"])),
            "an expired signature": ("signature has expired", self.signed(
                EGG, self.signatures["expired"])),
            "a revoked key": ("has been revoked", self.signed(EGG, self.signatures["revoked"])),
            "a digest of SHA-1": (r"not strong enough \(SHA-1\)", self.signed(
                EGG, self.signatures["SHA-1"])),
        })

    def test_a_key_that_only_the_user_has_in_a_keyring_does_not_vouch(self) -> None:
        def attack(place: str) -> str:
            home = self.path("home", ".gnupg")
            os.mkdir(home, 0o700)
            subprocess.run(
                [self.gpg().gpg, "--homedir", home, "--batch", "--quiet", "--no-autostart",
                 "--import"], input=self.gpg().export(self.keys["stranger"]), check=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.assertGreater(len(self.look_at_home()), 1)
            self.environ["GNUPGHOME"] = home
            return self.put(place, EGG, self.signatures["stranger"])

        self.refuses_each({"by default and by the environment": (STRANGER, attack)})

    def test_what_stands_in_the_place_of_a_signature_may_be_anything(self) -> None:
        def copy(content: bytes) -> Make:
            return lambda path: self.write(os.path.relpath(path, self.folder), content)

        def link(path: str) -> None:
            os.symlink(self.write("stick/good.asc", self.signatures["good"]), path)

        self.refuses({
            "nothing": ("signature: No such file", self.beside(nothing)),
            "an empty file": ("is empty", self.beside(copy(b""))),
            "a page of an error": ("no OpenPGP signature", self.beside(copy(HTML))),
            "a link to a good one": ("signature: is a link", self.beside(link)),
            "a folder": ("signature: is a directory", self.beside(os.mkdir)),
            "a FIFO": ("signature: is a FIFO", self.beside(os.mkfifo)),
            "a huge file": ("signature: is larger than", self.beside(sparse)),
            "a socket": ("signature: is a socket", self.beside(listen)),
        })


class BadFiles(AttackCase):
    def test_what_stands_in_the_place_of_an_egg_may_be_anything(self) -> None:
        kinds: List[Tuple[str, Make]] = [
            ("is a FIFO", os.mkfifo), ("is larger than", sparse), ("is a directory", os.mkdir),
            ("is a socket", listen)]
        self.refuses({reason: (reason, self.instead(make)) for reason, make in kinds})

    def test_the_egg_that_is_named_in_the_environment_may_be_anywhere(self) -> None:
        """FAULTS 30."""
        for path, reason in (("/dev/zero", "is a device"), ("nothing", "No such file"),
                             (KEYS + "/below", "Not a directory"),
                             ("etc", "is a directory"), ("x" * 300, "File name too long")):
            self.refresh()
            self.environ["EGG"] = path
            with self.subTest(reason):
                self.refuse([(self.path(path), reason)])

    def test_an_egg_named_in_the_environment_in_a_folder_that_is_gone_is_no_obstacle(self) -> None:
        argv = self.argv(*self.command())
        os.mkdir(self.path("gone"))
        done = subprocess.run(
            ["sh", "-c", 'cd gone && rmdir ../gone && exec "$@"', "sh", *argv], cwd=self.folder,
            env=dict(self.environ, EGG="egg.pyz"), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr.decode(), r"\AWARNING: ENV egg \S*egg.pyz is not used: .*\n\Z")
        self.assertEqual(len(os.listdir(self.path("out"))), 1)

    def test_what_is_signed_and_no_egg_is_refused_by_name(self) -> None:
        entries = {"__main__.py": MARK % "1", "insights_mini/version.py": 'VERSION = "a.b"\n'}
        self.refuses({
            "an empty file": ("is no zip", self.signed_well(b"")),
            "a page of an error": ("is no zip", self.signed_well(HTML)),
            "a text": ("is no zip", self.signed_well(b"print('hello')\n" * 2000)),
            "half an egg": ("is no zip", self.signed_well(EGG[:len(EGG) // 2])),
            "an egg without a beginning": ("is a broken zip", self.signed_well(EGG[-60:])),
            "a zip of something else": ("is no egg", self.signed_well(
                pack({"__main__.py": MARK % "1"}))),
            "a version that is none": ("does not tell its version", self.signed_well(
                pack(entries))),
            "an egg in a zip": ("is no egg", self.signed_well(pack({"egg.pyz": EGG}))),
        })

    def allow(self, path: str, mode: int, owner: int = -1) -> Attack:
        """Return the attack in which others may write to a file or folder of the host."""
        def attack(place: str) -> str:
            egg = self.put(place, EGG, self.signatures["good"])
            os.chown(self.path(path or PLACES[place]), owner, -1)
            os.chmod(self.path(path or PLACES[place]), mode)
            return egg
        return attack

    def test_an_egg_that_others_could_change_is_refused(self) -> None:
        owner = NOBODY if os.geteuid() == 0 else -1
        attacks = ((NEW, 0o602, -1), (STABLE, 0o620, -1),
                   (RPM, 0o602 if owner < 0 else 0o600, owner))
        self.refuse([(self.allow("", mode, other)(place), OTHERS)
                     for place, mode, other in attacks])
        self.refuses_each({
            "its folder": (OTHERS, self.allow("state", 0o777)),
            "the owner of its folder": (OTHERS, self.allow(
                "state", 0o755 if owner > 0 else 0o757, owner)),
        })

    def test_an_egg_below_a_folder_that_others_could_change_is_refused(self) -> None:
        self.environ["INSIGHTS_STATE_DIR"] = self.path("above/state")
        path = self.put(NEW, EGG, path="above/state/newest.egg")
        os.chmod(self.path("above"), 0o777)
        self.refuse([(path, OTHERS + self.path("above"))])

    def test_a_link_is_no_egg_wherever_it_leads(self) -> None:
        other = self.path("another.egg")

        def link(path: str) -> None:
            os.symlink(other, path)

        self.write("another.egg", EGG)
        self.refuses({place: ("is a link", self.instead(link)) for place in PLACES})

    def test_a_strangers_egg_in_each_place_costs_a_warning_each(self) -> None:
        self.refuse([(self.put(place, make("9.9.%d" % number), "stranger"), STRANGER)
                     for number, (place, make) in enumerate(
                         zip(PLACES, (ours, original, ours, original)))])

    def test_a_zip_bomb_takes_neither_memory_nor_time(self) -> None:
        path = self.put(ENV, inflate(3072, b"# no version\n"))
        child = self.start_product(*self.command())
        assert child.stderr is not None
        err = child.stderr.read().decode()  # ends with the run
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.WEXITSTATUS(status)
        self.assertEqual((status, err), (
            0, "WARNING: ENV egg %s is not used: does not tell its version\n" % path))
        self.assertEqual(self.marks(), [])
        self.assertLess(usage.ru_maxrss, MEMORY)
        self.assertLess(usage.ru_utime + usage.ru_stime, 10)
        self.assertEqual(os.listdir(self.path("tmp")), [])


class BadKeyrings(AttackCase):
    def with_keys(self, *steps: Make) -> Attack:
        """Return the attack that changes the file of the trusted keys."""
        def attack(place: str) -> str:
            for step in steps:
                step(self.path(KEYS))
            return self.put(place, EGG, self.signatures["good"])
        return attack

    def test_a_keyring_that_others_could_change_is_not_used(self) -> None:
        key = "public key [^ ]*redhattools.pub.gpg: " + OTHERS
        owner = NOBODY if os.geteuid() == 0 else -1

        def link(path: str) -> None:
            shutil.move(path, self.path("stick", "keys"))
            os.symlink(self.path("stick", "keys"), path)
            os.chown(self.path("stick", "keys"), owner, -1)
            os.chmod(self.path("stick", "keys"), 0o644 if owner > 0 else 0o646)

        self.refuses_each({
            "its mode": (key, self.with_keys(lambda path: os.chmod(path, 0o646))),
            "its folder": (key, self.with_keys(lambda path: os.chmod(self.path("etc"), 0o757))),
            "a link to a file of others": (key, self.with_keys(link)),
        })

    def test_a_keyring_that_is_none_is_not_used(self) -> None:
        def copy(content: bytes) -> Make:
            return lambda path: self.write(KEYS, content)

        none = "holds no public key"
        secret = self.gpg().run("--export-secret-keys", self.keys["publisher"])
        self.refuses_each({
            "absent": ("public key .*No such file", self.with_keys(os.unlink)),
            "garbage": (none, self.with_keys(copy(b"\x99\1\2\3" * 999))),
            "a stranger's": (STRANGER, self.with_keys(copy(
                self.gpg().export(self.keys["stranger"])))),
            "secret": ("holds a secret key", self.with_keys(copy(secret))),
            "a FIFO": ("is a FIFO", self.with_keys(os.unlink, os.mkfifo)),
        })


# What an egg does that puts $EGG_OTHER, with a signature if it has one, in its own place.
SWAP = """\
for end in (".asc", ""):
    if os.path.exists(os.environ["EGG_OTHER"] + end):
        os.rename(os.environ["EGG_OTHER"] + end, os.environ["EGG_PLACE"] + end)
"""


class Swaps(AttackCase):
    """The file of an egg becomes another one while its verified copy runs."""

    def swap(self, phase: str, other: bytes, signature: str = "", place: str = NEW) -> None:
        self.refresh()
        self.environ["EGG_OTHER"] = self.put(NEW, other, signature or None, "stick/other.egg")
        self.environ["EGG_PLACE"] = self.put(place, ours("8.0.0", **{phase: SWAP}))
        self.done = self.run_eggs()
        self.assertEqual(self.done.status, 0, self.done.text)
        self.assertFalse(os.path.exists(self.path("stick", "other.egg")))

    def test_the_verified_bytes_run_on_when_their_file_becomes_an_unsigned_one(self) -> None:
        for place, phase in ((NEW, "pre_update"), (NEW, "update"), (NEW, COLLECT),
                             (ENV, "pre_update"), (RPM, "post_update")):
            with self.subTest(phase, place=place):
                self.swap(phase, ours("9.0.0"), place=place)
                self.assertEqual(self.marks(), [(place, phase) for phase in PHASES])
                self.assertEqual(self.versions(), ["8.0.0"] * 4)
                warned = [(self.path(PLACES[place]), "signature")] if phase in PHASES[:2] else []
                self.assert_warnings(self.done, warned)
                self.assertFalse(os.path.exists(self.path(PLACES[STABLE])))

    def test_a_signed_file_that_takes_the_place_is_used_after_the_update_and_not_before(
            self) -> None:
        for phase, after in zip(PHASES[1:3], (["9.0.0"] * 2, [])):
            with self.subTest(phase):
                self.swap(phase, ours("9.0.0"), "publisher")
                expected = ["8.0.0"] * (4 - len(after)) + after
                self.assertEqual(self.versions(), expected)
                self.assertEqual(self.done.err, b"")

    def test_the_same_bytes_written_once_more_run_on(self) -> None:
        again = """\
import shutil
shutil.copy(os.environ["EGG_PLACE"], os.environ["EGG_PLACE"] + ".part")
os.rename(os.environ["EGG_PLACE"] + ".part", os.environ["EGG_PLACE"])
"""
        self.environ["EGG_PLACE"] = self.put(NEW, ours("8.0.0", update=again))
        done = self.run_eggs()
        self.assertEqual((done.status, done.err), (0, b""))
        self.assertEqual(self.marks(), [(NEW, phase) for phase in PHASES])

    def test_an_egg_whose_file_is_gone_runs_on(self) -> None:
        for place in (ENV, NEW):
            self.refresh()
            gone = "os.unlink(os.environ['EGG_PLACE'])"
            self.environ["EGG_PLACE"] = self.put(place, ours("8.0.0", pre_update=gone))
            with self.subTest(place):
                done = self.run_eggs()
                self.assertEqual((done.status, done.err), (0, b""))
                self.assertEqual(self.marks(), [(place, phase) for phase in PHASES])

    def test_an_egg_that_changes_its_copy_changes_nothing_for_the_wrapper(self) -> None:
        """It may do so as root; that is no reason for anything but its own end."""
        gone = "os.unlink(os.environ['PYTHONPATH']); " + leave(0)
        self.put(NEW, ours("8.0.0", post_update=gone))
        done = self.run_eggs()
        self.assert_worker(done)
        self.assertEqual(self.marks(), [(NEW, phase) for phase in PHASES[:3]])


if __name__ == "__main__":
    unittest.main()
