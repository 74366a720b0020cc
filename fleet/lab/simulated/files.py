"""PURE. Stack images as files, and their mounts: what an overwrite does to pages that are in use."""

from __future__ import annotations

import hashlib
import itertools
import random
from dataclasses import dataclass, field
from typing import Any

IMAGE_BYTES = 384 << 20
ALGORITHMS = {"1.9": "md5", "2.0": "sha256"}  # of the checksum file that each tools version writes and reads


@dataclass(slots=True)
class ImageFile:
    """One inode with an image in it. Its content is always the right one: the real overwrite was byte for byte."""

    stack: str
    image: str
    inode: int
    changed_at: float
    checksums: dict[str, str] = field(default_factory=dict)  # algorithm -> digest, each a checksum file beside it
    receipt: dict[str, Any] | None = None
    immutable: bool = False
    size: int = IMAGE_BYTES
    protected_at: float | None = None
    changed_before_protection_at: float | None = None

    @property
    def content_changed_at(self) -> float:
        """Like `changed_at`, without the protection's own touch of it."""
        return self.changed_before_protection_at or self.changed_at

    def digest(self, algorithm: str = "sha256") -> str:
        """`algorithm:hex` of what reads of the whole file give."""
        return (
            self.image
            if algorithm == "sha256"
            else f"{algorithm}:{hashlib.new(algorithm, self.image.encode()).hexdigest()}"
        )


@dataclass(slots=True)
class Mount:
    """A loop mount of one inode, shared by the dynos that run on the image."""

    file: ImageFile
    loop: str
    mounted_at: float
    bad_share: float = 0.0  # of the pages that dynos touch: no longer, or not rightly, to be read


class Files:
    """The images of one host, by stack and image, and what is mounted."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._inodes = itertools.count(dice.randrange(1000, 900_000))
        self.files: dict[tuple[str, str], ImageFile] = {}
        self.mounts: dict[str, Mount] = {}

    def find(self, stack: str, image: str) -> ImageFile | None:
        """The file at that place."""
        return self.files.get((stack, image))

    def create(self, stack: str, image: str, now: float) -> ImageFile:
        """A new inode, renamed into place; mounts keep the one they have."""
        file = ImageFile(stack, image, next(self._inodes), now)
        self.files[stack, image] = file
        return file

    def overwrite(self, file: ImageFile, now: float) -> None:
        """Open for writing, truncate, write the same bytes again. PermissionError where the file is immutable."""
        if file.immutable:
            raise PermissionError(1, "Operation not permitted", file.image)
        file.changed_at, file.changed_before_protection_at = now, None
        for mount in self.mounts.values():
            if mount.file is file:
                # What was cached stays; what was read, or has to be read, while the file was short does not come back.
                mount.bad_share = min(0.9, mount.bad_share + self._dice.uniform(0.35, 0.65))

    def drop_caches(self) -> None:
        """Cached good pages of a damaged mount go, and come back wrong; a sound mount reads the same as before."""
        for mount in self.mounts.values():
            if mount.bad_share:
                mount.bad_share = min(0.95, mount.bad_share * 1.4)

    def mounted(self, file: ImageFile, now: float) -> Mount:
        """The image's mount, made when it is not there."""
        mount = self.mounts.get(file.image)
        if mount is None:
            mount = self.mounts[file.image] = Mount(file, f"loop{len(self.mounts)}", now)
        return mount
