"""Tries what a careless installer does to an image, and harms nothing where the protection fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Callable, Dict

GOT_THROUGH = "got_through"


def attempts(path: Path) -> Dict[str, str]:
    """What became of each attempt on the image: the name of the error that refused it, or `got_through`."""
    return {
        "open_for_writing": _tried(lambda: _open_for_writing(path)),
        "link_and_replace": _tried(lambda: _link(path)),
        "change_mode": _tried(lambda: path.chmod(path.stat().st_mode & 0o7777)),
    }


def held(outcomes: Dict[str, str]) -> bool:
    """Whether every attempt was refused."""
    return GOT_THROUGH not in outcomes.values()


def _tried(attempt: Callable[[], None]) -> str:
    try:
        attempt()
    except OSError as refusal:
        return errno.errorcode.get(refusal.errno or 0, str(refusal))
    return GOT_THROUGH


def _open_for_writing(path: Path) -> None:
    """Without truncating: opening is all that must be refused."""
    os.close(os.open(str(path), os.O_RDWR))


def _link(path: Path) -> None:
    """What may be linked may be renamed over; the second name is taken away at once."""
    second = path.with_name(".{}.attempt".format(path.name))
    os.link(str(path), str(second))
    second.unlink()
