"""Tells the worker that acts that a step waits for it."""

from fleet.tasks.nudges import nudge_on_commit

TASK = "incidents.tasks.acting.drive"


def nudge_step(step_id: int) -> None:
    """Nudges once the transaction is committed."""
    nudge_on_commit(TASK, [step_id])
