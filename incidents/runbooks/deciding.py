"""What a person decides about a step that did not just succeed: try again, say what became of it, pass over."""

from datetime import datetime

from django.db import transaction

from fleet.actor import Actor
from fleet.migration.mover import retry_failed
from fleet.models import Migration
from incidents.errors import Refused
from incidents.lifecycle import RunState, StepState
from incidents.models import RunStep
from incidents.runbooks.nudges import nudge_step
from incidents.runbooks.runs import hand_on, running_run, tell_step


@transaction.atomic
def retry_step(*, step: RunStep, now: datetime, actor: Actor) -> RunStep:
    """Makes a failed step ready again, or asks the hosts again about one whose outcome is unknown."""
    running_run(step.run_id)
    step.refresh_from_db()
    if step.state == StepState.UNKNOWN:
        step = _change(step, [StepState.UNKNOWN], StepState.RUNNING, finished_at=None)
        nudge_step(step.pk)
    else:
        step = _change(step, [StepState.FAILED], StepState.READY, asked={})
    tell_step(step, "tried again", now=now, actor=actor)
    return step


@transaction.atomic
def settle_unknown(*, step: RunStep, outcome: str, reason: str, now: datetime, actor: Actor) -> RunStep:
    """A person says that a step whose outcome is unknown "succeeded" or "failed", and how they know."""
    if not reason.strip():
        raise Refused("Say how you know what became of it; the timeline keeps it.")
    run = running_run(step.run_id)
    to = StepState.SUCCEEDED if outcome == "succeeded" else StepState.FAILED
    found = "was done" if outcome == "succeeded" else "was not done"
    step = _change(
        step, [StepState.UNKNOWN], to, finished_at=now, message=f"{actor.name}: it {found}. {reason.strip()}"
    )
    tell_step(step, f"it {found}, says {actor.name}: {reason.strip()}", now=now, actor=actor)
    hand_on(run, now=now)
    return step


@transaction.atomic
def skip_step(*, step: RunStep, reason: str, now: datetime, actor: Actor) -> RunStep:
    """Passes a step over, with the reason that a person gives."""
    if not reason.strip():
        raise Refused("Say why the step is passed over; the timeline keeps it.")
    run = running_run(step.run_id)
    sources = [StepState.READY, StepState.FAILED, StepState.UNKNOWN]
    step = _change(
        step, sources, StepState.SKIPPED, finished_at=now, message=reason.strip(), confirmed_by=actor.name
    )  # fmt: skip
    tell_step(step, f"passed over: {reason.strip()}", now=now, actor=actor)
    hand_on(run, now=now)
    return step


@transaction.atomic
def retry_moves(*, migration: Migration, now: datetime, actor: Actor) -> Migration:
    """Tries a migration's failed moves again; the step that it belongs to follows. Raises NotPossible, Refused."""
    step = RunStep.objects.filter(kind="act", result__migration=migration.pk).order_by("-pk").first()
    run = running_run(step.run_id) if step and step.run.state in RunState.live() else None
    again = retry_failed(migration=migration, actor=actor, now=now)
    if step and run and again.pk != migration.pk:
        result = step.result | {"migration": again.pk}
        sources = [StepState.FAILED, StepState.UNKNOWN]
        _change(step, sources, StepState.RUNNING, finished_at=None, message="", result=result)
        nudge_step(step.pk)
    return again


def _change(step: RunStep, sources: list[StepState], to: StepState, **changes: object) -> RunStep:
    """Brings the step there from one of those states. Raises Refused."""
    changed = RunStep.objects.filter(pk=step.pk, state__in=sources).advance(to, **changes)
    step.refresh_from_db()
    if not changed:
        raise Refused(f"{step.title!r} is {step.state}; nothing was changed.")
    return step
