"""PURE. Events of Podman, as `podman events --format json` prints them. They name no host: give it with `?host=`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fleet.ingest.formats.containers import Event, deaths
from fleet.ingest.formats.deaths import Found, app_of, at

NAME = "podman"
EXAMPLE = {
    "ID": "9a1e", "Image": "cedar-14", "Name": "web.2", "Status": "died", "Type": "container",
    "Time": "2026-01-05T01:04:19.25Z", "ContainerExitCode": 139, "Attributes": {"app": "app-17"},
}  # fmt: skip


def parse(events: Sequence[tuple[int, Any]]) -> Found:
    """The crashes among some events, each with its place."""
    found, read = Found(), []
    for line, event in events:
        try:
            moment = datetime.fromisoformat(str(at(event, "Time")))
        except ValueError:
            found.reject(line, "this is no event of Podman: it has no Time")
            continue
        if event.get("Type", "container") == "container":
            read.append(_event(line, event, moment.timestamp()))
    return deaths(read, found)


def _event(line: int, event: dict[str, Any], seconds: float) -> Event:
    action = str(event.get("Status"))
    return Event(
        line=line,
        action="die" if action == "died" else action,
        container=str(event.get("ID") or ""),
        at=seconds,
        signal=str(at(event, "Attributes", "signal") or ""),
        status=event.get("ContainerExitCode"),
        out_of_memory=event.get("OOMKilled") is True,
        record={"dyno": event.get("Name"), "app": app_of(event.get("Attributes"))},
    )
