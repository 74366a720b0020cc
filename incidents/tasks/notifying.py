"""Tasks that tell people."""

from celery import shared_task

from incidents.notifying.sending import deliver_due


@shared_task(name="incidents.tasks.notifying.deliver")
def deliver() -> None:
    """Sends every message that is due."""
    deliver_due()
