"""The machine: images of disks, and an emulated computer that they are put into."""
import hashlib
import os
import subprocess
from typing import List

from tests.e2e.rescue.debian import run

EMULATOR = "qemu-system-x86_64"


def make_disk(path: str, size: int, folder: str = "") -> None:
    """Make an image of so many bytes with an ext4 file system, with what is in the folder."""
    with open(path, "wb") as file:
        file.truncate(size)
    run(["mkfs.ext4", "-q", "-F", "-b", "4096", *(["-d", folder] if folder else []), path])


def read_disk(path: str, folder: str) -> None:
    """Copy what is on the image of a disk, which no one mounts, to a new folder."""
    os.mkdir(folder)
    run(["debugfs", "-R", "rdump / " + folder, path])


def digest(path: str) -> str:
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            sha.update(block)
    return sha.hexdigest()


def boot(kernel: str, initramfs: str, disks: List[str], clock: str, memory: int,
         patience: float) -> str:
    """Run a computer until it is off, and return what its console said.

    `clock`: what its battery-backed clock says at first, in ISO form; `memory`: in megabytes.
    RuntimeError has the console when it is not off after `patience` seconds.
    """
    argv = [EMULATOR, "-accel", "tcg", "-cpu", "max", "-m", str(memory), "-nodefaults",
            "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
            "-rtc", "base=" + clock, "-kernel", kernel, "-initrd", initramfs,
            "-append", "console=ttyS0 panic=-1 quiet"]
    for disk in disks:
        argv += ["-drive", "if=virtio,format=raw,file=" + disk]
    machine = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    try:
        said = machine.communicate(timeout=patience)[0]
    except subprocess.TimeoutExpired:
        machine.kill()
        said = machine.communicate()[0]
        raise RuntimeError("not off after %d s:\n%s" % (patience, show(said)))
    if machine.returncode:
        raise RuntimeError("%s: exit status %d\n%s" % (EMULATOR, machine.returncode, show(said)))
    return show(said)


def show(said: bytes) -> str:
    return said.decode("utf-8", "replace").replace("\r", "")
