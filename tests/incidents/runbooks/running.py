"""Runs made for tests: begun from plain steps, confirmed and driven as people and workers do it."""

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from fleet.actor import Actor
from incidents.models import Incident, RunbookRun, RunStep
from incidents.runbooks import confirming, driving, runs

NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)
ANA, BEN = Actor("person", "ana"), Actor("person", "ben")
CHOICES = [{"key": "yes", "label": "Yes"}, {"key": "no", "label": "No", "ends_run": True}]
CLOSE = {"key": "close", "kind": "gate", "title": "Close the gate", "options": {"set": "closed"}}
OPEN = {"key": "open", "kind": "gate", "title": "Open the gate", "options": {"set": "open"}}
DECIDE = {"key": "decide", "kind": "decide", "title": "Is it?", "options": {"choices": CHOICES}}
LOOK = {"key": "look", "kind": "instruct", "title": "Look", "options": {}}
TAINT = {"key": "taint", "kind": "act", "title": "Taint", "options": {"action": "taint", "targets": "affected"}}
MIGRATE = {"key": "migrate", "kind": "act", "title": "Move", "options": {"action": "migrate", "targets": "tainted"}}
WAIT = {
    "key": "wait", "kind": "wait", "title": "Wait", "options": {"condition": "quiet", "limit_seconds": 600},
}  # fmt: skip


def begin(incident: Incident, *plans: dict[str, Any]) -> RunbookRun:
    """A run of these steps, the first one ready."""
    run = RunbookRun.objects.create(
        incident=incident, runbook="r", title="R", plan={"steps": list(plans)}, started_at=NOW, started_by="ana"
    )
    RunStep.objects.bulk_create(
        RunStep(run=run, position=place, key=one["key"], kind=one["kind"], title=one["title"])
        for place, one in enumerate(plans)
    )
    run.steps.filter(position=0).update(state="ready")
    return run


def turn(run: RunbookRun) -> RunStep:
    """The step whose turn it is."""
    step = runs.current_step(RunbookRun.objects.get(pk=run.pk))
    assert step is not None
    return step


def confirm(step: RunStep, actor: Actor = ANA, break_glass: str = "", **choice: Any) -> RunStep:
    """Looks at the plan, and confirms it."""
    shown = confirming.prepare_step(step=step, now=timezone.now(), actor=actor)
    return confirming.confirm_step(
        step=shown, digest=shown.digest, choice=choice, now=timezone.now(), actor=actor, break_glass=break_glass
    )


def drive(step: RunStep) -> RunStep:
    """Drives it once, as a worker does."""
    driving.drive_step(step.pk)
    step.refresh_from_db()
    return step


def take(run: RunbookRun, actor: Actor = ANA, **choice: Any) -> RunStep:
    """Confirms and drives the step whose turn it is."""
    return drive(confirm(turn(run), actor, **choice))


def told(incident: Incident) -> list[str]:
    """The texts of the timeline."""
    return list(incident.timeline.order_by("sequence").values_list("text", flat=True))
