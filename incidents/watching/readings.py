"""Reads what the correlation needs from the database, each time only what is new, with when it could be known."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, FloatField, Q
from django.db.models.functions import Cast, Extract

from fleet.lifecycle import DynoState
from fleet.models import App, CrashKind, CrashMinute, Deploy, Dyno, Host, HostDeploy, KernelLine
from incidents.correlation import facts
from incidents.correlation.correlator import Correlator
from incidents.models import Evidence

OVERLAP = timedelta(seconds=60)  # a row may be committed later than the time it bears
AT_ONCE = float("-inf")
KINDS: dict[int, tuple[str, str | None]] = {  # the kind and the signal that the correlation is told
    CrashKind.EXIT: ("exit", None), CrashKind.OUT_OF_MEMORY: ("oom", None), CrashKind.ABORT: ("abrt", None),
    CrashKind.SEGV: ("segv", None), CrashKind.BUS: ("bus", None), CrashKind.ILL: ("ill", None),
    CrashKind.FPE: ("fpe", "SIGFPE"), CrashKind.TRAP: ("trap", "SIGTRAP"), CrashKind.SYS: ("sys", "SIGSYS"),
}  # fmt: skip
DAMAGE_LINES = ("loop_io_error", "fs_error")
NOT_PLACED = frozenset({DynoState.STOPPED.value, DynoState.LOST.value})
Place = tuple[str, str, str | None]
HOSTS_DIGEST = "SELECT count(*), sum(hashtextextended(name || attributes::text, 0)) FROM fleet_host"


@dataclass(frozen=True, slots=True)
class Seen:
    """A host with its attributes."""

    host: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Running:
    """How many dynos of an app run on a host."""

    host: str
    app: str
    stack: str | None
    count: int


Fact = Seen | Running | facts.Deploy | facts.HostDeploy | facts.Evidence | facts.Silence | facts.Crash
RANKS: dict[type, int] = {
    Seen: 0, Running: 1, facts.Deploy: 2, facts.HostDeploy: 3, facts.Evidence: 4, facts.Silence: 5, facts.Crash: 6,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """A fact, and from when on it could be known (epoch seconds)."""

    known_at: float
    fact: Fact

    @property
    def order(self) -> tuple[Any, ...]:
        """By when it was known; what is known at the same time in an order that never depends on who reads it."""
        fact = self.fact
        detail = (fact.at, fact.host, fact.app, fact.kind) if isinstance(fact, facts.Crash) else (0.0, "", "", "")
        return self.known_at, RANKS[type(fact)], *detail

    @property
    def at(self) -> float:
        """When it happened; for what has no time of its own, when it was known."""
        return self.fact.at if isinstance(self.fact, facts.Crash | facts.HostDeploy) else self.known_at

    def is_late(self, seconds: float) -> bool:
        """Whether it was known only so long after it happened."""
        return self.known_at - self.at >= seconds


def _epoch(name: str) -> Cast:
    """A time as epoch seconds: of many rows, numbers are read several times faster than times."""
    return Cast(Extract(name, "epoch"), FloatField())


class CrashReader:
    """New roll-ups: the crash that was received first stands for all, for the correlation counts breadth."""

    def __init__(self, since: datetime) -> None:
        self._received_from = since
        self._read: dict[tuple[int, int, int, int], float] = {}
        self._hosts: dict[int, str] = {}
        self._apps: dict[int, str] = {}

    def new(self, now: datetime, *, oldest: datetime) -> list[Told]:
        """What was received since the last call."""
        rows = CrashMinute.objects.filter(minute__gte=oldest, first_received_at__gte=self._received_from)
        found = []
        values = rows.values_list(
            *map(_epoch, ("minute", "first_at", "first_received_at")), "host_id", "app_id", "kind"
        )
        for minute, at, received_at, host, app, kind in values.iterator(chunk_size=5000):
            key = (int(minute), host, app, kind)
            if key not in self._read:
                self._read[key] = received_at
                found.append((host, app, kind, at, received_at))
        self._received_from = now - OVERLAP
        first = self._received_from.timestamp()
        self._read = {key: at for key, at in self._read.items() if at >= first}
        self._learn_names({row[0] for row in found}, {row[1] for row in found})
        return [self._told(*row) for row in found if row[0] in self._hosts]

    def _learn_names(self, hosts: set[int], apps: set[int]) -> None:
        unknown_hosts, unknown_apps = hosts - set(self._hosts), apps - set(self._apps)
        if unknown_hosts:
            self._hosts.update(Host.objects.filter(pk__in=unknown_hosts).values_list("pk", "name"))
        if unknown_apps:
            self._apps.update(App.objects.filter(pk__in=unknown_apps).values_list("pk", "name"))

    def _told(self, host: int, app: int, kind: int, at: float, received_at: float) -> Told:
        told, signal = KINDS[kind]
        crash = facts.Crash(at, received_at, self._hosts[host], self._apps.get(app, ""), kind=told, signal=signal)
        return Told(received_at, crash)


def first_recorded(oldest: datetime) -> datetime | None:
    """The first minute of a recording on record: an earlier one than before means that a past was loaded."""
    rows = CrashMinute.objects.filter(minute__gte=oldest, recorded=True).order_by("minute")
    return rows.values_list("minute", flat=True).first()


class HostReader:
    """Hosts with their attributes, those that are new or changed."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}
        self._digest: tuple[Any, ...] = ()

    def new(self) -> Iterator[Told]:
        """New hosts are known from when they were added; what an attribute was before it changed, nobody kept."""
        with connection.cursor() as cursor:
            cursor.execute(HOSTS_DIGEST)
            digest = cursor.fetchone()
        if digest == self._digest:
            return
        first, self._digest = not self._known, digest
        for name, attributes, added_at in read_hosts():
            known = self._known.get(name)
            if known != attributes:
                self._known[name] = attributes
                at_once = first or known is not None
                yield Told(AT_ONCE if at_once else added_at.timestamp(), Seen(name, attributes))


class DynoReader:
    """How many dynos of each app run on each host, kept by what changed."""

    def __init__(self) -> None:
        self._places: dict[int, Place] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._since: datetime | None = None

    def new(self, now: datetime) -> Iterator[Told]:
        """What changed since the last call."""
        first = self._since is None
        rows = Dyno.objects.order_by("changed_at", "pk")
        rows = rows if first else rows.filter(changed_at__gte=self._since)
        values = rows.values_list("pk", "host__name", "app__name", "stack__name", "state", "changed_at")
        latest: dict[tuple[str, str, float], Running] = {}
        for key, host, app, stack, state, changed_at in values.iterator(chunk_size=5000):
            place = None if state in NOT_PLACED else (host, app, stack)
            known_at = AT_ONCE if first else changed_at.timestamp()
            for known in self._put(key, place):
                latest[known[0], known[1], known_at] = Running(*known, self._counts[known[0], known[1]])
        self._since = now - OVERLAP
        yield from (Told(known_at, running) for (_, _, known_at), running in latest.items())

    def _put(self, key: int, place: Place | None) -> list[Place]:
        before = self._places.get(key)
        if before == place:
            return []
        for known, step in ((before, -1), (place, 1)):
            if known:
                self._counts[known[0], known[1]] = self._counts.get((known[0], known[1]), 0) + step
        if place is None:
            del self._places[key]
        else:
            self._places[key] = place
        return [known for known in (before, place) if known]


class DeployReader:
    """Deploys and what they did on hosts, since some time."""

    def __init__(self, since: datetime) -> None:
        self._deploys: dict[str, facts.Deploy] = {}
        self._touched: dict[int, tuple[datetime, facts.HostDeploy]] = {}
        self._last_key = 0
        self._told_from = since

    def new(self, now: datetime, *, oldest: datetime) -> list[Told]:
        """The deploys that are new or changed, and what is new or was corrected on hosts."""
        host_deploys = list(self._host_deploys(now, oldest))
        self._told_from = now - OVERLAP
        self._touched = {key: told for key, told in self._touched.items() if told[0] >= self._told_from}
        deploys = self._new_deploys({told.fact.deploy for told in host_deploys}, oldest)  # type: ignore[union-attr]
        return [*deploys, *host_deploys]

    def _host_deploys(self, now: datetime, oldest: datetime) -> Iterator[Told]:
        since = self._told_from
        told = Q(received_at__gte=since) | Q(corrected_at__gte=since)
        lately = Q(at__range=(since, now)) | Q(pk__gt=self._last_key, at__gte=oldest)
        rows = HostDeploy.objects.filter(told | Q(received_at__isnull=True) & lately).order_by("pk")
        values = rows.values_list(
            "pk", "deploy__key", "host__name", "at", "outcome", "started_at", "received_at", "corrected_at"
        )
        for key, deploy, host, at, outcome, started_at, received_at, corrected_at in values.iterator(chunk_size=5000):
            self._last_key = max(self._last_key, key)
            started = started_at.timestamp() if started_at else None
            fact = facts.HostDeploy(deploy, host, at.timestamp(), outcome, started)
            known, first_at = self._touched.get(key), received_at or at
            if known is None or known[1] != fact:
                corrected = corrected_at if corrected_at and (known or first_at < since) else first_at
                self._touched[key] = max(corrected, corrected_at or corrected), fact
                yield Told(corrected.timestamp(), fact)

    def _new_deploys(self, touched: set[str], oldest: datetime) -> Iterator[Told]:
        rows = Deploy.objects.filter(Q(started_at__gte=oldest) | Q(key__in=touched - set(self._deploys)))
        values = rows.order_by("started_at", "pk").values(
            "key", "target", "kind", "started_at", "received_at", stack_name=F("stack__name")
        )
        for row in values:
            deploy = _deploy_fact(row)
            known = self._deploys.get(deploy.deploy)
            if known != deploy:
                self._deploys[deploy.deploy] = deploy
                at = row["received_at"] or row["started_at"]
                yield Told(AT_ONCE if known else at.timestamp(), deploy)


class EvidenceReader:
    """What hosts said themselves: verifications, and kernels' errors of images."""

    def __init__(self, since: datetime) -> None:
        self._last_key = 0
        self._told_from = since
        self._read: dict[int, datetime] = {}

    def new(self, now: datetime, *, oldest: datetime) -> list[Told]:
        """What was said since the last call."""
        told = [*self._verifications(oldest), *self._kernel_lines()]
        self._told_from = now - OVERLAP
        self._read = {key: at for key, at in self._read.items() if at >= self._told_from}
        return told

    def _kernel_lines(self) -> Iterator[Told]:
        since = self._told_from
        rows = KernelLine.objects.filter(
            Q(received_at__gte=since) | Q(received_at__isnull=True, at__gte=since), kind__in=DAMAGE_LINES
        )
        values = rows.order_by("pk").values_list("pk", "host__name", "at", "received_at", "kind", "line")
        for key, host, at, received_at, kind, line in values:
            if key not in self._read:
                self._read[key] = received_at or at
                known_at = (received_at or at).timestamp()
                yield Told(known_at, facts.Evidence(host, at.timestamp(), kind, line))

    def _verifications(self, oldest: datetime) -> Iterator[Told]:
        rows = Evidence.objects.filter(pk__gt=self._last_key, observed_at__gte=oldest, host__isnull=False)
        wanted = rows.filter(kind="verification").order_by("pk")
        for key, host, at, text, data in wanted.values_list("pk", "host__name", "observed_at", "summary", "data"):
            self._last_key = max(self._last_key, key)
            kind = f"verified_{data.get('finding', '')}"
            yield Told(at.timestamp(), facts.Evidence(str(host), at.timestamp(), kind, text))


def tell(correlator: Correlator, fact: Fact) -> None:
    """Hands one fact to the correlation."""
    match fact:
        case facts.Crash():
            correlator.add_crash(fact)
        case facts.HostDeploy():
            correlator.add_host_deploy(fact)
        case facts.Deploy():
            correlator.add_deploy(fact)
        case facts.Evidence():
            correlator.add_evidence(fact.host, fact.at, fact.kind, fact.text)
        case facts.Silence():
            correlator.set_silence(fact.host, fact.since)
        case Seen():
            correlator.set_host(fact.host, fact.attributes)
        case Running():
            correlator.set_dynos(fact.host, fact.app, fact.stack, fact.count)


def read_hosts() -> Iterator[tuple[str, dict[str, str], datetime]]:
    """Every host with its attributes as text, in the order they came; what is no plain value cannot name a cohort."""
    rows = Host.objects.order_by("pk").values_list("name", "attributes", "added_at")
    for name, attributes, added_at in rows.iterator(chunk_size=5000):
        yield str(name), plain_attributes(attributes), added_at


def plain_attributes(attributes: Mapping[str, Any]) -> dict[str, str]:
    """The attributes that are plain values, as text."""
    return {key: str(value) for key, value in attributes.items() if isinstance(value, str | int | float | bool)}


def _deploy_fact(row: Mapping[str, Any]) -> facts.Deploy:
    return facts.Deploy(row["key"], row["started_at"].timestamp(), row["target"], row["kind"], row["stack_name"])
