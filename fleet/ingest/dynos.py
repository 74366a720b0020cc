"""The inventory of dynos: by name, or only counted."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from fleet.actor import Actor
from fleet.ingest.batches import Batch, BatchReader
from fleet.ingest.names import app_ids, host_ids, image_ids, stack_ids
from fleet.ingest.receipts import InventoryReceipt, Rejection
from fleet.ingest.records import DynoRecord
from fleet.lifecycle import DynoState, MoveState
from fleet.models import Dyno, Move

log = logging.getLogger(__name__)
READER = BatchReader(DynoRecord)
MAX_DYNOS = 500_000
COLUMNS = ("app_id", "host_id", "stack_id", "image_id", "memory_mb", "started_at", "counted")
CHUNK = 2000


@dataclass(frozen=True)
class Names:
    """Ids of what the records name."""

    hosts: dict[str, int]
    apps: dict[str, int]
    stacks: dict[str, int]
    images: dict[tuple[int, str], int]


def put_dynos(*, records: Iterable[DynoRecord | Mapping[str, Any]], now: datetime, actor: Actor) -> InventoryReceipt:
    """Upserts dynos. In the receipt `line` is a record's place, from 1; `created` and `updated` count records."""
    return store_dynos(batch=READER.take(records), now=now, actor=actor)


@transaction.atomic
def store_dynos(*, batch: Batch[DynoRecord], now: datetime, actor: Actor) -> InventoryReceipt:
    """Upserts a batch that was read already. Dynos under way between hosts are left to their move."""
    receipt = InventoryReceipt(rejected=list(batch.rejected))
    told = _acceptable(batch, receipt)
    names = _names([record for _, record in told], now)
    wanted = {name: (line, record) for line, record in told for name in _dynos_of(record)}
    standing = {dyno.name: dyno for dyno in _locked(wanted)}
    _leave_moving(told, standing, receipt)
    refused = {rejection.line for rejection in receipt.rejected}
    rows = {name: record for name, (line, record) in wanted.items() if line not in refused}
    _write(rows, standing, names, now)
    _stop_surplus([record for line, record in told if line not in refused], names, now)
    known = set(standing)
    for line, record in told:
        is_known = not known.isdisjoint(_dynos_of(record)) or record.count == 0
        receipt.updated += is_known and line not in refused
        receipt.created += not is_known and line not in refused
        known.update(_dynos_of(record))
    receipt.rejected.sort(key=lambda rejection: rejection.line)
    counts = (receipt.created, receipt.updated, len(receipt.rejected))
    log.info("%s told of dynos: %d new, %d known, %d rejected", actor.name, *counts)
    return receipt


def _acceptable(batch: Batch[DynoRecord], receipt: InventoryReceipt) -> list[tuple[int, DynoRecord]]:
    told, room = [], MAX_DYNOS
    for line, record in zip(batch.lines, batch.records, strict=True):
        room -= 1 if record.count is None else record.count
        if record.dyno and record.count is not None:
            receipt.reject(line, "Give either dyno, its name, or count, not both.")
        elif len(f"{record.app}.{record.host}.99999") > 400 and not record.dyno:
            receipt.reject(line, "The names of app and host are too long to name its dynos by; give each by name.")
        elif record.image and not record.stack:
            receipt.reject(line, "An image needs its stack.")
        elif room < 0:
            receipt.reject(line, f"More than {MAX_DYNOS} dynos in one batch; send the rest in another.")
        else:
            told.append((line, record))
    return told


def _dynos_of(record: DynoRecord) -> list[str]:
    """The names of the dynos that a record tells of."""
    if record.dyno:
        return [record.dyno]
    count = 1 if record.count is None else record.count
    return [f"{record.app}.{record.host}.{number}" for number in range(1, count + 1)]


def _names(records: list[DynoRecord], now: datetime) -> Names:
    hosts = host_ids({record.host for record in records}, now=now)
    apps = app_ids({record.app for record in records})
    stacks = stack_ids({record.stack for record in records if record.stack})
    pairs = {(stacks[record.stack], record.image) for record in records if record.stack and record.image}
    return Names(hosts, apps, stacks, image_ids(pairs))


def _locked(names: Iterable[str]) -> list[Dyno]:
    return list(Dyno.objects.select_for_update().filter(name__in=list(names)).order_by("name"))


def _leave_moving(told: list[tuple[int, DynoRecord]], standing: Mapping[str, Dyno], receipt: InventoryReceipt) -> None:
    keys = [dyno.pk for dyno in standing.values()]
    ended = [MoveState.DONE.value, MoveState.FAILED.value, MoveState.CANCELLED.value]
    moving = set(Move.objects.filter(dyno__in=keys).exclude(state__in=ended).values_list("dyno__name", flat=True))
    for line, record in told:
        if held := moving.intersection(_dynos_of(record)):
            error = f"{min(held)} is being moved to another host; tell of it again when that is over."
            receipt.rejected.append(Rejection(line, error))


def _write(rows: Mapping[str, DynoRecord], standing: Mapping[str, Dyno], names: Names, now: datetime) -> None:
    """Makes the new rows, changes the others; their states by guarded updates."""
    fresh = [_row(name, record, names, standing.get(name), now) for name, record in sorted(rows.items())]
    Dyno.objects.bulk_create(
        fresh,
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=[column.removesuffix("_id") for column in COLUMNS],
        batch_size=CHUNK,
    )
    known = {name: record for name, record in rows.items() if name in standing}
    for state in DynoState:
        said = [name for name, record in known.items() if record.state == state.value]
        Dyno.objects.filter(name__in=said).advance(state, changed_at=now)
    unsaid = [name for name, record in known.items() if record.state is None]
    gone = [DynoState.STOPPED.value, DynoState.LOST.value]
    Dyno.objects.filter(name__in=unsaid, state__in=gone).advance(DynoState.RUNNING, changed_at=now)


def _row(name: str, record: DynoRecord, names: Names, standing: Dyno | None, now: datetime) -> Dyno:
    """The row as it shall be; what the record does not say stays as it stood."""
    old = standing or Dyno()
    stack = names.stacks[record.stack] if record.stack else old.stack_id
    kept_image = old.image_id if stack == old.stack_id else None
    return Dyno(
        name=name,
        app_id=names.apps[record.app],
        host_id=names.hosts[record.host],
        stack_id=stack,
        image_id=names.images[stack, record.image] if stack and record.image else kept_image,
        state=record.state or DynoState.RUNNING.value,
        memory_mb=old.memory_mb if record.memory_mb is None else record.memory_mb,
        started_at=record.started_at or old.started_at,
        counted=record.dyno is None,
        changed_at=now,
    )


def _stop_surplus(records: list[DynoRecord], names: Names, now: datetime) -> None:
    """Counted dynos over the count that was told last are no more."""
    counted = [record for record in records if record.dyno is None]
    places = {(names.hosts[record.host], names.apps[record.app]) for record in counted}
    kept = {name for record in counted for name in _dynos_of(record)}
    placed = Dyno.objects.placed().filter(counted=True, host__in={host for host, _ in places})
    surplus = [
        key
        for key, name, host, app in placed.values_list("pk", "name", "host_id", "app_id")
        if (host, app) in places and name not in kept
    ]
    Dyno.objects.filter(pk__in=surplus).advance(DynoState.STOPPED, changed_at=now)
