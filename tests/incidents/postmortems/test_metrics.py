from datetime import UTC, datetime, timedelta, timezone

import pytest

from incidents.lifecycle import IncidentState
from incidents.models import Incident
from incidents.postmortems.metrics import DEFINITIONS, Metric, metrics_of

BEGAN = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)


def after(**since: float) -> datetime:
    return BEGAN + timedelta(**since)


def seconds_of(incident: Incident) -> dict[str, float | None]:
    return {metric.key: metric.seconds for metric in metrics_of(incident)}


def words_of(incident: Incident) -> dict[str, str]:
    return {metric.key: metric.words for metric in metrics_of(incident)}


def test_metrics_count_from_what_their_definitions_say() -> None:
    incident = Incident(
        state="resolved", began_at=BEGAN, opened_at=after(seconds=40), named_at=after(minutes=2),
        acknowledged_at=after(minutes=3), mitigated_at=after(hours=1), resolved_at=after(hours=5),
    )  # fmt: skip
    assert seconds_of(incident) == {
        "detect": 40.0, "name": 120.0, "acknowledge": 140.0, "mitigate": 3600.0, "resolve": 18000.0,
    }  # fmt: skip


def test_a_dismissed_incident_was_never_resolved() -> None:
    incident = Incident(state="dismissed", began_at=BEGAN, opened_at=BEGAN, resolved_at=after(hours=1))
    assert seconds_of(incident)["resolve"] is None
    assert words_of(incident)["resolve"] == "never"


def test_what_has_not_come_is_not_yet_while_it_still_may() -> None:
    incident = Incident(state="open", began_at=BEGAN, opened_at=after(seconds=5))
    assert words_of(incident) == {
        "detect": "5 s", "name": "not yet", "acknowledge": "not yet", "mitigate": "not yet", "resolve": "not yet",
    }  # fmt: skip


def test_what_nobody_did_before_it_was_over_is_never() -> None:
    incident = Incident(
        state="resolved", began_at=BEGAN, opened_at=BEGAN, mitigated_at=after(hours=1), resolved_at=after(hours=1)
    )
    words = words_of(incident)
    assert (words["acknowledge"], words["name"], words["resolve"]) == ("never", "never", "1 h 0 min 0 s")


@pytest.mark.parametrize("state", IncidentState.ongoing())
def test_an_incident_that_was_opened_again_is_not_resolved(state: str) -> None:
    incident = Incident(state=state, began_at=BEGAN, opened_at=BEGAN, resolved_at=after(hours=1))
    assert (seconds_of(incident)["resolve"], words_of(incident)["resolve"]) == (None, "not yet")


def test_nothing_takes_less_than_no_time_though_a_clock_is_ahead() -> None:
    incident = Incident(
        state="acknowledged", began_at=after(seconds=30), opened_at=BEGAN, acknowledged_at=after(seconds=-1),
        named_at=after(seconds=29), mitigated_at=after(seconds=31),
    )  # fmt: skip
    assert seconds_of(incident) == {
        "detect": 0.0, "name": 0.0, "acknowledge": 0.0, "mitigate": 1.0, "resolve": None,
    }  # fmt: skip


def test_times_in_other_zones_are_the_same_times() -> None:
    opened_at = after(minutes=4).astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert seconds_of(Incident(state="open", began_at=BEGAN, opened_at=opened_at))["detect"] == 240.0


def test_every_metric_says_what_it_is() -> None:
    metrics = metrics_of(Incident(state="open", began_at=BEGAN, opened_at=BEGAN))
    assert [metric.key for metric in metrics] == [key for key, *_ in DEFINITIONS]
    assert all(metric.label.startswith("Time to ") and metric.definition.startswith("from ") for metric in metrics)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "not yet"), (0.0, "0 s"), (0.4, "0 s"), (11.2, "11 s"), (61, "1 min 1 s"), (3600, "1 h 0 min 0 s"),
     (59.7, "1 min 0 s"), (3599.6, "1 h 0 min 0 s"), (90061, "25 h 1 min 1 s")],
)  # fmt: skip
def test_durations_are_worded(seconds: float | None, words: str) -> None:
    assert Metric("x", "X", "of x", seconds).words == words


def test_words_say_the_very_duration() -> None:
    def total(words: str) -> int:
        unit = {"h": 3600, "min": 60, "s": 1}
        parts = words.split()
        return sum(int(number) * unit[name] for number, name in zip(parts[::2], parts[1::2], strict=True))

    spans = [0, 1, 59, 60, 61, 3599, 3600, 7325, 86399]
    assert [total(Metric("x", "X", "of x", span).words) for span in spans] == spans
