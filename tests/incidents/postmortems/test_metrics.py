from datetime import UTC, datetime, timedelta

import pytest

from incidents.models import Incident
from incidents.postmortems.metrics import Metric, metrics_of

BEGAN = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)


def after(**since: float) -> datetime:
    return BEGAN + timedelta(**since)


def test_metrics_count_from_what_their_definitions_say() -> None:
    incident = Incident(
        state="resolved", began_at=BEGAN, opened_at=after(seconds=40), named_at=after(minutes=2),
        acknowledged_at=after(minutes=3), mitigated_at=after(hours=1), resolved_at=after(hours=5),
    )  # fmt: skip
    assert {m.key: m.seconds for m in metrics_of(incident)} == {
        "detect": 40.0, "name": 120.0, "acknowledge": 140.0, "mitigate": 3600.0, "resolve": 18000.0,
    }  # fmt: skip


def test_a_dismissed_incident_was_never_resolved() -> None:
    incident = Incident(state="dismissed", began_at=BEGAN, opened_at=BEGAN, resolved_at=after(hours=1))
    assert {m.key: m.seconds for m in metrics_of(incident)}["resolve"] is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "not yet"), (11.2, "11 s"), (61, "1 min 1 s"), (3600, "1 h 0 min 0 s"), (59.7, "1 min 0 s")],
)
def test_durations_are_worded(seconds: float | None, words: str) -> None:
    assert Metric("x", "X", "of x", seconds).words == words
