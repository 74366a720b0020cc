"""Workers killed in the middle of a migration: the next one goes on, and every dyno runs in one place."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from fleet.lab.fleets import lost_and_doubled, places
from fleet.lab.simulated import Nature
from fleet.lifecycle import MigrationState
from fleet.migration.facts import Limits
from fleet.models import Dyno, Migration
from tests.fleet.migration.conftest import Fleet

SLOWER = Nature(crashes_per_dyno_hour=0.0, start_least_seconds=0.2, start_most_seconds=1.2)
KILLS = 4
PATIENCE_SECONDS = 100


def spawn(migration: Migration) -> subprocess.Popen[bytes]:
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    environment = os.environ | {
        "DATABASE_URL": url, "SSH_KEY_FILE": str(settings.SSH_KEY_FILE), "LEASE_SECONDS": "1", "LOG_LEVEL": "WARNING",
    }  # fmt: skip
    argv = [sys.executable, "-m", "tests.fleet.migration.driver", str(migration.pk)]
    return subprocess.Popen(argv, env=environment, cwd=settings.BASE_DIR)


def unfinished(migration: Migration) -> int:
    return migration.moves.exclude(state="done").count()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_or_doubled(make_fleet: Callable[..., Fleet], seed: int) -> None:
    dice = random.Random(seed)
    fleet = make_fleet(sources=3, targets=3, dynos=24, nature=SLOWER)
    fleet.taint()
    migration = fleet.migrate(Limits(starts_per_host=2, canary=2, gate_seconds=0.3))
    names, kills = list(Dyno.objects.values_list("name", flat=True)), 0
    worker, end = spawn(migration), time.monotonic() + PATIENCE_SECONDS
    try:
        while Migration.objects.get(pk=migration.pk).state == MigrationState.RUNNING:
            assert time.monotonic() < end, list(migration.moves.values_list("state", "message"))
            seen = unfinished(migration)
            while worker.poll() is None and time.monotonic() < end and unfinished(migration) in {0, seen}:
                time.sleep(0.05)
            time.sleep(dice.uniform(0.0, 0.4))
            assert set(names) <= set(places(fleet.lab)), "a dyno ran nowhere"
            if kills < KILLS and worker.poll() is None:
                worker.kill()
                worker.wait()
                kills += 1
            if worker.poll() is not None:
                worker = spawn(migration)
    finally:
        worker.kill()
        worker.wait()
    migration.refresh_from_db()
    assert (kills > 1, migration.state) == (True, MigrationState.DONE), migration.trouble
    assert lost_and_doubled(fleet.lab, names) == (0, 0)
    rows = dict(Dyno.objects.values_list("name", "host__name"))
    assert {name: [host] for name, host in rows.items()} == places(fleet.lab)
    assert all(host.startswith("new-") for host in rows.values())
