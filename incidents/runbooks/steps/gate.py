"""Closes or opens a stack's deploy gate."""

from typing import Any

from incidents.errors import Refused
from incidents.gates import close_gate, open_gate, standing_gate
from incidents.runbooks.step import Outcome, StepContext


class Gate:
    """Sets the gate of the incident's stack to what the runbook says."""

    def prepare(self, context: StepContext) -> dict[str, Any]:
        """Says which gate, and how it stands now."""
        stack = context.incident.stack
        if stack is None:
            return {"summary": "The suspected deploy is not of a stack: there is no gate to set.", "warnings": []}
        standing = standing_gate(stack)
        verb = "Close" if context.options["set"] == "closed" else "Open"
        warnings = [f"It is closed already: {standing.reason}"] if standing and verb == "Close" else []
        return {"summary": f"{verb} the deploy gate of {stack.name}", "stack": stack.name, "warnings": warnings}

    def begin(self, context: StepContext) -> None:
        """Sets it, in the confirming transaction; a gate that stands so already is left."""
        stack = context.incident.stack
        if stack is None:
            raise Refused(
                "This incident is about no stack, so there is no gate to set. Skip the step with that reason."
            )
        standing = standing_gate(stack)
        if context.options["set"] == "closed" and standing is None:
            reason = f"{context.incident}: {context.incident.headline}"
            close_gate(stack=stack, incident=context.incident, reason=reason, actor=context.actor, now=context.now)
        if context.options["set"] == "open" and standing is not None:
            open_gate(stack=stack, actor=context.actor, now=context.now, reason=context.step.title)

    def drive(self, context: StepContext) -> Outcome:
        """Done when it was begun."""
        stack = context.incident.stack
        return Outcome("succeeded", f"The deploy gate of {stack} is {context.options['set']}.")
