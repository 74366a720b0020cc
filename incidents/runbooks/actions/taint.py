"""Marks hosts: no new dynos."""

from typing import Any

from fleet.actions import taint_hosts
from fleet.lifecycle import HostState
from fleet.models import Host
from incidents.runbooks.actions.base import host_rows, outcome_of, perform_requested
from incidents.runbooks.step import Outcome, StepContext


class Taint:
    """The row is marked on confirming, the host's own file by the operation that follows."""

    changes_hosts = True

    def describe(self, _context: StepContext, hosts: list[Host]) -> dict[str, Any]:
        """How many, and that it can be lifted again."""
        return {"summary": f"Taint {len(hosts)} hosts", "command": "dynohost taint"}

    def begin(self, context: StepContext, hosts: list[Host]) -> None:
        """Taints those that are not tainted yet."""
        fresh = [host for host in hosts if host.state == HostState.IN_SERVICE]
        operations = taint_hosts(
            hosts=fresh,
            reason=f"{context.incident}: {context.incident.headline}",
            reference=context.incident.reference,
            actor=context.actor,
            now=context.now,
        )
        context.step.result = {"operations": [operation.pk for operation in operations]}

    def drive(self, context: StepContext) -> Outcome:
        """Lets each host put the mark where it holds without us."""
        ids = context.step.result.get("operations", [])
        operations = perform_requested(context, ids)
        outcome = outcome_of(operations, "Tainted", host_rows(operations))
        return Outcome(outcome.state, outcome.summary, outcome.result | {"operations": ids})
