"""Deploy gates."""

from django.db import models
from django.db.models import Q

from fleet.models import Stack
from incidents.models.incidents import Incident


class Gate(models.Model):
    """One closing of a stack's deploy gate, for an incident or by hand: a stack is open when none stands here.

    Two incidents close it each for themselves, so that the end of one does not open it for the other.
    """

    stack = models.ForeignKey(Stack, on_delete=models.CASCADE, related_name="gates")
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.SET_NULL, related_name="gates")
    reason = models.TextField()
    closed_at = models.DateTimeField()
    closed_by = models.CharField(max_length=150)
    opened_at = models.DateTimeField(null=True, blank=True)
    opened_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stack", "incident"],
                condition=Q(opened_at__isnull=True, incident__isnull=False),
                name="one_closed_gate_an_incident",
            ),
            models.UniqueConstraint(
                fields=["stack"],
                condition=Q(opened_at__isnull=True, incident__isnull=True),
                name="one_gate_closed_by_hand",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stack}: {self.reason}"
