"""Apps and their dynos."""

from typing import Self

from django.db import models
from django.db.models import Q

from fleet.lifecycle import DynoState
from fleet.models.hosts import Host
from fleet.models.querysets import LifecycleQuerySet, StateField, state_is_known
from fleet.models.stacks import Stack, StackImage


class App(models.Model):
    """What a customer runs."""

    name = models.CharField(max_length=150, unique=True)
    owner = models.CharField(max_length=150, blank=True)
    may_overlap = models.BooleanField(default=True, help_text="Whether one of its dynos may run twice for a moment")

    def __str__(self) -> str:
        return self.name


class DynoQuerySet(LifecycleQuerySet["Dyno"]):
    """Filters on dynos."""

    def placed(self) -> Self:
        """Dynos that take up room on their host."""
        return self.exclude(state__in=[DynoState.STOPPED, DynoState.LOST])


class Dyno(models.Model):
    """One container of an app. `counted` marks one that an inventory only counted and did not name."""

    name = models.CharField(max_length=400, unique=True)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="dynos")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="dynos")
    stack = models.ForeignKey(Stack, null=True, on_delete=models.CASCADE, related_name="dynos")
    image = models.ForeignKey(StackImage, null=True, blank=True, on_delete=models.SET_NULL, related_name="dynos")
    state = StateField(DynoState, default=DynoState.RUNNING)
    memory_mb = models.PositiveIntegerField(default=0)
    counted = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField()

    objects = DynoQuerySet.as_manager()

    class Meta:
        constraints = [state_is_known(DynoState, "dyno_state_is_known")]
        indexes = [
            models.Index(fields=["host", "app"], condition=~Q(state__in=["stopped", "lost"]), name="dynos_placed"),
            models.Index(fields=["changed_at"], name="dynos_changed"),
        ]

    def __str__(self) -> str:
        return self.name
