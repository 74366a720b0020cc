"""Backtests: changed thresholds over the stored past."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q

from fleet.models.querysets import LifecycleQuerySet, StateField, due, state_is_known
from incidents.lifecycle import BacktestState


class BacktestQuerySet(LifecycleQuerySet["Backtest"]):
    """Filters on backtests."""

    def due(self, now: datetime) -> Self:
        """Those that wait, and those whose process is gone."""
        return self.filter(Q(state=BacktestState.QUEUED) | Q(due(now), state=BacktestState.RUNNING))


class Backtest(models.Model):
    """One run over the stored past, with `changes` to the thresholds in use. Whoever runs it holds its lease."""

    state = StateField(BacktestState, default=BacktestState.QUEUED)
    changes = models.JSONField(default=dict, blank=True)
    since_at = models.DateTimeField()
    until_at = models.DateTimeField()
    progress = models.FloatField(default=0.0, help_text="0 to 1")
    result = models.JSONField(default=dict, blank=True)
    message = models.TextField(blank=True)
    requested_at = models.DateTimeField()
    requested_by = models.CharField(max_length=150)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    only = models.BooleanField(default=True, editable=False)

    objects = BacktestQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            state_is_known(BacktestState, "backtest_state_is_known"),
            models.UniqueConstraint(
                fields=["only"], condition=Q(state__in=BacktestState.live()), name="one_live_backtest"
            ),
            models.CheckConstraint(condition=Q(only=True), name="backtest_is_one_of_all"),
            models.CheckConstraint(condition=Q(since_at__lt=F("until_at")), name="backtest_begins_before_it_ends"),
        ]

    def __str__(self) -> str:
        return f"Backtest {self.pk}"
