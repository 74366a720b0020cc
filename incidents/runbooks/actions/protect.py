"""Makes images immutable on hosts, and tries whether that holds."""

from typing import Any

from fleet.lifecycle import OperationState
from fleet.models import Host
from fleet.wording import count
from incidents.runbooks.actions.base import host_rows, in_reach, outcome_of, perform_requested, request_on_hosts
from incidents.runbooks.step import Outcome, StepContext


class Protect:
    """Sets the immutable attribute on the images; `retest` then tries to write all the same, without harm."""

    changes_hosts = False
    moves_dynos = False

    def __init__(self, *, retest: bool) -> None:
        self.retest = retest

    def choose(self, _context: StepContext, hosts: list[Host]) -> list[Host]:
        """Those that can be asked."""
        return in_reach(hosts)

    def describe(self, _context: StepContext, hosts: list[Host]) -> dict[str, Any]:
        """What is set, or tried."""
        done = "Test the protection" if self.retest else "Protect the images"
        command = "dynohost protect" + (" test=true" if self.retest else "")
        return {"summary": f"{done} on {count(len(hosts), 'host')}", "command": command}

    def begin(self, context: StepContext, hosts: list[Host]) -> None:
        """One request a host."""
        request_on_hosts(context, hosts, verb="protect", arguments={"test": True} if self.retest else {})

    def drive(self, context: StepContext) -> Outcome:
        """Asks the hosts; a test in which any attempt to write got through is a failure, whatever else was refused."""
        operations = perform_requested(context)
        pierced = [
            operation.host.name
            for operation in operations
            if self.retest and operation.state == OperationState.SUCCEEDED and not (operation.result or {}).get("held")
        ]
        outcome = outcome_of(operations, "Protection held" if self.retest else "Protected", host_rows(operations))
        if pierced:
            return Outcome(
                "failed", f"An attempt to write an image got through on {', '.join(pierced)}.", outcome.result
            )
        return outcome
