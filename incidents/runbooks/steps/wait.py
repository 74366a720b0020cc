"""Waits until a condition holds, with a limit."""

from typing import Any

from incidents.runbooks.step import Outcome, StepContext
from incidents.runbooks.steps.check import Check
from incidents.runbooks.steps.conditions import read_condition


class Wait(Check):
    """Looks again and again; fails, with the last numbers, when the limit is over."""

    def prepare(self, context: StepContext) -> dict[str, Any]:
        """Says what is waited for, and how long at most."""
        limit = context.options["limit_seconds"]
        return {"summary": f"Watch until it holds, {limit / 60:g} minutes at most"}

    def drive(self, context: StepContext) -> Outcome:
        """Measures; running until it holds or the time is over."""
        reading = read_condition(context)
        if reading.holds:
            return Outcome("succeeded", f"{reading.summary}.", {"numbers": reading.numbers})
        started_at = context.step.started_at or context.now
        over = (context.now - started_at).total_seconds() > context.options["limit_seconds"]
        return Outcome("failed" if over else "running", f"{reading.summary}.", {"numbers": reading.numbers})
