"""How long things took, each with its definition."""

from dataclasses import dataclass
from datetime import datetime

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
    """A duration; `seconds` is None where its end has not come."""

    key: str
    label: str
    definition: str
    seconds: float | None

    @property
    def words(self) -> str:
        """The duration for people."""
        if self.seconds is None:
            return "not yet"
        minutes, seconds = divmod(round(self.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return (f"{hours} h " if hours else "") + (f"{minutes} min " if hours or minutes else "") + f"{seconds} s"


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
    return [
        Metric(key, label, definition, _between(times[first], times[last]))
        for key, label, definition, first, last in DEFINITIONS
    ]


def _between(first: datetime | None, last: datetime | None) -> float | None:
    return None if first is None or last is None else (last - first).total_seconds()
