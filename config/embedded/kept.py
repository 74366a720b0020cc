"""What a folder of embedded parts remembers: its ports and passwords, and who uses it now."""

import fcntl
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from config.embedded.ports import free_port
from config.embedded.program import StartError


@dataclass(frozen=True)
class Place:
    """Where a part listens, and what opens it."""

    port: int
    password: str


class Kept:
    """The file `embedded.json` of a folder, readable by its owner alone. Holds the folder's lock until it is let go."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = folder / "embedded.json"
        self._lock = _lock(folder)
        self._places: dict[str, Place] = self._read()

    def place(self, name: str) -> Place:
        """The place of a part; a new one is chosen and remembered."""
        return self._places.get(name) or self._remember(name, Place(free_port(), secrets.token_hex(24)))

    def move(self, name: str) -> Place:
        """Another port for a part, because somebody took the remembered one."""
        return self._remember(name, Place(free_port(), self.place(name).password))

    def let_go(self) -> None:
        """Free the folder for others."""
        self._lock.close()

    def _read(self) -> dict[str, Place]:
        if not self._file.exists():
            return {}
        try:
            return {name: Place(**place) for name, place in json.loads(self._file.read_text()).items()}
        except (ValueError, TypeError, AttributeError):
            self.let_go()
            raise StartError(
                f"{self._file} is damaged; it has the password of the database beside it. Bring it back from a "
                f"backup, or move {self._file.parent} away to begin with an empty database."
            ) from None

    def _remember(self, name: str, place: Place) -> Place:
        self._places[name] = place
        written = self._file.with_suffix(".new")
        written.unlink(missing_ok=True)
        written.touch(mode=0o600)
        written.write_text(json.dumps({key: asdict(value) for key, value in self._places.items()}, indent=1))
        written.rename(self._file)
        return place


def _lock(folder: Path) -> IO[str]:
    held = (folder / "lock").open("a+")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.seek(0)
        holder = held.read().strip() or "unknown"
        held.close()
        raise StartError(
            f"Faultline already runs from {folder} (process {holder}). Stop that one first, or give this one a folder "
            "of its own: FAULTLINE_VAR=/some/where."
        ) from None
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()
    return held
