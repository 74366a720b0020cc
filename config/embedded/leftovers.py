"""Ends a server that an earlier, killed supervisor left in a folder, and clears its stale process file."""

import contextlib
import os
import signal
import time
from pathlib import Path

from config.embedded.orphans import is_zombie

LOOK_SECONDS = 0.05


def clear_leftover(process_file: Path, *, folder: Path, patience_seconds: float = 10.0) -> None:
    """Make sure that nobody serves `folder` any more.

    The caller holds the lock of the folder, so what still runs there is a leftover.
    """
    leftover = _process_in(process_file, folder=folder)
    if leftover:
        for number in (signal.SIGINT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(leftover, number)
            if _gone(leftover, within_seconds=patience_seconds):
                break
    process_file.unlink(missing_ok=True)


def _process_in(process_file: Path, *, folder: Path) -> int | None:
    """The living process that the file names, if it really works in that folder: numbers are used again."""
    try:
        process_id = int(process_file.read_text().split()[0])
        works_in = Path(f"/proc/{process_id}/cwd").readlink()
    except (OSError, ValueError, IndexError):
        return None
    return process_id if works_in == folder.resolve() and not is_zombie(process_id) else None


def _gone(process_id: int, *, within_seconds: float) -> bool:
    until = time.monotonic() + within_seconds
    while time.monotonic() < until:
        if is_zombie(process_id) or not Path(f"/proc/{process_id}").exists():
            return True
        time.sleep(LOOK_SECONDS)
    return False
