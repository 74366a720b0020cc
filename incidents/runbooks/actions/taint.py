"""Marks hosts: no new dynos."""

from typing import Any

from fleet.actions import retry_operation, taint_hosts
from fleet.lifecycle import HostState, OperationState
from fleet.models import Host, Operation, Taint
from fleet.wording import count
from incidents.errors import Refused
from incidents.runbooks.actions.base import FLEET_CHANGED, host_rows, outcome_of, perform_requested
from incidents.runbooks.step import Outcome, StepContext
from incidents.runbooks.targets import released_by_person


class TaintHosts:
    """The row is marked on confirming, the host's own file by the operation that follows."""

    changes_hosts = True
    moves_dynos = False

    def choose(self, context: StepContext, hosts: list[Host]) -> list[Host]:
        """All but those whose taint a person lifted: they looked, and it is their word that counts."""
        released = released_by_person(context.incident)
        return [host for host in hosts if host.pk not in released or host.state != HostState.IN_SERVICE]

    def describe(self, context: StepContext, hosts: list[Host]) -> dict[str, Any]:
        """How many, and which are left alone."""
        chosen = {host.pk for host in hosts}
        left = [taint for host, taint in released_by_person(context.incident).items() if host not in chosen]
        warnings = [f"{taint.lifted_by} lifted the taint of {taint.host}, so it is left alone." for taint in left]
        return {"summary": f"Taint {count(len(hosts), 'host')}", "command": "dynohost taint", "warnings": warnings}

    def begin(self, context: StepContext, hosts: list[Host]) -> None:
        """Taints those that are not tainted yet; sends again what did not reach the others."""
        taint_hosts(
            hosts=[host for host in hosts if host.state == HostState.IN_SERVICE],
            reason=f"{context.incident}: {context.incident.headline}",
            reference=context.incident.reference,
            actor=context.actor,
            now=context.now,
        )
        taints = list(Taint.objects.standing().filter(host__in=hosts).select_related("host"))
        if len(taints) != len(hosts):
            raise Refused(FLEET_CHANGED)
        operations = list(Operation.objects.filter(name__in=[f"taint-{taint.pk}" for taint in taints]))
        for operation in operations:
            retry_operation(operation=operation, now=context.now)
        marked = {operation.host_id for operation in operations}
        context.step.result = {
            "operations": [operation.pk for operation in operations],
            "unmarked": [taint.host.name for taint in taints if taint.host_id not in marked],
        }

    def drive(self, context: StepContext) -> Outcome:
        """Lets each host put the mark where it holds without us."""
        operations = perform_requested(context, context.step.result.get("operations", []))
        withdrawn = [o.host.name for o in operations if o.state == OperationState.CANCELLED]
        asked = [operation for operation in operations if operation.state != OperationState.CANCELLED]
        unmarked = context.step.result.get("unmarked", [])
        outcome = outcome_of(asked, "Tainted", host_rows(operations))
        state = outcome.state if asked else "succeeded"
        told = (
            f"{outcome.summary} Lifted by a person meanwhile: {', '.join(withdrawn)}." if withdrawn else outcome.summary
        )
        if unmarked:
            told += f" Not enrolled, so the mark holds here alone: {', '.join(unmarked)}."
        return Outcome(state, told, outcome.result)
