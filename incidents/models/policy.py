"""What administrators decided beforehand."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from incidents.models.incidents import Incident


class GatePolicy(models.Model):
    """When the gate of a stack closes by itself. One row at most; without it nothing closes by itself."""

    NAME = "close the gate on blame"

    only = models.BooleanField(default=True, unique=True, editable=False)
    enabled = models.BooleanField(default=False)
    least_score = models.FloatField(default=14.0, validators=[MinValueValidator(0.0)])
    least_severity = models.CharField(max_length=10, choices=Incident.Severity, default=Incident.Severity.MAJOR)
    changed_at = models.DateTimeField(null=True, blank=True)
    changed_by = models.CharField(max_length=150, blank=True)

    class Meta:
        verbose_name_plural = "gate policies"
        constraints = [
            models.CheckConstraint(condition=Q(only=True), name="gate_policy_is_one"),
            models.CheckConstraint(condition=Q(least_score__gte=0), name="gate_policy_score_is_a_score"),
        ]

    def __str__(self) -> str:
        return self.NAME
