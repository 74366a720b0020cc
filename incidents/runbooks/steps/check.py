"""A measured condition, with its numbers: it holds now, or the step fails."""

from typing import Any

from incidents.runbooks.step import Outcome, StepContext
from incidents.runbooks.steps.conditions import Reading, recovered


def read_condition(context: StepContext) -> Reading:
    """Measures the condition that the runbook names."""
    return recovered(context.incident, context.step, quiet_ticks=int(context.options["quiet_ticks"]), now=context.now)


class Check:
    """Looks once."""

    def prepare(self, context: StepContext) -> dict[str, Any]:
        """Shows how it stands now."""
        return {"summary": f"Now: {read_condition(context).summary}."}

    def begin(self, context: StepContext) -> None:
        """Nothing is written: measuring changes nothing."""

    def drive(self, context: StepContext) -> Outcome:
        """Measures, and judges."""
        reading = read_condition(context)
        return Outcome("succeeded" if reading.holds else "failed", f"{reading.summary}.", {"numbers": reading.numbers})
