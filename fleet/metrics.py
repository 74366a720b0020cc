"""What monitoring is told, as Prometheus reads it: what this process took in, and what the rows say of the whole."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from django.conf import settings
from django.db import connection
from django.db.models import Count, Max, Min, QuerySet
from django.utils.module_loading import import_string

from fleet.ingest.receipts import Receipt
from fleet.lifecycle import HostState, MigrationState, MoveState, OperationState
from fleet.models import Host, Migration, Move, Operation, WebhookDelivery
from fleet.states import State

Samples = Mapping[str, float]


@dataclass(frozen=True)
class Family:
    """One measure: its samples by the value of its one label, or a single one under an empty value."""

    name: str
    kind: str
    meaning: str
    samples: Samples
    label: str = ""

    def lines(self) -> Iterator[str]:
        """As text."""
        yield f"# HELP {self.name} {self.meaning}"
        yield f"# TYPE {self.name} {self.kind}"
        for value, sample in sorted(self.samples.items()):
            place = f'{{{self.label}="{_quoted(value)}"}}' if self.label else ""
            yield f"{self.name}{place} {sample:g}" if sample != int(sample) else f"{self.name}{place} {int(sample)}"


class Intake:
    """How many crashes this process took in since it began, by what became of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter(accepted=0, duplicate=0, rejected=0, turned_away=0)

    def count(self, receipt: Receipt) -> None:
        """Counts a batch that was committed."""
        with self._lock:
            self._counts.update(accepted=receipt.accepted, duplicate=receipt.duplicates, rejected=len(receipt.rejected))

    def turn_away(self) -> None:
        """Counts a batch that was asked to come back."""
        with self._lock:
            self._counts["turned_away"] += 1

    def samples(self) -> tuple[Samples, float]:
        """Crashes by what became of them; batches that were asked to come back."""
        with self._lock:
            counts = dict(self._counts)
        turned_away = counts.pop("turned_away")
        return counts, turned_away


INTAKE = Intake()


def exposition(*, now: datetime) -> str:
    """All measures in the text format."""
    return "".join(f"{line}\n" for family in families(now) for line in family.lines())


def families(now: datetime) -> Iterable[Family]:
    """All measures."""
    crashes, turned_away = INTAKE.samples()
    yield Family("faultline_build_info", "gauge", "The version that runs", {_version(): 1}, "version")
    yield Family("faultline_crashes_total", "counter", "Crashes told to this process", crashes, "outcome")
    yield Family("faultline_batches_turned_away_total", "counter", "Batches asked to come back", {"": turned_away})
    yield Family("faultline_database_pool", "gauge", "Database connections of this process", _pool(), "state")
    deliveries = _by("status", WebhookDelivery.objects.all(), WebhookDelivery.Status.values)
    yield Family("faultline_deliveries", "gauge", "Webhook deliveries kept, by outcome", deliveries, "status")
    kept: list[tuple[str, QuerySet, type[State]]] = [  # type: ignore[type-arg]
        ("hosts", Host.objects.all(), HostState),
        ("moves", Move.objects.all(), MoveState),
        ("migrations", Migration.objects.all(), MigrationState),
        ("operations", Operation.objects.all(), OperationState),
    ]
    for name, rows, states in kept:
        yield Family(
            f"faultline_{name}", "gauge", f"{name.capitalize()} by state", _by("state", rows, states.values()), "state"
        )
    yield Family("faultline_feed_age_seconds", "gauge", "Since the crashes of hosts were read", _feed_ages(now), "host")
    for path in settings.FLEET_METRICS:
        yield from import_string(path)(now)


def _by(field: str, rows: "QuerySet", values: Iterable[str]) -> Samples:  # type: ignore[type-arg]
    """How many rows there are of each value, those that nobody has included."""
    counted = dict(rows.order_by().values_list(field).annotate(Count("pk")))
    return {str(value): counted.get(str(value), 0) for value in values}


def _feed_ages(now: datetime) -> Samples:
    """Of the host that was read last and of the one that has waited longest; nothing where hosts are not read."""
    read = Host.objects.reachable().aggregate(newest=Max("feed_at"), oldest=Min("feed_at"))
    return {name: (now - at).total_seconds() for name, at in read.items() if at}


def _pool() -> Samples:
    pool = getattr(connection, "pool", None)
    stats = pool.get_stats() if pool else {}
    size, free = stats.get("pool_size", 0), stats.get("pool_available", 0)
    return {"idle": free, "in_use": size - free, "waiting": stats.get("requests_waiting", 0)}


def _version() -> str:
    try:
        return version("faultline")
    except PackageNotFoundError:
        return "unpackaged"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
