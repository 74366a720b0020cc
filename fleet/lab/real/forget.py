"""Runs in a host's namespaces: makes the kernel forget what it cached of the mounts under a folder.

`python3 forget.py FOLDER`; standard library only. Pages that a process has mapped stay, as they do on any machine.
"""

import fcntl
import os
import sys
from pathlib import Path

FLUSH_BUFFERS = 0x1261


def forget_files(root: Path) -> None:
    """Drop the cached pages of every file that can still be opened."""
    for folder, _, names in os.walk(root):
        for name in names:
            try:
                descriptor = os.open(Path(folder) / name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            except OSError:
                continue
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def main() -> None:
    """First the files' pages, while their names can still be read, then the devices' pages."""
    top = sys.argv[1].rstrip("/") + "/"
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    mounts = [(words[4], words[words.index("-") + 2]) for words in lines if words[4].startswith(top)]
    for point, _ in mounts:
        forget_files(Path(point))
    for _, source in mounts:
        with Path(source).open("rb") as device:
            fcntl.ioctl(device, FLUSH_BUFFERS)


if __name__ == "__main__":
    main()
