"""What tests share: a scratch host with its own folders, the built product, archives read."""
import atexit
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
from typing import Any, Dict, List, NamedTuple, Optional

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
SHARED = os.path.join(os.path.dirname(TOP), "shared")


def load_build() -> Any:
    """Return build.py as a module."""
    spec = importlib.util.spec_from_file_location("build", os.path.join(TOP, "build.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Product:
    """The .pyz built from the sources as they are now, once per run of the tests."""

    path: Optional[str] = None

    @classmethod
    def build(cls) -> str:
        if cls.path is None:
            folder = tempfile.mkdtemp(prefix="product-")
            atexit.register(shutil.rmtree, folder, True)
            build = load_build()
            cls.path = os.path.join(folder, "insights-mini.pyz")
            with open(cls.path, "wb") as file:
                file.write(build.pack(build.list_entries()))
            os.chmod(cls.path, 0o755)
        return cls.path


class Done(NamedTuple):
    """A finished run of the product."""

    status: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return (self.out + self.err).decode("utf-8", "replace")


class Scratch(unittest.TestCase):
    """A test with an empty folder of its own, `self.folder`, that is gone afterwards."""

    def setUp(self) -> None:
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="insights-test-"))
        self.addCleanup(shutil.rmtree, self.folder, True)

    def path(self, *parts: str) -> str:
        return os.path.join(self.folder, *parts)

    def write(self, name: str, content: Any, mode: int = 0o600) -> str:
        """Write bytes, text or a JSON value to a file in the scratch folder; return its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogateescape")
        elif not isinstance(content, bytes):
            content = json.dumps(content).encode("utf-8")
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        return path


class HostCase(Scratch):
    """A test that runs the product as a user does, with all its folders in the scratch folder."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("etc", "tmp", "out"):
            os.mkdir(self.path(name), 0o755)
        self.environ = {
            "PATH": os.environ.get("PATH", ""), "HOME": self.folder, "TMPDIR": self.path("tmp"),
            "INSIGHTS_CONF_DIR": self.path("etc"), "INSIGHTS_STATE_DIR": self.path("state"),
            "INSIGHTS_LOG_DIR": self.path("log"),
        }

    def rules(self, commands: List[str] = (), files: List[str] = (),  # type: ignore[assignment]
              globs: List[str] = (), pattern: List[str] = (),  # type: ignore[assignment]
              **more: Any) -> str:
        """Write a rules file and return its path; names are c0, c1 ..., f0 ..., g0 ..."""
        data: Dict[str, Any] = {
            "version": "1",
            "commands": [{"command": line, "symbolic_name": "c%d" % i, "pattern": list(pattern)}
                         for i, line in enumerate(commands)],
            "files": [{"file": path, "symbolic_name": "f%d" % i, "pattern": list(pattern)}
                      for i, path in enumerate(files)],
            "globs": [{"glob": path, "symbolic_name": "g%d" % i, "pattern": list(pattern)}
                      for i, path in enumerate(globs)],
            "pre_commands": {}, "meta_specs": {},
        }
        data.update(more)
        return self.write("rules.json", data)

    def argv(self, *arguments: str) -> List[str]:
        return [sys.executable, Product.build(), *arguments]

    def run_product(self, *arguments: str, timeout: float = 60, stdin: bytes = b"",
                    **environ: Any) -> Done:
        """Run the product in the scratch folder and return how it ended."""
        done = subprocess.run(self.argv(*arguments), env=dict(self.environ, **environ),
                              input=stdin, cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def start_product(self, *arguments: str, **environ: str) -> "subprocess.Popen[bytes]":
        """Start the product without waiting for it; it is killed when the test ends."""
        child = subprocess.Popen(self.argv(*arguments), env=dict(self.environ, **environ),
                                 stdin=subprocess.DEVNULL, cwd=self.folder,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def end() -> None:
            child.kill()
            child.wait()
            for pipe in (child.stdout, child.stderr):
                if pipe is not None:
                    pipe.close()

        self.addCleanup(end)
        return child

    def collect(self, rules: str, *arguments: str, **environ: Any) -> Dict[str, bytes]:
        """Run an offline collection that must succeed; return its members by name."""
        shutil.rmtree(self.path("collected"), True)
        done = self.run_product("--offline", "--from-file", rules, "--output-dir",
                                self.path("collected"), *arguments, **environ)
        self.assertEqual(done.status, 0, done.text)
        self.done = done
        names = [name for name in os.listdir(self.path("collected"))
                 if not name.endswith(".redactions.json")]
        self.assertEqual(len(names), 1, names)
        return read_archive(self.path("collected", names[0]))

    def leftovers(self) -> List[str]:
        """Return everything below the folders in which a run may leave something."""
        return sorted(os.path.relpath(os.path.join(folder, name), self.folder)
                      for top in ("tmp", "out", "collected")
                      for folder, folders, names in os.walk(self.path(top))
                      for name in folders + names)


def is_alive(number: int) -> bool:
    """Tell whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        with open("/proc/%d/stat" % number, "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def read_archive(path: str) -> Dict[str, bytes]:
    """Return the members of an archive by their names below the top folder, in their order."""
    with open(path, "rb") as file:
        return read_archive_bytes(file.read())


def read_archive_bytes(content: bytes) -> Dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:*", encoding="utf-8",
                      errors="surrogateescape") as tar:
        members = {}
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None, member.name
            name = member.name.partition("/")[2]
            assert name not in members, "twice in the archive: " + name
            members[name] = file.read()
        return members
