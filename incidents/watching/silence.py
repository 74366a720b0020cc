"""Silence: a host that says nothing is not a healthy one, and a watch that does not look sees no harm."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from fleet.lifecycle import HostState
from fleet.models import Host
from incidents.models import Watch

LEAST_SECONDS = 30.0
MISSED = 3


def silent_hosts(now: datetime) -> QuerySet[Host]:
    """Hosts whose crashes were to be read, and have not been for some rounds of collecting."""
    seconds = max(LEAST_SECONDS, MISSED * settings.COLLECT_SECONDS, MISSED * settings.TICK_SECONDS)
    late = Q(feed_at__lt=now - timedelta(seconds=seconds)) | Q(feed_at__isnull=True) & ~Q(trouble="")
    return Host.objects.reachable().filter(late).exclude(state=HostState.UNKNOWN).order_by("name")


def stale_watch(now: datetime) -> Watch | None:
    """The watch, where it has not looked for some ticks."""
    seconds = max(LEAST_SECONDS, MISSED * settings.TICK_SECONDS)
    return Watch.objects.filter(tick_ended_at__lt=now - timedelta(seconds=seconds)).first()


def silent_names(names: Iterable[str], now: datetime) -> list[str]:
    """Which of these hosts are silent."""
    asked = set(names)
    return [name for name in silent_hosts(now).values_list("name", flat=True) if name in asked]
