"""The facts that go in: deploys, what they did on hosts, crashes, and what hosts said themselves."""

from dataclasses import dataclass
from functools import cache
from typing import Final

OTHER: Final = 0
HARD: Final = 1
OOM: Final = 2
KIND_CLASSES: Final = 3

ALL_KINDS: Final = 0
GROUP_NAMES: Final = ("all", "hard", "oom")

HARD_SIGNALS: Final = frozenset({"SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS"})
HARD_EXITS: Final = frozenset({132, 133, 134, 135, 136, 139, 159})
HARD_KINDS: Final = frozenset({"segv", "bus", "abrt", "ill"})

EXPOSING: Final = frozenset({"installed", "overwrote", "failed"})
OUTCOMES: Final = EXPOSING | {"skipped"}


@dataclass(frozen=True, slots=True)
class Deploy:
    """One attempt to change hosts; `stack` only where the target is a stack."""

    deploy: str
    at: float
    target: str = "config"
    kind: str = "upgrade"
    stack: str | None = None


@dataclass(frozen=True, slots=True)
class HostDeploy:
    """What a deploy did on one host; `started_at` where the tool says when it began there."""

    deploy: str
    host: str
    at: float
    outcome: str = "installed"
    started_at: float | None = None


@dataclass(frozen=True, slots=True)
class Crash:
    """One dyno process that died; it can be used from `received_at` on."""

    at: float
    received_at: float
    host: str
    app: str
    stack: str | None = None
    kind: str | None = None
    signal: str | None = None
    exit_status: int | None = None

    @property
    def kind_class(self) -> int:
        """HARD (fatal signal), OOM (killed) or OTHER."""
        return kind_class(self.kind, self.signal, self.exit_status)


@cache
def kind_class(kind: str | None, signal: str | None, exit_status: int | None) -> int:
    """The class of a crash by whichever of these is known."""
    if kind in HARD_KINDS or signal in HARD_SIGNALS or exit_status in HARD_EXITS:
        return HARD
    if kind == "oom" or signal == "SIGKILL" or exit_status == 137:
        return OOM
    return OTHER


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was heard of a host after `since`; None: it is heard again."""

    host: str
    since: float | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a host's kernel or a verification said, such as an I/O error of a loop device."""

    host: str
    at: float
    kind: str
    text: str
