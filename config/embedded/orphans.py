"""Adopts what a killed program leaves behind and waits for it: what nobody waits for stays as a zombie."""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent died. Only Linux knows this."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


def children_of(process_id: int) -> Iterator[int]:
    """The direct children of a process, adopted ones too; none where there is no /proc."""
    for listing in Path(f"/proc/{process_id}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            yield from map(int, listing.read_text().split())


def is_zombie(process_id: int) -> bool:
    """Whether it has ended and only waits to be waited for."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"


def name_of(process_id: int) -> str:
    """The name the system knows it by, cut to 15 characters; empty if it is gone."""
    try:
        return Path(f"/proc/{process_id}/comm").read_text().strip()
    except OSError:
        return ""


def bury(names: set[str], *, spare: set[int]) -> None:
    """Wait for ended children of these names, except those that somebody else here waits for."""
    for process_id in children_of(os.getpid()):
        if process_id not in spare and is_zombie(process_id) and name_of(process_id) in names:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process_id, os.WNOHANG)
