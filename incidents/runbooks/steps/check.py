"""A measured condition, with its numbers: it holds now, or the step fails."""

from typing import Any

from incidents.errors import Refused
from incidents.runbooks.step import Outcome, StepContext
from incidents.runbooks.steps.conditions import read_condition


class Check:
    """Looks once."""

    def prepare(self, context: StepContext) -> dict[str, Any]:
        """Shows how it stands now."""
        return {"summary": f"Now: {read_condition(context).summary}"}

    def begin(self, context: StepContext) -> None:
        """Nothing is written: measuring changes nothing. Raises Refused where there is nothing to measure."""
        reading = read_condition(context)
        if not reading.possible:
            raise Refused(f"{reading.summary}. Skip the step with that reason.")

    def drive(self, context: StepContext) -> Outcome:
        """Measures, and judges."""
        reading = read_condition(context)
        return Outcome("succeeded" if reading.holds else "failed", f"{reading.summary}.", {"numbers": reading.numbers})
