"""Tasks of the worker that acts on hosts."""

from celery import shared_task
from django.utils import timezone

from fleet.actions import lift_expired_taints
from fleet.collecting import collect_hosts
from fleet.migration.mover import drive_migration, due_migrations
from fleet.performing import due_operations, perform_operations
from fleet.tasks.nudges import nudge


@shared_task(name="fleet.tasks.acting.collect")
def collect() -> None:
    """Reads every host's crashes and dynos."""
    collect_hosts(now=timezone.now())


@shared_task(name="fleet.tasks.acting.perform")
def perform(operation_id: int) -> None:
    """Sends one operation."""
    perform_operations(operation_ids=[operation_id])


@shared_task(name="fleet.tasks.acting.drive")
def drive(migration_id: int) -> None:
    """Carries one migration on."""
    drive_migration(migration_id)


@shared_task(name="fleet.tasks.acting.sweep")
def sweep() -> None:
    """Nudges whatever is due and nobody holds."""
    now = timezone.now()
    lift_expired_taints(now=now)
    for operation in due_operations(now):
        nudge("fleet.tasks.acting.perform", [operation.pk])
    for migration in due_migrations(now):
        nudge("fleet.tasks.acting.drive", [migration.pk])
