"""Changes hosts: what is wanted is written down first, then done over SSH, then what came of it is written down.

Every request has a name that the host remembers, so sending it again never acts twice. SSH happens outside of any
transaction: claim, commit, call, record guarded by the claim.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from fleet import journal
from fleet.actor import Actor
from fleet.lifecycle import HostState, OperationState
from fleet.models import Host, Operation, Taint
from fleet.reach import endpoint_of, with_hosts
from fleet.ssh import CallError, NotStarted, Pool, Rejected
from fleet.tasks.nudges import nudge_on_commit

DEADLINES = {"verify": 120.0, "install": 600.0, "protect": 120.0}
DEADLINE_SECONDS = 60.0
GRACE = timedelta(seconds=15)
MOST_ATTEMPTS = 10
TRY_AGAIN = {"stale_fence", "still_running"}


def request_operation(
    *, host: Host, verb: str, arguments: Mapping[str, Any], name: str, reference: str, actor: Actor, now: datetime
) -> Operation:
    """Writes down one request to one host; the same name again gives the request that stands already."""
    wanted = {"host": host, "verb": verb, "arguments": dict(arguments), "reference": reference, "actor": actor.name}
    operation, _ = Operation.objects.get_or_create(name=name, defaults=wanted | {"requested_at": now})
    nudge_on_commit("fleet.tasks.acting.perform", [operation.pk])
    return operation


@transaction.atomic
def taint_hosts(
    *,
    hosts: Sequence[Host],
    reason: str,
    reference: str,
    actor: Actor,
    now: datetime,
    expires_at: datetime | None = None,
) -> list[Operation]:
    """Marks hosts: no new dynos. Gives the operations that put the mark on the hosts themselves.

    A host that is not in service is passed over; so is one that somebody tainted a moment ago.
    """
    operations = []
    for host in hosts:
        if not Host.objects.filter(pk=host.pk).advance(HostState.TAINTED):
            continue
        taint = Taint.objects.create(
            host=host, reason=reason, reference=reference, owner=actor.name, set_at=now, expires_at=expires_at
        )
        arguments = {"reason": reason, "reference": reference}
        name = f"taint-{taint.pk}"
        operations.append(
            request_operation(
                host=host, verb="taint", arguments=arguments, name=name, reference=reference, actor=actor, now=now
            )
        )
    if operations:
        _tell(reference, "taint", f"Tainted {_names(operations)}.", actor, now)
    return operations


@transaction.atomic
def untaint_hosts(*, hosts: Sequence[Host], proof: Mapping[str, Any], actor: Actor, now: datetime) -> list[Operation]:
    """Lifts the marks; `proof` says what was checked. Gives the operations that lift them on the hosts themselves."""
    operations = []
    for taint in Taint.objects.standing().filter(host__in=hosts).select_related("host"):
        lifted = {"lifted_at": now, "lifted_by": actor.name, "proof": dict(proof)}
        if not Taint.objects.filter(pk=taint.pk, lifted_at__isnull=True).update(**lifted):
            continue
        Host.objects.filter(pk=taint.host_id).advance(HostState.IN_SERVICE)
        operation = request_operation(
            host=taint.host,
            verb="untaint",
            arguments={},
            name=f"untaint-{taint.pk}",
            reference=taint.reference,
            actor=actor,
            now=now,
        )
        operations.append(operation)
        _tell(taint.reference, "taint", f"Lifted the taint of {taint.host.name}.", actor, now, proof=dict(proof))
    return operations


@dataclass(frozen=True)
class Claim:
    """An operation that is ours to send now, by the fence that its host must see."""

    operation: Operation
    fence: int


@dataclass(frozen=True)
class Ending:
    """What a call came to."""

    state: OperationState
    result: Mapping[str, Any] | None = None
    error: str = ""
    message: str = ""


def perform_operations(*, operation_ids: Iterable[int], now: datetime | None = None) -> None:
    """Sends operations to their hosts, all at the same time, and writes down what came of each.

    One that somebody else is sending, or that has ended, is left alone.
    """
    at = now or timezone.now()
    claims = [claim for key in operation_ids if (claim := _claim(key, at)) is not None]
    if not claims:
        return

    async def send_all(pool: Pool) -> list[Ending]:
        return await asyncio.gather(*(_send(pool, claim) for claim in claims))

    for claim, ending in zip(claims, with_hosts(send_all), strict=True):
        _settle(claim, ending)


def due_operations(now: datetime) -> QuerySet[Operation]:
    """Operations that want sending: new ones that nobody took up, and those whose outcome nobody knows."""
    waiting = Operation.objects.filter(state__in=[OperationState.PENDING, OperationState.UNKNOWN])
    return waiting.filter(attempts__lt=MOST_ATTEMPTS, requested_at__lt=now - timedelta(seconds=2))


def release_abandoned(now: datetime) -> int:
    """Operations whose sender is gone become unknown, so that their hosts are asked again; gives how many."""
    gone = Operation.objects.filter(state=OperationState.RUNNING, lease_until__lt=now)
    return gone.update(state=OperationState.UNKNOWN, lease_until=None, message="Whoever sent it is gone.")


def _claim(operation_id: int, now: datetime) -> Claim | None:
    operation = Operation.objects.select_related("host").get(pk=operation_id)
    fence = Host.objects.values_list("fence", flat=True).get(pk=operation.host_id)
    until = now + timedelta(seconds=_deadline(operation)) + GRACE
    claimed = Operation.objects.filter(
        pk=operation_id, state__in=[OperationState.PENDING, OperationState.UNKNOWN]
    ).update(
        state=OperationState.RUNNING,
        fence=fence,
        lease_until=until,
        attempts=F("attempts") + 1,
        started_at=Coalesce("started_at", now),
    )
    operation.refresh_from_db(fields=["attempts"])
    return Claim(operation, fence) if claimed else None


async def _send(pool: Pool, claim: Claim) -> Ending:
    operation = claim.operation
    try:
        result = await pool.call(
            endpoint_of(operation.host),
            verb=operation.verb,
            operation=operation.name,
            fence=claim.fence,
            deadline_seconds=_deadline(operation),
            arguments=operation.arguments,
        )
    except NotStarted as problem:
        return Ending(OperationState.NOT_STARTED, error="not_started", message=str(problem))
    except Rejected as refusal:
        again = refusal.code in TRY_AGAIN
        return Ending(OperationState.UNKNOWN if again else OperationState.REJECTED, None, refusal.code, refusal.message)
    except CallError as problem:
        return Ending(OperationState.UNKNOWN, error="unknown", message=str(problem))
    return Ending(OperationState.SUCCEEDED, result)


def _settle(claim: Claim, ending: Ending) -> None:
    """Writes down the ending, unless the claim was lost meanwhile."""
    held = Operation.objects.filter(
        pk=claim.operation.pk, state=OperationState.RUNNING, attempts=claim.operation.attempts
    )
    held.update(
        state=ending.state,
        result=ending.result,
        error=ending.error,
        message=ending.message,
        lease_until=None,
        finished_at=timezone.now(),
    )


def _deadline(operation: Operation) -> float:
    return DEADLINES.get(operation.verb, DEADLINE_SECONDS)


def _names(operations: Sequence[Operation]) -> str:
    return ", ".join(operation.host.name for operation in operations)


def _tell(reference: str, kind: str, text: str, actor: Actor, now: datetime, **data: Any) -> None:
    journal.record(reference=reference, kind=kind, text=text, actor=actor, occurred_at=now, data=data)
