"""Requests to hosts, and what became of them."""

from django.db import models

from fleet.lifecycle import OperationState
from fleet.models.hosts import Host
from fleet.models.querysets import LifecycleQuerySet, StateField, state_is_known


class Operation(models.Model):
    """One request to one host. `name` is the operation id that the host knows: sent again, it never acts twice."""

    name = models.CharField(max_length=200, unique=True)
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="operations")
    verb = models.CharField(max_length=20)
    arguments = models.JSONField(default=dict, blank=True)
    reference = models.CharField(max_length=64, blank=True)
    actor = models.CharField(max_length=150)
    state = StateField(OperationState, default=OperationState.PENDING)
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    error = models.CharField(max_length=64, blank=True)
    message = models.TextField(blank=True)

    objects = LifecycleQuerySet["Operation"].as_manager()

    class Meta:
        constraints = [state_is_known(OperationState, "operation_state_is_known")]
        indexes = [
            models.Index(fields=["host", "-requested_at"]),
            models.Index(fields=["reference"]),
            models.Index(fields=["state", "lease_until"]),
        ]

    def __str__(self) -> str:
        return self.name
