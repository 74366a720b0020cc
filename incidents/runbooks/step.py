"""What every kind of step offers those who confirm and drive it."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, Protocol

from fleet.actor import Actor
from incidents.models import Incident, RunStep


@dataclass
class StepContext:
    """A step in its run, at one moment. `choice` is what the person chose on confirming it."""

    step: RunStep
    now: datetime
    actor: Actor
    choice: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def incident(self) -> Incident:
        """The incident that the run is for."""
        return self.step.run.incident

    @cached_property
    def options(self) -> dict[str, Any]:
        """What the runbook says of this step, frozen when the run began."""
        plans: list[dict[str, Any]] = self.step.run.plan["steps"]
        return next(dict(plan["options"]) for plan in plans if plan["key"] == self.step.key)

    def operation_name(self, verb: str, host_id: int) -> str:
        """The operation id of this step's request to one host: the same however often one attempt is sent."""
        return f"step-{self.step.pk}-{self.step.attempt}-{verb}-{host_id}"


@dataclass(frozen=True)
class Outcome:
    """Where a step stands after it was driven; `running` is asked again later."""

    state: Literal["running", "succeeded", "failed", "unknown"]
    summary: str
    result: dict[str, Any] = field(default_factory=dict)


class StepKind(Protocol):
    """One kind of step.

    `prepare` only reads; `begin` runs in the confirming transaction; `drive` may take long, runs outside of any
    transaction in the worker that acts, and may be called again at any time.
    """

    def prepare(self, context: StepContext) -> dict[str, Any]:
        """The plan that a person sees before confirming."""
        ...

    def begin(self, context: StepContext) -> None:
        """Writes down what is to be done. Raises Refused."""
        ...

    def drive(self, context: StepContext) -> Outcome:
        """Does what is left to do, and says how it stands."""
        ...
