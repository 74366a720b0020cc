"""Two at once, on a real database: what one of them is told, and that nothing is done twice or left half-done."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from fleet.actions import taint_hosts, untaint_hosts
from fleet.models import Host, Stack
from incidents.errors import Refused
from incidents.gates import close_gate, open_gate, standing_closings
from incidents.models import Incident, RunbookRun, RunStep
from incidents.responding import dismiss_incident, reopen_incident, resolve_incident
from incidents.runbooks import confirming, deciding, driving, runs
from incidents.runbooks.steps import KINDS, Outcome, StepContext
from incidents.timeline.record import is_whole
from tests.incidents.runbooks.running import (
    ANA,
    BEN,
    CLOSE,
    DECIDE,
    LOOK,
    NOW,
    OPEN,
    TAINT,
    WAIT,
    begin,
    confirm,
    drive,
    take,
    told,
    turn,
)  # fmt: skip

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], object]) -> list[str]:
    """Does these at the same time, each on a connection of its own; gives "done" or the refusal of each."""
    ready = threading.Barrier(len(acts))

    def do(act: Callable[[], object]) -> str:
        try:
            ready.wait(10)
            act()
        except Refused as refused:
            return refused.message
        else:
            return "done"
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(do, acts))


@pytest.mark.parametrize("_", range(3))
def test_a_run_is_given_up_or_its_step_begins_but_never_both(incident: Incident, _: int) -> None:
    host = Host.objects.create(name="h1", state="in_service", added_at=NOW)
    Host.objects.create(name="h2", state="in_service", added_at=NOW)
    incident.incident_hosts.create(host=host, since_at=NOW)
    run = begin(incident, TAINT, LOOK)
    shown = confirming.prepare_step(step=turn(run), now=NOW)
    answers = at_once(
        lambda: runs.cancel_run(run=run, now=NOW, actor=ANA),
        lambda: confirming.confirm_step(step=shown, digest=shown.digest, choice={}, now=NOW, actor=BEN),
    )
    assert sorted(answer == "done" for answer in answers) == [False, True]
    run.refresh_from_db()
    states = (run.state, run.steps.get(key="taint").state, Host.objects.get(name="h1").state)
    assert states in [("cancelled", "cancelled", "in_service"), ("running", "running", "tainted")]


def test_an_incident_is_resolved_or_its_runbook_started_but_never_both(incident: Incident) -> None:
    answers = at_once(
        lambda: resolve_incident(incident=incident, now=NOW, actor=ANA),
        lambda: runs.start_run(incident=incident, runbook="overwritten-image", now=NOW, actor=BEN),
    )
    incident.refresh_from_db()
    live = RunbookRun.objects.filter(state="running").exists()
    assert (incident.state == "resolved") != live
    assert "done" in answers
    assert is_whole(incident)


def test_resolving_is_refused_while_hosts_are_acted_on_and_ends_the_run_after(incident: Incident) -> None:
    for name in ("h1", "h2"):
        Host.objects.create(name=name, state="in_service", added_at=NOW)
    incident.incident_hosts.create(host=Host.objects.get(name="h1"), since_at=NOW)
    run = begin(incident, TAINT, WAIT)
    step = confirm(turn(run))
    for close in (resolve_incident, lambda **words: dismiss_incident(reason="nothing", **words)):
        with pytest.raises(Refused, match="'Taint' is under way on hosts"):
            close(incident=incident, now=NOW, actor=ANA)
    incident.refresh_from_db()
    assert incident.state == "open"
    assert drive(step).state == "succeeded"
    waiting = confirm(turn(run))
    resolve_incident(incident=incident, now=NOW, actor=ANA)
    run.refresh_from_db()
    waiting.refresh_from_db()
    assert (run.state, waiting.state) == ("cancelled", "cancelled")
    assert "Runbook 'R' given up. The incident was resolved." in told(incident)
    driving.drive_step(waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == "cancelled"
    reopen_incident(incident=incident, now=NOW, actor=BEN, reason="it is back")
    assert runs.start_run(incident=incident, runbook="overwritten-image", now=NOW, actor=BEN).state == "running"


def test_a_wait_that_was_given_up_leaves_nothing_under_way(incident: Incident) -> None:
    run = begin(incident, WAIT, LOOK)
    step = confirm(turn(run))
    RunStep.objects.filter(pk=step.pk).update(lease_owner="me", lease_until=timezone.now() + timedelta(seconds=30))
    runs.cancel_run(run=run, now=NOW, actor=ANA)
    driving.settle_step(step, Outcome("succeeded", "late"), now=NOW, owner="me")
    assert set(run.steps.values_list("state", flat=True)) == {"cancelled"}
    assert not any("late" in text for text in told(incident))


def test_a_run_paused_at_its_last_step_ends_once_it_goes_on(incident: Incident) -> None:
    run = begin(incident, CLOSE)
    step = confirm(turn(run))
    runs.pause_run(run=run, now=NOW, actor=ANA)
    assert drive(step).state == "succeeded"
    run.refresh_from_db()
    assert run.state == "paused"
    runs.resume_run(run=run, now=NOW, actor=ANA)
    run.refresh_from_db()
    assert run.state == "done"


@pytest.mark.parametrize("held", ["paused", "cancelled"])
def test_a_held_run_lets_nobody_retry_settle_or_pass_over(incident: Incident, held: str) -> None:
    run = begin(incident, LOOK, CLOSE)
    RunStep.objects.filter(pk=turn(run).pk).update(state="unknown")
    RunbookRun.objects.update(state=held)
    step = turn(run)
    words: dict[str, Any] = {"now": NOW, "actor": ANA}
    for act in (
        lambda: deciding.retry_step(step=step, **words),
        lambda: deciding.skip_step(step=step, reason="because", **words),
        lambda: deciding.settle_unknown(step=step, outcome="succeeded", reason="I looked", **words),
    ):
        with pytest.raises(Refused, match=held):
            act()
    assert turn(run).state == "unknown"


def test_a_person_says_what_became_of_an_unknown_step(incident: Incident) -> None:
    run = begin(incident, LOOK, CLOSE)
    RunStep.objects.filter(pk=turn(run).pk).update(state="unknown")
    with pytest.raises(Refused, match="how you know"):
        deciding.settle_unknown(step=turn(run), outcome="succeeded", reason=" ", now=NOW, actor=BEN)
    step = deciding.settle_unknown(step=turn(run), outcome="failed", reason="nothing there", now=NOW, actor=BEN)
    assert (step.state, step.message) == ("failed", "ben: it was not done. nothing there")
    with pytest.raises(Refused, match="is failed"):
        deciding.settle_unknown(step=step, outcome="succeeded", reason="really", now=NOW, actor=ANA)
    RunStep.objects.filter(pk=step.pk).update(state="unknown")
    deciding.settle_unknown(step=step, outcome="succeeded", reason="seen on the host", now=NOW, actor=ANA)
    assert (turn(run).key, turn(run).state) == ("close", "ready")
    assert told(incident)[-1] == "Look: it was done, says ana: seen on the host"


def test_a_double_click_confirms_once_and_an_old_form_confirms_no_later_attempt(incident: Incident) -> None:
    run = begin(incident, CLOSE, LOOK)
    shown = confirming.prepare_step(step=turn(run), now=NOW)
    words: dict[str, Any] = {"digest": shown.digest, "choice": {}, "now": NOW, "actor": ANA}
    step = confirming.confirm_step(step=shown, **words)
    with pytest.raises(Refused, match="ana was first"):
        confirming.confirm_step(step=shown, **words)
    RunStep.objects.filter(pk=step.pk).update(state="failed")
    deciding.retry_step(step=step, now=NOW, actor=ANA)
    with pytest.raises(Refused, match="fleet has changed"):
        confirming.confirm_step(step=shown, **words)


def test_what_another_person_looked_at_meanwhile_is_not_what_was_confirmed(incident: Incident) -> None:
    run = begin(incident, CLOSE)
    shown = confirming.prepare_step(step=turn(run), now=NOW)
    RunStep.objects.filter(pk=shown.pk).update(prepared={"summary": "of somebody else's page"}, digest="other")
    step = confirming.confirm_step(step=shown, digest=shown.digest, choice={}, now=NOW, actor=ANA)
    assert (step.prepared["summary"], step.digest) == ("Close the deploy gate of cedar-14", shown.digest)


def test_a_lease_is_renewed_while_hosts_take_their_time(
    incident: Incident, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LEASE_SECONDS = 0.3
    step = confirm(turn(begin(incident, LOOK)))
    claimed = RunStep.objects.get(pk=step.pk)
    others: list[RunStep] = []

    def slowly(context: StepContext) -> Outcome:
        first = RunStep.objects.get(pk=step.pk).lease_until
        until = timezone.now() + timedelta(seconds=10)
        while timezone.now() < until and RunStep.objects.get(pk=step.pk).lease_until == first:
            others.extend(driving.due_steps(timezone.now()))
        driving.drive_step(step.pk)
        return Outcome("succeeded", "at last")

    monkeypatch.setattr(KINDS["instruct"], "drive", slowly)
    driving.drive_step(step.pk)
    step.refresh_from_db()
    assert (step.state, step.message, others, claimed.lease_owner) == ("succeeded", "at last", [], "")


def test_a_worker_that_lost_its_step_leaves_the_word_to_the_next(
    incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = confirm(turn(begin(incident, LOOK, CLOSE)))

    def robbed(context: StepContext) -> Outcome:
        RunStep.objects.filter(pk=step.pk).update(lease_owner="another")
        return Outcome("failed", "too late")

    monkeypatch.setattr(KINDS["instruct"], "drive", robbed)
    assert drive(step).state == "running"
    assert "Look: too late" not in told(incident)


def test_a_fault_of_our_own_is_unknown_and_not_running_for_ever(
    incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = confirm(turn(begin(incident, LOOK, CLOSE)))

    def broken(context: StepContext) -> Outcome:
        raise KeyError("migration")

    monkeypatch.setattr(KINDS["instruct"], "drive", broken)
    assert drive(step).state == "unknown"
    assert "Faultline itself failed at it (KeyError: 'migration')" in step.message


def test_a_database_that_is_away_is_no_outcome(incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    step = confirm(turn(begin(incident, LOOK)))

    def away(context: StepContext) -> Outcome:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(KINDS["instruct"], "drive", away)
    with pytest.raises(OperationalError):
        drive(step)
    step.refresh_from_db()
    assert step.state == "running"
    monkeypatch.undo()
    RunStep.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert drive(step).state == "succeeded"


def test_a_worker_whose_clock_is_ahead_takes_over_and_only_one_outcome_is_told(
    incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, real = confirm(turn(begin(incident, CLOSE))), KINDS["gate"].drive

    def overtaken(context: StepContext) -> Outcome:
        monkeypatch.undo()
        with monkeypatch.context() as ahead:
            ahead.setattr("incidents.runbooks.driving.timezone.now", lambda: context.now + timedelta(minutes=5))
            driving.drive_step(step.pk)
        return real(context)

    monkeypatch.setattr(KINDS["gate"], "drive", overtaken)
    assert drive(step).state == "succeeded"
    assert len([text for text in told(incident) if text.endswith("is closed.")]) == 1


def test_a_choice_passes_over_what_it_makes_needless(incident: Incident) -> None:
    choices = [{"key": "well", "label": "They are well", "skips": ["look"]}]
    decide = DECIDE | {"options": {"choices": choices}}
    run = begin(incident, decide, LOOK, CLOSE)
    take(run, choice="well")
    skipped = run.steps.get(key="look")
    assert (skipped.state, skipped.message, turn(run).key) == ("skipped", "ana decided: They are well.", "close")


def test_one_incident_does_not_open_the_gate_that_another_keeps_closed(incident: Incident) -> None:
    stack = Stack.objects.get()
    other = Incident.objects.create(
        verdict="group", subject="zone=b", headline="Zone b", stack=stack, began_at=NOW, opened_at=NOW
    )
    words: dict[str, Any] = {"stack": stack, "reason": "in doubt", "now": NOW}
    close_gate(incident=other, actor=BEN, **words)
    run = begin(incident, CLOSE, OPEN)
    take(run)
    assert standing_closings(stack).count() == 2
    step = take(run)
    assert [gate.incident for gate in standing_closings(stack)] == [other]
    assert f"{other} keeps it closed too: in doubt" in step.message
    with pytest.raises(Refused, match="ben closed"):
        close_gate(incident=other, actor=ANA, **words)
    close_gate(incident=None, actor=ANA, **words)
    with pytest.raises(Refused, match="ana closed"):
        close_gate(incident=None, actor=BEN, **words)
    assert len(open_gate(stack=stack, actor=BEN, now=NOW, reason="all fixed")) == 2
    assert "Opened the deploy gate of cedar-14: all fixed" in told(other)


def test_two_close_a_gate_at_once_and_one_is_told_who_was_first(incident: Incident) -> None:
    stack = Stack.objects.get()
    words: dict[str, Any] = {"stack": stack, "incident": incident, "reason": "in doubt", "now": NOW}
    answers = at_once(lambda: close_gate(actor=ANA, **words), lambda: close_gate(actor=BEN, **words))
    assert sorted(answer == "done" for answer in answers) == [False, True]
    answers = at_once(
        lambda: open_gate(stack=stack, actor=ANA, now=NOW, reason="a"),
        lambda: open_gate(stack=stack, actor=BEN, now=NOW, reason="b"),
    )
    assert sorted(answer == "done" for answer in answers) == [False, True]
    assert [entry.data["open"] for entry in incident.timeline.order_by("sequence")] == [False, True]


@pytest.mark.parametrize("_", range(3))
def test_lifting_a_taint_and_tainting_by_runbook_do_not_lock_each_other_out(incident: Incident, _: int) -> None:
    """Rows of the fleet are locked before the timeline everywhere, so neither waits for the other in a circle."""
    hosts = [Host.objects.create(name=f"h{n}", state="in_service", added_at=NOW) for n in range(6)]
    for host in hosts[:2]:
        incident.incident_hosts.create(host=host, since_at=NOW)
    taint_hosts(hosts=hosts[:1], reason="sick", reference=incident.reference, actor=ANA, now=NOW)
    shown = confirming.prepare_step(step=turn(begin(incident, TAINT)), now=NOW)
    answers = at_once(
        lambda: confirming.confirm_step(step=shown, digest=shown.digest, choice={}, now=NOW, actor=ANA),
        lambda: untaint_hosts(hosts=hosts[:1], proof={"summary": "well"}, actor=BEN, now=NOW),
    )
    assert answers[1] == "done"
    assert answers[0] == "done" or "fleet has changed" in answers[0]
    assert is_whole(incident)
