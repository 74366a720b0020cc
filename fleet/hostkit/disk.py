"""State on disk that survives any death: atomic files, locks that the kernel frees, the store of answers."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any, Iterator, Optional

from .dynohost import Json, Store

KEEP_ANSWERS_SECONDS = 14 * 86400


def write_json(path: Path, content: Any) -> None:
    """Replace `path` as a whole, durably: a reader sees the old content or the new, never a half."""
    spare = path.with_name(".{}.{}.{}".format(path.name, os.getpid(), threading.get_ident()))
    try:
        with spare.open("w") as stream:
            json.dump(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        spare.replace(path)
    except BaseException:
        spare.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read_json(path: Path) -> Optional[Any]:
    """The content, or None where there is no such file (or no whole one)."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable."""
    descriptor = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, wait_seconds: float = 60.0) -> Iterator[bool]:
    """Hold the lock file: enters with True, or False when it stayed taken. The kernel frees it at any death."""
    descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _take(descriptor, wait_seconds)
    finally:
        os.close(descriptor)


def _take(descriptor: int, wait_seconds: float) -> bool:
    until = time.monotonic() + wait_seconds
    pause = 0.005
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(pause)
            pause = min(0.1, pause * 1.5)
        else:
            return True


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock file."""
    if not path.exists():
        return False
    with locked(path, 0) as free:
        return not free


class DiskStore(Store):
    """Answers and the fence as files; an operation runs while its lock file is held."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._fence = folder, folder / "fence.json"
        self._highest = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._forget_old()

    def highest_fence(self) -> int:
        """The highest fence seen by any process of this host."""
        kept = read_json(self._fence)
        fence = kept.get("fence") if isinstance(kept, dict) else None
        return fence if type(fence) is int and fence > 0 else 0

    def raise_fence(self, fence: int) -> int:
        """Remember a higher fence before it is used."""
        with locked(self._folder / "fence.lock"):
            highest = self.highest_fence()
            if fence > highest:
                write_json(self._fence, {"fence": fence})
            return max(fence, highest)

    def _path(self, operation: str, ending: str) -> Path:
        return self._folder / (hashlib.sha256(operation.encode("utf-8", "replace")).hexdigest()[:40] + ending)

    @contextlib.contextmanager
    def claim(self, operation: str, wait_seconds: float) -> Iterator[bool]:
        """Hold the operation's lock file."""
        with locked(self._path(operation, ".lock"), wait_seconds) as mine:
            yield mine

    def is_claimed(self, operation: str) -> bool:
        """Whether a living process runs it."""
        return is_locked(self._path(operation, ".lock"))

    def answer(self, operation: str) -> Optional[Json]:
        """The kept answer."""
        kept = read_json(self._path(operation, ".json"))
        return kept if isinstance(kept, dict) else None

    def keep(self, operation: str, answer: Json) -> None:
        """Keep the answer as a whole file."""
        write_json(self._path(operation, ".json"), answer)

    def _forget_old(self) -> None:
        too_old = time.time() - KEEP_ANSWERS_SECONDS
        for path in self._folder.glob("*.lock"):
            answer = path.with_suffix(".json")
            with contextlib.suppress(FileNotFoundError):  # another process of this host clears as well
                youngest = max(path.stat().st_mtime, answer.stat().st_mtime if answer.exists() else 0.0)
                if path.stem != "fence" and youngest < too_old:
                    answer.unlink(missing_ok=True)
                    path.unlink()
