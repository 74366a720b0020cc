"""Silence: a host that says nothing is not a healthy one, and a watch that does not look sees no harm."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from fleet.lifecycle import HostState
from fleet.models import CrashMinute, Host
from incidents.correlation import facts
from incidents.models import Watch
from incidents.watching.readings import AT_ONCE, Told

LEAST_SECONDS = 30.0
MISSED = 3
HEARD = CrashMinute.objects.filter(
    host=OuterRef("pk"), minute__gte=OuterRef("feed_at"), first_received_at__gt=OuterRef("feed_at")
)


def silent_hosts(now: datetime) -> QuerySet[Host]:
    """Hosts whose crashes were to be read, and have not been for some rounds of collecting."""
    late = Q(feed_at__lt=now - timedelta(seconds=patience_seconds())) | Q(feed_at__isnull=True) & ~Q(trouble="")
    return Host.objects.reachable().filter(late).exclude(state=HostState.UNKNOWN).order_by("name")


def patience_seconds() -> float:
    """For how long nothing may be heard of a host before it counts as silent."""
    return max(LEAST_SECONDS, MISSED * settings.COLLECT_SECONDS, MISSED * settings.TICK_SECONDS)


class SilenceReader:
    """The hosts that fell silent, and those that are heard again, for the correlation.

    A host whose journal was never read, or that is heard by another way since, does not count: its crashes come in.
    """

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def new(self, now: datetime) -> Iterator[Told]:
        """What changed since the last call; a silence is known once the patience with the host is over."""
        silent = silent_hosts(now).filter(feed_at__isnull=False)
        found = dict(silent.exclude(Exists(HEARD)).values_list("name", "feed_at"))
        since = {name: feed_at.timestamp() for name, feed_at in found.items() if feed_at}
        for name in self._since.keys() - since.keys():
            yield Told(AT_ONCE, facts.Silence(name, None))
        for name in sorted(since):
            if self._since.get(name) != since[name]:
                yield Told(since[name] + patience_seconds(), facts.Silence(name, since[name]))
        self._since = since


def stale_watch(now: datetime) -> Watch | None:
    """The watch, where it has not looked for some ticks."""
    seconds = max(LEAST_SECONDS, MISSED * settings.TICK_SECONDS)
    return Watch.objects.filter(tick_ended_at__lt=now - timedelta(seconds=seconds)).first()


def silent_names(names: Iterable[str], now: datetime) -> list[str]:
    """Which of these hosts are silent."""
    asked = set(names)
    return [name for name in silent_hosts(now).values_list("name", flat=True) if name in asked]
