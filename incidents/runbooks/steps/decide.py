"""A person chooses, with the evidence beside."""

from typing import Any

from incidents.errors import Refused
from incidents.runbooks.step import Outcome, StepContext


class Decide:
    """The choices stand in the runbook; one that says `ends_run` gives the run up, `skips` passes steps over."""

    def prepare(self, context: StepContext) -> dict[str, Any]:
        """Shows the choices."""
        return {"summary": context.step.title, "choices": context.options["choices"]}

    def begin(self, context: StepContext) -> None:
        """Refuses anything that is not one of the choices."""
        if context.choice.get("choice") not in {choice["key"] for choice in context.options["choices"]}:
            raise Refused("Choose one of the answers; nothing was recorded.")

    def drive(self, context: StepContext) -> Outcome:
        """Decided."""
        chosen = context.step.choice["choice"]
        choice = next(choice for choice in context.options["choices"] if choice["key"] == chosen)
        result = {"choice": chosen, "ends_run": bool(choice.get("ends_run")), "skips": choice.get("skips", [])}
        return Outcome("succeeded", f"{context.step.confirmed_by} decided: {choice['label']}.", result)
