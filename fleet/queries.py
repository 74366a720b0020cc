"""What the pages ask about the fleet. Crashes are read from the roll-ups alone, and counted by the database."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Q, QuerySet, Sum

from fleet.lifecycle import DynoState, HostState
from fleet.models import CrashKind, CrashMinute, Deploy, Dyno, Host
from fleet.pulse import crashes_by_host, minutes_until

PLACED = ~Q(dynos__state__in=[DynoState.STOPPED.value, DynoState.LOST.value])
SORTS: dict[str, list[Any]] = {
    "name": ["name"], "-name": ["-name"], "state": ["state", "name"],
    "seen": [F("seen_at").desc(nulls_last=True), "name"], "dynos": ["-dyno_count", "name"],
}  # fmt: skip


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
