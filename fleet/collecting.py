"""Reads hosts over SSH: their crashes, their kernels' words, their dynos; all of them in one event loop."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import DataError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from fleet.ingest.crashes import ingest_crashes
from fleet.ingest.names import app_ids, image_ids, stack_ids
from fleet.lifecycle import DynoState, HostState
from fleet.models import Dyno, Host, KernelLine
from fleet.offloop import in_thread
from fleet.reach import endpoint_of, reach_hosts
from fleet.ssh import CallError, Limits, Pool
from fleet.wording import count

DEADLINE_SECONDS = 8.0
FLUSH_SECONDS = 0.3
CRASHES_A_READ = 1000
HOSTS_AT_ONCE = 64
LIMITS = Limits(connect_seconds=4.0, login_seconds=6.0)
SOURCE = "dynohost"
MOST_MB = 1 << 31  # of memory, or slots: what the columns hold
ON_HOSTS = {DynoState.STARTING.value, DynoState.RUNNING.value, DynoState.CRASHED.value}
NOT_RUNNING = (DynoState.LOST, DynoState.STOPPED, DynoState.STRANDED)


@dataclass
class Reading:
    """What one host answered, as it came; `trouble` where it did not."""

    host: Host
    began_at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    dynos: list[Any] | None = None
    crashes: list[Any] = field(default_factory=list)
    kernel: list[Any] = field(default_factory=list)
    cursor: str = ""
    trouble: str = ""


def collect_hosts(*, now: datetime | None = None, hosts: QuerySet[Host] | None = None) -> int:  # noqa: ARG001
    """Reads the reachable hosts, or those given, and keeps what they say; gives how many answered.

    Takes `now` as every service does, but each reading is kept under the moment of its own.
    """
    reachable = Host.objects.reachable()
    wanted = list((reachable if hosts is None else reachable & hosts).order_by("name"))
    return reach_hosts(lambda pool: read_and_keep(pool, wanted), limits=LIMITS) if wanted else 0


async def read_and_keep(pool: Pool, hosts: Iterable[Host]) -> int:
    """Keeps readings in small lots as they come, so that a silent host does not hold up the others."""
    turn = asyncio.Semaphore(HOSTS_AT_ONCE)
    waiting = {asyncio.create_task(_read_in_turn(pool, host, turn)) for host in hosts}
    answered = 0
    while waiting:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        done, waiting = await asyncio.wait(waiting, timeout=FLUSH_SECONDS)
        readings = [task.result() for task in done]
        await in_thread(keep_readings, readings, now=timezone.now())
        answered += sum(not reading.trouble for reading in readings)
    return answered


async def _read_in_turn(pool: Pool, host: Host, turn: asyncio.Semaphore) -> Reading:
    async with turn:
        return await read_host(pool, host)


async def read_host(pool: Pool, host: Host) -> Reading:
    """One host's facts, dynos, and crashes after the cursor of its row."""
    endpoint, reading = endpoint_of(host), Reading(host, timezone.now(), cursor=host.feed_cursor)

    async def ask(verb: str, **arguments: Any) -> dict[str, Any]:
        return await pool.call(endpoint, verb=verb, deadline_seconds=DEADLINE_SECONDS, arguments=arguments)

    try:
        answers = await asyncio.gather(
            ask("facts"), ask("dynos"), ask("crashes", cursor=host.feed_cursor or None, limit=CRASHES_A_READ)
        )
    except CallError as problem:
        reading.trouble = str(problem)[:1000]
        return reading
    reading.facts, dynos, feed = answers
    reading.dynos = _list(dynos, "dynos")
    reading.crashes, reading.kernel = _list(feed, "crashes") or [], _list(feed, "kernel") or []
    cursor = feed.get("cursor")
    if reading.dynos is None or not isinstance(cursor, str) or _list(feed, "crashes") is None:
        reading.trouble = f"{host.name}: it answered, but not what was asked: its answers have no lists or no cursor"
    else:
        reading.cursor = cursor
    return reading


def keep_readings(readings: list[Reading], *, now: datetime) -> None:
    """Writes readings down, each in a transaction of its own with its cursor: nothing lost, nothing twice."""
    for reading in readings:
        if not reading.trouble:
            try:
                with transaction.atomic():
                    _keep(reading, now)
            except (DataError, UnicodeEncodeError) as problem:  # one host's lies hold up nobody else
                why = str(problem).partition("\n")[0]
                reading.trouble = f"{reading.host.name}: its answers cannot be kept: {why[:300]}"
        if reading.trouble:
            Host.objects.filter(pk=reading.host.pk).update(trouble=reading.trouble)


def _keep(reading: Reading, now: datetime) -> None:
    host = reading.host
    same_place = Host.objects.filter(pk=host.pk, feed_cursor=host.feed_cursor)
    if same_place.update(feed_cursor=reading.cursor, feed_at=now, seen_at=now, trouble=""):
        lines = [_of_host(crash, host) for crash in reading.crashes]
        receipt = ingest_crashes(lines=lines, source=SOURCE, now=now)
        _keep_kernel_lines(reading, now)
        if receipt.rejected:
            first = receipt.rejected[0].error
            trouble = f"{count(len(receipt.rejected), 'crash', 'crashes')} of it could not be read; the first: {first}"
            Host.objects.filter(pk=host.pk).update(trouble=trouble[:1000])
    _keep_facts(reading)
    _keep_dynos(reading, now)


def _of_host(crash: Any, host: Host) -> dict[str, Any]:
    """The record under the name of the host that told it, whatever it says itself."""
    record = dict(crash) if isinstance(crash, dict) else {"type": "crash"}
    return record | {"host": host.name}


def _keep_kernel_lines(reading: Reading, now: datetime) -> None:
    rows = []
    for line in reading.kernel:
        at = _time(line.get("at")) if isinstance(line, dict) else None
        if at is not None:
            words = {name: _text(line.get(name)) for name in ("kind", "line", "device")}
            rows.append(
                KernelLine(
                    host=reading.host, at=at, received_at=now, kind=words["kind"][:20], line=words["line"][:500],
                    device=words["device"][:50],
                )
            )  # fmt: skip
    KernelLine.objects.bulk_create(rows, batch_size=500)


def _keep_facts(reading: Reading) -> None:
    host, facts = reading.host, reading.facts
    told = facts.get("attributes")
    attributes = host.attributes | {str(key): str(word) for key, word in told.items()} if isinstance(told, dict) else {}
    changes: dict[str, Any] = {"attributes": attributes} if attributes and attributes != host.attributes else {}
    for name in ("memory_mb", "slots"):
        value = facts.get(name)
        if type(value) is int and 0 < value < MOST_MB and value != getattr(host, name):
            changes[name] = value
    if changes:
        Host.objects.filter(pk=host.pk).update(**changes)
    Host.objects.filter(pk=host.pk, state=HostState.ENROLLING).advance(HostState.IN_SERVICE)


def _keep_dynos(reading: Reading, now: datetime) -> None:
    """Brings rows to what the host runs. Provisional dynos and those under way are their move's business."""
    told = {dyno["dyno"]: dyno for dyno in reading.dynos or [] if _is_dyno(dyno)}
    known = {dyno.name: dyno for dyno in Dyno.objects.filter(name__in=told)}
    _make_dynos(reading.host, {name: dyno for name, dyno in told.items() if name not in known}, now)
    mine = Dyno.objects.filter(host=reading.host, changed_at__lt=reading.began_at - timedelta(seconds=1))
    settled = mine.exclude(moves__state__in=_underway())
    for state in (DynoState.STARTING, DynoState.RUNNING, DynoState.CRASHED):
        names = [name for name, dyno in told.items() if dyno["state"] == state and name in known]
        settled.filter(name__in=names).exclude(state=state).advance(state, changed_at=now)
    settled.placed().filter(counted=False).exclude(name__in=told).advance(DynoState.LOST, changed_at=now)
    strays = [name for name, dyno in known.items() if dyno.state in NOT_RUNNING and dyno.host_id != reading.host.pk]
    gone = Dyno.objects.filter(name__in=strays, state__in=NOT_RUNNING, changed_at__lt=reading.began_at)
    gone.exclude(moves__state__in=_underway()).update(host=reading.host, state=DynoState.RUNNING, changed_at=now)


def _make_dynos(host: Host, told: Mapping[str, Any], now: datetime) -> None:
    if not told:
        return
    apps = app_ids({dyno["app"] for dyno in told.values()})
    stacks = stack_ids({dyno["stack"] for dyno in told.values()})
    images = image_ids({(stacks[dyno["stack"]], dyno["image"]) for dyno in told.values()})
    Dyno.objects.bulk_create(
        [
            Dyno(
                name=name,
                app_id=apps[dyno["app"]],
                host=host,
                stack_id=stacks[dyno["stack"]],
                image_id=images[stacks[dyno["stack"]], dyno["image"]],
                state=dyno["state"],
                memory_mb=dyno["memory_mb"],
                started_at=_time(dyno.get("started_at")),
                changed_at=now,
            )
            for name, dyno in sorted(told.items())
        ],
        ignore_conflicts=True,
        batch_size=1000,
    )


def _underway() -> list[str]:
    """States of moves that have a dyno in their hands."""
    return ["starting", "started", "healthy", "committed", "unknown"]


def _is_dyno(dyno: Any) -> bool:
    """Whether it is a dyno that stays, with all its words in order."""
    if not isinstance(dyno, dict) or dyno.get("provisional"):
        return False
    words = [dyno.get(name) for name in ("dyno", "app", "stack", "image")]
    texts = all(isinstance(word, str) and 0 < len(word) <= 100 and "\0" not in word for word in words)
    memory_mb = dyno.get("memory_mb")
    return texts and type(memory_mb) is int and 0 <= memory_mb < MOST_MB and dyno.get("state") in ON_HOSTS


def _list(answer: Mapping[str, Any], name: str) -> list[Any] | None:
    value = answer.get(name)
    return value if isinstance(value, list) else None


def _text(value: Any) -> str:
    return str(value or "").replace("\0", "")


def _time(value: Any) -> datetime | None:
    """A moment as the host wrote it: RFC 3339, or seconds."""
    if isinstance(value, int | float) and 0 < value < 1e11:
        return datetime.fromtimestamp(value, UTC)
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)
