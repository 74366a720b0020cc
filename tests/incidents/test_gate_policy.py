"""Gates close by policy: when it is on, when the blame is sure, once for an incident, and never against a person."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from fleet.actor import Actor
from incidents.gate_policy import apply_policy, set_policy, standing_policy
from incidents.gates import close_gate, gate_of, open_gate
from incidents.models import Gate, GatePolicy, Incident, TimelineEntry
from tests.incidents.fleet_in_trouble import Fleet
from tests.incidents.views.story import tell_story

pytestmark = pytest.mark.django_db
ADA = Actor("person", "ada")


@pytest.fixture
def incident(db: None) -> Incident:
    return tell_story(hosts=2).incident


def turn_on(*, score: str = "12", severity: str = "major") -> GatePolicy:
    return set_policy(enabled=True, least_score=score, least_severity=severity, actor=ADA, now=timezone.now())


def apply(incident: Incident, score: float = 14.2) -> Gate | None:
    return apply_policy(incident.pk, score=score, now=timezone.now())


def test_nothing_closes_by_itself_until_the_policy_is_on(incident: Incident) -> None:
    assert not standing_policy().enabled
    assert apply(incident, 500.0) is None
    set_policy(enabled=False, least_score="1", least_severity="notice", actor=ADA, now=timezone.now())
    assert apply(incident, 500.0) is None
    assert gate_of("cedar-14") is None


def test_a_sure_blame_closes_the_gate_and_the_record_names_the_policy(incident: Incident) -> None:
    turn_on()
    assert apply(incident, 11.9) is None
    gate = apply(incident)
    assert gate is not None
    assert gate.incident == incident
    assert gate.closed_by == "policy “close the gate on blame”"
    assert "score 14.2, 12 or more is asked for" in gate.reason
    entry = TimelineEntry.objects.get(incident=incident, kind="gate")
    assert "policy “close the gate on blame”" in entry.text
    assert entry.actor_kind == "system"
    assert apply(incident) is None
    assert TimelineEntry.objects.filter(kind="gate").count() == 1


@pytest.mark.parametrize(
    ("asked", "has", "closes"),
    [("major", "major", True), ("major", "minor", False), ("minor", "major", True), ("notice", "minor", True)],
)
def test_the_severity_counts(incident: Incident, asked: str, has: str, closes: bool) -> None:
    Incident.objects.filter(pk=incident.pk).update(severity=has)
    turn_on(severity=asked)
    assert (apply(incident) is not None) is closes


@pytest.mark.parametrize("changes", [{"verdict": "group"}, {"stack": None}])
def test_only_a_blamed_deploy_of_a_stack_closes_one(incident: Incident, changes: dict[str, object]) -> None:
    turn_on()
    Incident.objects.filter(pk=incident.pk).update(**changes)
    assert apply(incident) is None


def test_what_a_person_opened_for_the_incident_stays_open(incident: Incident) -> None:
    turn_on()
    gate = apply(incident)
    assert gate is not None
    open_gate(stack=gate.stack, actor=ADA, now=timezone.now(), reason="it is the other deploy")
    for _ in range(3):
        assert apply(incident, 99.0) is None
    assert gate_of("cedar-14") is None


def test_what_was_closed_and_opened_by_hand_since_it_began_stays_open(incident: Incident) -> None:
    assert incident.stack is not None
    close_gate(stack=incident.stack, incident=None, reason="doubt", actor=ADA, now=timezone.now())
    open_gate(stack=incident.stack, actor=ADA, now=timezone.now(), reason="no doubt")
    turn_on()
    assert apply(incident) is None


def test_a_gate_opened_before_the_incident_does_not_hold_it_back(incident: Incident) -> None:
    assert incident.stack is not None
    before = incident.opened_at - (timezone.now() - incident.opened_at)
    close_gate(stack=incident.stack, incident=None, reason="last week", actor=ADA, now=before)
    open_gate(stack=incident.stack, actor=ADA, now=before, reason="over")
    turn_on()
    assert apply(incident) is not None


def test_there_is_one_policy(db: None) -> None:
    turn_on()
    turn_on(score="20")
    assert GatePolicy.objects.get().least_score == 20
    for odd in (GatePolicy(), GatePolicy(only=False)):
        with pytest.raises(IntegrityError), transaction.atomic():
            odd.save()


def test_the_watch_applies_it(quiet_fleet: Fleet) -> None:
    turn_on()
    quiet_fleet.redeploy("d3")
    quiet_fleet.pass_ticks(14, dying=0.2)
    gate = gate_of("cedar-14")
    assert gate is not None
    assert gate.incident == Incident.objects.get()
    open_gate(stack=gate.stack, actor=ADA, now=timezone.now(), reason="we know better")
    quiet_fleet.pass_ticks(5, dying=0.2)
    assert gate_of("cedar-14") is None
