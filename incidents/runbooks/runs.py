"""Runs of runbooks: begun, held, resumed, given up. Whatever changes a run or its steps locks the run's row first."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from fleet.actor import SYSTEM, Actor
from fleet.live import announce
from incidents.errors import Refused
from incidents.lifecycle import IncidentState, RunState, StepState
from incidents.models import Incident, RunbookRun, RunStep
from incidents.runbooks.catalogue import find_runbook
from incidents.runbooks.transitions import next_position
from incidents.timeline.record import record


@transaction.atomic
def start_run(*, incident: Incident, runbook: str, now: datetime, actor: Actor) -> RunbookRun:
    """Begins a run of the runbook, its plan frozen as it is now. Raises Refused when one is under way already."""
    book = find_runbook(runbook)
    state = Incident.objects.select_for_update(no_key=True).values_list("state", flat=True).get(pk=incident.pk)
    if state not in IncidentState.ongoing():
        raise Refused(f"{incident} is {state}; reopen it before you start a runbook.")
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
    tell_run(run, now=now, kind="run", text=f"Runbook {book.title!r} started.", actor=actor)
    hand_on(run, now=now)
    return run


@transaction.atomic
def pause_run(*, run: RunbookRun, now: datetime, actor: Actor) -> None:
    """Holds the run: what is under way is finished, nothing new can be confirmed."""
    _change_run(locked_run(run.pk), RunState.PAUSED, now=now, actor=actor, text="paused")


@transaction.atomic
def resume_run(*, run: RunbookRun, now: datetime, actor: Actor) -> None:
    """Lets a held run go on, from where it was or has come to meanwhile."""
    run = locked_run(run.pk)
    _change_run(run, RunState.RUNNING, now=now, actor=actor, text="resumed")
    hand_on(run, now=now)


@transaction.atomic
def cancel_run(*, run: RunbookRun, now: datetime, actor: Actor, reason: str = "") -> None:
    """Gives the run up; what was done stays done. Refused while a step is under way on hosts."""
    run = locked_run(run.pk)
    _refuse_while_acting(run)
    give_up(run, now=now, actor=actor, reason=reason)


def end_run_of(incident: Incident, *, now: datetime, actor: Actor, why: str) -> None:
    """In the transaction that closes an incident: gives its live run up. Refused while a step is under way on hosts."""
    run = RunbookRun.objects.select_for_update().filter(incident=incident, state__in=RunState.live()).first()
    if run is not None:
        _refuse_while_acting(run)
        give_up(run, now=now, actor=actor, reason=why)


def locked_run(run_id: int) -> RunbookRun:
    """The run as it is, its row locked until the transaction ends; timelines are locked after it, never before."""
    return RunbookRun.objects.select_for_update(of=("self",)).select_related("incident").get(pk=run_id)


def running_run(run_id: int) -> RunbookRun:
    """The same, where it is running. Raises Refused."""
    run = locked_run(run_id)
    if run.state != RunState.RUNNING:
        raise Refused(f"The run is {run.state}; nothing was done.")
    return run


def current_step(run: RunbookRun) -> RunStep | None:
    """The step whose turn it is; None when the run is over."""
    steps = list(run.steps.all())
    place = next_position([str(step.state) for step in steps])
    return None if place is None else steps[place]


def hand_on(run: RunbookRun, *, now: datetime) -> None:
    """Makes the next step ready, or ends the run where none is left."""
    step = current_step(run)
    if step is not None:
        RunStep.objects.filter(pk=step.pk, state=StepState.WAITING).update(state=StepState.READY)
    elif RunbookRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(state=RunState.DONE, finished_at=now):
        tell_run(run, now=now, kind="run", text=f"Runbook {run.title!r} done.", actor=SYSTEM)
    announce(f"incident:{run.incident_id}")


def give_up(run: RunbookRun, *, now: datetime, actor: Actor, reason: str) -> None:
    """Ends the run early; what a person or a measurement is at ends with it, what hosts are at is not touched."""
    _change_run(run, RunState.CANCELLED, now=now, actor=actor, text=f"given up. {reason}".strip())
    RunbookRun.objects.filter(pk=run.pk).update(finished_at=now)
    run.steps.filter(state__in=[StepState.WAITING, StepState.READY]).update(state=StepState.CANCELLED)
    run.steps.filter(state=StepState.RUNNING).exclude(kind="act").update(state=StepState.CANCELLED, finished_at=now)


def tell_run(
    run: RunbookRun, *, now: datetime, kind: str, text: str, actor: Actor, data: dict[str, Any] | None = None
) -> None:
    """Writes into the timeline of the run's incident."""
    told = {"run": run.pk, **(data or {})}
    record(incident_id=run.incident_id, kind=kind, text=text, actor=actor, occurred_at=now, data=told)


def tell_step(step: RunStep, text: str, *, now: datetime, actor: Actor, kind: str = "step") -> None:
    """The same, about one of its steps, with how that stands."""
    data = {"step": step.key, "state": str(step.state), "attempt": step.attempt, "result": step.result}
    tell_run(step.run, now=now, kind=kind, text=f"{step.title}: {text}", actor=actor, data=data)


def _refuse_while_acting(run: RunbookRun) -> None:
    acting = run.steps.filter(state=StepState.RUNNING, kind="act").first()
    if acting:
        raise Refused(
            f"{acting.title!r} is under way on hosts; pause or cancel its migration first, or wait until it has ended. "
            "Nothing was changed."
        )


def _change_run(run: RunbookRun, to: RunState, *, now: datetime, actor: Actor, text: str) -> None:
    if not RunbookRun.objects.filter(pk=run.pk).advance(to):
        run.refresh_from_db()
        raise Refused(f"The run is {run.state} already; nothing was changed.")
    tell_run(run, now=now, kind="run", text=f"Runbook {run.title!r} {text}", actor=actor)
