"""Leases and fences: who may act now, and how hosts tell that somebody else took over."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection


@dataclass(frozen=True)
class Lease:
    """The right to drive one row until `until_at`; effects on hosts carry its fence."""

    owner: str
    fence: int
    until_at: datetime


def new_lease(now: datetime) -> Lease:
    """A lease with an owner and a fence that nobody had before."""
    return Lease(secrets.token_hex(8), next_fence(), lease_end(now))


def lease_end(now: datetime) -> datetime:
    """When a lease taken or renewed now runs out."""
    return now + timedelta(seconds=settings.LEASE_SECONDS)


def next_fence() -> int:
    """A number higher than every one before it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('fleet_fence')")
        return int(cursor.fetchone()[0])
