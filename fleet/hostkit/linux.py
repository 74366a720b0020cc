"""What the standard library lacks of Linux: mounts, namespaces, the immutable flag, uncached reads."""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import mmap
import os
import re
import subprocess
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

NEW_MOUNTS = 0x00020000
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 32, 4096, 16384, 1 << 18
DETACH = 2
DIE_WITH_PARENT = 1
GET_FLAGS, SET_FLAGS, IMMUTABLE = 0x80086601, 0x40086602, 0x10
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}
BLOCK = 4096

_libc = ctypes.CDLL(None, use_errno=True)


class Mount(NamedTuple):
    """One line of mountinfo."""

    number: str
    device: str
    point: str
    kind: str
    source: str


def _checked(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, "{}: {}".format(what, os.strerror(error)))


def unshare_mounts() -> None:
    """Give this process mounts of its own that nobody else sees."""
    _checked(_libc.unshare(NEW_MOUNTS), "unshare")
    _checked(_libc.mount(b"none", b"/", None, RECURSIVE | PRIVATE, None), "make mounts private")


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Show `source` at `target` too."""
    _checked(_libc.mount(source.encode(), target.encode(), None, BIND, None), "bind " + target)
    if read_only:
        flags = REMOUNT | BIND | READ_ONLY
        _checked(_libc.mount(source.encode(), target.encode(), None, flags, None), "bind read-only " + target)


def mount_proc(target: str) -> None:
    """Mount proc, as programs expect it."""
    _checked(_libc.mount(b"proc", target.encode(), b"proc", 0, None), "mount proc")


def change_root(root: str) -> None:
    """Make `root`, a mount, the whole of what this process can see."""
    os.chdir(root)
    number = PIVOT_ROOT.get(os.uname().machine, 41)
    _checked(_libc.syscall(number, b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", DETACH), "leave the old root")
    os.chdir("/")


def die_with_parent(sign: int) -> None:
    """Have the kernel send `sign` to this process when its parent ends."""
    _checked(_libc.prctl(DIE_WITH_PARENT, sign, 0, 0, 0), "prctl")


def is_immutable(path: Path) -> Optional[bool]:
    """Whether chattr +i holds; None where the file system has no such flag."""
    flags = _flags(path)
    return None if flags is None else bool(flags & IMMUTABLE)


def set_immutable(path: Path, on: bool) -> bool:
    """chattr +i or -i; False where the file system cannot."""
    flags = _flags(path)
    if flags is None:
        return False
    wanted = flags | IMMUTABLE if on else flags & ~IMMUTABLE
    with path.open("rb") as stream, contextlib.suppress(OSError):
        fcntl.ioctl(stream, SET_FLAGS, array.array("l", [wanted]))
    return is_immutable(path) is on


def _flags(path: Path) -> Optional[int]:
    word = array.array("l", [0])
    try:
        with path.open("rb") as stream:
            fcntl.ioctl(stream, GET_FLAGS, word, True)
    except OSError:
        return None
    return int(word[0])


def mounts() -> List[Mount]:
    """What this process sees mounted."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        number, _, device, _, point = left.split()[:5]
        kind, source = right.split()[:2]
        found.append(Mount(number, device, _unescaped(point), kind, source))
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), text)


def loop_of(path: Path) -> Dict[str, str]:
    """`{loop device name: its backing file as the kernel names it}` for every loop device on `path`'s inode or name."""
    return {name: file for name, file in loops().items() if file.split(" (deleted)")[0] == str(path)}


def loops() -> Dict[str, str]:
    """Every loop device in use on this machine, with its backing file."""
    found = {}
    for entry in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            found[entry.parts[3]] = entry.read_text().strip()
    return found


def mount_image(image: Path, point: Path) -> None:
    """Mount a stack image read-only through a new loop device; `mount -o loop` would share one already there."""
    kind = image_kind(image)
    device = _run(["losetup", "--find", "--show", "--read-only", str(image)])
    try:
        _run(["mount", "-n", "-t", kind, "-o", "ro,noload" if kind == "ext4" else "ro", device, str(point)])
    finally:
        _run(["losetup", "--detach", device])  # while mounted, that is: when the mount ends


def _run(argv: List[str]) -> str:
    done = subprocess.run(argv, capture_output=True, check=False, timeout=30)
    if done.returncode != 0:
        raise OSError("{}: {}".format(argv[0], done.stderr.decode("utf-8", "replace").strip()[:300]))
    return done.stdout.decode().strip()


def unmount(point: Path) -> None:
    """Unmount, at once or as soon as nobody uses it."""
    _checked(_libc.umount2(str(point).encode(), DETACH), "unmount " + str(point))


def image_kind(image: Path) -> str:
    """squashfs or ext4, by the image's own first bytes."""
    with image.open("rb") as stream:
        return "squashfs" if stream.read(4) == b"hsqs" else "ext4"


def read_direct(path: str, offset: int, length: int = BLOCK) -> Optional[bytes]:
    """Read around every cache of `path`; None where that is not possible there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        with mmap.mmap(-1, length) as page:
            count = os.preadv(descriptor, [page], offset)
            return bytes(page[:count])
    except OSError:
        return None
    finally:
        os.close(descriptor)
