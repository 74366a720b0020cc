"""PURE. Events of Docker, as `docker events --format json` prints them. They name no host: give it with `?host=`."""

from collections.abc import Sequence
from typing import Any

from fleet.ingest.formats.containers import Event, deaths
from fleet.ingest.formats.deaths import Found, app_of, at

NAME = "docker"
FAR = 1 << 63  # nanoseconds
EXAMPLE = {
    "Type": "container", "Action": "die", "timeNano": 1767575059000000000,
    "Actor": {"ID": "5f3c", "Attributes": {"exitCode": "139", "image": "cedar-14", "name": "web.1", "app": "app-17"}},
}  # fmt: skip


def parse(events: Sequence[tuple[int, Any]]) -> Found:
    """The crashes among some events, each with its place."""
    found, read = Found(), []
    for line, event in events:
        nanoseconds = at(event, "timeNano")
        seconds = nanoseconds / 1e9 if isinstance(nanoseconds, int) and nanoseconds < FAR else at(event, "time")
        if not isinstance(event, dict) or not isinstance(seconds, int | float):
            found.reject(line, "this is no event of Docker: it has no time")
        elif event.get("Type", "container") == "container":
            read.append(_event(line, event, float(seconds)))
    return deaths(read, found)


def _event(line: int, event: dict[str, Any], seconds: float) -> Event:
    told = at(event, "Actor", "Attributes") or {}
    return Event(
        line=line,
        action=str(event.get("Action") or event.get("status")),
        container=str(at(event, "Actor", "ID") or event.get("id") or ""),
        at=seconds,
        signal=str(at(told, "signal") or ""),
        status=at(told, "exitCode"),
        record={"dyno": at(told, "name"), "app": app_of(told)},
    )
