"""Hosts and the taints on them."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from fleet.lifecycle import HostState
from fleet.models.querysets import LifecycleQuerySet, StateField, state_is_known


class HostQuerySet(LifecycleQuerySet["Host"]):
    """Filters on hosts."""

    def reachable(self) -> Self:
        """Hosts that can be asked over SSH."""
        return self.exclude(address="").exclude(host_key="").exclude(state=HostState.RETIRED)

    def taking_dynos(self) -> Self:
        """Hosts that take new dynos."""
        return self.filter(state=HostState.IN_SERVICE)


class Host(models.Model):
    """A machine that runs dynos."""

    name = models.CharField(max_length=253, unique=True)
    state = StateField(HostState, default=HostState.ENROLLING)
    attributes = models.JSONField(default=dict, blank=True)
    address = models.CharField(max_length=253, blank=True)
    port = models.PositiveIntegerField(default=22)
    ssh_user = models.CharField(max_length=64, default="faultline")
    host_key = models.TextField(blank=True, help_text="The pinned public key, one OpenSSH line")
    memory_mb = models.PositiveIntegerField(default=0)
    slots = models.PositiveIntegerField(default=0)
    provisioned_at = models.DateTimeField(null=True, blank=True)
    added_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True, blank=True, help_text="When it last answered or reported")
    feed_cursor = models.TextField(blank=True, help_text="Up to where its crashes have been read")
    feed_at = models.DateTimeField(null=True, blank=True, help_text="When its crashes were last read")
    trouble = models.TextField(blank=True, help_text="Why it could not be reached when last tried")

    objects = HostQuerySet.as_manager()

    class Meta:
        constraints = [state_is_known(HostState, "host_state_is_known")]
        indexes = [models.Index(fields=["state", "name"]), GinIndex(fields=["attributes"], name="host_attributes")]

    def __str__(self) -> str:
        return self.name


class TaintQuerySet(models.QuerySet["Taint"]):
    """Filters on taints."""

    def standing(self) -> Self:
        """Taints that have not been lifted."""
        return self.filter(lifted_at__isnull=True)

    def expired(self, now: datetime) -> Self:
        """Taints still standing though their time is over."""
        return self.standing().filter(expires_at__lt=now)


class Taint(models.Model):
    """A mark on a host: no new dynos. `proof` says what was checked when it was lifted."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="taints")
    reason = models.TextField()
    reference = models.CharField(max_length=64, blank=True)
    owner = models.CharField(max_length=150)
    set_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=150, blank=True)
    proof = models.JSONField(default=dict, blank=True)

    objects = TaintQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["host"], condition=Q(lifted_at__isnull=True), name="one_standing_taint_a_host"
            )
        ]
        indexes = [models.Index(fields=["reference"])]

    def __str__(self) -> str:
        return f"{self.host}: {self.reason}"
