"""Carries out runs: a person confirms what the plan shows, a worker drives it, the rows say where it stands."""

import hashlib
import json
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from fleet.actor import SYSTEM, Actor
from fleet.models.querysets import due
from incidents.errors import Refused
from incidents.lifecycle import IncidentState, RunState, StepState
from incidents.live import announce
from incidents.models import Incident, RunbookRun, RunStep
from incidents.runbooks.catalogue import find_runbook
from incidents.runbooks.nudges import nudge_step
from incidents.runbooks.steps import KINDS, Outcome, StepContext
from incidents.runbooks.transitions import next_position
from incidents.timeline.record import record

BOUND = ("command", "targets", "moves", "stack", "choices")
DRIVEN = {
    "succeeded": StepState.SUCCEEDED,
    "failed": StepState.FAILED,
    "unknown": StepState.UNKNOWN,
}


@transaction.atomic
def start_run(*, incident: Incident, runbook: str, now: datetime, actor: Actor) -> RunbookRun:
    """Begins a run of the runbook, its plan frozen as it is now. Raises Refused when one is under way already."""
    book = find_runbook(runbook)
    if incident.state not in IncidentState.ongoing():
        raise Refused(f"{incident} is {incident.state}; reopen it before you start a runbook.")
    try:
        with transaction.atomic():
            run = RunbookRun.objects.create(
                incident=incident,
                runbook=book.slug,
                title=book.title,
                plan=book.frozen(),
                started_at=now,
                started_by=actor.name,
            )
    except IntegrityError:
        raise Refused(f"A runbook is under way for {incident} already; this is it.") from None
    RunStep.objects.bulk_create(
        RunStep(run=run, position=place, key=step.key, kind=step.kind, title=step.title)
        for place, step in enumerate(book.steps)
    )
    _tell(run, now=now, kind="run", text=f"Runbook {book.title!r} started.", actor=actor)
    _hand_on(run, now=now)
    return run


def prepare_step(*, step: RunStep, now: datetime, actor: Actor = SYSTEM) -> RunStep:
    """Works out the step's plan from the fleet as it is, and the digest that a confirmation must carry."""
    prepared = _plain(KINDS[step.kind].prepare(StepContext(step, now, actor)))
    RunStep.objects.filter(pk=step.pk, state=StepState.READY).update(prepared=prepared, digest=_digest(prepared))
    step.refresh_from_db()
    return step


@transaction.atomic
def confirm_step(*, step: RunStep, digest: str, choice: dict[str, Any], now: datetime, actor: Actor) -> RunStep:
    """Begins a step that is ready. Raises Refused when the fleet is not as the person saw it, or somebody was first."""
    run = RunbookRun.objects.select_for_update().get(pk=step.run_id)
    if run.state != RunState.RUNNING:
        raise Refused(f"The run is {run.state}; nothing was done.")
    if _digest(_plain(KINDS[step.kind].prepare(StepContext(step, now, actor)))) != digest:
        raise Refused("The fleet has changed since this plan was shown, so nothing was done. Look at the new plan.")
    begun = RunStep.objects.filter(pk=step.pk, state=StepState.READY).update(
        state=StepState.RUNNING, started_at=now, finished_at=None, confirmed_by=actor.name, choice=choice, message="",
        attempt=F("attempt") + 1,
    )  # fmt: skip
    step.refresh_from_db()
    if not begun:
        raise Refused(f"{step.title!r} is {step.state} already: {step.confirmed_by or 'somebody'} was first.")
    KINDS[step.kind].begin(StepContext(step, now, actor, choice))
    RunStep.objects.filter(pk=step.pk).update(result=_plain(step.result))
    summary = step.prepared.get("summary", step.title)
    _tell(run, now=now, kind="step", text=f"{step.title}: confirmed. {summary}.", actor=actor, data=_step_data(step))
    nudge_step(step.pk)
    return step


def drive_step(step_id: int) -> None:
    """Brings a running step on; may be called as often as one likes, for only one holds the step at a time."""
    owner, now = secrets.token_hex(8), timezone.now()
    lease = timedelta(seconds=settings.LEASE_SECONDS)
    claimed = RunStep.objects.filter(due(now), pk=step_id, state=StepState.RUNNING).update(
        lease_owner=owner, lease_until=now + lease
    )
    if not claimed:
        return
    step = RunStep.objects.select_related("run__incident__stack", "run__incident__deploy").get(pk=step_id)
    actor = Actor("person", step.confirmed_by) if step.confirmed_by else SYSTEM
    outcome = KINDS[step.kind].drive(StepContext(step, now, actor))
    settle_step(step, outcome, now=timezone.now(), owner=owner)


@transaction.atomic
def settle_step(step: RunStep, outcome: Outcome, *, now: datetime, owner: str) -> None:
    """Writes down how a driven step stands, if we still hold it; an ended one hands on to the next."""
    mine = RunStep.objects.filter(pk=step.pk, lease_owner=owner, state=StepState.RUNNING)
    result = _plain(outcome.result)
    if outcome.state == "running":
        mine.update(lease_until=None, lease_owner="", message=outcome.summary, result=step.result | result)
        announce(f"incident:{step.run.incident_id}")
        return
    ended = mine.update(
        state=DRIVEN[outcome.state], finished_at=now, lease_until=None, lease_owner="", message=outcome.summary,
        result=step.result | result,
    )  # fmt: skip
    if not ended:
        return
    step.refresh_from_db()
    _tell(step.run, now=now, kind="step", text=f"{step.title}: {outcome.summary}", actor=SYSTEM, data=_step_data(step))
    if outcome.result.get("ends_run"):
        _cancel(step.run, now=now, actor=Actor("person", step.confirmed_by), reason=outcome.summary)
    else:
        _hand_on(step.run, now=now)


@transaction.atomic
def retry_step(*, step: RunStep, now: datetime, actor: Actor) -> RunStep:
    """Makes a failed step ready again, or asks the hosts again about one whose outcome is unknown."""
    if step.state == StepState.UNKNOWN:
        changed = RunStep.objects.filter(pk=step.pk, state=StepState.UNKNOWN).update(state=StepState.RUNNING)
        nudge_step(step.pk)
    else:
        changed = RunStep.objects.filter(pk=step.pk, state=StepState.FAILED).update(state=StepState.READY)
    return _changed(step, changed, now=now, actor=actor, text="tried again")


@transaction.atomic
def skip_step(*, step: RunStep, reason: str, now: datetime, actor: Actor) -> RunStep:
    """Passes a step over, with the reason that a person gives."""
    if not reason.strip():
        raise Refused("Say why the step is passed over; the timeline keeps it.")
    changed = (
        RunStep.objects.filter(pk=step.pk, state__in=[StepState.READY, StepState.FAILED, StepState.UNKNOWN])
        .update(state=StepState.SKIPPED, finished_at=now, message=reason, confirmed_by=actor.name)
    )  # fmt: skip
    step = _changed(step, changed, now=now, actor=actor, text=f"passed over: {reason}")
    _hand_on(step.run, now=now)
    return step


@transaction.atomic
def pause_run(*, run: RunbookRun, now: datetime, actor: Actor) -> None:
    """Holds the run: what is under way is finished, nothing new can be confirmed."""
    _change_run(run, RunState.PAUSED, now=now, actor=actor, text="paused")


@transaction.atomic
def resume_run(*, run: RunbookRun, now: datetime, actor: Actor) -> None:
    """Lets a held run go on."""
    _change_run(run, RunState.RUNNING, now=now, actor=actor, text="resumed")


@transaction.atomic
def cancel_run(*, run: RunbookRun, now: datetime, actor: Actor, reason: str = "") -> None:
    """Gives the run up; what was done stays done. Refused while a step is under way on hosts."""
    if run.steps.filter(state=StepState.RUNNING, kind="act").exists():
        raise Refused("A step is under way on hosts; pause or cancel its migration first, or wait until it has ended.")
    _cancel(run, now=now, actor=actor, reason=reason)


def due_steps(now: datetime) -> QuerySet[RunStep]:
    """Running steps that nobody holds: the sweeper nudges them."""
    return RunStep.objects.filter(due(now), state=StepState.RUNNING, run__state__in=RunState.live())


def current_step(run: RunbookRun) -> RunStep | None:
    """The step whose turn it is; None when the run is over."""
    steps = list(run.steps.all())
    place = next_position([str(step.state) for step in steps])
    return None if place is None else steps[place]


def _hand_on(run: RunbookRun, *, now: datetime) -> None:
    step = current_step(run)
    if step is not None:
        RunStep.objects.filter(pk=step.pk, state=StepState.WAITING).update(state=StepState.READY)
    elif RunbookRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(state=RunState.DONE, finished_at=now):
        _tell(run, now=now, kind="run", text=f"Runbook {run.title!r} done.", actor=SYSTEM)
    announce(f"incident:{run.incident_id}")


def _cancel(run: RunbookRun, *, now: datetime, actor: Actor, reason: str) -> None:
    _change_run(run, RunState.CANCELLED, now=now, actor=actor, text=f"given up. {reason}".strip())
    run.steps.filter(state__in=[StepState.WAITING, StepState.READY]).update(state=StepState.CANCELLED)
    RunbookRun.objects.filter(pk=run.pk).update(finished_at=now)


def _change_run(run: RunbookRun, to: RunState, *, now: datetime, actor: Actor, text: str) -> None:
    if not RunbookRun.objects.filter(pk=run.pk, state__in=to.predecessors()).update(state=to):
        run.refresh_from_db()
        raise Refused(f"The run is {run.state} already; nothing was changed.")
    _tell(run, now=now, kind="run", text=f"Runbook {run.title!r} {text}", actor=actor)


def _changed(step: RunStep, changed: int, *, now: datetime, actor: Actor, text: str) -> RunStep:
    step.refresh_from_db()
    if not changed:
        raise Refused(f"{step.title!r} is {step.state}; nothing was changed.")
    _tell(step.run, now=now, kind="step", text=f"{step.title}: {text}", actor=actor)
    return step


def _tell(
    run: RunbookRun, *, now: datetime, kind: str, text: str, actor: Actor, data: dict[str, Any] | None = None
) -> None:
    record(
        incident_id=run.incident_id,
        kind=kind,
        text=text,
        actor=actor,
        occurred_at=now,
        data={"run": run.pk, **(data or {})},
    )


def _step_data(step: RunStep) -> dict[str, Any]:
    return {"step": step.key, "state": str(step.state), "attempt": step.attempt, "result": step.result}


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(data, cls=DjangoJSONEncoder)))


def _digest(prepared: dict[str, Any]) -> str:
    """Covers what a confirmation is bound to; numbers that move by themselves are not part of it."""
    bound = {name: prepared.get(name) for name in BOUND}
    return hashlib.sha256(json.dumps(bound, sort_keys=True).encode()).hexdigest()
