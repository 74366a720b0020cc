"""The inventory of hosts: what an outside list says of them, upserted."""

import base64
import binascii
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from fleet.actor import Actor
from fleet.ingest.batches import Batch, BatchReader
from fleet.ingest.names import host_ids
from fleet.ingest.receipts import InventoryReceipt
from fleet.ingest.records import HostRecord
from fleet.lifecycle import HostState
from fleet.models import Host

log = logging.getLogger(__name__)
READER = BatchReader(HostRecord)
COLUMNS = ("attributes", "address", "port", "ssh_user", "host_key", "memory_mb", "slots", "provisioned_at")
STATES = {state.value: state for state in HostState}
MARKED = (HostState.TAINTED, HostState.DRAINING, HostState.DRAINED)


class Unacceptable(ValueError):  # noqa: N818 - it is an answer
    """A record that must not be applied; the text says why and what to do."""


def put_hosts(*, records: Iterable[HostRecord | Mapping[str, Any]], now: datetime, actor: Actor) -> InventoryReceipt:
    """Upserts hosts. In the receipt `line` is a record's place, from 1."""
    return store_hosts(batch=READER.take(records), now=now, actor=actor)


@transaction.atomic
def store_hosts(*, batch: Batch[HostRecord], now: datetime, actor: Actor) -> InventoryReceipt:
    """Upserts a batch that was read already. A pinned host key is never replaced, a taint never lifted this way."""
    receipt = InventoryReceipt(rejected=list(batch.rejected))
    names = {record.host for record in batch.records}
    known = set(Host.objects.filter(name__in=names).values_list("name", flat=True))
    host_ids(names, now=now)
    hosts = {host.name: host for host in Host.objects.select_for_update().filter(name__in=names).order_by("name")}
    before = {name: host.state for name, host in hosts.items()}
    for line, record in zip(batch.lines, batch.records, strict=True):
        try:
            _apply(record, hosts[record.host])
        except Unacceptable as error:
            receipt.reject(line, str(error))
        else:
            receipt.updated += record.host in known
            receipt.created += record.host not in known
            known.add(record.host)
    _save(hosts, before, made=names - known)
    receipt.rejected.sort(key=lambda rejection: rejection.line)
    told = (receipt.created, receipt.updated, len(receipt.rejected))
    log.info("%s told of hosts: %d new, %d known, %d rejected", actor.name, *told)
    return receipt


def _apply(record: HostRecord, host: Host) -> None:
    """Brings the row in memory to what the record says; nothing of it where one part is unacceptable."""
    state = _state_after(record, host)
    if record.host_key is not None:
        _check_key(record, host, state)
    for column in COLUMNS:
        value = getattr(record, column)
        if value is not None:
            setattr(host, column, value)
    if record.attributes is not None:
        host.attributes = {name: _word(value) for name, value in record.attributes.items()}
    host.state = state


def _word(value: str | float) -> str:
    """An attribute as the word it is compared by; true and false as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _state_after(record: HostRecord, host: Host) -> HostState:
    """The state the record leads to. An inventory brings hosts in and takes them out; it lifts no taint."""
    now_in, wanted = STATES[host.state], STATES.get(record.state or "")
    if now_in is HostState.UNKNOWN and not wanted:
        return HostState.IN_SERVICE
    if not wanted or wanted is now_in or (wanted is HostState.IN_SERVICE and now_in in MARKED):
        return now_in
    if wanted.value not in now_in.successors:
        raise Unacceptable(f"{host.name} is {now_in.label} and cannot become {wanted.label}.")
    return wanted


def _check_key(record: HostRecord, host: Host, state: HostState) -> None:
    told, pinned = _key_of(record.host_key or ""), _key_of(host.host_key) if host.host_key else None
    enrolled_anew = STATES[host.state] is HostState.RETIRED and state is HostState.ENROLLING
    if pinned and told != pinned and not enrolled_anew:
        raise Unacceptable(
            f"{host.name} shows another host key than the pinned one. If it was rebuilt on purpose, set its state to "
            "retired, then enrol it anew with state enrolling and the new key; if not, somebody may be in between."
        )


def _key_of(line: str) -> tuple[str, bytes]:
    """Type and key of an OpenSSH public key line, its comment left out."""
    kind, _, rest = line.strip().partition(" ")
    try:
        key = base64.b64decode(rest.split(None, 1)[0] if rest.strip() else "", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    # A key begins with its own type, after four bytes of length; anything else could be pinned and never be shown.
    if "\n" in line.strip() or not key.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        raise Unacceptable("host_key is not one OpenSSH public key line, such as `ssh-ed25519 AAAA…`.")
    return kind, key


def _save(hosts: Mapping[str, Host], before: Mapping[str, str], *, made: set[str]) -> None:
    """Writes the rows; states by guarded updates. Hosts made for records that were then rejected go again."""
    Host.objects.filter(name__in=made, state=HostState.UNKNOWN).delete()
    kept = [host for name, host in hosts.items() if name not in made]
    Host.objects.bulk_update(kept, COLUMNS, batch_size=1000)
    for state in {STATES[host.state] for host in kept}:
        moved = [host.pk for host in kept if host.state == state and before[host.name] != state]
        # A batch may lead a host through several states; the lock is held, so only the ends count.
        changed = Host.objects.filter(pk__in=moved, state__in=set(before.values())).update(state=state.value)
        if changed != len(moved):
            raise RuntimeError(f"{len(moved) - changed} hosts changed their state behind a row lock.")
