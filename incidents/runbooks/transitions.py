"""PURE. Which step's turn it is."""

from collections.abc import Sequence

from incidents.lifecycle import StepState

ENDED = (StepState.SUCCEEDED.value, StepState.SKIPPED.value)


def next_position(states: Sequence[str]) -> int | None:
    """The place of the first step that has not ended, or None when all have. Failed and unknown steps hold the run."""
    return next((place for place, state in enumerate(states) if state not in ENDED), None)
