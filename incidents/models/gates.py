"""Deploy gates."""

from django.db import models
from django.db.models import Q

from fleet.models import Stack
from incidents.models.incidents import Incident


class Gate(models.Model):
    """One closing of a stack's deploy gate. Open is the rule: a stack with no standing row here is open."""

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
                fields=["stack"], condition=Q(opened_at__isnull=True), name="one_closed_gate_a_stack"
            )
        ]

    def __str__(self) -> str:
        return f"{self.stack}: {self.reason}"
