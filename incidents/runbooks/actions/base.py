"""What the actions of `act` steps share."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from django.db.models import Count, Q

from fleet.actions import request_operation
from fleet.lifecycle import DynoState, OperationState
from fleet.models import Dyno, Host, Operation
from fleet.performing import perform_operations
from fleet.wording import count
from incidents.runbooks.step import Outcome, StepContext

FLEET_CHANGED = "The fleet has changed since this plan was shown, so nothing was done. Look at the new plan."
PLACED = ~Q(dynos__state__in=[DynoState.STOPPED.value, DynoState.LOST.value])


class Action(Protocol):
    """What is done to the targets of an `act` step."""

    changes_hosts: bool
    moves_dynos: bool

    def choose(self, context: StepContext, /, hosts: list[Host]) -> list[Host]:
        """Those of the step's targets that this action concerns."""
        ...

    def describe(self, context: StepContext, /, hosts: list[Host]) -> dict[str, Any]:
        """The part of the plan that is this action's own."""
        ...

    def begin(self, context: StepContext, hosts: list[Host]) -> None:
        """Writes down what is to be done, in the confirming transaction."""
        ...

    def drive(self, context: StepContext) -> Outcome:
        """Does what is left to do."""
        ...


def describe_targets(hosts: list[Host]) -> dict[str, Any]:
    """The targets with the apps and dynos on each, as a plan shows them."""
    counted = Host.objects.filter(pk__in=[host.pk for host in hosts]).values("name", "state").order_by("name")
    targets = [
        {"host": row["name"], "state": row["state"], "apps": row["app_count"], "dynos": row["dyno_count"]}
        for row in counted.annotate(
            dyno_count=Count("dynos", filter=PLACED), app_count=Count("dynos__app", filter=PLACED, distinct=True)
        )
    ]
    placed = Dyno.objects.placed().filter(host__in=hosts)
    return {
        "targets": targets,
        "apps": placed.values("app").distinct().count(),
        "dynos": placed.count(),
        "irreversible": [],
        "warnings": [],
    }


def in_reach(hosts: Iterable[Host]) -> list[Host]:
    """Those that can be asked: enrolled, with an address and a pinned key."""
    return [host for host in hosts if host.address and host.host_key]


def request_on_hosts(context: StepContext, hosts: Iterable[Host], *, verb: str, arguments: Mapping[str, Any]) -> None:
    """Writes down one operation a host, under names that make a repetition harmless."""
    for host in hosts:
        request_operation(
            host=host,
            verb=verb,
            arguments=dict(arguments),
            name=context.operation_name(verb, host.pk),
            reference=context.incident.reference,
            actor=context.actor,
            now=context.now,
        )


def operations_of(context: StepContext, ids: Iterable[int] | None = None) -> list[Operation]:
    """The operations of those ids, or else of this attempt, by host."""
    prefix = f"step-{context.step.pk}-{context.step.attempt}-"
    condition = Q(name__startswith=prefix) if ids is None else Q(pk__in=list(ids))
    return list(Operation.objects.filter(condition).select_related("host").order_by("host__name"))


def perform_requested(context: StepContext, ids: Iterable[int] | None = None) -> list[Operation]:
    """Sends what has not been answered yet, and gives all of these operations as they are then."""
    open_states = (OperationState.PENDING, OperationState.UNKNOWN)
    waiting = [operation.pk for operation in operations_of(context, ids) if operation.state in open_states]
    if waiting:
        perform_operations(operation_ids=waiting)
    return operations_of(context, ids)


def host_rows(operations: Iterable[Operation]) -> list[dict[str, Any]]:
    """How each host answered, as the page shows it."""
    return [
        {
            "host": operation.host.name,
            "state": str(operation.state),
            "seconds": _seconds(operation),
            "output": operation.message or operation.error,
        }
        for operation in operations
    ]


def outcome_of(operations: list[Operation], summary: str, rows: list[dict[str, Any]] | None = None) -> Outcome:
    """The step's outcome from its hosts' answers: every one must have done it. Unknown outranks failed."""
    states = Counter(str(operation.state) for operation in operations)
    result = {"hosts": rows or host_rows(operations), "numbers": dict(states)}
    done = states[OperationState.SUCCEEDED.value]
    told = f"{summary}: {done} of {count(len(operations), 'host')}"
    if not operations:
        return Outcome("failed", f"{summary}: no host was asked.", result)
    if done == len(operations):
        return Outcome("succeeded", f"{told}.", result)
    if states[OperationState.UNKNOWN.value]:
        return Outcome(
            "unknown", f"{told}; {states[OperationState.UNKNOWN.value]} did not say what became of it.", result
        )
    if states[OperationState.PENDING.value] or states[OperationState.RUNNING.value]:
        return Outcome("running", f"{told} so far.", result)
    return Outcome("failed", f"{told}; the others refused or could not be reached.", result)


def _seconds(operation: Operation) -> float | None:
    if not (operation.started_at and operation.finished_at):
        return None
    return round((operation.finished_at - operation.started_at).total_seconds(), 2)
