"""Channels to people, and every message that went, or is to go, through them."""

import uuid
from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from fleet.models.querysets import LifecycleQuerySet, StateField, due, state_is_known
from incidents.lifecycle import DeliveryState
from incidents.models.incidents import Incident

WAITING = (DeliveryState.PENDING.value, DeliveryState.FAILED.value)


class ChannelQuerySet(models.QuerySet["Channel"]):
    """Filters on channels."""

    def kept(self) -> Self:
        """Channels that have not been deleted."""
        return self.filter(removed_at__isnull=True)

    def usable(self) -> Self:
        """Channels that messages go through."""
        return self.kept().filter(enabled=True)


class Channel(models.Model):
    """A way to people. Its address is a secret: sealed here, and shown by its scheme and its end alone.

    A deleted channel stays, without its address, for the messages that went through it.
    """

    name = models.CharField(max_length=80)
    sealed = models.TextField(blank=True, help_text="The apprise address, encrypted")
    shown = models.CharField(max_length=80)
    service = models.CharField(max_length=80)
    verdicts = ArrayField(models.CharField(max_length=10, choices=Incident.Verdict))
    severities = ArrayField(models.CharField(max_length=10, choices=Incident.Severity))
    enabled = models.BooleanField(default=True)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=150)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(removed_at__isnull=True), name="one_kept_channel_a_name"
            ),
            models.CheckConstraint(
                condition=Q(removed_at__isnull=True) | Q(sealed="", enabled=False),
                name="removed_channel_has_no_address",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def wants(self, incident: Incident) -> bool:
        """Whether it asked for incidents of this kind."""
        return incident.verdict in self.verdicts and incident.severity in self.severities


class DeliveryQuerySet(LifecycleQuerySet["Delivery"]):
    """Filters on deliveries."""

    def unsent(self) -> Self:
        """Those that nobody has tried to send yet."""
        return self.filter(state=DeliveryState.PENDING, attempts=0)

    def due(self, now: datetime) -> Self:
        """Those to be sent by whoever comes by: their time has come, or their sender is gone."""
        abandoned = Q(state=DeliveryState.SENDING) & due(now)
        return self.filter(Q(state__in=WAITING, next_attempt_at__lte=now) | abandoned, channel__enabled=True)


class Delivery(models.Model):
    """One message through one channel. The same occasion of an incident makes one row a channel, never two.

    `key` tells apart what may come about several times (the timeline entry that it tells of); `ref` stands in the text,
    so that a message that came twice can be known as one. The text is written when it is first sent, and kept.
    """

    class Occasion(models.TextChoices):
        OPENED = "opened"
        CAUSE = "cause"
        SEVERITY = "severity"
        RESOLVED = "resolved"
        TEST = "test"

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="deliveries")
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries")
    occasion = models.CharField(max_length=10, choices=Occasion)
    key = models.CharField(max_length=100, blank=True)
    ref = models.UUIDField(default=uuid.uuid4, unique=True)
    state = StateField(DeliveryState, default=DeliveryState.PENDING)
    title = models.CharField(max_length=200, blank=True)
    text = models.TextField(blank=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    queued_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            state_is_known(DeliveryState, "delivery_state_is_known"),
            models.UniqueConstraint(fields=["channel", "incident", "occasion", "key"], name="one_delivery_an_occasion"),
            models.CheckConstraint(
                condition=Q(occasion="test") | Q(incident__isnull=False), name="delivery_has_incident"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(state__in=DeliveryState.live()), name="deliveries_to_send"
            ),
            models.Index(fields=["-queued_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.get_occasion_display()} to {self.channel}"

    @property
    def short_ref(self) -> str:
        """What stands in the message."""
        return self.ref.hex[:8]
