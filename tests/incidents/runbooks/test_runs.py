"""Runs: confirmed by what was seen, driven under a lease, told to the timeline, never twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from fleet.actor import Actor
from fleet.models import Host, Stack
from incidents.errors import Refused
from incidents.gates import standing_gate
from incidents.models import Incident, RunbookRun, RunStep
from incidents.runbooks import confirming, deciding, driving, runs
from incidents.runbooks.steps import Outcome
from incidents.timeline.record import is_whole
from tests.incidents.runbooks.running import (
    ANA,
    BEN,
    CLOSE,
    DECIDE,
    LOOK,
    NOW,
    TAINT,
    begin,
    confirm,
    take,
    told,
    turn,
)

pytestmark = pytest.mark.django_db


def test_a_run_ends_when_its_last_step_has_ended(incident: Incident) -> None:
    run = begin(incident, CLOSE, DECIDE, LOOK)
    assert take(run).state == "succeeded"
    gate = standing_gate(Stack.objects.get())
    assert gate is not None
    assert gate.incident == incident
    assert take(run, choice="yes").result["choice"] == "yes"
    assert take(run, note="all quiet").message == "Done by ana. all quiet"
    run.refresh_from_db()
    assert (run.state, runs.current_step(run)) == ("done", None)
    assert is_whole(Incident.objects.get())
    assert told(incident)[-1] == "Runbook 'R' done."


def test_only_one_run_at_a_time(incident: Incident) -> None:
    runs.start_run(incident=incident, runbook="overwritten-image", now=NOW, actor=ANA)
    with pytest.raises(Refused, match="under way"):
        runs.start_run(incident=incident, runbook="overwritten-image", now=NOW, actor=BEN)
    assert RunbookRun.objects.count() == 1
    with pytest.raises(Refused, match="There is no runbook 'x'"):
        runs.start_run(incident=incident, runbook="x", now=NOW, actor=ANA)


def test_a_closed_incident_starts_no_run(incident: Incident) -> None:
    Incident.objects.update(state="resolved")
    incident.refresh_from_db()
    with pytest.raises(Refused, match="reopen it"):
        runs.start_run(incident=incident, runbook="overwritten-image", now=NOW, actor=ANA)


@pytest.mark.django_db(transaction=True)
def test_two_people_confirm_at_once_and_one_is_told_who_was_first(incident: Incident) -> None:
    step = turn(begin(incident, CLOSE))
    shown = confirming.prepare_step(step=step, now=NOW)

    def press(actor: Actor) -> str:
        try:
            confirming.confirm_step(step=shown, digest=shown.digest, choice={}, now=NOW, actor=actor)
        except Refused as refused:
            return refused.message
        else:
            return "begun"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(press, [ANA, BEN]))
    assert answers[1] == "begun"
    assert "was first" in answers[0]
    assert Stack.objects.get().gates.count() == 1


def test_a_confirmation_dies_when_the_fleet_changes(incident: Incident) -> None:
    for name in ("h1", "h2", "h3"):
        Host.objects.create(name=name, state="in_service", added_at=NOW)
    incident.incident_hosts.create(host=Host.objects.get(name="h1"), since_at=NOW)
    step = turn(begin(incident, TAINT))
    shown = confirming.prepare_step(step=step, now=NOW)
    incident.incident_hosts.create(host=Host.objects.get(name="h2"), since_at=NOW)
    with pytest.raises(Refused, match="fleet has changed"):
        confirming.confirm_step(step=shown, digest=shown.digest, choice={}, now=NOW, actor=ANA)
    assert not Host.objects.filter(state="tainted").exists()


def test_more_of_the_fleet_than_the_policy_allows_needs_an_administrator(incident: Incident) -> None:
    for name in ("h1", "h2", "h3"):
        host = Host.objects.create(name=name, state="in_service", added_at=NOW)
        incident.incident_hosts.create(host=host, since_at=NOW)
    step = turn(begin(incident, TAINT))
    with pytest.raises(Refused, match="ask an administrator"):
        confirm(step)
    step.refresh_from_db()
    assert step.state == "ready"
    assert not Host.objects.filter(state="tainted").exists()


def test_a_choice_that_is_none_is_refused_and_a_no_ends_the_run(incident: Incident) -> None:
    run = begin(incident, DECIDE, LOOK)
    step = turn(run)
    with pytest.raises(Refused, match="Choose one"):
        confirm(step, choice="perhaps")
    take(run, choice="no")
    run.refresh_from_db()
    assert (run.state, run.steps.get(key="look").state) == ("cancelled", "cancelled")


def test_a_step_is_driven_by_one_and_told_once(incident: Incident) -> None:
    run = begin(incident, CLOSE, LOOK)
    step = turn(run)
    step = confirm(step)
    RunStep.objects.filter(pk=step.pk).update(lease_owner="another", lease_until=timezone.now() + timedelta(seconds=30))
    driving.drive_step(step.pk)
    step.refresh_from_db()
    assert step.state == "running"
    RunStep.objects.filter(pk=step.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert [due.pk for due in driving.due_steps(timezone.now())] == [step.pk]
    driving.drive_step(step.pk)
    driving.drive_step(step.pk)
    assert [text for text in told(incident) if "is closed" in text] == [
        "Close the gate: The deploy gate of cedar-14 is closed."
    ]


def test_who_lost_the_lease_writes_nothing(incident: Incident) -> None:
    step = turn(begin(incident, CLOSE))
    step = confirm(step)
    RunStep.objects.filter(pk=step.pk).update(lease_owner="another")
    driving.settle_step(step, Outcome("failed", "late"), now=NOW, owner="me")
    step.refresh_from_db()
    assert step.state == "running"


def test_unknown_is_a_state_that_a_person_resolves(incident: Incident) -> None:
    run = begin(incident, LOOK, CLOSE)
    step = turn(run)
    step = confirm(step)
    RunStep.objects.filter(pk=step.pk).update(lease_owner="me")
    driving.settle_step(step, Outcome("unknown", "a host did not say"), now=NOW, owner="me")
    step.refresh_from_db()
    assert (step.state, run.steps.get(key="close").state) == ("unknown", "waiting")
    deciding.retry_step(step=step, now=NOW, actor=BEN)
    driving.drive_step(step.pk)
    step.refresh_from_db()
    assert (step.state, run.steps.get(key="close").state) == ("succeeded", "ready")


def test_passing_over_wants_a_reason(incident: Incident) -> None:
    run = begin(incident, CLOSE, LOOK)
    step = turn(run)
    with pytest.raises(Refused, match="Say why"):
        deciding.skip_step(step=step, reason=" ", now=NOW, actor=ANA)
    deciding.skip_step(step=step, reason="it is closed by hand", now=NOW, actor=ANA)
    assert told(incident) == ["Close the gate: passed over: it is closed by hand"]
    following = turn(run)
    assert (following.key, following.state) == ("look", "ready")


def test_a_paused_run_confirms_nothing_until_it_goes_on(incident: Incident) -> None:
    run = begin(incident, CLOSE)
    step = turn(run)
    runs.pause_run(run=run, now=NOW, actor=ANA)
    with pytest.raises(Refused, match="paused"):
        confirm(step)
    with pytest.raises(Refused, match="paused already"):
        runs.pause_run(run=run, now=NOW, actor=BEN)
    runs.resume_run(run=run, now=NOW, actor=BEN)
    assert take(run).state == "succeeded"


def test_giving_up_leaves_what_was_done(incident: Incident) -> None:
    run = begin(incident, CLOSE, LOOK)
    take(run)
    runs.cancel_run(run=run, now=NOW, actor=ANA, reason="wrong cause")
    assert list(run.steps.values_list("state", flat=True)) == ["succeeded", "cancelled"]
    assert standing_gate(Stack.objects.get()) is not None
