"""Plays the stored past through a correlation of its own, a window of facts at a time.

Hosts and dynos are taken as they are now: what they were is not kept.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from django.db.models import Q

from fleet.models import App, CrashMinute, Deploy, HostDeploy, KernelLine
from incidents.correlation import facts
from incidents.correlation.correlator import Correlator
from incidents.correlation.settings import Settings
from incidents.correlation.verdict import Board
from incidents.models import Evidence
from incidents.watching.memory import HISTORY_BINS
from incidents.watching.readings import DAMAGE_LINES, KINDS, DynoReader, HostReader, Told, tell
from incidents.watching.watcher import COARSE_BINS, FINE_BINS

WINDOW_BINS = 240
LATE = timedelta(days=1)  # crashes that came later than this are left out


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the past, and from when on facts are read so that the correlation knows what is usual."""

    begins: float
    since: float
    until: float

    @property
    def seconds(self) -> float:
        """All that has to be played."""
        return max(self.until - self.begins, 1.0)


def first_stored() -> datetime | None:
    """The first minute on record."""
    return CrashMinute.objects.order_by("minute").values_list("minute", flat=True).first()


def span_of(*, since: datetime, until: datetime, bin_seconds: float) -> Span:
    """The span with its run-up: a day's worth of ticks, or what there is."""
    first = first_stored() or since
    begins = max(first.timestamp(), since.timestamp() - HISTORY_BINS * bin_seconds)
    return Span(min(begins, since.timestamp()), since.timestamp(), until.timestamp())


def boards(span: Span, settings: Settings) -> Iterator[Board]:
    """What would have stood at each tick, by what was known by then; memory holds one window of facts."""
    correlator = Correlator(settings)
    for told in (*HostReader().new(), *DynoReader().new(_moment(span.until))):
        tell(correlator, told.fact)
    apps = dict(App.objects.values_list("pk", "name"))
    window, read_until = WINDOW_BINS * settings.bin_seconds, span.begins
    for _, ticks in groupby(tick_times(span, settings.bin_seconds), lambda at: at // window):
        times = list(ticks)
        waiting = deque(sorted(_told_between(read_until, times[-1], apps), key=lambda told: told.order))
        read_until = times[-1]
        for at in times:
            while waiting and waiting[0].known_at < at:
                tell(correlator, waiting.popleft().fact)
            yield correlator.tick(at)


def tick_times(span: Span, bin_seconds: float) -> Iterator[float]:
    """Every bin's end; in the run-up coarsely, as where the watch rebuilds its memory."""
    fine_from = span.since - FINE_BINS * bin_seconds
    for number in range(math.floor(span.begins / bin_seconds) + 1, math.floor(span.until / bin_seconds) + 1):
        at = number * bin_seconds
        if at >= fine_from or number % COARSE_BINS == 0:
            yield at


def _told_between(after: float, until: float, apps: dict[int, str]) -> Iterator[Told]:
    """The facts that became known in [after, until)."""
    start, end = _moment(after), _moment(until)
    yield from _crashes(start, end, apps)
    yield from _deploys(start, end)
    yield from _host_deploys(start, end)
    yield from _evidence(start, end)


def _crashes(start: datetime, end: datetime, apps: dict[int, str]) -> Iterator[Told]:
    rows = CrashMinute.objects.filter(
        minute__gte=start - LATE, minute__lt=end, first_received_at__gte=start, first_received_at__lt=end
    )
    values = rows.values_list("host__name", "app_id", "kind", "first_at", "first_received_at")
    for host, app, kind, first_at, first_received_at in values.iterator(chunk_size=5000):
        at, received_at, (name, signal) = first_at.timestamp(), first_received_at.timestamp(), KINDS[kind]
        if host is not None:
            crash = facts.Crash(at, received_at, host, apps.get(app, ""), kind=name, signal=signal)
            yield Told(received_at, crash)


def _deploys(start: datetime, end: datetime) -> Iterator[Told]:
    rows = Deploy.objects.filter(_became_known("started_at", start, end)).select_related("stack")
    for row in rows.order_by("started_at", "pk"):
        stack = row.stack.name if row.stack else None
        deploy = facts.Deploy(row.key, row.started_at.timestamp(), row.target, row.kind, stack)
        yield Told((row.received_at or row.started_at).timestamp(), deploy)


def _host_deploys(start: datetime, end: datetime) -> Iterator[Told]:
    rows = HostDeploy.objects.filter(_became_known("at", start, end)).order_by("pk")
    values = rows.values_list("deploy__key", "host__name", "at", "received_at", "started_at", "outcome")
    for deploy, host, at, received_at, started_at, outcome in values.iterator(chunk_size=5000):
        began = started_at.timestamp() if started_at else None
        host_deploy = facts.HostDeploy(deploy, host, at.timestamp(), outcome, began)
        yield Told((received_at or at).timestamp(), host_deploy)


def _evidence(start: datetime, end: datetime) -> Iterator[Told]:
    lines = KernelLine.objects.filter(_became_known("at", start, end), kind__in=DAMAGE_LINES).order_by("pk")
    for host, at, received_at, kind, line in lines.values_list("host__name", "at", "received_at", "kind", "line"):
        yield Told((received_at or at).timestamp(), facts.Evidence(host, at.timestamp(), kind, line))
    verified = Evidence.objects.filter(kind="verification", host__isnull=False).order_by("pk")
    verified = verified.filter(observed_at__gte=start, observed_at__lt=end)
    for host, at, text, data in verified.values_list("host__name", "observed_at", "summary", "data"):
        kind = f"verified_{data.get('finding', '')}"
        yield Told(at.timestamp(), facts.Evidence(str(host), at.timestamp(), kind, text))


def _became_known(field: str, start: datetime, end: datetime) -> Q:
    """Rows told of in [start, end); where it is not said when, at once."""
    at_once = Q(**{"received_at__isnull": True, f"{field}__gte": start, f"{field}__lt": end})
    return at_once | Q(received_at__gte=start, received_at__lt=end)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
