"""Commands that tell of the kernel and the hardware, which a container shares with its host."""
from typing import Sequence

PROGRAMS = frozenset(b"""
    auditctl biosdecode blkid blockdev bootctl dmesg dmidecode dmraid dmsetup efibootmgr ethtool
    fcoeadm fdisk fips-mode-setup free getenforce getsebool gluster grub2-editenv grubby hwclock
    iostat ipcs iscsiadm journalctl kdumpctl kpatch lsblk lscpu lsinitrd lsmem lsmod lspci
    lsscsi lsusb lvs mdadm modinfo modprobe mokutil mpstat multipath ndctl numactl numastat
    nvidia-smi nvme parted pvs sar sensors sestatus smartctl sysctl systool tuned-adm turbostat
    udevadm uname uptime vdo vgdisplay vgs virsh virt-what vmstat x86info
""".split())
FOLDERS = (b"/sys/", b"/proc/", b"/dev/", b"/lib/firmware", b"/lib/modules", b"/boot")


def tells_of_kernel(words: Sequence[bytes]) -> bool:
    """Tell whether a command, by its words, is about the kernel or the hardware."""
    return words[0].rpartition(b"/")[2] in PROGRAMS or any(
        (word + b"/").startswith(FOLDERS) for word in words[1:] if word != b"/dev/null")
