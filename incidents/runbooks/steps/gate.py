"""Closes a stack's deploy gate for the incident, or takes that closing back."""

from typing import Any

from fleet.models import Stack
from incidents.errors import Refused
from incidents.gates import close_gate, open_gate, standing_closings
from incidents.models import Gate as Closing
from incidents.runbooks.step import Outcome, StepContext


class Gate:
    """Sets the gate of the incident's stack to what the runbook says; what others closed stays closed."""

    def prepare(self, context: StepContext) -> dict[str, Any]:
        """Says which gate, and how it stands now."""
        stack = context.incident.stack
        if stack is None:
            return {"summary": "The suspected deploy is not of a stack: there is no gate to set", "warnings": []}
        verb = "Close" if context.options["set"] == "closed" else "Open"
        warnings = [_said(closing) for closing in _of_others(context, stack)]
        return {"summary": f"{verb} the deploy gate of {stack.name}", "stack": stack.name, "warnings": warnings}

    def begin(self, context: StepContext) -> None:
        """Sets it, in the confirming transaction; a gate that stands so already is left."""
        stack = context.incident.stack
        if stack is None:
            raise Refused(
                "This incident is about no stack, so there is no gate to set. Skip the step with that reason."
            )
        own = standing_closings(stack).filter(incident=context.incident).exists()
        words: dict[str, Any] = {"stack": stack, "incident": context.incident}
        words |= {"actor": context.actor, "now": context.now}
        if context.options["set"] == "closed" and not own:
            close_gate(reason=f"{context.incident}: {context.incident.headline}", **words)
        if context.options["set"] == "open" and own:
            open_gate(reason=context.step.title, **words)

    def drive(self, context: StepContext) -> Outcome:
        """Done when it was begun."""
        stack = context.incident.stack
        others = _of_others(context, stack) if stack else []
        if context.options["set"] == "open" and others:
            told = " ".join(map(_said, others))
            return Outcome("succeeded", f"This incident keeps the gate of {stack} closed no longer. {told}")
        return Outcome("succeeded", f"The deploy gate of {stack} is {context.options['set']}.")


def _of_others(context: StepContext, stack: Stack) -> list[Closing]:
    return list(standing_closings(stack).exclude(incident=context.incident))


def _said(closing: Closing) -> str:
    whose = f"{closing.incident} keeps" if closing.incident else f"{closing.closed_by} keeps"
    return f"{whose} it closed too: {closing.reason}."
