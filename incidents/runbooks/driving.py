"""Drives steps in the worker that acts: one holder at a time, nothing written by one who lost the hold."""

import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from fleet.actor import SYSTEM, Actor
from fleet.leases import lease_end
from fleet.live import announce
from fleet.models.querysets import due
from incidents.lifecycle import RunState, StepState
from incidents.models import RunStep
from incidents.runbooks.confirming import plain
from incidents.runbooks.runs import give_up, hand_on, locked_run, tell_step
from incidents.runbooks.steps import KINDS, Outcome, StepContext

logger = logging.getLogger(__name__)
ENDS = {
    "succeeded": StepState.SUCCEEDED,
    "failed": StepState.FAILED,
    "unknown": StepState.UNKNOWN,
}


def drive_step(step_id: int) -> None:
    """Brings a running step on; may be called as often as one likes, for only one holds the step at a time."""
    owner, now = secrets.token_hex(8), timezone.now()
    claimed = RunStep.objects.filter(due(now), pk=step_id, state=StepState.RUNNING).update(
        lease_owner=owner, lease_until=lease_end(now)
    )
    if not claimed:
        return
    step = RunStep.objects.select_related("run__incident__stack", "run__incident__deploy").get(pk=step_id)
    actor = Actor("person", step.confirmed_by) if step.confirmed_by else SYSTEM
    with _kept(step_id, owner):
        outcome = _outcome(StepContext(step, now, actor))
    settle_step(step, outcome, now=timezone.now(), owner=owner)


@transaction.atomic
def settle_step(step: RunStep, outcome: Outcome, *, now: datetime, owner: str) -> None:
    """Writes down how a driven step stands, if we still hold it; an ended one hands on to the next."""
    run = locked_run(step.run_id)
    mine = RunStep.objects.filter(pk=step.pk, lease_owner=owner, state=StepState.RUNNING)
    stands = {"lease_until": None, "lease_owner": "", "message": outcome.summary}
    stands["result"] = step.result | plain(outcome.result)
    if outcome.state == "running":
        mine.update(**stands)
        announce(f"incident:{run.incident_id}")
        return
    if not mine.update(state=ENDS[outcome.state], finished_at=now, **stands):
        return
    step.refresh_from_db()
    step.run = run
    tell_step(step, outcome.summary, now=now, actor=SYSTEM)
    if outcome.state == "succeeded":
        _skip_by_choice(step, now=now)
    if outcome.result.get("ends_run"):
        give_up(run, now=now, actor=Actor("person", step.confirmed_by), reason=outcome.summary)
    else:
        hand_on(run, now=now)


def due_steps(now: datetime) -> QuerySet[RunStep]:
    """Running steps that nobody holds: the sweeper nudges them."""
    return RunStep.objects.filter(due(now), state=StepState.RUNNING, run__state__in=RunState.live())


def _outcome(context: StepContext) -> Outcome:
    """How the step stands after its kind drove it. A fault of our own is told, for a person to decide what it means."""
    try:
        return KINDS[context.step.kind].drive(context)
    except (OperationalError, InterfaceError):
        raise  # the database is away: the lease runs out, and whoever comes then goes on
    except Exception as fault:
        logger.exception("step %s of run %s", context.step.key, context.step.run_id)
        return Outcome("unknown", f"Faultline itself failed at it ({type(fault).__name__}: {fault}); see its log.")


@contextmanager
def _kept(step_id: int, owner: str) -> Iterator[None]:
    """Renews the hold while the work goes on, for hosts may take longer than a lease; it dies with the process."""
    over = threading.Event()
    beating = threading.Thread(target=_beat, args=(step_id, owner, over), name=f"step-{step_id}", daemon=True)
    beating.start()
    try:
        yield
    finally:
        over.set()
        beating.join()


def _beat(step_id: int, owner: str, over: threading.Event) -> None:
    mine = RunStep.objects.filter(pk=step_id, lease_owner=owner, state=StepState.RUNNING)
    try:
        while not over.wait(settings.LEASE_SECONDS / 3):
            try:
                if not mine.update(lease_until=lease_end(timezone.now())):
                    return
            except DatabaseError as problem:
                logger.warning("the lease of step %s could not be renewed: %s", step_id, problem)
    finally:
        connection.close()


def _skip_by_choice(step: RunStep, *, now: datetime) -> None:
    """Passes over what the chosen answer makes needless."""
    keys = step.result.get("skips") or []
    waiting = step.run.steps.filter(key__in=keys, state=StepState.WAITING)
    for other in waiting:
        changes = {"finished_at": now, "message": step.message, "confirmed_by": step.confirmed_by}
        if RunStep.objects.filter(pk=other.pk, state=StepState.WAITING).update(state=StepState.SKIPPED, **changes):
            other.refresh_from_db()
            tell_step(other, f"passed over. {step.message}", now=now, actor=Actor("person", step.confirmed_by))
