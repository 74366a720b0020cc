"""Tells the worker that acts that a step waits for it. Losing a nudge costs delay, never work."""

from functools import partial

from celery import current_app
from django.db import transaction

from fleet.tasks.nudges import nudge

TASK = "incidents.tasks.acting.drive"


def nudge_step(step_id: int) -> None:
    """Nudges once the transaction is committed."""
    transaction.on_commit(partial(nudge, current_app.signature(TASK, args=[step_id])))
