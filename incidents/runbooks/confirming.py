"""Confirmations of steps: bound to the plan that was seen, by a second person where the policy asks for one."""

import hashlib
import json
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import F

from fleet.actor import SYSTEM, Actor
from incidents.errors import Refused
from incidents.lifecycle import StepState
from incidents.models import RunStep
from incidents.runbooks.actions.base import FLEET_CHANGED
from incidents.runbooks.approval import ask_second_person, may_begin, said_of_approval
from incidents.runbooks.nudges import nudge_step
from incidents.runbooks.runs import running_run, tell_step
from incidents.runbooks.steps import KINDS, StepContext

BOUND = ("command", "targets", "moves", "stopped_first", "stack", "choices")


def prepare_step(*, step: RunStep, now: datetime, actor: Actor = SYSTEM) -> RunStep:
    """Works out the step's plan from the fleet as it is, and the digest that a confirmation must carry."""
    prepared = _prepared(step, now, actor)
    ready = RunStep.objects.filter(pk=step.pk, state=StepState.READY, attempt=step.attempt)
    ready.update(prepared=prepared, digest=_digest(step, prepared))
    step.refresh_from_db()
    return step


@transaction.atomic
def confirm_step(
    *, step: RunStep, digest: str, choice: dict[str, Any], now: datetime, actor: Actor, break_glass: str = ""
) -> RunStep:
    """Begins a step that is ready, or asks a second person first where the policy wants one.

    Raises Refused when the fleet is not as the person saw it, or somebody was first. `break_glass` is the reason for
    not waiting for a second person.
    """
    run = running_run(step.run_id)
    step = RunStep.objects.select_related("run__incident__stack", "run__incident__deploy").get(pk=step.pk)
    if step.state != StepState.READY:
        raise Refused(f"{step.title!r} is {step.state} already: {step.confirmed_by or 'somebody'} was first.")
    prepared = _prepared(step, now, actor)
    if _digest(step, prepared) != digest:
        raise Refused(FLEET_CHANGED)
    if not may_begin(step, digest=digest, actor=actor, break_glass=break_glass):
        return ask_second_person(step, digest=digest, now=now, actor=actor)
    _claim(step, prepared, digest, choice, now, actor)
    KINDS[step.kind].begin(StepContext(step, now, actor, choice))
    RunStep.objects.filter(pk=step.pk).update(result=plain(step.result))
    summary = f"confirmed. {prepared.get('summary', step.title)}.{said_of_approval(step, actor, break_glass)}"
    tell_step(step, summary, now=now, actor=actor, kind="break-glass" if break_glass else "step")
    nudge_step(step.pk)
    step.run = run
    return step


def plain(data: dict[str, Any]) -> dict[str, Any]:
    """The data as a JSON column gives it back."""
    return dict(json.loads(json.dumps(data, cls=DjangoJSONEncoder)))


def _prepared(step: RunStep, now: datetime, actor: Actor) -> dict[str, Any]:
    return plain(KINDS[step.kind].prepare(StepContext(step, now, actor)))


def _claim(
    step: RunStep, prepared: dict[str, Any], digest: str, choice: dict[str, Any], now: datetime, actor: Actor
) -> None:
    """Brings the ready step to running, with the very plan that was confirmed. Raises Refused."""
    begun = RunStep.objects.filter(pk=step.pk).filter(state=StepState.READY).update(
        state=StepState.RUNNING, started_at=now, finished_at=None, confirmed_by=actor.name, choice=choice, message="",
        prepared=prepared, digest=digest, attempt=F("attempt") + 1, result={},
    )  # fmt: skip
    if not begun:
        raise Refused(f"{step.title!r} was just begun by somebody else; nothing was done.")
    step.refresh_from_db()


def _digest(step: RunStep, prepared: dict[str, Any]) -> str:
    """Covers what a confirmation is bound to; numbers that move by themselves are not part of it."""
    bound = {name: prepared.get(name) for name in BOUND} | {"step": step.pk, "attempt": step.attempt}
    return hashlib.sha256(json.dumps(bound, sort_keys=True).encode()).hexdigest()
