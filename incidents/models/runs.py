"""Runs of runbooks and their steps."""

from django.db import models
from django.db.models import Q

from fleet.models.querysets import LifecycleQuerySet, StateField, state_is_known
from incidents.lifecycle import RunState, StepState
from incidents.models.incidents import Incident


class RunbookRun(models.Model):
    """One execution of a runbook for an incident; `plan` is the runbook as it was at the start."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="runs")
    runbook = models.SlugField(max_length=100)
    title = models.CharField(max_length=200)
    plan = models.JSONField()
    state = StateField(RunState, default=RunState.RUNNING)
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=150)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = LifecycleQuerySet["RunbookRun"].as_manager()

    class Meta:
        constraints = [
            state_is_known(RunState, "run_state_is_known"),
            models.UniqueConstraint(
                fields=["incident"], condition=Q(state__in=RunState.live()), name="one_live_run_an_incident"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} for {self.incident}"


class RunStep(models.Model):
    """One step of a run. Whoever drives it holds its lease; `fence` grows with each holder.

    `prepared` is the plan that a person saw and confirmed, `digest` binds the confirmation to it,
    `result` is what came out, with its numbers. `choice` is what the person chose.
    `asked` says who waits for a second person to approve.
    """

    run = models.ForeignKey(RunbookRun, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    key = models.SlugField(max_length=60)
    kind = models.CharField(max_length=20)
    title = models.CharField(max_length=200)
    state = StateField(StepState, default=StepState.WAITING)
    prepared = models.JSONField(default=dict, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    choice = models.JSONField(default=dict, blank=True)
    result = models.JSONField(default=dict, blank=True)
    message = models.TextField(blank=True)
    confirmed_by = models.CharField(max_length=150, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    asked = models.JSONField(default=dict, blank=True, help_text="Who asked a second person, when, for which digest")
    attempt = models.PositiveIntegerField(default=0, help_text="How often it was confirmed")
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)

    objects = LifecycleQuerySet["RunStep"].as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [
            state_is_known(StepState, "step_state_is_known"),
            models.UniqueConstraint(fields=["run", "position"], name="one_step_a_position"),
            models.UniqueConstraint(fields=["run", "key"], name="one_step_a_key"),
        ]
        indexes = [models.Index(fields=["state", "lease_until"])]

    def __str__(self) -> str:
        return self.title
