"""Deploys, and what each did on each host."""

from datetime import timedelta

from django.db import models
from django.db.models import Q

from fleet.models.hosts import Host
from fleet.models.stacks import Stack, StackImage

LATE = timedelta(minutes=3)


class Deploy(models.Model):
    """One attempt to change hosts: bring a stack image, an agent, a kernel or a configuration onto them."""

    class Target(models.TextChoices):
        STACK = "stack"
        AGENT = "agent"
        KERNEL = "kernel"
        CONFIG = "config"

    class Kind(models.TextChoices):
        UPGRADE = "upgrade"
        REDEPLOY = "redeploy"
        ROLLBACK = "rollback"
        ABORT = "abort"
        PROVISION = "provision"

    key = models.CharField(max_length=200, unique=True, help_text="Its name in the deploy tool")
    target = models.CharField(max_length=10, choices=Target)
    kind = models.CharField(max_length=10, choices=Kind)
    stack = models.ForeignKey(Stack, null=True, blank=True, on_delete=models.PROTECT, related_name="deploys")
    image = models.ForeignKey(StackImage, null=True, blank=True, on_delete=models.SET_NULL, related_name="deploys")
    from_image = models.ForeignKey(StackImage, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    started_at = models.DateTimeField()
    received_at = models.DateTimeField(null=True, blank=True, help_text="When it was first told of; null: as it began")
    finished_at = models.DateTimeField(null=True, blank=True)
    aborted = models.BooleanField(default=False)
    by = models.CharField(max_length=150, blank=True)
    source = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(target="stack") | Q(stack__isnull=False), name="stack_deploy_names_its_stack"
            )
        ]
        indexes = [models.Index(fields=["-started_at"])]

    def __str__(self) -> str:
        return self.key


class HostDeploy(models.Model):
    """What one deploy did on one host."""

    class Outcome(models.TextChoices):
        INSTALLED = "installed"
        SKIPPED = "skipped"
        OVERWROTE = "overwrote"
        FAILED = "failed"

    deploy = models.ForeignKey(Deploy, on_delete=models.CASCADE, related_name="host_deploys")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="host_deploys")
    at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True, help_text="When it began there, where the tool says so")
    received_at = models.DateTimeField(null=True, blank=True, help_text="When it was first told of; null: at once")
    corrected_at = models.DateTimeField(null=True, blank=True, help_text="When its time or outcome was told otherwise")
    outcome = models.CharField(max_length=10, choices=Outcome)
    tools_version = models.CharField(max_length=50, blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deploy", "host"], name="one_outcome_a_host_and_deploy")]
        indexes = [
            models.Index(fields=["host", "-at"]),
            models.Index(fields=["-at"]),
            models.Index(fields=["-received_at"]),
            models.Index(
                fields=["-corrected_at"], condition=Q(corrected_at__isnull=False), name="corrected_host_deploys"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deploy} on {self.host}: {self.outcome}"

    @property
    def came_late(self) -> bool:
        """Whether it was told of minutes after it happened."""
        return self.received_at is not None and self.received_at - self.at >= LATE
