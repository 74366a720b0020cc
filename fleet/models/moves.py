"""Migrations and their moves."""

from django.db import models
from django.db.models import F, Q

from fleet.lifecycle import MigrationState, MoveState
from fleet.models.dynos import Dyno
from fleet.models.hosts import Host
from fleet.models.querysets import LifecycleQuerySet, StateField, state_is_known


class Migration(models.Model):
    """One carrying-out of a plan of moves; `fence` grows with each holder of the lease."""

    reference = models.CharField(max_length=64, blank=True)
    state = StateField(MigrationState, default=MigrationState.PLANNED)
    limits = models.JSONField(default=dict, blank=True)
    actor = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)
    trouble = models.TextField(blank=True, help_text="Why it paused by itself, or what it waits for")

    objects = LifecycleQuerySet["Migration"].as_manager()

    class Meta:
        constraints = [state_is_known(MigrationState, "migration_state_is_known")]
        indexes = [models.Index(fields=["reference"]), models.Index(fields=["state", "lease_until"])]

    def __str__(self) -> str:
        return f"migration {self.pk}"


class Move(models.Model):
    """The migration of one dyno from its host to a fresh one."""

    migration = models.ForeignKey(Migration, on_delete=models.CASCADE, related_name="moves")
    dyno = models.ForeignKey(Dyno, on_delete=models.CASCADE, related_name="moves")
    source = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="moves_away")
    target = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="moves_here")
    position = models.PositiveIntegerField()
    wave = models.PositiveIntegerField(default=0)
    state = StateField(MoveState, default=MoveState.PLANNED)
    attempts = models.PositiveIntegerField(default=0)
    message = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = LifecycleQuerySet["Move"].as_manager()

    class Meta:
        constraints = [
            state_is_known(MoveState, "move_state_is_known"),
            models.UniqueConstraint(
                fields=["dyno"],
                condition=~Q(state__in=[MoveState.DONE.value, MoveState.FAILED.value, MoveState.CANCELLED.value]),
                name="one_live_move_a_dyno",
            ),
            models.UniqueConstraint(fields=["migration", "position"], name="one_move_a_position"),
            models.CheckConstraint(condition=~Q(source=F("target")), name="move_goes_elsewhere"),
        ]

    def __str__(self) -> str:
        return f"{self.dyno}: {self.source} to {self.target}"
