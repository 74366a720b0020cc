"""Where a host keeps what; every path of the host program is named here and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Optional

from .disk import read_json
from .dynohost import Refused

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}")
IMAGE = re.compile(r"sha256:[0-9a-f]{64}")


class Folders:
    """The host program's part of the file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.dynos, self.slugs = root / "dynos", root / "slugs"
        self.images, self.mounts = root / "images", root / "mounts"
        self.crashes, self.operations = root / "crashes", root / "operations"
        self.taint, self.place_lock = root / "tainted.json", root / "place.lock"
        for folder in (self.dynos, self.slugs, self.images, self.mounts, self.crashes, self.operations):
            folder.mkdir(parents=True, exist_ok=True)

    def settings(self) -> Dict[str, Any]:
        """The host's name, attributes and size."""
        return dict(read_json(self.root / "host.json") or {})

    def dyno(self, name: str) -> Path:
        """The folder of one dyno."""
        return self.dynos / name

    def image(self, stack: str, image: str) -> Path:
        """The image file of one version of a stack."""
        return self.images / checked_name(stack, "stack") / (checked_image(image)[7:] + ".img")

    def mount(self, image: str) -> Path:
        """Where an image is mounted, once for all dynos of this host."""
        return self.mounts / checked_image(image)[7:23]


def checked_name(value: Any, what: str) -> str:
    """A plain name, fit to be a file's."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise Refused("bad_request", "{} must be a plain name, not {!r}".format(what, value))
    return value


def checked_image(value: Any) -> str:
    """An image's digest."""
    if not isinstance(value, str) or not IMAGE.fullmatch(value):
        raise Refused("bad_request", "image must be sha256: and 64 hexadecimal digits, not {!r}".format(value))
    return value


def checked_seconds(value: Any, otherwise: float, most: float = 86400.0) -> float:
    """A length of time within reason."""
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise Refused("bad_request", "seconds must be between 0 and {:.0f}, not {!r}".format(most, value))
    return float(value)


def checked_text(value: Any, what: str, otherwise: Optional[str] = None) -> str:
    """A short text."""
    if value is None and otherwise is not None:
        return otherwise
    if not isinstance(value, str) or len(value) > 2000:
        raise Refused("bad_request", what + " must be a text of at most 2000 characters")
    return value
