"""Reads what the correlation needs from the database, each time only what is new."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q

from fleet.lifecycle import DynoState
from fleet.models import App, CrashKind, CrashMinute, Deploy, Dyno, Host, HostDeploy, KernelLine
from incidents.correlation import facts
from incidents.models import Evidence

OVERLAP = timedelta(seconds=60)  # a row may be committed later than the time it bears
KIND_NAMES = {
    CrashKind.EXIT: "exit", CrashKind.OUT_OF_MEMORY: "oom", CrashKind.ABORT: "abrt", CrashKind.SEGV: "segv",
    CrashKind.BUS: "bus", CrashKind.ILL: "ill", CrashKind.FPE: "fpe",
}  # fmt: skip
DAMAGE_LINES = ("loop_io_error", "fs_error")
NOT_PLACED = frozenset({DynoState.STOPPED.value, DynoState.LOST.value})
Place = tuple[str, str, str | None]
Fact = facts.Deploy | facts.HostDeploy | facts.Crash | facts.Evidence


class CrashReader:
    """New roll-ups: their first crash stands for all of them, for the correlation counts breadth."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self._received_from = since
        self._read: dict[tuple[datetime, int, int, int], datetime] = {}
        self._hosts: dict[int, str] = {}
        self._apps: dict[int, str] = {}

    def new(self, now: datetime) -> list[facts.Crash]:
        """What was received since the last call, by the time it was received."""
        rows = CrashMinute.objects.filter(minute__gte=self.since, first_received_at__gte=self._received_from)
        found = []
        values = rows.values_list("minute", "host_id", "app_id", "kind", "first_at", "first_received_at")
        for minute, host, app, kind, at, received_at in values.iterator(chunk_size=5000):
            key = (minute, host, app, kind)
            if key not in self._read:
                self._read[key] = received_at
                found.append((host, app, kind, at.timestamp(), received_at.timestamp()))
        self._received_from = now - OVERLAP
        self._read = {key: at for key, at in self._read.items() if at >= self._received_from}
        self._learn_names({row[0] for row in found}, {row[1] for row in found})
        crashes = [self._fact(*row) for row in found]
        return sorted((crash for crash in crashes if crash), key=lambda crash: (crash.received_at, crash.at))

    def first_minute(self, horizon: datetime) -> datetime | None:
        """The first minute on record since the horizon: an earlier one than before means that a past was loaded."""
        rows = CrashMinute.objects.filter(minute__gte=horizon).order_by("minute")
        return rows.values_list("minute", flat=True).first()

    def _learn_names(self, hosts: set[int], apps: set[int]) -> None:
        unknown_hosts, unknown_apps = hosts - set(self._hosts), apps - set(self._apps)
        if unknown_hosts:
            self._hosts.update(Host.objects.filter(pk__in=unknown_hosts).values_list("pk", "name"))
        if unknown_apps:
            self._apps.update(App.objects.filter(pk__in=unknown_apps).values_list("pk", "name"))

    def _fact(self, host: int, app: int, kind: int, at: float, received_at: float) -> facts.Crash | None:
        name = self._hosts.get(host)
        if name is None:
            return None
        signal = "SIGFPE" if kind == CrashKind.FPE else None
        app_name = self._apps.get(app, "")
        return facts.Crash(at, max(at, received_at), name, app_name, kind=KIND_NAMES[CrashKind(kind)], signal=signal)


class DynoReader:
    """How many dynos of each app run on each host, kept by what changed."""

    def __init__(self) -> None:
        self._places: dict[int, Place] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._since: datetime | None = None

    def new(self, now: datetime) -> Iterator[tuple[str, str, str | None, int]]:
        """Host, app, stack and count of what changed since the last call."""
        rows = Dyno.objects.all() if self._since is None else Dyno.objects.filter(changed_at__gte=self._since)
        changed: dict[tuple[str, str], str | None] = {}
        values = rows.values_list("pk", "host__name", "app__name", "stack__name", "state")
        for key, host, app, stack, state in values.iterator(chunk_size=5000):
            place = None if state in NOT_PLACED else (host, app, stack)
            changed.update(self._put(key, place))
        self._since = now - OVERLAP
        for pair, named in changed.items():
            yield *pair, named, self._counts[pair]

    def _put(self, key: int, place: Place | None) -> dict[tuple[str, str], str | None]:
        before = self._places.get(key)
        if before == place:
            return {}
        changed = {}
        for known, step in ((before, -1), (place, 1)):
            if known:
                host_app = known[0], known[1]
                self._counts[host_app] = self._counts.get(host_app, 0) + step
                changed[host_app] = known[2]
        if place is None:
            del self._places[key]
        else:
            self._places[key] = place
        return changed


class DeployReader:
    """Deploys and what they did on hosts, since some time."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self._deploys: dict[str, facts.Deploy] = {}
        self._last_key = 0
        self._touched_from = since

    def new(self, now: datetime) -> tuple[list[facts.Deploy], list[facts.HostDeploy]]:
        """The deploys that are new or changed, and new outcomes on hosts (some of them again)."""
        touched = Q(pk__gt=self._last_key, at__gte=self.since) | Q(at__gte=self._touched_from)
        rows = HostDeploy.objects.filter(touched).order_by("at", "pk")
        host_deploys = []
        for key, deploy, host, at, outcome in rows.values_list("pk", "deploy__key", "host__name", "at", "outcome"):
            self._last_key = max(self._last_key, key)
            host_deploys.append(facts.HostDeploy(deploy, host, at.timestamp(), outcome))
        self._touched_from = now - OVERLAP
        return self._new_deploys({item.deploy for item in host_deploys}), host_deploys

    def _new_deploys(self, touched: set[str]) -> list[facts.Deploy]:
        rows = Deploy.objects.filter(Q(started_at__gte=self.since) | Q(key__in=touched - set(self._deploys)))
        found = []
        values = rows.order_by("started_at").values("key", "target", "kind", "started_at", stack_name=F("stack__name"))
        for row in values:
            deploy = _deploy_fact(row)
            if self._deploys.get(deploy.deploy) != deploy:
                self._deploys[deploy.deploy] = deploy
                found.append(deploy)
        return found


class EvidenceReader:
    """What hosts said themselves: verifications that found damage, and kernels' errors of images."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self._last_key = 0
        self._lines_from = since
        self._last_line = 0
        self._lines_read: set[int] = set()

    def new(self, now: datetime) -> list[facts.Evidence]:
        """What was said since the last call."""
        return [*self._verifications(), *self._kernel_lines(now)]

    def _kernel_lines(self, now: datetime) -> list[facts.Evidence]:
        """By key, and by time too: a line may be committed after one with a higher key."""
        rows = KernelLine.objects.filter(kind__in=DAMAGE_LINES, at__gte=self.since)
        found, read = [], set()
        for key, host, at, kind, line in rows.filter(
            Q(pk__gt=self._last_line) | Q(at__gte=self._lines_from)
        ).values_list("pk", "host__name", "at", "kind", "line"):
            read.add(key)
            if key not in self._lines_read:
                found.append(facts.Evidence(host, at.timestamp(), kind, line))
        self._lines_read, self._last_line = read, max(read | {self._last_line})
        self._lines_from = now - OVERLAP
        return found

    def _verifications(self) -> list[facts.Evidence]:
        rows = Evidence.objects.filter(pk__gt=self._last_key, observed_at__gte=self.since, host__isnull=False)
        found = []
        wanted = rows.filter(kind="verification", data__finding="damaged").order_by("pk")
        for key, host, at, text in wanted.values_list("pk", "host__name", "observed_at", "summary"):
            self._last_key = max(self._last_key, key)
            found.append(facts.Evidence(str(host), at.timestamp(), "verification", text))
        return found


def read_hosts() -> Iterator[tuple[str, dict[str, str]]]:
    """Every host with its attributes as text; attributes that are no plain values cannot name a cohort."""
    for name, attributes in Host.objects.values_list("name", "attributes").iterator(chunk_size=5000):
        yield str(name), plain_attributes(attributes)


def plain_attributes(attributes: Mapping[str, Any]) -> dict[str, str]:
    """The attributes that are plain values, as text."""
    return {key: str(value) for key, value in attributes.items() if isinstance(value, str | int | float | bool)}


def known_at(fact: Fact) -> float:
    """When a fact could first be known."""
    return fact.received_at if isinstance(fact, facts.Crash) else fact.at


def _deploy_fact(row: Mapping[str, Any]) -> facts.Deploy:
    return facts.Deploy(row["key"], row["started_at"].timestamp(), row["target"], row["kind"], row["stack_name"])
