"""Changes hosts: what is wanted is written down here first; performing.py does it over SSH.

Every request has a name that the host remembers, so sending it again never acts twice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from fleet import journal
from fleet.actor import Actor
from fleet.lifecycle import HostState
from fleet.models import Host, Operation, Taint
from fleet.tasks.nudges import nudge_on_commit


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


def _names(operations: Sequence[Operation]) -> str:
    return ", ".join(operation.host.name for operation in operations)


def _tell(reference: str, kind: str, text: str, actor: Actor, now: datetime, **data: Any) -> None:
    journal.record(reference=reference, kind=kind, text=text, actor=actor, occurred_at=now, data=data)
