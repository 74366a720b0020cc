"""Tasks of the worker that acts on hosts."""

from celery import shared_task
from django.utils import timezone

from incidents.runbooks.driving import drive_step, due_steps
from incidents.runbooks.nudges import nudge_step


@shared_task(name="incidents.tasks.acting.drive")
def drive(step_id: int) -> None:
    """Brings one step of a run on."""
    drive_step(step_id)


@shared_task(name="incidents.tasks.acting.sweep")
def sweep() -> None:
    """Nudges every running step that nobody holds."""
    for step_id in due_steps(timezone.now()).values_list("pk", flat=True):
        nudge_step(step_id)
