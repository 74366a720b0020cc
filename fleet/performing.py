"""Carries operations out: many hosts in one event loop, each answer recorded only by the one who claimed it."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from fleet.leases import next_fence
from fleet.lifecycle import OperationState
from fleet.live import FLEET, announce
from fleet.models import Operation, Taint
from fleet.models.querysets import due
from fleet.offloop import in_thread
from fleet.reach import endpoint_of, reach_hosts
from fleet.ssh import CallError, NotStarted, Pool, Rejected, Unknown

DEADLINES = {"verify": 120.0, "install": 300.0, "protect": 60.0, "taint": 15.0, "untaint": 15.0}
DEADLINE_SECONDS = 60.0
FENCED = frozenset({"start", "commit", "stop", "taint", "untaint", "install", "protect"})
TRIES = 4
PENDING_SECONDS = 10.0  # after that the sweeper sends what nobody sent
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Claim:
    """An operation taken on. `maybe_sent`: an earlier holder may have sent it, so a failure to reach proves nothing."""

    operation: Operation
    fence: int
    maybe_sent: bool


@dataclass(frozen=True)
class Came:
    """What came of a call."""

    state: OperationState
    result: dict[str, Any] | None = None
    error: str = ""
    message: str = ""


def perform_operations(*, operation_ids: Iterable[int], now: datetime | None = None) -> None:
    """Sends those that are due, and waits for those that another worker is sending; every wait has an end."""
    ids = list(operation_ids)
    claims = [claim for key in ids if (claim := _claim(key, now or timezone.now()))]
    if claims:
        try:
            reach_hosts(lambda pool: _perform_all(pool, claims))
        except NotStarted as problem:
            for claim in claims:
                _record(claim, claim.fence, _not_reached(claim, problem))
        announce(FLEET)
    _await_others(ids)


def due_operations(now: datetime) -> QuerySet[Operation]:
    """Those to be sent, or asked after, by whoever comes by."""
    forgotten = Q(state=OperationState.PENDING, requested_at__lt=now - timedelta(seconds=PENDING_SECONDS))
    silent = Q(state__in=[OperationState.RUNNING, OperationState.UNKNOWN])
    return Operation.objects.filter(due(now)).filter(forgotten | silent)


def deadline_of(verb: str) -> float:
    """How long a call may take, in seconds."""
    return DEADLINES.get(verb, DEADLINE_SECONDS)


def _claim(operation_id: int, now: datetime) -> Claim | None:
    """Takes on an operation that is nobody's; None when somebody has it, or it has ended."""
    before = Operation.objects.select_related("host").filter(pk=operation_id).first()
    if before is None:
        return None
    waiting = Q(state__in=[OperationState.PENDING, OperationState.UNKNOWN])
    abandoned = Q(state=OperationState.RUNNING) & due(now)
    fence, until = next_fence(), now + timedelta(seconds=TRIES * deadline_of(before.verb) + settings.LEASE_SECONDS)
    taken = Operation.objects.filter(waiting | abandoned, pk=operation_id, fence=before.fence).update(
        state=OperationState.RUNNING,
        fence=fence,
        lease_until=until,
        attempts=F("attempts") + 1,
        started_at=Coalesce("started_at", now),
    )
    return Claim(before, fence, before.state != OperationState.PENDING) if taken else None


async def _perform_all(pool: Pool, claims: list[Claim]) -> None:
    await asyncio.gather(*(_perform(pool, claim) for claim in claims))


async def _perform(pool: Pool, claim: Claim) -> None:
    """One operation to its end; a host that has seen a higher fence is asked again with a higher one."""
    fence = claim.fence
    came = await _ask_first(pool, claim) if claim.maybe_sent else None
    for attempt in range(TRIES):
        if came is not None:
            break
        try:
            came = Came(OperationState.SUCCEEDED, await _send(pool, claim, fence))
        except Rejected as refusal:
            if refusal.code == "stale_fence":
                fence = await in_thread(_raise_fence, claim, fence)
            elif not refusal.retry or attempt == TRIES - 1:
                came = Came(OperationState.REJECTED, None, refusal.code[:64], refusal.message)
            else:
                await asyncio.sleep(0.5 * 2**attempt)
        except NotStarted as problem:
            came = _not_reached(claim, problem) if attempt == TRIES - 1 else None
            await asyncio.sleep(0.3 * 2**attempt if came is None else 0)
        except Unknown as problem:
            came = Came(OperationState.UNKNOWN, None, "unknown", str(problem))
    stale = Came(OperationState.REJECTED, None, "stale_fence", "The host keeps refusing: others act on it at once.")
    await in_thread(_record, claim, fence, came or stale)


async def _send(pool: Pool, claim: Claim, fence: int) -> dict[str, Any]:
    operation = claim.operation
    return await pool.call(
        endpoint_of(operation.host),
        verb=operation.verb,
        operation=operation.name,
        fence=fence if operation.verb in FENCED else None,
        deadline_seconds=deadline_of(operation.verb),
        arguments=operation.arguments,
    )


async def _ask_first(pool: Pool, claim: Claim) -> Came | None:
    """What the host remembers of it; None when it has to be sent (again)."""
    operation = claim.operation
    try:
        told = await pool.call(
            endpoint_of(operation.host), verb="operation", operation=operation.name, deadline_seconds=15.0
        )
    except CallError as problem:
        return Came(OperationState.UNKNOWN, None, "unknown", str(problem))
    if told.get("state") == "absent" and await in_thread(_is_withdrawn, operation):
        return Came(OperationState.REJECTED, None, "withdrawn", "The taint was lifted before it reached the host.")
    return None


def _is_withdrawn(operation: Operation) -> bool:
    """Whether it would set a mark that has been lifted since."""
    verb, _, number = operation.name.partition("-")
    return operation.verb == verb == "taint" and Taint.objects.filter(pk=number, lifted_at__isnull=False).exists()


def _not_reached(claim: Claim, problem: NotStarted) -> Came:
    state = OperationState.UNKNOWN if claim.maybe_sent else OperationState.NOT_STARTED
    return Came(state, None, "not_reached", str(problem))


def _raise_fence(claim: Claim, fence: int) -> int:
    """A higher fence, if the claim still stands; the old one else, which the host will go on refusing."""
    higher = next_fence()
    held = Operation.objects.filter(pk=claim.operation.pk, state=OperationState.RUNNING, fence=fence)
    return higher if held.update(fence=higher) else fence


def _record(claim: Claim, fence: int, came: Came) -> None:
    """Writes it down, unless somebody took the operation over; an unknown one is asked again, ever more rarely."""
    now = timezone.now()
    pause = min(300.0, 5.0 * 2.0 ** min(claim.operation.attempts, 8))
    again_at = now + timedelta(seconds=pause) if came.state is OperationState.UNKNOWN else None
    Operation.objects.filter(pk=claim.operation.pk, fence=fence).advance(
        came.state,
        result=came.result,
        error=came.error,
        message=came.message[:2000],
        lease_until=again_at,
        finished_at=None if again_at else now,
    )


def _await_others(ids: list[int]) -> None:
    running = Operation.objects.filter(pk__in=ids, state=OperationState.RUNNING, lease_until__gt=timezone.now())
    verbs = list(running.values_list("verb", flat=True))
    until = time.monotonic() + max((deadline_of(verb) for verb in verbs), default=0.0)
    while time.monotonic() < until and running.exists():
        time.sleep(LOOK_SECONDS)
