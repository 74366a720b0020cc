"""A person does something and ticks it off."""

from typing import Any

from incidents.runbooks.step import Outcome, StepContext


class Instruct:
    """Nothing is done but by the person."""

    def prepare(self, context: StepContext) -> dict[str, Any]:
        """Says what to do."""
        return {"summary": context.step.title}

    def begin(self, context: StepContext) -> None:
        """Nothing to write down beside the tick itself."""

    def drive(self, context: StepContext) -> Outcome:
        """Done, because the person says so."""
        note = str(context.step.choice.get("note", "")).strip()
        return Outcome("succeeded", f"Done by {context.step.confirmed_by}." + (f" {note}" if note else ""))
