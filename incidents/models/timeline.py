"""The timeline of an incident."""

import pgtrigger
from django.db import models

from incidents.models.incidents import Incident


class TimelineEntry(models.Model):
    """One fact of an incident; the database itself refuses to change it, to delete it, or to empty the table.

    `digest` covers the entry and the digest of the one before, so that a gap or a later change shows.
    """

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="timeline")
    sequence = models.PositiveIntegerField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    actor_kind = models.CharField(max_length=10)
    actor = models.CharField(max_length=150)
    text = models.TextField()
    data = models.JSONField(default=dict, blank=True)
    previous_digest = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["sequence"]
        verbose_name_plural = "timeline entries"
        constraints = [models.UniqueConstraint(fields=["incident", "sequence"], name="one_entry_a_sequence")]
        indexes = [models.Index(fields=["incident", "occurred_at"])]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="never_emptied",
                when=pgtrigger.Before,
                operation=pgtrigger.Truncate,
                level=pgtrigger.Statement,
                func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.occurred_at}: {self.text}"
