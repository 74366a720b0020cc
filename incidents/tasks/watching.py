"""Tasks of the watch."""

from celery import shared_task
from django.utils import timezone

from incidents import watch


@shared_task(name="incidents.tasks.watching.tick")
def tick() -> None:
    """One tick of the watch."""
    watch.tick(now=timezone.now())
