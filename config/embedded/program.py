"""What the supervisor needs to know of a program, and what can go wrong with one."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


class StartError(RuntimeError):
    """A program did not come up. The text says why and what to do."""


def always() -> bool:
    """For programs that need no time to be ready."""
    return True


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program to keep running.

    `identity` is what tether.py takes. `stop_signal` asks it to end; `death_signal` is what it gets when the
    supervisor dies. `before` runs before every start, the first and the later ones. `stage` 0 ends after stage 1: the
    database outlives those who use it. `environment` is all of it, or None for this process's own.
    """

    name: str
    argv: list[str]
    log: Path
    environment: Mapping[str, str] | None = None
    folder: Path | None = None
    ready: Callable[[], bool] = always
    ready_seconds: float = 60.0
    before: Callable[[], None] | None = None
    identity: str = "-"
    stop_signal: int = field(default=signal.SIGTERM)
    death_signal: int = field(default=signal.SIGTERM)
    stop_seconds: float = 10.0
    stage: int = 1

    def last_words(self, lines: int = 8) -> str:
        """The end of what it printed."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
