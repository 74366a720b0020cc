"""Webhook sources and what they delivered, kept raw."""

from django.db import models
from django.db.models import Q

from fleet.models.deploys import Deploy


class WebhookSource(models.Model):
    """A sender of deploy events: its format, and up to two live secrets so that one can be changed without a gap."""

    name = models.SlugField(max_length=100, unique=True)
    format = models.CharField(max_length=50, default="faultline")
    secret = models.CharField(max_length=200)
    previous_secret = models.CharField(max_length=200, blank=True)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class WebhookDelivery(models.Model):
    """One delivery that passed the signature, as it came, and what was made of it."""

    class Status(models.TextChoices):
        ACCEPTED = "accepted"
        IGNORED = "ignored"
        NOT_UNDERSTOOD = "not_understood", "not understood"

    source = models.ForeignKey(WebhookSource, on_delete=models.CASCADE, related_name="deliveries")
    delivery = models.CharField(max_length=200)
    received_at = models.DateTimeField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    status = models.CharField(max_length=20, choices=Status)
    problems = models.JSONField(default=list, blank=True)
    deploy = models.ForeignKey(Deploy, null=True, blank=True, on_delete=models.SET_NULL, related_name="deliveries")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "delivery"], name="one_row_a_delivery"),
            models.CheckConstraint(condition=~Q(delivery=""), name="delivery_has_an_id"),
        ]
        indexes = [models.Index(fields=["-received_at"])]

    def __str__(self) -> str:
        return self.delivery
