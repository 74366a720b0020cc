"""PURE. The deploy tool's installer in three versions, on simulated files: what it does, and what it reports.

The versions differ in what tells them that an image is here already; `fleet.lab.installer` has them for real files.
"""

from __future__ import annotations

from typing import Any, Literal

from fleet.lab.simulated.files import ALGORITHMS, Files, ImageFile

Outcome = Literal["installed", "skipped", "failed"]
FIXED = "2.1"


def install(files: Files, *, stack: str, image: str, tools: str, now: float) -> Outcome:
    """Bring `image` here as the installer of version `tools` does."""
    if tools == FIXED:
        return _install_safely(files, stack, image, now)
    if tools not in ALGORITHMS:
        raise ValueError(f"there is no installer {tools}; known: {', '.join([*ALGORITHMS, FIXED])}")
    return _install_in_place(files, stack, image, tools, now)


def _install_in_place(files: Files, stack: str, image: str, tools: str, now: float) -> Outcome:
    """Looks for its own version's checksum file only, and else writes over whatever is at the image's place."""
    algorithm, file = ALGORITHMS[tools], files.find(stack, image)
    if file is not None and file.checksums.get(algorithm) == file.digest(algorithm):
        return "skipped"
    if file is None:
        new = files.create(stack, image, now)
        new.checksums[algorithm] = new.digest(algorithm)
        return "installed"
    try:
        files.overwrite(file, now)
    except PermissionError:
        return "failed"
    file.checksums[algorithm] = file.digest(algorithm)
    return "installed"  # as far as this tool knows


def _install_safely(files: Files, stack: str, image: str, now: float) -> Outcome:
    """Honours every earlier record; writes a new file and renames it into place, then makes it immutable."""
    file = files.find(stack, image)
    if file is not None and has_good_record(file):
        return "skipped"
    new = files.create(stack, image, now)
    new.immutable, new.receipt = True, receipt_of(new, now, FIXED)
    return "installed"


def has_good_record(file: ImageFile) -> bool:
    """Whether the receipt, or any checksum file of any version, says what the content is."""
    if file.receipt is not None:
        return bool(file.receipt["digest"] == file.digest(file.receipt["algorithm"]))
    return any(digest == file.digest(algorithm) for algorithm, digest in file.checksums.items())


def receipt_of(file: ImageFile, now: float, tools: str, **more: Any) -> dict[str, Any]:
    """What is here now: content, size, inode and change time."""
    return {
        **more,
        "digest": file.digest(),
        "algorithm": "sha256",
        "size": file.size,
        "inode": file.inode,
        "change_time_ns": int(file.changed_at * 1e9),
        "tools": tools,
        "installed_at": now,
    }
