"""What a real lab needs of the system, and the line to type for what is missing."""

import os
import shutil
import sys
from pathlib import Path

PACKAGES = {
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "sudo": "sudo",
    "mksquashfs": "squashfs-tools",
    "mkfs.ext4": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "losetup": "mount",
    "gcc": "gcc libc6-dev",
    "objcopy": "binutils",
}
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"


def find(program: str) -> str | None:
    """Where a program of the system is, also outside a plain user's search path."""
    return shutil.which(program, path=SYSTEM_PATH)


def missing() -> list[str]:
    """One sentence for each thing a real lab lacks here; empty when it can start."""
    if not sys.platform.startswith("linux"):
        return ["The real lab needs Linux; use LAB=simulated here."]
    lacking = [program for program in PACKAGES if find(program) is None]
    said = []
    if lacking:
        packages = " ".join(sorted({PACKAGES[program] for program in lacking}))
        said.append(f"The real lab needs {', '.join(lacking)}: apt-get install --yes {packages}")
    if os.geteuid() != 0:
        said.append("The real lab needs root for namespaces and mounts: run the same command with sudo.")
    elif not Path("/dev/loop-control").exists():
        said.append("The real lab needs loop devices: modprobe loop")
    return said
