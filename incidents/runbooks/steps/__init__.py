"""The kinds of steps, one file each, and their registry."""

from incidents.runbooks.step import Outcome, StepContext, StepKind
from incidents.runbooks.steps.act import Act
from incidents.runbooks.steps.check import Check
from incidents.runbooks.steps.decide import Decide
from incidents.runbooks.steps.gate import Gate
from incidents.runbooks.steps.instruct import Instruct
from incidents.runbooks.steps.wait import Wait

KINDS: dict[str, StepKind] = {
    "instruct": Instruct(),
    "decide": Decide(),
    "check": Check(),
    "act": Act(),
    "wait": Wait(),
    "gate": Gate(),
}

__all__ = ["KINDS", "Outcome", "StepContext", "StepKind"]
