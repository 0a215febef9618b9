"""The host that does not boot: a small Debian with known contents, on the image of a disk."""
import os
import stat
from typing import Dict

NAME = "dead1.example.com"
FSTAB = """\
# <device> <mount point> <type> <options> <dump> <pass>
/dev/mapper/dead-root /        ext4 errors=remount-ro 0 1
UUID=6d1c1f4e-0001    /boot    xfs  defaults          0 2
/dev/mapper/dead-swap none     swap sw                0 0
nas.example.com:/home /home    nfs4 ro,hard           0 0
"""
MOUNTS = """\
/dev/mapper/dead-root on / type ext4 (errors=remount-ro)
UUID=6d1c1f4e-0001 on /boot type xfs (rw)
nas.example.com:/home on /home type nfs4 (ro,hard)
"""
PATTERN, KEYWORD = "a line to drop", "codenamelion"

# Known files: path -> contents.
FILES: Dict[str, bytes] = {
    "etc/hostname": NAME.encode() + b"\n",
    "etc/hosts": b"127.0.0.1 localhost\n192.0.2.7 dead1.example.com dead1\n",
    "etc/fstab": FSTAB.encode(),
    "etc/machine-id": b"fedcba9876543210fedcba9876543210\n",
    "etc/known/plain": b"plain\n\xc3\xa4 \xe2\x82\xac\n",
    "etc/known/other": b"another\n",
    "etc/known/cleaned": b"before\n%s\nthe %s roars\nafter\n" % (
        PATTERN.encode(), KEYWORD.encode()),
    "etc/known/forbidden": b"forbidden by the disk\n",
    "etc/known.d/one.conf": b"one\n",
    "etc/known.d/two.conf": b"two\n",
    "etc/known.d/three.txt": b"three\n",
    "srv/known/inside": b"inside\n",
    "boot/grub2/grub.cfg": b"menuentry 'dead' {\n}\n",
    "boot/vmlinuz-1.2.3-dead": b"kernel\n",
    "var/log/audit/audit.log": b"type=DAEMON_START msg=audit(1.1:1): op=start\n",
    "usr/bin/canary": b"#!/bin/sh\necho it sings >>/out/canary\n",
    "etc/insights-client/file-redaction.yaml":
        b"files:\n- /etc/known/forbidden\ncommands:\n- /bin/ls -l /opt\n",
    "etc/insights-client/file-content-redaction.yaml":
        ("patterns:\n- %s\nkeywords:\n- %s\n" % (PATTERN, KEYWORD)).encode(),
}
# A log that is larger than the memory of a small host: every so many lines one is of interest.
LOG = "var/log/messages"
DULL = b"Jan  2 03:04:05 dead1 systemd[1]: Started Session 1 of user root, as every minute.\n"
TROUBLE = b"Jan  2 03:04:05 dead1 kernel: Out of memory: Killed process 1234 (java)\n"
DULL_LINES, BLOCKS = 9999, 100

# Links: path -> target. All of them stay on the disk, wherever they seem to lead.
LINKS = {
    "etc/known/absolute": "/etc/hostname",
    "etc/known/relative": "../hostname",
    "etc/known/climbing": "../" * 12 + "etc/hostname",
    "etc/known/chain": "chain2",
    "etc/known/chain2": "/etc/known/chain3",
    "etc/known/chain3": "../known/plain",
    "etc/known/folder": "/srv/known",
    "etc/known/top": "../" * 12,
    "etc/known/to-marker": "/etc/rescue-marker",
    "etc/known/climbing-to-marker": "../" * 12 + "etc/rescue-marker",
    "etc/known/to-proc": "/proc/version",
    "etc/known/to-mounted": "/mnt/sysroot/etc/hostname",
    "etc/known/loop": "loop",
    "etc/known.d/linked.conf": "/etc/rescue-marker",
}
OWNER = ("deadowner", 1234)
LONG_AGO = 1600000000  # so that ls says the year of each, whatever the clock says


def write(root: str, path: str, content: bytes) -> None:
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as file:
        file.write(content)


def fill(root: str) -> None:
    """Make a fresh Debian in a folder the host that died."""
    for path, content in FILES.items():
        write(root, path, content)
    write(root, LOG, (DULL * DULL_LINES + TROUBLE) * BLOCKS)
    for path, target in LINKS.items():
        os.symlink(target, os.path.join(root, path))
    for name in os.listdir(os.path.join(root, "etc/insights-client")):
        os.chmod(os.path.join(root, "etc/insights-client", name), 0o600)
    os.chmod(os.path.join(root, "usr/bin/canary"), 0o755)
    os.mkfifo(os.path.join(root, "etc/known/fifo"))
    os.mknod(os.path.join(root, "etc/known/disk"), stat.S_IFBLK | 0o600, os.makedev(254, 0))
    with open(os.path.join(root, "etc/passwd"), "a") as file:
        file.write("%s:x:%d:%d::/:/bin/sh\n" % (OWNER[0], OWNER[1], OWNER[1]))
    with open(os.path.join(root, "etc/group"), "a") as file:
        file.write("%s:x:%d:\n" % OWNER)
    os.chown(os.path.join(root, LOG), OWNER[1], OWNER[1])
    os.chown(os.path.join(root, "srv/known"), OWNER[1], OWNER[1])
    for folder, folders, names in os.walk(root, topdown=False):
        for path in [*(os.path.join(folder, name) for name in folders + names), folder]:
            os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
