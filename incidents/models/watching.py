"""How far the watch has come, what it remembers, what it sent, and what it holds of every deploy."""

from datetime import datetime

from django.db import models
from django.db.models import Q

from fleet.models import Deploy
from incidents.models.incidents import Incident


class Watch(models.Model):
    """One row: who may bring the watch on, and up to where it was acted on. Each minute is acted on once."""

    holder = models.CharField(max_length=32, blank=True)
    fence = models.BigIntegerField(default=0)
    held_until = models.DateTimeField(null=True, blank=True)
    judged_to = models.DateTimeField(null=True, blank=True, help_text="End of the last bin that was acted on")
    tick_started_at = models.DateTimeField(null=True, blank=True, help_text="When the last tick that went well began")
    tick_ended_at = models.DateTimeField(null=True, blank=True)
    tick_bins = models.PositiveIntegerField(db_default=0, help_text="Bins that the last tick acted on")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_watch")]

    def __str__(self) -> str:
        return f"The watch, up to {self.judged_to}"

    @property
    def tick_seconds(self) -> float:
        """How long the last tick took."""
        began, ended = self.tick_started_at, self.tick_ended_at
        return (ended - began).total_seconds() if began and ended else 0.0

    def tick_age_seconds(self, now: datetime) -> float:
        """Since it last looked, in seconds."""
        return (now - self.tick_ended_at).total_seconds() if self.tick_ended_at else 0.0


class WatchMemory(models.Model):
    """The memory of a watcher as of a bin's end, signed; only the code that wrote it reads it."""

    judged_to = models.DateTimeField()
    version = models.CharField(max_length=64)
    content = models.BinaryField()
    saved_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "watch memories"
        indexes = [models.Index(fields=["-judged_to"])]

    def __str__(self) -> str:
        return f"Memory as of {self.judged_to}"


class Notice(models.Model):
    """A page of the correlation, or the update of one, as it was sent: by the contract of the replay."""

    at = models.DateTimeField(help_text="The bin's end by which it was known")
    update = models.BooleanField(default=False)
    verdict = models.CharField(max_length=10, choices=Incident.Verdict)
    subject = models.CharField(max_length=300)
    content = models.JSONField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["verdict", "subject", "at", "update"], name="one_notice_a_subject_and_bin")
        ]
        indexes = [models.Index(fields=["-at"])]

    def __str__(self) -> str:
        return f"{'Update' if self.update else 'Page'} of {self.at}: {self.verdict} {self.subject}"


class DeployVerdict(models.Model):
    """What is held of a deploy by now, harmless or not, and whether harm would have been seen."""

    class Word(models.TextChoices):
        CAUSE = "cause"
        SUSPECT = "suspect"
        HARMLESS = "harmless", "no sign of harm"
        EARLY = "early", "too early to tell"
        ALONE = "alone", "nothing to compare with"

    deploy = models.OneToOneField(Deploy, on_delete=models.CASCADE, related_name="standing")
    word = models.CharField(max_length=10, choices=Word)
    sentence = models.TextField()
    score = models.FloatField(default=0.0)
    rate_ratio = models.FloatField(null=True)
    interval = models.JSONField(default=list, blank=True)
    host_minutes = models.FloatField(default=0.0)
    hosts = models.PositiveIntegerField(default=0)
    controls = models.PositiveIntegerField(default=0)
    would_have_seen = models.FloatField(null=True, help_text="The smallest rise that would have been blamed by now")
    speaks_for = models.JSONField(default=list, blank=True)
    speaks_against = models.JSONField(default=list, blank=True)
    late = models.TextField(blank=True, help_text="What came late and changed it")
    judged_to = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.deploy}: {self.word}"
