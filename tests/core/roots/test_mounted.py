"""A mounted root is seen as its host would see it, and the running system is never seen."""
import json
import os
import random
import shutil
import socket
import stat
import threading
import time
from typing import Any, Callable, Dict, List, Set, Tuple

from insights_mini.core.roots import Root, read_small
from insights_mini.core.roots.mounted import Mounted
from insights_mini.core.roots.running import HOST, Contained
from insights_mini.core.roots.walk import OF_KERNEL
from insights_mini.exits import Failure
from insights_mini.hostfiles import Unreadable
from tests.support import Scratch

SECRET = b"a secret of the running system\n"
MOST = 1024 * 1024


def outcome(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the work returns, or "absent" or "refused"."""
    try:
        return work(*arguments)
    except Unreadable as error:
        return "absent" if error.absent else "refused"


class MountedCase(Scratch):
    def setUp(self) -> None:
        super().setUp()
        os.mkdir(self.path("root"))
        self.write("secret", SECRET)
        self.root = self.open_root()

    def open_root(self) -> Mounted:
        root = Mounted(os.fsencode(self.path("root")))
        self.addCleanup(root.close)
        return root

    def put(self, name: str, content: bytes = b"inside\n") -> str:
        return self.write("root/" + name, content)

    def link(self, name: str, target: str) -> None:
        os.makedirs(os.path.dirname(self.path("root", name)), exist_ok=True)
        os.symlink(target, self.path("root", name))

    def read(self, path: str, root: "Root | None" = None) -> Any:
        return outcome(read_small, root or self.root, os.fsencode(path), MOST)


class Outward(MountedCase):
    def test_no_link_leads_out_of_the_root(self) -> None:
        """FAULTS 3 and 4."""
        outside = self.path("secret")
        up = "../" * 40
        self.put("etc/inner/file")
        for number, (name, target, path) in enumerate((
                ("a", outside, "/a"), ("b", up + outside[1:], "/b"),
                ("etc/c", "../../secret", "/etc/c"), ("d", self.folder, "/d/secret"),
                ("e", up, "/e" + outside), ("f", "/..", "/f" + outside),
                ("etc/g", "/proc/self/root", "/etc/g" + outside),
                ("h", "/proc/self/cwd", "/h/secret"), ("i", "/dev/fd/0", "/i"),
                ("j", "etc/../..", "/j/secret"), ("k", "/etc/inner/../../../secret", "/k"))):
            with self.subTest(name=name, target=target):
                self.link(name, target)
                for root in (self.root, self.open_root()):
                    self.assertEqual(self.read(path, root), "absent")
                    self.assertEqual(outcome(root.status, os.fsencode(path)),
                                     "absent")
                    self.assertFalse(root.is_folder(os.fsencode(path)), number)

    def test_two_dots_end_at_the_root(self) -> None:
        """FAULTS 3: `../secret` would be outside, if a string told what is inside."""
        self.write("root.txt", SECRET)
        for path in ("/../secret", "/../root.txt", "/./../../secret", "/etc/../../secret",
                     "/..", "/../../../..%s" % self.path("secret")):
            with self.subTest(path=path):
                self.assertNotEqual(self.read(path), SECRET)
        self.put("file")
        self.assertEqual(self.read("/../../file"), b"inside\n")

    def test_a_link_that_comes_while_a_path_is_walked_is_not_followed_out(self) -> None:
        """A folder, and a file, change places with links to the outside without end."""
        self.put("a/b/secret")
        self.put("a/file")
        os.symlink(self.folder, self.path("root/a/out"))
        os.symlink(self.path("secret"), self.path("root/a/out-file"))
        done = threading.Event()

        def swap() -> None:
            while not done.is_set():
                for one, other in (("b", "out"), ("file", "out-file")):
                    names = [self.path("root/a", name) for name in (one, other, "spare")]
                    os.rename(names[0], names[2])
                    os.rename(names[1], names[0])
                    time.sleep(0)
                    os.rename(names[0], names[1])
                    os.rename(names[2], names[0])

        thread = threading.Thread(target=swap)
        thread.start()
        seen: Set[Any] = set()
        try:
            until = time.monotonic() + 2
            while time.monotonic() < until:
                seen.update((self.read("/a/b/secret"), self.read("/a/file")))
                for path in (b"/a/b", b"/a"):
                    names = outcome(self.root.names, path)
                    self.assertNotIn(b"secret" if path == b"/a" else b"root", list(names))
        finally:
            done.set()
            thread.join()
        self.assertEqual(seen - {"absent", "refused"}, {b"inside\n"})
        self.assertGreater(len(seen), 1, "nothing was swapped")

    def test_what_is_no_regular_file_is_never_opened(self) -> None:
        os.mkfifo(self.path("root/fifo"))
        os.mkdir(self.path("root/folder"))
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        here = os.open(self.path("root"), os.O_RDONLY)
        self.addCleanup(os.close, here)
        listener.bind("/proc/self/fd/%d/socket" % here)
        for name, mode, device in (("null", stat.S_IFCHR, (1, 3)), ("zero", stat.S_IFCHR, (1, 5)),
                                   ("disk", stat.S_IFBLK, (7, 0))):
            os.mknod(self.path("root", name), mode | 0o600, os.makedev(*device))
        for name in ("fifo", "folder", "socket", "null", "zero", "disk"):
            with self.subTest(name):
                self.link("to-" + name, "/" + name)
                began = time.monotonic()
                self.assertEqual(self.read("/" + name), "refused")
                self.assertEqual(self.read("/to-" + name), "refused")
                self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(self.root.status(b"/disk").device, (7, 0))

    def test_loops_of_links_end(self) -> None:
        """FAULTS 4."""
        self.link("self", "self")
        self.link("a/loop", "../b/loop")
        self.link("b/loop", "/a/loop")
        self.link("grow", "grow/grow")
        for path in ("/self", "/a/loop", "/grow", "/a/loop/x", "/self/.."):
            with self.subTest(path):
                self.assertEqual(self.read(path), "refused")
                self.assertEqual(outcome(self.root.names, path.encode()), "refused")
                self.assertTrue(self.root.real(path.encode()).startswith(b"/"))

    def test_the_running_kernel_is_not_seen_through_its_mounted_file_systems(self) -> None:
        """FAULTS 49; a rescue system mounts them for chroot."""
        for name in ("proc", "sys", "dev", "run", "else"):
            os.mkdir(self.path("root", name))
            self.put("file-below/" + name)
        self.put("proc/version")
        self.put("run/file")
        self.put("proc/self/mounts")
        self.link("etc/mtab", "../proc/self/mounts")
        self.link("var/run", "/run")
        for path in ("/proc/version", "/run/file", "/etc/mtab", "/var/run/file",
                     "/var/../proc/version"):
            with self.subTest(path):
                with self.assertRaises(Unreadable) as caught:
                    self.root.open(path.encode())
                self.assertEqual((caught.exception.why, caught.exception.absent),
                                 (OF_KERNEL, True))
        self.assertEqual(outcome(self.root.names, b"/proc"), "absent")
        self.assertTrue(self.root.is_folder(b"/proc"))  # as a name in a listing it is the disk's
        os.symlink("/proc", self.path("root/else/link"))
        self.assertEqual(self.read("/else/link/version"), "absent")
        self.assertTrue(self.root.is_live(b"/proc/version"))
        self.assertFalse(self.root.is_live(b"/process/version"))

    def test_a_file_system_of_the_kernel_that_is_mounted_elsewhere_is_not_entered(self) -> None:
        root = Mounted(b"/")
        self.addCleanup(root.close)
        self.assertEqual(outcome(root.names, b"/proc"), "absent")
        self.assertEqual(self.read("/proc/version", root), "absent")
        here = os.open("/proc", os.O_RDONLY)
        self.addCleanup(os.close, here)
        with self.assertRaises(Unreadable):  # whatever its name is
            root.tree.look(here, b".")
        with self.assertRaises(Unreadable):
            root.tree.enter(here, b"sys")

    def test_a_folder_that_is_not_there_is_one_clear_line(self) -> None:
        for path, why in ((self.path("none"), "No such file"), (self.path("secret"), "Not a dir")):
            with self.assertRaises(Failure) as caught:
                Mounted(os.fsencode(path))
            self.assertIn(path, str(caught.exception))
            self.assertIn(why, str(caught.exception))

    def test_no_descriptor_is_left_open(self) -> None:
        self.put("a/b/c/file")
        self.link("a/l", "b/c")
        self.link("loop", "loop")
        before = os.listdir("/proc/self/fd")
        for path in (b"/a/l/file", b"/a/l/none", b"/loop", b"/a/b/../l/file", b"/proc/x", b"/a",
                     b"/\0"):
            for work in (self.root.open, self.root.status, self.root.names, self.root.readlink,
                         self.root.real, self.root.exists):
                outcome(work, path)
        self.assertEqual(os.listdir("/proc/self/fd"), before)


class Inside(MountedCase):
    def test_links_are_followed_within_the_root(self) -> None:
        """FAULTS 4."""
        self.put("usr/lib/os-release", b"ID=x\n")
        self.put("secret", b"the root's own\n")
        for name, target, path in (
                ("etc/os-release", "../usr/lib/os-release", "/etc/os-release"),
                ("etc/absolute", "/usr/lib/os-release", "/etc/absolute"),
                ("lib", "usr/lib", "/lib/os-release"),
                ("l2", "etc/../lib/.", "/l2/os-release"), ("l1", "/l2", "/l1/os-release"),
                ("etc/up", "../../../../usr/lib/os-release", "/etc/up")):
            with self.subTest(name):
                self.link(name, target)
                self.assertEqual(self.read(path), b"ID=x\n")
                self.assertEqual(self.root.real(path.encode()), b"/usr/lib/os-release")
        self.link("same", self.path("secret"))
        os.makedirs(self.path("root" + self.folder))
        self.write("root" + self.path("secret"), b"of the same name inside\n")
        self.assertEqual(self.read("/same"), b"of the same name inside\n")

    def test_names_of_any_bytes_and_paths_of_any_length_are_read(self) -> None:
        """FAULTS 47."""
        for name in ("a\nb", os.fsdecode(b"caf\xe9\xff"), "x" * 255, "-rf", "$(x)", " ", "*", "\\"):
            with self.subTest(name):
                self.put("odd/" + name)
                self.assertEqual(self.read("/odd/" + name), b"inside\n")
                self.assertIn(os.fsencode(name), self.root.names(b"/odd"))
        here = os.open(self.path("root"), os.O_RDONLY)
        for _ in range(30):  # 7680 bytes
            os.mkdir("y" * 255, dir_fd=here)
            inner = os.open("y" * 255, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        file = os.open("end", os.O_WRONLY | os.O_CREAT, dir_fd=here)
        os.write(file, b"deep\n")
        os.close(file)
        os.close(here)
        self.assertEqual(self.read("/" + ("y" * 255 + "/") * 30 + "end"), b"deep\n")
        for name in ("z" * 256, "nul\0byte"):
            self.assertIn(self.read("/" + name), ("absent", "refused"))

    def test_hard_links_and_sparse_files_are_files(self) -> None:
        path = self.put("one")
        os.link(path, self.path("root/two"))
        self.assertEqual(self.read("/two"), b"inside\n")
        self.assertEqual(self.root.status(b"/one").identity, self.root.status(b"/two").identity)
        with open(self.path("root/sparse"), "wb") as file:
            file.truncate(1 << 40)
        self.assertEqual(self.root.open(b"/sparse").size, 1 << 40)

    def test_every_answer_is_that_of_a_process_which_has_this_root(self) -> None:
        """Random trees; the kernel, in a chroot, knows what is right."""
        if os.geteuid() != 0:
            self.skipTest("only root can chroot")
        for seed in range(25):
            with self.subTest(seed):
                shutil.rmtree(self.path("root"))
                paths = grow(self.path("root"), random.Random(seed))
                root = self.open_root()
                right = in_chroot(self.path("root"), paths)
                for path in paths:
                    self.assertEqual(ask(Ours(root), path), right[path], path)


def grow(top: str, chance: random.Random) -> List[str]:
    """Make a tree of folders, files and links, and return paths to try."""
    names = ["a", "b", "c", "d"]

    def any_path() -> str:
        parts = [chance.choice([*names, *names, "..", ".", ""])
                 for _ in range(chance.randint(1, 5))]
        return chance.choice(["", "/"]) + "/".join(parts)

    folders = [top]
    os.mkdir(folders[0])
    for _ in range(30):
        path = os.path.join(chance.choice(folders), chance.choice(names))
        if os.path.lexists(path):
            continue
        kind = chance.choice(("folder", "file", "link", "link"))
        if kind == "folder":
            os.mkdir(path)
            folders.append(path)
        elif kind == "file":
            with open(path, "w", encoding="ascii") as file:
                file.write(path[len(os.path.dirname(top)):])
        else:
            os.symlink(any_path() or ".", path)
    return sorted({"/" + any_path().lstrip("/") for _ in range(150)})


class Kernel:
    """Asks the kernel; in a chroot it can see nothing else."""

    def status(self, path: str, follow: bool) -> Tuple[int, int]:
        status = os.stat(path, follow_symlinks=follow)
        return status.st_mode, status.st_ino

    def readlink(self, path: str) -> str:
        return os.readlink(path)

    def names(self, path: str) -> List[str]:
        return sorted(os.listdir(path))

    def read(self, path: str) -> str:
        with open(path, encoding="ascii") as file:
            return file.read()


class Ours(Kernel):
    def __init__(self, root: Root) -> None:
        self.root = root

    def status(self, path: str, follow: bool) -> Tuple[int, int]:
        status = self.root.status(path.encode(), follow)
        return status.mode, status.identity[1]

    def readlink(self, path: str) -> str:
        return os.fsdecode(self.root.readlink(path.encode()))

    def names(self, path: str) -> List[str]:
        return [name.decode() for name in self.root.names(path.encode())]

    def read(self, path: str) -> str:
        return read_small(self.root, path.encode(), MOST).decode()


def ask(who: Kernel, path: str) -> List[Any]:
    """Return the answers to all questions about a path; an error is None."""
    plain = path.rstrip("/.") == path  # of a link with a slash behind it the kernel sees more
    found: List[Any] = []
    for question in (lambda: list(who.status(path, True)),
                     lambda: list(who.status(path, False)) if plain else None,
                     lambda: who.readlink(path) if plain else None,
                     lambda: who.names(path),
                     lambda: who.read(path) if plain else None):
        try:
            found.append(question())
        except (OSError, Unreadable):
            found.append(None)
    return found


def in_chroot(folder: str, paths: List[str]) -> Dict[str, List[Any]]:
    """Return the kernel's answers for each path, with this folder as the root."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chroot(folder)
            os.chdir("/")
            with open(writer, "w", encoding="utf-8", closefd=False) as pipe:
                json.dump({path: ask(Kernel(), path) for path in paths}, pipe)
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        answers: Dict[str, List[Any]] = json.load(pipe)
    os.waitpid(child, 0)
    return answers


class InContainer(Scratch):
    def test_a_container_does_not_open_what_belongs_to_the_kernel_of_its_host(self) -> None:
        link = self.path("link")
        os.symlink("/proc/version", link)
        root = Contained()
        for path in (b"/proc/version", b"/sys/kernel/mm", link.encode(), b"/etc/../proc/uptime"):
            with self.subTest(path=path):
                self.assertEqual(outcome(root.open, path), "absent")
        self.assertTrue(root.is_live(b"//proc/version"))
        self.assertEqual(read_small(root, b"/etc/passwd", MOST),
                         read_small(HOST, b"/etc/passwd", MOST))
