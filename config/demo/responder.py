"""Plays the responder's part, through the same services as the pages use and by the same evidence."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.utils import timezone

from fleet.actor import Actor
from incidents.errors import Refused
from incidents.lifecycle import RunState, StepState
from incidents.models import Evidence, Incident, RunbookRun, RunStep
from incidents.responding import acknowledge_incident, add_note, resolve_incident
from incidents.runbooks.catalogue import offered_runbooks
from incidents.runbooks.confirming import confirm_step, prepare_step
from incidents.runbooks.runs import current_step, start_run

LOOK_SECONDS = 0.25
Found = TypeVar("Found")


class GaveUp(Exception):  # noqa: N818 - the responder's own word
    """The responder could not go on; the message says where and why."""


@dataclass
class Responder:
    """A responder who follows the offered runbook to its end. `say` gets a line for each thing done."""

    actor: Actor
    say: Callable[[str], None]
    patience_seconds: float = 240.0

    def await_incident(self) -> Incident:
        """The first incident that blames a deploy. Raises GaveUp when none opens in time."""
        return self._await("an incident that names a deploy", self._deploy_incident)

    def respond(self, incident: Incident) -> RunbookRun:
        """Takes the incident, carries the offered runbook through, and resolves it. Raises GaveUp."""
        acknowledge_incident(incident=incident, actor=self.actor, now=timezone.now())
        self.say(f"{incident}: {incident.headline}")
        book = offered_runbooks(incident)[0]
        run = start_run(incident=incident, runbook=book.slug, now=timezone.now(), actor=self.actor)
        while (step := self._next(run)) is not None:
            self._take(step)
        run.refresh_from_db()
        if run.state != RunState.DONE:
            raise GaveUp(f"The run ended as {run.state}.")
        note = "Moved every dyno to a fresh host, protected the images and tested that under the original conditions."
        add_note(incident=incident, text=note, actor=self.actor, now=timezone.now())
        resolve_incident(incident=Incident.objects.get(pk=incident.pk), actor=self.actor, now=timezone.now())
        self.say("resolved")
        return run

    def _next(self, run: RunbookRun) -> RunStep | None:
        run.refresh_from_db()
        return current_step(run) if run.state == RunState.RUNNING else None

    def _take(self, step: RunStep) -> None:
        try:
            step = self._confirm(step)
        except Refused as refused:
            raise GaveUp(f"{step.title}: {refused.message}") from None
        ended = self._await(f"the end of {step.title!r}", lambda: self._ended(step))
        if ended.state != StepState.SUCCEEDED:
            raise GaveUp(f"{ended.title}: {ended.state}. {ended.message} {ended.result}")
        self.say(f"  {ended.message}")

    def _confirm(self, step: RunStep) -> RunStep:
        step = prepare_step(step=step, now=timezone.now(), actor=self.actor)
        if step.state != StepState.READY:
            raise GaveUp(f"{step.title}: {step.state}. {step.message}")
        self.say(f"{step.title}: {step.prepared.get('summary', '')}")
        choice = self._choice(step)
        return confirm_step(step=step, digest=step.digest, choice=choice, now=timezone.now(), actor=self.actor)

    def _choice(self, step: RunStep) -> dict[str, Any]:
        if step.kind != "decide":
            return {}
        bearings = Evidence.objects.filter(incident=step.run.incident, kind="verification").values_list(
            "bearing", flat=True
        )
        damaged = bearings and not any(bearing == Evidence.Bearing.AGAINST for bearing in bearings)
        return {"choice": "yes" if damaged else "no"}

    def _await(self, what: str, look: Callable[[], Found | None]) -> Found:
        deadline = time.monotonic() + self.patience_seconds
        while time.monotonic() < deadline:
            if (found := look()) is not None:
                return found
            time.sleep(LOOK_SECONDS)
        raise GaveUp(f"Waited {self.patience_seconds:g} s for {what}, in vain.")

    @staticmethod
    def _deploy_incident() -> Incident | None:
        return Incident.objects.ongoing().filter(verdict=Incident.Verdict.DEPLOY).order_by("opened_at").first()

    @staticmethod
    def _ended(step: RunStep) -> RunStep | None:
        return RunStep.objects.filter(pk=step.pk).exclude(state__in=[StepState.READY, StepState.RUNNING]).first()
