"""The rescue system: busybox, this machine's Python, modules of the kernel, and the product.

It has no /etc/passwd, no /etc/insights-client, no locale, no package manager, and a Python with
the extension modules that need nothing but what Python itself needs. Some of its files are bait:
nothing of them may be in an archive of the host on the disk.
"""
import json
import lzma
import os
import re
import subprocess
from typing import Any, Dict, List, Sequence

from tests.e2e.rescue.cpio import Cpio
from tests.e2e.rescue.debian import find_libraries

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
BUSYBOX = "/bin/busybox"
APPLETS = ("cat", "chmod", "chroot", "cp", "cut", "date", "dd", "hostname", "insmod", "ls", "mkdir",
           "mount", "poweroff", "rm", "sed", "sh", "tr", "umount", "uname")
# What of the standard library a rescue system can do without, for its size.
LEFT_OUT = re.compile(
    r"(config-|test/|lib-dynload/_test|distutils/|idlelib/|lib2to3/|pydoc_data/|asyncio/|xml/|"
    r"multiprocessing/|unittest/|ensurepip/|tkinter/|turtledemo/|venv/|__phello__)")
ASK = ("import sys, sysconfig; "
       "print(sys.executable, sysconfig.get_path('stdlib'), '%d.%d' % sys.version_info[:2])")
NEEDED_MODULES = ("virtio_pci", "virtio_blk", "ext4")

# A word that is in nothing but the rescue system.
BAIT = b"of-the-rescue-system"
BAITS = {
    "etc/hostname": b"host." + BAIT + b".example\n",
    "etc/hosts": b"127.0.1.1 host." + BAIT + b".example host\n",
    "etc/rescue-marker": BAIT + b" marker\n",
    "etc/os-release": b'NAME="' + BAIT + b'"\n',
    "etc/machine-id": b"0123456789abcdef0123456789abcdef\n",
    "etc/fstab": b"/dev/" + BAIT + b" / ext4 defaults 0 0\n",
    "etc/known.d/rescue.conf": BAIT + b" glob\n",
    "boot/" + BAIT.decode(): b"boot\n",
    "var/lib/dpkg/status": b"Package: package-" + BAIT + b"\nStatus: install ok installed\n"
                           b"Version: 1\nArchitecture: all\nDescription: bait\n\n",
}
# A program that shows that it was run; the disk has it, too.
CANARY = b"#!/bin/sh\necho it sings >>/out/canary\necho " + BAIT + b"\n"
CANARY_PATH = "usr/bin/canary"


class Modules:
    """The modules of an unpacked kernel, by name."""

    def __init__(self, kernel: str) -> None:
        self.paths: Dict[str, str] = {}
        for folder, _, names in os.walk(os.path.join(kernel, "lib", "modules")):
            for name in names:
                base, dot, _ = name.partition(".ko")
                if dot:
                    self.paths[base.replace("-", "_")] = os.path.join(folder, name)

    def read(self, name: str) -> bytes:
        with open(self.paths[name], "rb") as file:
            content = file.read()
        return lzma.decompress(content) if self.paths[name].endswith(".xz") else content

    def order(self, wanted: Sequence[str]) -> List[str]:
        """Return these, each after those that it needs; what is no module is in the kernel."""
        found: List[str] = []
        for name in wanted:
            if name in self.paths:
                needs = re.search(rb"\0depends=([^\0]*)\0", self.read(name))
                inner = needs.group(1).decode().replace("-", "_").split(",") if needs else []
                found += [each for each in [*self.order(inner), name] if each not in found]
        return found


def add_modules(system: Cpio, kernel: str) -> None:
    modules = Modules(kernel)
    for number, name in enumerate(modules.order(NEEDED_MODULES)):
        system.add("modules/%02d-%s.ko" % (number, name), modules.read(name))


def add_python(system: Cpio) -> None:
    """Add this machine's Python, its library, and the shared libraries that it needs."""
    program, library, version = subprocess.check_output(
        [PYTHON, "-IS", "-c", ASK]).decode().split()
    libraries = find_libraries(program)
    for path in libraries:
        system.add_copy(path)
    system.add_copy(program, PYTHON.lstrip("/"))
    for folder, _, names in os.walk(library):
        for name in names:
            path = os.path.join(folder, name)
            if LEFT_OUT.match(os.path.relpath(path, library)) or "-packages" in folder:
                continue
            if name.endswith((".py", ".cpython-%s.pyc" % version.replace(".", ""))) or (
                    name.endswith(".so") and set(find_libraries(path)) <= set(libraries)):
                system.add_copy(path)


def build(kernel: str, product: str, rules: Any, forbidden: str, truths: List[str]) -> bytes:
    """Return the initramfs.

    `kernel`: the folder of an unpacked package; `rules`: collection rules; `forbidden`: an
    exclusion file; `truths`: command lines that the host itself is to run afterwards.
    """
    system = Cpio()
    with open(os.path.join(HERE, "init"), "rb") as file:
        system.add("init", file.read(), 0o755)
    for path in [BUSYBOX, *find_libraries(BUSYBOX)]:
        system.add_copy(path)
    for applet in APPLETS:
        system.add_link("bin/" + applet, BUSYBOX)
    add_python(system)
    add_modules(system, kernel)
    for path, content in BAITS.items():
        system.add(path, content)
    system.add(CANARY_PATH, CANARY, 0o755)
    system.add_copy(product, "insights-mini.pyz")
    system.add("rules.json", json.dumps(rules).encode())
    system.add("forbidden.yaml", forbidden.encode())
    system.add("truths", "".join(line + "\n" for line in truths).encode())
    return system.pack()
