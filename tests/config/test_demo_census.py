"""The hosts themselves are asked which dynos they run, past every row."""

import asyncio
from pathlib import Path

import pytest

from config.demo.census import take_census
from fleet.lab.fleets import migration_fleet
from fleet.lab.running import RunningLab
from fleet.ssh import CallError


def test_every_dyno_is_counted_where_it_really_runs(tmp_path: Path) -> None:
    lab = migration_fleet(tmp_path, sources=2, targets=1, dynos=5)
    with RunningLab(lab):
        told = asyncio.run(take_census(lab.hosts, lab.client_key))
        assert sorted(told) == [f"app-{n // 4:03d}.web.{n % 4 + 1}" for n in range(5)]
        assert [told[f"app-000.web.{n}"] for n in (1, 2, 3, 4)] == [["old-1"], ["old-2"], ["old-1"], ["old-2"]]
        twice, gone = lab.host("old-1").machine.placed.here, lab.host("old-2").machine.placed.here
        lab.host("new-1").machine.placed.here["app-000.web.1"] = twice["app-000.web.1"]
        del gone["app-000.web.2"]
        told = asyncio.run(take_census(lab.hosts, lab.client_key))
        assert sorted(told["app-000.web.1"]) == ["new-1", "old-1"]
        assert "app-000.web.2" not in told


def test_a_host_that_does_not_say_is_no_host_without_dynos(tmp_path: Path) -> None:
    lab = migration_fleet(tmp_path, sources=1, targets=1, dynos=2)
    with RunningLab(lab) as running:
        running.do(lab.host("old-1").refuse())
        with pytest.raises(CallError):
            asyncio.run(take_census(lab.hosts, lab.client_key))
