"""What the pages ask about the fleet. Crashes are read from the roll-ups alone, and counted by the database."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.postgres.aggregates import BoolAnd
from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from fleet.lifecycle import DynoState, HostState
from fleet.models import CrashKind, CrashMinute, Deploy, Dyno, Host

MINUTE = timedelta(minutes=1)
HARD = Q(kind__gte=CrashKind.ABORT)
PLACED = ~Q(dynos__state__in=[DynoState.STOPPED.value, DynoState.LOST.value])
SORTS: dict[str, list[Any]] = {
    "name": ["name"], "-name": ["-name"], "state": ["state", "name"],
    "seen": [F("seen_at").desc(nulls_last=True), "name"], "dynos": ["-dyno_count", "name"],
}  # fmt: skip


def minutes_until(now: datetime, span: timedelta) -> list[datetime]:
    """Every whole minute of the span that ends with the one of `now`."""
    last = now.replace(second=0, microsecond=0)
    count = int(span / MINUTE)
    return [last - MINUTE * back for back in range(count - 1, -1, -1)]


@dataclass(frozen=True)
class Pulse:
    """Crashes of the whole fleet by minute: `hard` ones by a fatal signal of the program's own, and all others."""

    minutes: list[datetime]
    hard: list[int]
    other: list[int]
    recorded: list[bool]

    @property
    def recorded_until(self) -> datetime | None:
        """The last minute of which all that is known comes from a recording."""
        return max((minute for minute, flag in zip(self.minutes, self.recorded, strict=True) if flag), default=None)


def fleet_pulse(*, now: datetime, span: timedelta = timedelta(hours=2), host: Host | None = None) -> Pulse:
    """Crashes by minute over the span, of the fleet or of one host."""
    minutes = minutes_until(now, span)
    rows = CrashMinute.objects.filter(minute__gte=minutes[0], minute__lte=minutes[-1])
    rows = rows.filter(host=host) if host else rows
    counted = {
        row["minute"]: row
        for row in rows.values("minute").annotate(
            every=Sum("count"), hard=Coalesce(Sum("count", filter=HARD), 0), flag=BoolAnd("recorded")
        )
    }
    found = [counted.get(minute, {"every": 0, "hard": 0, "flag": False}) for minute in minutes]
    return Pulse(
        minutes=minutes,
        hard=[row["hard"] for row in found],
        other=[row["every"] - row["hard"] for row in found],
        recorded=[bool(row["flag"]) for row in found],
    )


@dataclass(frozen=True)
class Heat:
    """The hosts with the most crashes beyond their own past, and their crashes by minute."""

    hosts: list[str]
    minutes: list[datetime]
    counts: list[list[int]]
    excess: list[float]


def hottest_hosts(*, now: datetime, span: timedelta = timedelta(hours=1), limit: int = 24) -> Heat:
    """Hosts by excess: crashes in the span less those in an equal span before it."""
    minutes = minutes_until(now, span)
    since = minutes[0]
    lately = Coalesce(Sum("count", filter=Q(minute__gte=since)), 0)
    before = Coalesce(Sum("count", filter=Q(minute__lt=since)), 0)
    rows = CrashMinute.objects.filter(minute__gte=since - span, minute__lte=minutes[-1]).values("host_id")
    ranked = rows.annotate(excess=lately - before, lately=lately).filter(lately__gt=0).order_by("-excess", "host_id")
    top = {row["host_id"]: row["excess"] for row in ranked[:limit]}
    names = dict(Host.objects.filter(pk__in=top).values_list("pk", "name"))
    series = crashes_by_host(list(top), minutes)
    known = [key for key in top if key in names]
    return Heat([names[key] for key in known], minutes, [series[key] for key in known], [top[key] for key in known])


def crashes_by_host(host_ids: Collection[int], minutes: Sequence[datetime]) -> dict[int, list[int]]:
    """Crashes by minute of each of the hosts."""
    place = {minute: index for index, minute in enumerate(minutes)}
    series = {key: [0] * len(minutes) for key in host_ids}
    rows = CrashMinute.objects.filter(host_id__in=host_ids, minute__gte=minutes[0], minute__lte=minutes[-1])
    for host_id, minute, count in (
        rows.values("host_id", "minute").annotate(n=Sum("count")).values_list("host_id", "minute", "n")
    ):
        series[host_id][place[minute]] = count
    return series


@dataclass(frozen=True)
class FleetState:
    """How many hosts are in which state, how many dynos they run, and which feeds are silent."""

    hosts: dict[str, int]
    dynos: int
    silent: list[str] = field(default_factory=list)
    silent_count: int = 0

    @property
    def host_count(self) -> int:
        """Hosts that are part of the fleet."""
        return sum(count for state, count in self.hosts.items() if state != HostState.RETIRED)

    @property
    def unknown_count(self) -> int:
        """Hosts that were only named, by a crash or a deploy."""
        return self.hosts.get(HostState.UNKNOWN.value, 0)


def fleet_state(*, now: datetime) -> FleetState:
    """The fleet in a few numbers."""
    hosts = dict(Host.objects.order_by().values_list("state").annotate(Count("pk")))
    silent = silent_feeds(now=now)
    names = list(silent.order_by("name").values_list("name", flat=True)[:6])
    count = silent.count() if len(names) == 6 else len(names)
    return FleetState(hosts, Dyno.objects.placed().count(), names[:5], count)


def silent_feeds(*, now: datetime) -> QuerySet[Host]:
    """Enrolled hosts whose crashes have not been read for so long that silence says nothing."""
    patience = timedelta(seconds=max(60.0, 6 * settings.COLLECT_SECONDS))
    stale = Q(feed_at__isnull=True) | Q(feed_at__lt=now - patience)
    enrolled = Host.objects.reachable().exclude(state__in=[HostState.UNKNOWN, HostState.ENROLLING])
    return enrolled.filter(stale, added_at__lt=now - patience)


def deploys_since(at: datetime, *, limit: int = 20) -> list[Deploy]:
    """The newest deploys that began since, oldest first."""
    newest = Deploy.objects.filter(started_at__gte=at).select_related("stack").order_by("-started_at")[:limit]
    return list(reversed(newest))


@dataclass(frozen=True)
class HostSearch:
    """What a person asked the list of hosts for; `words` are parts of names, or attributes as `key=value`."""

    words: str = ""
    state: str = ""
    sort: str = "name"
    page: str = "1"


@dataclass
class HostRow:
    """A host in the list."""

    host: Host
    dynos: int
    crashes: list[int]

    @property
    def crash_count(self) -> int:
        """Crashes in the last hour."""
        return sum(self.crashes)

    @property
    def hot(self) -> bool:
        """Whether its last half hour stands out from the one before."""
        half = len(self.crashes) // 2
        lately, before = sum(self.crashes[half:]), sum(self.crashes[:half])
        return lately >= 6 and lately > 3 * before


def search_hosts(search: HostSearch) -> QuerySet[Host]:
    """The hosts asked for, unordered."""
    hosts = Host.objects.all()
    if search.state in HostState.values():
        hosts = hosts.filter(state=search.state)
    for word in search.words.split()[:8]:
        key, equals, value = word.partition("=")
        hosts = hosts.filter(attributes__contains={key: value}) if equals else hosts.filter(name__icontains=word)
    return hosts


def page_of_hosts(search: HostSearch, *, now: datetime, size: int = 50) -> tuple[Page[Any], list[HostRow]]:
    """One page of the list with what each row shows; a fixed number of queries, however many hosts there are."""
    minutes = minutes_until(now, timedelta(hours=1))
    found = search_hosts(search)
    ranked: Any = _by_crashes(found, minutes[0]) if search.sort == "crashes" else _sorted(found, search.sort)
    page: Page[Any] = Paginator(ranked, size).get_page(search.page)
    hosts = list(page)
    if search.sort == "crashes":
        known = Host.objects.in_bulk(hosts)
        hosts = [known[key] for key in hosts if key in known]
    return page, _rows(hosts, minutes)


def _rows(hosts: list[Host], minutes: list[datetime]) -> list[HostRow]:
    ids = [host.pk for host in hosts]
    dynos = dict(Dyno.objects.placed().filter(host__in=ids).order_by().values_list("host").annotate(Count("pk")))
    crashes = crashes_by_host(ids, minutes)
    return [HostRow(host, dynos.get(host.pk, 0), crashes[host.pk]) for host in hosts]


def _by_crashes(hosts: QuerySet[Host], since: datetime) -> list[int]:
    """Ids, most crashes first. The roll-up is read once for all: host by host takes ten times as long."""
    lately = dict(CrashMinute.objects.filter(minute__gte=since).values_list("host_id").annotate(Sum("count")))
    names = hosts.order_by("name").values_list("pk", flat=True)
    return sorted(names, key=lambda key: -lately.get(key, 0))


def _sorted(hosts: QuerySet[Host], sort: str) -> QuerySet[Host]:
    if sort == "dynos":
        hosts = hosts.annotate(dyno_count=Count("dynos", filter=PLACED))
    return hosts.order_by(*SORTS.get(sort, ["name"]))


def host_detail(host: Host, *, now: datetime) -> dict[str, Any]:
    """What the page of one host shows, newest first."""
    dynos = host.dynos.placed().select_related("app", "stack", "image").order_by("app__name", "name")
    return {
        "dynos": dynos[:100],
        "dyno_count": dynos.count(),
        "taint": host.taints.filter(lifted_at__isnull=True).first(),
        "taints": host.taints.order_by("-set_at")[:10],
        "host_deploys": host.host_deploys.select_related("deploy__stack").order_by("-at")[:15],
        "operations": host.operations.order_by("-requested_at")[:15],
        "moves": host.moves_away.select_related("dyno", "target").order_by("-pk")[:10],
        "kinds": crashes_by_kind(host, now=now),
        "verified": host.operations.filter(verb="verify", state="succeeded").order_by("-finished_at").first(),
    }


def crashes_by_kind(host: Host, *, now: datetime) -> list[tuple[str, int]]:
    """How the host's dynos crashed in the last day, most frequent first."""
    rows = CrashMinute.objects.filter(host=host, minute__gte=now - timedelta(days=1)).values("kind")
    return [(CrashKind(row["kind"]).label, row["n"]) for row in rows.annotate(n=Sum("count")).order_by("-n")]
