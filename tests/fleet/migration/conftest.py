"""A simulated fleet in a thread, enrolled in the test's database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.utils import timezone

from fleet.actions import taint_hosts
from fleet.actor import SYSTEM
from fleet.lab.fleets import enrol_fleet, migration_fleet
from fleet.lab.running import RunningLab
from fleet.lab.simulated import Nature, SimulatedLab
from fleet.migration.facts import Limits
from fleet.migration.mover import create_migration, propose, start_migration
from fleet.models import Host, Migration
from fleet.partitions import keep_partitions
from fleet.performing import perform_operations

QUICK = Nature(crashes_per_dyno_hour=0.0, start_least_seconds=0.05, start_most_seconds=0.3)


class Fleet:
    """The lab, its rows, and what tests do with them."""

    def __init__(self, running: RunningLab, lab: SimulatedLab, hosts: list[Host]) -> None:
        self.running, self.lab, self.hosts = running, lab, hosts

    @property
    def sources(self) -> list[Host]:
        return list(Host.objects.filter(name__startswith="old-").order_by("name"))

    def taint(self) -> None:
        operations = taint_hosts(hosts=self.sources, reason="test", reference="", actor=SYSTEM, now=timezone.now())
        perform_operations(operation_ids=[operation.pk for operation in operations])

    def migrate(self, limits: Limits) -> Migration:
        plan = propose(sources=self.sources, limits=limits)
        migration = create_migration(plan=plan, reference="", actor=SYSTEM, now=timezone.now())
        start_migration(migration=migration, actor=SYSTEM, now=timezone.now())
        return migration


@pytest.fixture
def make_fleet(transactional_db: None, tmp_path: Path, settings: object) -> Iterator[Callable[..., Fleet]]:
    with ExitStack() as stack:

        def make(*, sources: int = 2, targets: int = 2, dynos: int = 8, nature: Nature = QUICK) -> Fleet:
            lab = migration_fleet(tmp_path / "lab", sources=sources, targets=targets, dynos=dynos, nature=nature)
            running = stack.enter_context(RunningLab(lab))
            settings.SSH_KEY_FILE = lab.client_key  # type: ignore[attr-defined]
            keep_partitions(now=timezone.now())
            return Fleet(running, lab, enrol_fleet(lab, now=timezone.now()))

        yield make
