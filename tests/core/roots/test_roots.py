"""What all roots have in common: small files, and what the owner forbids to open."""
import os

from insights_mini.core.exclusions.load import Exclusions
from insights_mini.core.exclusions.match import Excluder
from insights_mini.core.roots import Guarded, read_small
from insights_mini.core.roots.mounted import Mounted
from insights_mini.hostfiles import Unreadable
from tests.support import Scratch


class Roots(Scratch):
    def setUp(self) -> None:
        super().setUp()
        for name in ("allowed", "secret", "folder/in"):
            self.write("root/" + name, name)
        os.symlink("/secret", self.path("root/link"))
        os.link(self.path("root/secret"), self.path("root/other-name"))
        self.root = Mounted(os.fsencode(self.path("root")))
        self.addCleanup(self.root.close)

    def test_what_the_owner_excludes_is_opened_by_none_of_its_names(self) -> None:
        excluder = Excluder(Exclusions(files=("/secret", "/folder")), self.root)
        guarded = Guarded(self.root, excluder.forbidden_inodes(), excluder.path)
        for path in (b"/secret", b"/./secret", b"/link", b"/other-name", b"/folder/in",
                     b"/folder/../folder/in"):
            with self.subTest(path=path), self.assertRaises(Unreadable) as caught:
                guarded.open(path)
            self.assertEqual((caught.exception.why, caught.exception.absent),
                             ("is excluded", False))
        self.assertEqual(read_small(guarded, b"/allowed", 100), b"allowed")
        self.assertEqual(guarded.names(b"/folder"), [b"in"])  # a listing is a command's matter
        self.assertTrue(guarded.status(b"/secret").size)
        self.assertEqual(guarded.readlink(b"/link"), b"/secret")

    def test_a_file_that_takes_the_place_of_another_one_is_still_forbidden(self) -> None:
        excluder = Excluder(Exclusions(files=("/secret",)), self.root)
        guarded = Guarded(self.root, excluder.forbidden_inodes(), lambda path: "")
        os.rename(self.path("root/secret"), self.path("root/allowed"))
        with self.assertRaises(Unreadable):
            guarded.open(b"/allowed")

    def test_a_file_that_is_too_large_is_not_read(self) -> None:
        self.assertEqual(read_small(self.root, b"/allowed", 7), b"allowed")
        with self.assertRaises(Unreadable) as caught:
            read_small(self.root, b"/allowed", 6)
        self.assertEqual(str(caught.exception), "is larger than 6 bytes")
        for path in (b"/none", b"/allowed/x", b"/folder"):
            with self.assertRaises(Unreadable) as caught:
                read_small(self.root, path, 100)
            self.assertEqual(caught.exception.absent, path != b"/folder")
