"""PURE. Events of container engines: which deaths nobody asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fleet.ingest.formats.deaths import Found, how, moment_of

ENDING = {"2", "3", "9", "15", "SIGINT", "SIGQUIT", "SIGKILL", "SIGTERM"}
JUST_BEFORE = 60.0  # seconds


@dataclass(frozen=True)
class Event:
    """One event, whichever engine told it. `at` is in seconds since 1970."""

    line: int
    action: str
    container: str
    at: float
    signal: str = ""
    status: Any = None
    out_of_memory: bool = False
    record: dict[str, Any] | None = None


def deaths(events: Iterable[Event], found: Found) -> Found:
    """The crashes among them. A `kill` or `stop` just before means that somebody asked for it."""
    asked: dict[str, float] = {}
    starved: dict[str, float] = {}
    for event in sorted(events, key=lambda event: (event.at, event.line)):
        if event.action == "stop" or (event.action == "kill" and (event.signal or "15") in ENDING):
            asked[event.container] = event.at
        elif event.action == "oom":
            starved[event.container] = event.at
        elif event.action == "die" and event.at - asked.get(event.container, -JUST_BEFORE) >= JUST_BEFORE:
            out_of_memory = event.out_of_memory or event.at - starved.get(event.container, -JUST_BEFORE) < JUST_BEFORE
            _add(event, out_of_memory, found)
    return found


def _add(event: Event, out_of_memory: bool, found: Found) -> None:
    try:
        died, moment = how(event.status, out_of_memory=out_of_memory), moment_of(event.at)
    except ValueError as error:
        found.reject(event.line, f"its exit code or its time cannot be read: {error}"[:300])
        return
    if died:
        found.add(event.line, {"at": moment, "id": f"{event.container}@{event.at:.6f}", **died, **(event.record or {})})
