"""Tasks that keep the house."""

from celery import shared_task
from django.utils import timezone

from fleet import partitions


@shared_task(name="fleet.tasks.keeping.keep_partitions")
def keep_partitions() -> None:
    """Makes crash partitions ahead, drops those whose time is over."""
    partitions.keep_partitions(now=timezone.now())
