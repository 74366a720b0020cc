"""Changes hosts: what is wanted is written down here first; performing.py does it over SSH.

Every request has a name that the host remembers, so sending it again never acts twice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import transaction

from fleet import journal
from fleet.actor import SYSTEM, Actor
from fleet.lifecycle import HostState, OperationState
from fleet.live import FLEET, announce
from fleet.models import Host, Operation, Taint
from fleet.tasks.nudges import nudge_on_commit

LIFTABLE = (HostState.TAINTED, HostState.DRAINED)


def request_operation(
    *, host: Host, verb: str, arguments: Mapping[str, Any], name: str, reference: str, actor: Actor, now: datetime
) -> Operation:
    """Writes down one request to one host; the same name again gives the request that stands already.

    Raises ValueError for a name that stands for something else.
    """
    wanted = {"host": host, "verb": verb, "arguments": dict(arguments), "reference": reference, "actor": actor.name}
    operation, _ = Operation.objects.get_or_create(name=name, defaults=wanted | {"requested_at": now})
    if (operation.host_id, operation.verb) != (host.pk, verb):
        raise ValueError(f"Operation {name} is another host's or another verb's: {operation.verb}.")
    nudge_on_commit("fleet.tasks.acting.perform", [operation.pk])
    return operation


def retry_operation(*, operation: Operation, now: datetime) -> bool:
    """Lets one that never reached its host, or was refused there, be sent again; gives whether it was one."""
    ended = [OperationState.NOT_STARTED, OperationState.REJECTED]
    waiting = Operation.objects.filter(pk=operation.pk, state__in=ended)
    return bool(waiting.advance(OperationState.PENDING, requested_at=now, finished_at=None, lease_until=None))


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
    tainted, operations = [], []
    for host in sorted(hosts, key=lambda host: host.name):
        if not Host.objects.filter(pk=host.pk, state=HostState.IN_SERVICE).advance(HostState.TAINTED):
            continue
        taint = Taint.objects.create(
            host=host, reason=reason, reference=reference, owner=actor.name, set_at=now, expires_at=expires_at
        )
        tainted.append(host.name)
        operations += _on_host(taint, "taint", {"reason": reason, "reference": reference}, actor, now)
    if tainted:
        text = f"Tainted {', '.join(tainted)}: {reason}"
        data = {"hosts": tainted, "expires_at": expires_at}
        journal.record(reference=reference, kind="taint", text=text, actor=actor, occurred_at=now, data=data)
        announce(FLEET)
    return operations


@transaction.atomic
def untaint_hosts(*, hosts: Sequence[Host], proof: Mapping[str, Any], actor: Actor, now: datetime) -> list[Operation]:
    """Lifts the marks; `proof` says what was checked. Gives the operations that lift them on the hosts themselves.

    A host whose dynos are being moved away keeps its taint until that has ended.
    """
    lifted, operations = [], []
    for host in sorted(hosts, key=lambda host: host.name):
        if not Host.objects.filter(pk=host.pk, state__in=LIFTABLE).advance(HostState.IN_SERVICE):
            continue
        for taint in Taint.objects.standing().filter(host=host).select_related("host"):
            Taint.objects.filter(pk=taint.pk).update(lifted_at=now, lifted_by=actor.name, proof=dict(proof))
            Operation.objects.filter(name=f"taint-{taint.pk}").advance(OperationState.CANCELLED, finished_at=now)
            lifted.append((taint.reference, host.name))
            operations += _on_host(taint, "untaint", {}, actor, now)
    for reference, group in groupby(sorted(lifted), key=lambda entry: entry[0]):
        names = [name for _, name in group]
        text = f"Lifted the taint of {', '.join(names)}: {proof.get('summary', 'see the proof')}"
        data = {"hosts": names, "proof": dict(proof)}
        journal.record(reference=reference, kind="untaint", text=text, actor=actor, occurred_at=now, data=data)
    if lifted:
        announce(FLEET)
    return operations


def lift_expired_taints(*, now: datetime) -> list[Operation]:
    """Lifts taints whose time is over; the journal says that nothing was checked."""
    hosts = list(Host.objects.filter(taints__in=Taint.objects.expired(now), state__in=LIFTABLE).distinct())
    proof = {"summary": "its time was over; nothing was checked", "expired": True}
    return untaint_hosts(hosts=hosts, proof=proof, actor=SYSTEM, now=now) if hosts else []


def _on_host(taint: Taint, verb: str, arguments: Mapping[str, Any], actor: Actor, now: datetime) -> list[Operation]:
    """The operation behind a taint's row; none for a host that was never enrolled."""
    host, reference = taint.host, taint.reference
    if not (host.address and host.host_key):
        return []
    name = f"{verb}-{taint.pk}"
    return [
        request_operation(
            host=host, verb=verb, arguments=arguments, name=name, reference=reference, actor=actor, now=now
        )
    ]
