"""How long things took, each with its definition."""

from dataclasses import dataclass
from datetime import datetime

from incidents.lifecycle import IncidentState
from incidents.models import Incident

DEFINITIONS = (
    ("detect", "Time to detect", "from the first crash that counts to the opening of the incident", "began", "opened"),
    ("name", "Time to the cause", "from the first crash that counts to the naming of the cause", "began", "named"),
    ("acknowledge", "Time to acknowledge", "from the opening until somebody took it", "opened", "acknowledged"),
    ("mitigate", "Time to mitigate", "from the first crash that counts until the harm stopped", "began", "mitigated"),
    ("resolve", "Time to resolve", "from the first crash that counts until it was over", "began", "resolved"),
)


@dataclass(frozen=True)
class Metric:
    """A duration; `seconds` is None where its end has not come, `missing` says whether it still may."""

    key: str
    label: str
    definition: str
    seconds: float | None
    missing: str = "not yet"

    @property
    def words(self) -> str:
        """The duration for people."""
        return self.missing if self.seconds is None else duration(self.seconds)


def duration(seconds: float) -> str:
    """Such as "1 h 0 min 5 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours} h " if hours else "") + (f"{minutes} min " if hours or minutes else "") + f"{rest} s"


def metrics_of(incident: Incident) -> list[Metric]:
    """The metrics of an incident."""
    times: dict[str, datetime | None] = {
        "began": incident.began_at,
        "opened": incident.opened_at,
        "named": incident.named_at,
        "acknowledged": incident.acknowledged_at,
        "mitigated": incident.mitigated_at,
        "resolved": incident.resolved_at if incident.state == "resolved" else None,
    }
    missing = "not yet" if incident.state in IncidentState.ongoing() else "never"
    return [
        Metric(key, label, definition, _between(times[first], times[last]), missing)
        for key, label, definition, first, last in DEFINITIONS
    ]


def _between(first: datetime | None, last: datetime | None) -> float | None:
    """Never below zero: a host's clock may be ahead of ours."""
    return None if first is None or last is None else max(0.0, (last - first).total_seconds())
