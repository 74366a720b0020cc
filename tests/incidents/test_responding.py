from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from fleet.actor import Actor
from fleet.models import App, Host, Stack
from incidents.errors import Refused
from incidents.gates import close_gate, gate_of, open_gate, standing_gate
from incidents.lifecycle import IncidentState
from incidents.models import Incident, IncidentHost, TimelineEntry
from incidents.responding import (
    acknowledge_incident,
    add_note,
    dismiss_incident,
    file_report,
    mitigate_incident,
    reopen_incident,
    resolve_incident,
)
from incidents.timeline.read import as_it_happened, entries_since
from incidents.timeline.record import is_whole

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
ADA, BOB = Actor("person", "ada", 1), Actor("person", "bob", 2)


@pytest.fixture
def incident() -> Incident:
    return Incident.objects.create(verdict="fleet", subject="fleet", headline="All crash", began_at=NOW, opened_at=NOW)


def test_second_to_acknowledge_is_told_who_was_first(incident: Incident) -> None:
    acknowledge_incident(incident=incident, actor=ADA, now=NOW)
    with pytest.raises(Refused) as refused:
        acknowledge_incident(incident=incident, actor=BOB, now=NOW + timedelta(seconds=5))
    assert "by ada at 03:10:00 UTC" in refused.value.message
    incident.refresh_from_db()
    assert (incident.state, incident.acknowledged_by, incident.acknowledged_at) == ("acknowledged", "ada", NOW)
    assert incident.timeline.count() == 1


def test_whole_way_is_recorded(incident: Incident) -> None:
    acknowledge_incident(incident=incident, actor=ADA, now=NOW)
    mitigate_incident(incident=incident, actor=ADA, now=NOW + timedelta(minutes=1), note="moved the dynos")
    resolve_incident(incident=incident, actor=ADA, now=NOW + timedelta(minutes=2))
    reopen_incident(incident=incident, actor=BOB, now=NOW + timedelta(minutes=3), reason="crashes again")
    changes = [(e.data["from"], e.data["to"]) for e in entries_since(incident)]
    assert changes == [
        ("open", "acknowledged"),
        ("acknowledged", "mitigated"),
        ("mitigated", "resolved"),
        ("resolved", "acknowledged"),
    ]
    incident.refresh_from_db()
    assert incident.resolved_at is None
    assert incident.acknowledged_by == "ada"
    assert is_whole(incident)


def test_resolving_says_that_the_harm_has_stopped_by_then(incident: Incident) -> None:
    resolved = resolve_incident(incident=incident, actor=ADA, now=NOW)
    assert resolved.mitigated_at == resolved.resolved_at == NOW


@pytest.mark.parametrize(
    ("act", "from_states", "to"),
    [
        (acknowledge_incident, {"open"}, "acknowledged"),
        (mitigate_incident, {"open", "acknowledged"}, "mitigated"),
        (resolve_incident, {"open", "acknowledged", "mitigated"}, "resolved"),
        (partial(dismiss_incident, reason="a load test"), {"open", "acknowledged"}, "dismissed"),
        (partial(reopen_incident, reason="again"), {"mitigated", "resolved", "dismissed"}, "acknowledged"),
    ],
    ids=["acknowledge", "mitigate", "resolve", "dismiss", "reopen"],
)
@pytest.mark.parametrize("state", IncidentState.values())
def test_each_act_is_done_from_its_own_states_alone(
    incident: Incident, act: Callable[..., Incident], from_states: set[str], to: str, state: str
) -> None:
    Incident.objects.filter(pk=incident.pk).update(state=state)
    if state in from_states:
        assert act(incident=incident, actor=ADA, now=NOW).state == to
        assert [entry.data for entry in entries_since(incident)] == [{"from": state, "to": to}]
        return
    with pytest.raises(Refused, match=f"is {state}"):
        act(incident=incident, actor=ADA, now=NOW)
    incident.refresh_from_db()
    assert (incident.state, incident.timeline.count()) == (state, 0)


def test_dismissal_and_reopening_want_a_reason(incident: Incident) -> None:
    with pytest.raises(Refused):
        dismiss_incident(incident=incident, actor=ADA, now=NOW, reason=" ")
    dismiss_incident(incident=incident, actor=ADA, now=NOW, reason="a load test")
    with pytest.raises(Refused):
        reopen_incident(incident=incident, actor=ADA, now=NOW, reason="")
    with pytest.raises(Refused, match="dismissed already, by ada"):
        resolve_incident(incident=incident, actor=BOB, now=NOW)


def test_closed_incident_is_not_reopened_beside_its_successor(incident: Incident) -> None:
    resolve_incident(incident=incident, actor=ADA, now=NOW)
    other = Incident.objects.create(verdict="fleet", subject="fleet", headline="x", began_at=NOW, opened_at=NOW)
    with pytest.raises(Refused, match=f"Incident {other.pk}"):
        reopen_incident(incident=incident, actor=ADA, now=NOW, reason="again")
    incident.refresh_from_db()
    assert incident.state == "resolved"
    assert is_whole(incident)


def test_back_dated_note_stands_where_it_belongs(incident: Incident) -> None:
    add_note(incident=incident, text="now", actor=ADA, now=NOW)
    add_note(incident=incident, text="before", actor=ADA, now=NOW, occurred_at=NOW - timedelta(hours=1))
    assert [e.text for e in as_it_happened(incident)] == ["before", "now"]
    assert [e.text for e in entries_since(incident, 1)] == ["before"]
    with pytest.raises(Refused):
        add_note(incident=incident, text="to come", actor=ADA, now=NOW, occurred_at=NOW + timedelta(hours=1))
    with pytest.raises(Refused):
        add_note(incident=incident, text="  ", actor=ADA, now=NOW)


def test_report_finds_its_incident_by_host(incident: Incident) -> None:
    host = Host.objects.create(name="h1", added_at=NOW)
    IncidentHost.objects.create(incident=incident, host=host, since_at=NOW)
    report = file_report(text="my app segfaults since noon", actor=BOB, now=NOW, host=host)
    assert report.incident == incident
    assert TimelineEntry.objects.get(incident=incident).kind == "report"
    app = App.objects.create(name="app-1")
    assert file_report(text="odd", actor=BOB, now=NOW, app=app).incident is None


def test_gate_is_closed_once_and_opened_once(incident: Incident) -> None:
    stack = Stack.objects.create(name="cedar-14")
    assert gate_of("cedar-14") is None
    close_gate(stack=stack, incident=incident, reason="images in doubt", actor=ADA, now=NOW)
    standing = gate_of("cedar-14")
    assert standing is not None
    assert (standing.reason, standing.incident) == ("images in doubt", incident)
    with pytest.raises(
        Refused, match="ada closed the deploy gate of cedar-14 at 03:10:00 UTC already: images in doubt"
    ):
        close_gate(stack=stack, incident=incident, reason="me too", actor=BOB, now=NOW)
    open_gate(stack=stack, actor=BOB, now=NOW, reason="images are protected")
    assert standing_gate(stack) is None
    with pytest.raises(Refused, match="bob opened"):
        open_gate(stack=stack, actor=ADA, now=NOW, reason="")
    assert [e.data["open"] for e in entries_since(incident)] == [False, True]
    assert is_whole(incident)
