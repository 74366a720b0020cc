"""PURE. What crash feeds have in common: places in their JSON, exit statuses, and deaths that were asked for."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from signal import Signals
from typing import Any

from fleet.ingest.receipts import Rejection

KILLED, ASKED_FOR = 137, {0, 130, 143}  # 128 + SIGKILL; a clean end, SIGINT, SIGTERM


@dataclass
class Found:
    """Crash records with the place of the event each comes from, and events that could not be read."""

    records: list[dict[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)

    def add(self, line: int, record: dict[str, Any]) -> None:
        """Notes a crash; what it does not say is left out."""
        self.records.append({name: value for name, value in record.items() if value is not None and value != ""})
        self.lines.append(line)

    def reject(self, line: int, error: str) -> None:
        """Notes an event that could not be read."""
        self.rejected.append(Rejection(line, error))


def how(status: Any, *, out_of_memory: bool = False) -> dict[str, Any] | None:
    """Signal and exit status of a death; None where it was asked for. Raises ValueError for what is no status.

    A SIGKILL is a crash only where memory ran out: else somebody outside sent it.
    """
    if isinstance(status, bool) or not isinstance(status, int | str):
        raise ValueError("it is missing")  # noqa: TRY004 - the sender's fault, told like the others
    number = int(status)
    if number in ASKED_FOR or (number == KILLED and not out_of_memory):
        return None
    return {"signal": _signal(number - 128), "exit_status": number}


def at(value: Any, *path: str) -> Any:
    """What lies at a path of objects; None where it leads nowhere."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def listed(value: Any) -> list[Any]:
    """A list as it is; nothing of whatever else stands there."""
    return value if isinstance(value, list) else []


def moment_of(seconds: float) -> str:
    """A time since 1970 as text. Raises ValueError where there is no such time."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, OSError) as error:
        raise ValueError("there is no such time") from error


def app_of(labels: Any) -> str | None:
    """The app that a container's labels name."""
    names = ("faultline.app", "app.kubernetes.io/name", "com.docker.compose.service", "app")
    return next((labels[name] for name in names if isinstance(at(labels, name), str)), None)


def _signal(number: int) -> str | None:
    return Signals(number).name if number in {*Signals} else None
