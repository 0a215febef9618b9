"""The journal of a root that does not run, read by the real journalctl from open files."""
import os
import re
import shutil
import subprocess
from typing import Dict, List

from insights_mini.core.collect.answers import journal
from insights_mini.core.roots import Guarded, Opened, Root
from insights_mini.hostfiles import Unreadable
from tests.core.collect.answers.test_ls import AnswerCase

REMOTE = "/lib/systemd/systemd-journal-remote"
MACHINE = "a" * 32
FIRST, LAST = "1" * 32, "2" * 32  # boots
REFUSED = (
    "-f", "--follow", "--vacuum-size=1", "--vacuum-time", "--rotate", "--flush", "--sync",
    "--relinquish-var", "--update-catalog", "--setup-keys", "--file=/etc/x", "-D /", "--root=/",
    "--directory /var/log", "--image=x", "--namespace=x", "-M x", "--cursor-file=/x", "-x", "-m",
    "--merge", "--catalog", "-e", "-b -1", "-b 1", "--boot=" + FIRST, "-kb", "/usr/bin/sshd",
    "/dev/sda", "-n --file=/x", "-u --file=/x", "-u", "-n x", "-n /x", "-p5 --rotate",
    "_PID=1 + _PID=2", "lower=case", "--verify", "--no-pager=1", "--header=/x")
PASSED = (
    "", "--no-pager", "--no-pager -o short-iso", "-p warning", "-perr", "--priority=3",
    "-u sshd --utc", "-t kernel -q", "-n 1", "-n2 -r", "--lines=1 --output=json", "_PID=7 -a",
    "-o export", "--output verbose", "--list-boots", "--since=2023-11-14 --until 2023-11-15",
    "SYSLOG_IDENTIFIER=sshd", "--no-hostname -o cat")


def make_entry(boot: str, seconds: int, message: bytes, origin: str = "kernel",
               **fields: str) -> bytes:
    """Return an entry in the journal's export format; by default one of the kernel's."""
    started = 1700000000 if boot == FIRST else 1800000000
    fields = dict({
        "__REALTIME_TIMESTAMP": "%d000000" % (started + seconds), "_BOOT_ID": boot,
        "__MONOTONIC_TIMESTAMP": "%d000007" % seconds, "_MACHINE_ID": MACHINE,
        "_HOSTNAME": "dead", "_TRANSPORT": "kernel", "SYSLOG_IDENTIFIER": origin,
        "_SOURCE_MONOTONIC_TIMESTAMP": "%d000005" % seconds, "PRIORITY": "6"}, **fields)
    lines = b"".join(b"%s=%s\n" % (name.encode(), value.encode())
                     for name, value in fields.items() if value)
    return lines + b"MESSAGE\n" + len(message).to_bytes(8, "little") + message + b"\n\n"


OLD = [make_entry(FIRST, 0, b"Linux version 1"), make_entry(FIRST, 1, b"of the first boot")]
NEW = [
    make_entry(LAST, 0, b"Linux version 2"),
    make_entry(LAST, 1, b"two\nlines and a\ttab"),
    make_entry(LAST, 2, b"\xff odd \x01 \xc3\xa9"),
    make_entry(LAST, 12, b"Inserted module", "systemd", SYSLOG_PID="1"),
    make_entry(LAST, 13, b"not of the kernel", "sshd", _TRANSPORT="syslog", _PID="7",
               _SYSTEMD_UNIT="sshd.service", PRIORITY="3"),
    make_entry(LAST, 123456, b"late"),
]
DMESG = rb"""[    0.000005] Linux version 2
[    1.000005] two
               lines and a	tab
[    2.000005] \xff odd \x01 \xc3\xa9
[   12.000005] systemd[1]: Inserted module
[123456.000005] late
"""


class JournalCase(AnswerCase):
    def setUp(self) -> None:
        super().setUp()
        for program in ("/usr/bin/journalctl", REMOTE):
            if not os.path.exists(program):
                self.skipTest("no %s here" % program)
        self.put("etc/machine-id", MACHINE.encode() + b"\n")
        self.journals = "root/var/log/journal/" + MACHINE + "/"

    def journal(self, name: str, entries: List[bytes], age: int = 0) -> str:
        path = self.path(self.journals, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run([REMOTE, "-o", path, "-"], input=b"".join(entries), check=True,
                       stderr=subprocess.DEVNULL)
        os.utime(path, (1e9 - age, 1e9 - age))
        return path

    def both(self) -> None:
        self.journal("system@1.journal", OLD, age=60)
        self.journal("system.journal", NEW)


class Journalctl(JournalCase):
    def test_only_options_that_read_the_given_files_are_let_through(self) -> None:
        self.both()
        for options in REFUSED:
            with self.subTest(options):
                self.assertIsNone(self.find("journalctl " + options))

    def test_without_a_journal_there_is_no_answer(self) -> None:
        self.assertIsNone(self.find("journalctl"))
        self.put("var/log/journal/" + "b" * 32 + "/system.journal")
        self.put(self.journals[len("root/"):] + "fss")
        self.assertIsNone(self.find("journalctl"))
        os.unlink(self.path("root/etc/machine-id"))
        self.both()
        self.assertIsNone(self.find("journalctl"))

    def test_a_link_to_a_journal_of_the_running_system_is_not_followed(self) -> None:
        folder = os.path.dirname(self.journal("system.journal", NEW))
        outside = self.path("outside")
        shutil.move(folder, outside)
        os.symlink(outside, folder)
        self.assertIsNone(self.find("journalctl"))
        os.unlink(folder)
        os.mkdir(folder)
        os.symlink(os.path.join(outside, "system.journal"), os.path.join(folder, "a.journal"))
        os.mkfifo(os.path.join(folder, "b.journal"))
        with self.assertRaises(Unreadable):
            self.answer("journalctl")

    def test_what_is_no_journal_is_told_as_unreadable(self) -> None:
        self.put(self.journals[len("root/"):] + "system.journal", b"x" * 4096)
        for line in ("journalctl", "journalctl -b", "journalctl --header"):
            with self.subTest(line), self.assertRaises(Unreadable):
                self.answer(line)

    def test_it_prints_what_journalctl_prints_of_the_same_files(self) -> None:
        self.both()
        for options in PASSED:
            with self.subTest(options):
                real = self.real("journalctl", "--directory=" + self.path(self.journals),
                                 *options.split())
                self.assertEqual(self.sort(self.answer("journalctl " + options)), self.sort(real))

    def sort(self, text: bytes) -> List[bytes]:
        """Return lines whose fields are in no order: those of JSON."""
        return [bytes(sorted(line)) if line.startswith(b"{") else line
                for line in text.split(b"\n")]

    def test_headers_name_the_files_as_their_host_does(self) -> None:
        self.both()
        ours = self.answer("/usr/bin/journalctl --no-pager --header")
        real = self.real("journalctl", "--header", "--directory=" + self.path(self.journals))
        real = real.replace(os.fsencode(self.path("root")) + b"/", b"/").replace(b"//", b"/")
        self.assertEqual(sorted(ours.split(b"\n\n")), sorted(real.split(b"\n\n")))
        self.assertIn(b"File path: /var/log/journal/%s/system.journal\n" % MACHINE.encode(), ours)

    def test_the_last_boot_is_that_of_the_newest_entry(self) -> None:
        self.both()
        for options in ("-b", "--boot", "-k", "--dmesg", "-b -u sshd", "-k -p6", "-b -o cat"):
            with self.subTest(options):
                text = self.answer("journalctl " + options)
                self.assertNotIn(b"first boot", text)
                self.assertIn(b"not of the kernel" if "-k" not in options and "--d" not in options
                              else b"Linux version 2", text)
        self.assertNotIn(b"Linux", self.answer("journalctl -b -u sshd"))

    def test_an_entry_that_speaks_of_another_boot_is_not_believed(self) -> None:
        false = b'"_BOOT_ID":"%s"' % (b"3" * 32)
        self.journal("system.journal", [make_entry(LAST, 0, false), NEW[1],
                                        make_entry(LAST, 2, false, false.decode())])
        self.assertIn(b"two\nlines", self.answer("journalctl -b -o cat"))

    def test_an_empty_journal_has_no_last_boot(self) -> None:
        self.journal("system.journal", NEW[:1])
        path = self.path(self.journals, "system.journal")
        with open(path, "r+b") as file:
            for place in (152, 176):  # how many entries it has, and where they are listed
                file.seek(place)
                file.write(bytes(8))
        with self.assertRaises(Unreadable):
            self.answer("journalctl -b")

    def test_the_newest_files_are_read_and_only_so_many(self) -> None:
        for number in range(journal.MOST + 4):
            self.journal("system@%d.journal" % number, [make_entry(
                LAST, number, b"number %d." % number)], age=100 - number)
        text = self.answer("journalctl -o cat")
        self.assertEqual(re.findall(rb"number (\d+)\.", text),
                         [b"%d" % number for number in range(4, journal.MOST + 4)])

    def test_a_file_that_its_owner_excludes_is_not_read(self) -> None:
        self.both()
        hidden = b"/var/log/journal/%s/system.journal" % MACHINE.encode()
        self.root = Guarded(self.root, frozenset(),  # type: ignore[assignment]  # a root as well
                            lambda path: "entry" if path == hidden else "")
        text = self.answer("journalctl -o cat")
        self.assertIn(b"Linux version 1", text)
        self.assertNotIn(b"Linux version 2", text)


class Packed(Guarded):
    """A root whose files have no descriptors of their own."""

    def __init__(self, root: Root) -> None:
        super().__init__(root, frozenset(), lambda path: "")

    def open(self, path: bytes, *more: object) -> Opened:
        return self.root.open(path)._replace(direct=False)


class Dmesg(JournalCase):
    def test_options_are_not_answered_nor_is_a_host_without_messages(self) -> None:
        self.assertIsNone(self.find("dmesg"))
        self.both()
        for options in ("-c", "-C", "--clear", "-n 1", "-w", "-D", "-T", "-F /etc/x"):
            self.assertIsNone(self.find("dmesg " + options))

    def test_the_messages_of_the_last_boot_are_told_as_dmesg_tells_them(self) -> None:
        self.both()
        self.put("var/log/dmesg", b"older\n")
        self.assertEqual(self.answer("/bin/dmesg"), DMESG)

    def test_the_form_is_that_of_the_real_dmesg(self) -> None:
        lines = re.sub(rb"\n               .*", b"", DMESG).replace(rb"\xff", b"\xff").replace(
            rb"\x01", b"\x01").replace(rb"\xc3\xa9", b"\xc3\xa9")
        path = self.write("kmsg", re.sub(rb"(?m)^(?=.)", b"<6>", lines))
        real = self.real("dmesg", "-F", path)
        self.both()
        self.assertEqual(re.sub(rb"\n               .*", b"", self.answer("dmesg")), real)

    def test_without_a_journal_of_the_kernel_the_log_is_told(self) -> None:
        self.put("var/log/dmesg", b"[    0.000000] from the log\n")
        self.assertEqual(self.answer("dmesg"), b"[    0.000000] from the log\n")
        self.journal("system.journal", NEW[4:5])
        self.assertEqual(self.answer("dmesg"), b"[    0.000000] from the log\n")
        self.journal("system.journal", NEW)
        self.root = Packed(self.root)  # type: ignore[assignment]  # a root as well
        self.assertEqual(self.answer("dmesg"), b"[    0.000000] from the log\n")

    def test_entries_that_are_none_leave_nothing(self) -> None:
        good = {"MESSAGE": "x", "_SOURCE_MONOTONIC_TIMESTAMP": "1"}
        self.assertEqual(journal.show_message(good), b"[    0.000001] x\n")
        rows: List[Dict[str, object]] = [
            {"MESSAGE": None}, {"MESSAGE": ["x", "y"]}, {"MESSAGE": [256]}, {"MESSAGE": {}},
            {"_SOURCE_MONOTONIC_TIMESTAMP": None}, {"_SOURCE_MONOTONIC_TIMESTAMP": "x"},
            {"_SOURCE_MONOTONIC_TIMESTAMP": "9" * 5000}, {"_SOURCE_MONOTONIC_TIMESTAMP": ["1"]},
            {"_SOURCE_MONOTONIC_TIMESTAMP": "-1"}, {"_SOURCE_MONOTONIC_TIMESTAMP": "\u0661"}]
        for row in rows:
            with self.subTest(row):
                self.assertEqual(journal.show_message(dict(good, **row)), b"")
        for line in (b"", b"[1]", b"null", b"{", b"\xff", b"Infinity"):
            self.assertEqual(journal.read_entry(line), {})
