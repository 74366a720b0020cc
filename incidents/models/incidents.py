"""Incidents: what is going wrong, what is suspected, on which hosts."""

from typing import Self

from django.db import models
from django.db.models import Q

from fleet.models import App, Deploy, Host, Stack
from fleet.models.querysets import LifecycleQuerySet, StateField, state_is_known
from incidents.lifecycle import IncidentState


class IncidentQuerySet(LifecycleQuerySet["Incident"]):
    """Filters on incidents."""

    def ongoing(self) -> Self:
        """Incidents that still want somebody's eyes."""
        return self.filter(state__in=IncidentState.ongoing())


class Incident(models.Model):
    """One thing that goes wrong. Its number is its primary key; `subject` is the cause as the correlation names it."""

    class Verdict(models.TextChoices):
        DEPLOY = "deploy"
        HOST = "host"
        APP = "app"
        GROUP = "group"
        FLEET = "fleet"

    class Severity(models.TextChoices):
        MAJOR = "major"
        MINOR = "minor"
        NOTICE = "notice"

    state = StateField(IncidentState, default=IncidentState.OPEN)
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.MAJOR)
    verdict = models.CharField(max_length=10, choices=Verdict)
    subject = models.CharField(max_length=300, help_text="Deploy key, host or app name, or slice such as zone=b")
    headline = models.TextField(help_text="The cause in one sentence, with its numbers")
    deploy = models.ForeignKey(Deploy, null=True, blank=True, on_delete=models.PROTECT, related_name="incidents")
    stack = models.ForeignKey(Stack, null=True, blank=True, on_delete=models.PROTECT, related_name="incidents")
    cohort = models.JSONField(default=dict, blank=True)
    numbers = models.JSONField(default=dict, blank=True)
    began_at = models.DateTimeField(help_text="The first crash that counts towards it")
    opened_at = models.DateTimeField()
    named_at = models.DateTimeField(null=True, blank=True, help_text="When its cause was named as it stands now")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)
    mitigated_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    last_sequence = models.PositiveIntegerField(default=0, help_text="Of its timeline; its row lock orders the entries")

    objects = IncidentQuerySet.as_manager()

    class Meta:
        constraints = [
            state_is_known(IncidentState, "incident_state_is_known"),
            models.UniqueConstraint(
                fields=["verdict", "subject"],
                condition=Q(state__in=IncidentState.ongoing()),
                name="one_ongoing_incident_a_subject",
            ),
            models.CheckConstraint(
                condition=~Q(verdict="deploy") | Q(deploy__isnull=False), name="deploy_verdict_has_deploy"
            ),
        ]
        indexes = [models.Index(fields=["-opened_at"])]
        permissions = [
            ("respond", "May act: incidents, runs, taints, migrations, gates"),
            ("administer", "May change people, tokens, webhook sources and policy"),
        ]

    def __str__(self) -> str:
        return f"Incident {self.pk}"

    @property
    def compares_hosts(self) -> bool:
        """Whether its numbers compare hosts with other hosts; else they compare with the same ones' own past."""
        return self.verdict in {self.Verdict.DEPLOY, self.Verdict.GROUP}

    @property
    def reference(self) -> str:
        """How rows of the fleet refer to it."""
        return f"incident:{self.pk}"


class IncidentHost(models.Model):
    """A host that the incident names, from `since_at` on; `until_at` is set when the verdict no longer names it."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="incident_hosts")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="incident_hosts")
    since_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "host"], name="one_row_an_incident_and_host")]

    def __str__(self) -> str:
        return f"{self.host} in {self.incident}"


class Suspect(models.Model):
    """A deploy as a possible cause: its score, and what speaks for it and against it."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="suspects")
    deploy = models.ForeignKey(Deploy, on_delete=models.CASCADE, related_name="suspicions")
    score = models.FloatField()
    rate_ratio = models.FloatField(null=True)
    interval = models.JSONField(default=list, blank=True)
    speaks_for = models.JSONField(default=list, blank=True)
    speaks_against = models.JSONField(default=list, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-score"]
        constraints = [models.UniqueConstraint(fields=["incident", "deploy"], name="one_suspect_a_deploy")]

    def __str__(self) -> str:
        return f"{self.deploy} ({self.score:.1f})"


class Evidence(models.Model):
    """One observation that bears on the suspected cause: a verification, a kernel line, a healthy control."""

    class Bearing(models.TextChoices):
        FOR = "for"
        AGAINST = "against"
        NEUTRAL = "neutral"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="evidence")
    host = models.ForeignKey(Host, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=30)
    bearing = models.CharField(max_length=10, choices=Bearing)
    summary = models.TextField()
    data = models.JSONField(default=dict, blank=True)
    observed_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "evidence"
        indexes = [models.Index(fields=["incident", "-observed_at"])]

    def __str__(self) -> str:
        return self.summary


class Report(models.Model):
    """What a person reported: "my app segfaults since noon"."""

    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.SET_NULL, related_name="reports")
    text = models.TextField()
    app = models.ForeignKey(App, null=True, blank=True, on_delete=models.SET_NULL, related_name="reports")
    host = models.ForeignKey(Host, null=True, blank=True, on_delete=models.SET_NULL, related_name="reports")
    reporter = models.CharField(max_length=150)
    reported_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.text[:60]
