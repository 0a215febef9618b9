"""The machine id is made once, by whoever comes first, and never changed by accident."""
import os
import subprocess
import sys
import uuid
from typing import List

from insights_mini.core.machineid import ensure_machine_id, read_machine_id, replace_machine_id
from insights_mini.exits import Failure
from insights_mini.paths import find_paths
from tests.support import TOP, Scratch

ID = "0f0e0d0c-0b0a-4908-8706-050403020100"
OTHER = "11111111-0b0a-4908-8706-050403020100"
OLDER = ("redhat-access-insights/machine-id", "redhat_access_proactive/machine-id")
RACE = """\
import os, sys
from insights_mini.core.machineid import ensure_machine_id
from insights_mini.paths import find_paths
os.read(0, 1)
print(ensure_machine_id(find_paths(os.environ)))
"""


class MachineId(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.paths = find_paths({"INSIGHTS_CONF_DIR": self.path("etc")})

    def content(self) -> bytes:
        with open(self.path("etc/machine-id"), "rb") as file:
            return file.read()

    def refuses(self, line: str) -> None:
        for act in (read_machine_id, ensure_machine_id):
            with self.assertRaises(Failure) as caught:
                act(self.paths)
            self.assertEqual(str(caught.exception), line)

    def test_what_is_no_machine_id_is_told_and_left_alone(self) -> None:
        for text in (b"x", b"0f0e0d0c", ID.encode() + b"0", b"\0" * 36, b"\xff\xfe",
                     ID.encode() + b"\n" + ID.encode(), b"<html>"):
            for name in ("etc/machine-id", *OLDER):
                with self.subTest(text=text, name=name):
                    path = self.write(name, text)
                    self.refuses("the machine id %s is none: it is not a UUID; restore it, or "
                                 "register as a new host with --force-reregister" % path)
                    with open(path, "rb") as file:
                        self.assertEqual(file.read(), text)
                    os.unlink(path)

    def test_what_cannot_be_read_is_told(self) -> None:
        path = self.path("etc/machine-id")
        os.makedirs(path)
        self.refuses("cannot read the machine id %s: is a directory" % path)
        os.rmdir(path)
        self.write("etc/machine-id", bytes(2000))
        self.refuses("cannot read the machine id %s: is larger than 1024 bytes" % path)

    def test_a_folder_that_cannot_be_written_is_told(self) -> None:
        os.symlink("nowhere", self.path("etc"))
        for act in (ensure_machine_id, lambda paths: replace_machine_id(paths, ID)):
            with self.assertRaises(Failure) as caught:
                act(self.paths)
            self.assertEqual(str(caught.exception), "cannot write the machine id %s: File exists; "
                             "make its folder writable" % self.path("etc/machine-id"))

    def test_each_form_is_read_alike_and_reading_writes_nothing(self) -> None:
        self.assertEqual(read_machine_id(self.paths), "")
        self.assertEqual(os.listdir(self.folder), [])
        for text in (ID, ID + "\n", ID.upper(), ID.replace("-", ""), "\r\n " + ID + " \r\n"):
            self.write("etc/machine-id", text)
            for act in (read_machine_id, ensure_machine_id):
                self.assertEqual(act(self.paths), ID)
            self.assertEqual(self.content(), text.encode())

    def test_the_place_of_an_older_client_counts_where_ours_has_none(self) -> None:
        self.write(OLDER[1], ID)
        for ours in (None, b"", b" \n"):
            if ours is not None:
                self.write("etc/machine-id", ours)
            for act in (read_machine_id, ensure_machine_id):
                self.assertEqual(act(self.paths), ID)
        self.write(OLDER[0], OTHER)
        self.assertEqual(read_machine_id(self.paths), OTHER)
        self.write("etc/machine-id", ID)
        self.assertEqual(read_machine_id(self.paths), ID)

    def test_it_is_made_once_for_root_alone_also_in_place_of_an_empty_file(self) -> None:
        for before in (None, b"", b"\n"):
            if before is not None:
                self.write("etc/machine-id", before, 0o644)
            made = ensure_machine_id(self.paths)
            self.assertEqual(str(uuid.UUID(made)), made)
            self.assertEqual(uuid.UUID(made).version, 4)
            self.assertEqual((ensure_machine_id(self.paths), read_machine_id(self.paths)),
                             (made, made))
            self.assertEqual(self.content(), made.encode())
            self.assertEqual(os.stat(self.path("etc/machine-id")).st_mode & 0o777, 0o600)
            self.assertEqual(os.listdir(self.path("etc")), ["machine-id"])

    def test_runs_that_make_one_at_once_end_with_the_same(self) -> None:
        for before in (None, b""):
            for _ in range(3):
                if os.path.exists(self.path("etc/machine-id")):
                    os.unlink(self.path("etc/machine-id"))
                if before is not None:
                    self.write("etc/machine-id", before)
                self.assertEqual(len(set(self.race(4))), 1)

    def race(self, number: int) -> List[bytes]:
        """Let processes that wait for it make a machine id at once; return what each got."""
        start, go = os.pipe()
        runs = [subprocess.Popen(
            [sys.executable, "-c", RACE], stdin=start, stdout=subprocess.PIPE,
            env={"PYTHONPATH": os.path.join(TOP, "src"), "INSIGHTS_CONF_DIR": self.path("etc")})
            for _ in range(number)]
        os.write(go, b"x" * number)
        results = [run.communicate(timeout=30)[0] for run in runs]
        os.close(start)
        os.close(go)
        self.assertTrue(all(results))
        return [*results, self.content() + b"\n"]

    def test_a_new_one_replaces_whatever_is_there(self) -> None:
        for before in (None, b"", b"garbage", OTHER.encode()):
            if before is not None:
                self.write("etc/machine-id", before)
            replace_machine_id(self.paths, ID)
            self.assertEqual(read_machine_id(self.paths), ID)
