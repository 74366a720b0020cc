"""Simulated hosts over real SSH, enrolled, for every test of the fleet."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from fleet.lab.fleets import CALM, enrol_fleet, migration_fleet
from fleet.lab.running import RunningLab
from fleet.models import Host
from fleet.partitions import keep_partitions

Enrolled = tuple[RunningLab, Any, list[Host]]


@pytest.fixture
def enrolled_lab(transactional_db: None, tmp_path: Path, settings: Any) -> Iterator[Callable[..., Enrolled]]:
    """Call it for a running lab, the lab itself and its rows."""
    with ExitStack() as stack:

        def make(*, sources: int = 2, targets: int = 1, dynos: int = 4) -> Enrolled:
            lab = migration_fleet(tmp_path / "lab", sources=sources, targets=targets, dynos=dynos, nature=CALM)
            running = stack.enter_context(RunningLab(lab))
            settings.SSH_KEY_FILE = lab.client_key
            keep_partitions(now=timezone.now())
            return running, lab, enrol_fleet(lab, now=timezone.now())

        yield make
