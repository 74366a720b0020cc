"""Tokens of programs that call the HTTP interface."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class ApiToken(models.Model):
    """A bearer token; only a digest of it is kept. `prefix` lets a person tell tokens apart."""

    class Scope(models.TextChoices):
        CRASHES = "crashes"
        INVENTORY = "inventory"
        DEPLOYS = "deploys"
        READ = "read"
        RESPOND = "respond"

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope))
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
