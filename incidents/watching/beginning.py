"""When what a verdict is about began: the first crash that counts towards it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from django.conf import settings
from django.db.models import Count, QuerySet

from fleet.models import App, CrashKind, CrashMinute, Deploy, Host, HostDeploy
from incidents.correlation.verdict import Verdict

HARD = frozenset(kind for kind in CrashKind if kind >= CrashKind.ABORT)
MINUTE = timedelta(minutes=1)
PAST_MINUTES = 180  # what is usual is the median of these
LATELY_MINUTES = 5  # in which what was named just now shows
CALM_MINUTES = 2  # so many in a row end the walk back


def first_crash_at(verdict: Verdict, deploy: Deploy | None, *, now: datetime) -> datetime:
    """The first crash that counts, by what was known by then; now where none is found."""
    if verdict.kind in {"fleet", "app"}:
        return _first_of_rise(_concerned(verdict), now)
    return _first_on_hosts(verdict, deploy, now)


def _first_on_hosts(verdict: Verdict, deploy: Deploy | None, now: datetime) -> datetime:
    """On a named host, since the deploy touched it; hard ones where most are hard."""
    hosts = dict(Host.objects.filter(name__in=verdict.hosts).values_list("pk", "name"))
    since = _counts_since(deploy, set(hosts), now)
    if not since:
        return now
    rows = CrashMinute.objects.filter(
        host_id__in=list(since), minute__gte=min(since.values()) - MINUTE, first_at__lte=now
    )
    counted = [
        (first_at, kind)
        for host, kind, first_at in rows.values_list("host_id", "kind", "first_at")
        if first_at >= since[host]
    ]
    hard = [first_at for first_at, kind in counted if kind in HARD]
    chosen = hard if 2 * len(hard) >= len(counted) else [first_at for first_at, _ in counted]
    return min(chosen, default=now)


def _counts_since(deploy: Deploy | None, hosts: set[int], now: datetime) -> dict[int, datetime]:
    """From when on each host's crashes count; a deploy tool stamps a host after it touched it, so a tick earlier."""
    if deploy is None:
        lately = now - timedelta(seconds=60 * settings.TICK_SECONDS)
        return dict.fromkeys(hosts, lately)
    touched = HostDeploy.objects.filter(deploy=deploy, host_id__in=hosts).values_list("host_id", "at")
    early = timedelta(seconds=settings.TICK_SECONDS)
    return {host: max(deploy.started_at, at - early) for host, at in touched}


def _concerned(verdict: Verdict) -> QuerySet[CrashMinute]:
    """The crashes of an app, or all."""
    if verdict.kind == "fleet":
        return CrashMinute.objects.all()
    return CrashMinute.objects.filter(app_id__in=App.objects.filter(name=verdict.subject).values("pk"))


def _first_of_rise(rows: QuerySet[CrashMinute], now: datetime) -> datetime:
    """The first crash beyond the usual number of the minute in which the rise of late began."""
    last = now.replace(second=0, microsecond=0)
    minutes = [last - MINUTE * back for back in range(PAST_MINUTES - 1, -1, -1)]
    known = rows.filter(first_at__lte=now, first_received_at__lte=now)
    counts = known.filter(minute__gte=minutes[0]).values("minute").annotate(crashes=Count("*"))
    by_minute = dict(counts.values_list("minute", "crashes"))
    totals = [by_minute.get(minute, 0) for minute in minutes]
    place = rise_begins(totals)
    if place is None:
        return now
    times = known.filter(minute=minutes[place]).order_by("first_at").values_list("first_at", flat=True)
    return list(times)[min(int(median(totals)), totals[place] - 1)]


def rise_begins(totals: Sequence[int]) -> int | None:
    """The place of the first minute of the rise that the last ones show; None where they show none."""
    usual, highest = median(totals), max(totals[-LATELY_MINUTES:])
    least = usual + max(2 * usual**0.5, (highest - usual) / 4)
    begins, calm = None, 0
    for place in range(len(totals) - 1, -1, -1):
        if totals[place] > least:
            begins, calm = place, 0
        elif place < len(totals) - LATELY_MINUTES:
            calm += 1
        if calm >= CALM_MINUTES:
            break
    return begins
