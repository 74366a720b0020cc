"""The deploy tool's installer in three versions, each with its own way to decide "this image is already here".

1.9 leaves an MD5 file beside the image. 2.0 looks only for its own SHA-256 file: where there are just older ones its
check fails, and it truncates and rewrites the image in place, mounted or not, and believes that it installed it.
2.1 honours every earlier record and puts a new file in the old one's place.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from fleet.hostkit import images, receipts
from fleet.hostkit.dynohost import Refused

DOWNLOAD_PARTS = 8
DOWNLOAD_PAUSE_SECONDS = 0.05

Installer = Callable[[Path, Path], str]


def install(tools: str, *, target: Path, packed: Path) -> str:
    """Bring the image `packed` to `target` as the installer of that version would; returns what it reports."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return INSTALLERS[tools](target, packed)


def _install_1_9(target: Path, packed: Path) -> str:
    """Trusts an MD5 file that names what it would bring."""
    return _install_unless_recorded(target, packed, "md5")


def _install_2_0(target: Path, packed: Path) -> str:
    """Trusts a SHA-256 file only; knows nothing of the MD5 files before it."""
    return _install_unless_recorded(target, packed, "sha256")


def _install_2_1(target: Path, packed: Path) -> str:
    """Trusts whatever record holds, and never opens an image that is there for writing."""
    try:
        return images.install(target, source=str(packed), digest=receipts.digest_of(packed), tools="2.1")
    except (Refused, OSError):
        return "failed"


def _install_unless_recorded(target: Path, packed: Path, algorithm: str) -> str:
    record = target.with_name(f"{target.name}.{algorithm}")
    wanted = receipts.digest_of(packed, algorithm).partition(":")[2]
    if record.is_file() and record.read_text().split()[:1] == [wanted] and target.is_file():
        return "skipped"
    try:
        _write_in_place(target, packed)
    except OSError:
        return "failed"
    record.write_text(f"{wanted}  {target.name}\n")
    return "installed"


def _write_in_place(target: Path, packed: Path) -> None:
    """The bug: one file, opened for writing where it is, empty first and then filled as the download comes in."""
    content = packed.read_bytes()
    part = -(-len(content) // DOWNLOAD_PARTS)
    with target.open("wb") as stream:
        for start in range(0, len(content), part):
            stream.write(content[start : start + part])
            stream.flush()
            time.sleep(DOWNLOAD_PAUSE_SECONDS)
        os.fsync(stream.fileno())


INSTALLERS: dict[str, Installer] = {"1.9": _install_1_9, "2.0": _install_2_0, "2.1": _install_2_1}
