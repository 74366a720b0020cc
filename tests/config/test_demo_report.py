"""What the automatic demo measures: every figure from rows of known times, and each wrong one found out."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from config.demo.report import (
    crashes_after,
    first_damaged_crash,
    measure,
    seconds_to_cause,
    seconds_to_migrate,
    shortcomings,
    write_postmortem,
)
from fleet.actor import SYSTEM
from fleet.models import App, Crash, CrashKind, Deploy, Dyno, Host, Migration, Move, Taint
from fleet.partitions import CRASHES, MINUTES, ensure_partitions
from incidents.models import Incident, IncidentHost
from incidents.timeline.record import record

BEGAN = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
GOOD = {
    "demo": "ok", "lab": "simulated", "incident": 1, "verdict": "deploy", "deploy": "d3", "cohort": {"tools": "1.9"},
    "hosts_tainted": 4, "dynos_moved": 40, "dynos_lost": 0, "dynos_doubled": 0, "seconds_to_cause": 41.2,
    "seconds_to_migrate": 9.8, "crashes_after": 0, "timeline_entries": 58, "timeline_verified": True,
}  # fmt: skip


def after(**since: float) -> datetime:
    return BEGAN + timedelta(**since)


def wrong(**changes: Any) -> list[str]:
    return shortcomings({**GOOD, **changes}, deploy="d3", cohort={"tools": "1.9"})


def test_the_line_of_the_contract_has_no_shortcoming() -> None:
    assert wrong() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("verdict", "host"), ("deploy", "d2"), ("deploy", None), ("cohort", {}), ("cohort", {"tools": "1.9", "zone": "b"}),
     ("dynos_lost", 1), ("dynos_doubled", 1), ("crashes_after", 2), ("timeline_verified", False), ("hosts_tainted", 0),
     ("dynos_moved", 0)],
)  # fmt: skip
def test_every_wrong_figure_is_found_and_told_with_its_value(name: str, value: Any) -> None:
    [told] = wrong(**{name: value})
    assert told.startswith(f"{name} is {value!r}")


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert len(wrong(dynos_lost=1, dynos_doubled=2, dynos_moved=0, verdict="fleet")) == 4


@pytest.mark.parametrize("name", ["seconds_to_cause", "seconds_to_migrate"])
def test_a_time_that_could_not_be_measured_is_a_shortcoming(name: str) -> None:
    assert wrong(**{name: None}) == [f"{name} is None"]
    assert wrong(**{name: 0.0}) == []


@pytest.fixture
def incident(db: None) -> Incident:
    for partitioned in (CRASHES, MINUTES):
        ensure_partitions(partitioned, times=[after(hours=-1), BEGAN])
    deploy = Deploy.objects.create(key="d3", target="config", kind="redeploy", started_at=BEGAN)
    return Incident.objects.create(
        verdict="deploy", subject="d3", headline="d3 damages hosts", deploy=deploy, cohort={"tools": "1.9"},
        began_at=BEGAN, opened_at=after(seconds=20), named_at=after(seconds=45.26),
    )  # fmt: skip


def host(name: str, incident: Incident | None = None) -> Host:
    row, _ = Host.objects.get_or_create(name=name, defaults={"added_at": BEGAN})
    if incident:
        IncidentHost.objects.get_or_create(incident=incident, host=row, defaults={"since_at": BEGAN})
    return row


def crash(on: Host, at: datetime, *, kind: CrashKind = CrashKind.SEGV, dyno: str = "web.1") -> None:
    key = UUID(int=Crash.objects.count() + 1)
    Crash.objects.create(at=at, key=key, received_at=at, host=on, kind=kind, dyno=dyno)


def test_the_cause_is_timed_from_the_first_damaged_crash(incident: Incident) -> None:
    named, other = host("h1", incident), host("h2")
    assert (first_damaged_crash(incident), seconds_to_cause(incident)) == (None, None)
    crash(named, after(seconds=-5))
    crash(named, after(seconds=1), kind=CrashKind.EXIT)
    crash(other, after(seconds=2))
    assert seconds_to_cause(incident) is None
    crash(named, after(seconds=9), kind=CrashKind.BUS)
    crash(named, after(seconds=4))
    assert (first_damaged_crash(incident), seconds_to_cause(incident)) == (after(seconds=4), 41.3)


def test_an_incident_without_a_name_of_the_cause_is_timed_to_its_opening(incident: Incident) -> None:
    crash(host("h1", incident), after(seconds=4))
    incident.named_at = None
    assert seconds_to_cause(incident) == 16.0


def test_without_a_deploy_crashes_count_from_the_beginning(incident: Incident) -> None:
    named = host("h1", incident)
    incident.deploy, incident.began_at = None, after(seconds=3)
    crash(named, after(seconds=2))
    crash(named, after(seconds=5))
    assert first_damaged_crash(incident) == after(seconds=5)


def migration_of(incident: Incident, *states: str, took: float | None = 9.84) -> Migration:
    made = Migration.objects.create(
        reference=incident.reference, actor="x", created_at=BEGAN, started_at=after(minutes=5),
        finished_at=after(minutes=5, seconds=took) if took is not None else None,
    )  # fmt: skip
    app = App.objects.create(name="app-1")
    for place, state in enumerate(states):
        dyno = Dyno.objects.create(name=f"web.{place}", app=app, host=host("h1"), changed_at=BEGAN)
        Move.objects.create(
            migration=made, dyno=dyno, source=host("h1"), target=host("new"), position=place, state=state
        )
    return made


def test_only_hard_crashes_of_moved_dynos_since_the_last_move_count(incident: Incident) -> None:
    made = migration_of(incident, "done", "failed")
    assert (seconds_to_migrate(made), crashes_after(made)) == (9.8, 0)
    crash(host("h1"), after(minutes=4), dyno="web.0")
    crash(host("h1"), after(minutes=5, seconds=5), dyno="web.0")
    crash(host("new"), after(minutes=6), dyno="web.0", kind=CrashKind.EXIT)
    crash(host("new"), after(minutes=6, seconds=1), dyno="web.1")
    assert crashes_after(made) == 0
    crash(host("new"), after(minutes=6, seconds=2), dyno="web.0", kind=CrashKind.ILL)
    assert crashes_after(made) == 1


def test_a_migration_that_has_not_ended_has_no_time(incident: Incident) -> None:
    made = migration_of(incident, "done", took=None)
    crash(host("new"), after(minutes=6), dyno="web.0")
    assert (seconds_to_migrate(made), crashes_after(made)) == (None, 0)


def test_the_whole_line_and_that_it_holds(incident: Incident) -> None:
    named = host("h1", incident)
    crash(named, after(seconds=4))
    migration_of(incident, "done", "done", "cancelled")
    Taint.objects.create(host=named, reference=incident.reference, reason="x", owner="x", set_at=BEGAN)
    record(incident_id=incident.pk, kind="note", text="x", actor=SYSTEM, occurred_at=BEGAN)
    running = {"web.0": ["new"], "web.1": ["new"], "web.2": ["h1"]}
    line = measure(incident, lab="simulated", running=running, expected=set(running))
    assert set(line) == set(GOOD)
    assert line == {
        **GOOD, "incident": incident.pk, "hosts_tainted": 1, "dynos_moved": 2, "seconds_to_cause": 41.3,
        "timeline_entries": 1,
    }  # fmt: skip
    assert json.loads(json.dumps(line)) == line
    assert shortcomings(line, deploy="d3", cohort={"tools": "1.9"}) == []


@pytest.mark.parametrize(
    ("running", "lost", "doubled"),
    [({"a": ["h1"], "b": ["h1"]}, 0, 0), ({"a": ["h1"]}, 1, 0), ({"a": ["h1"], "b": []}, 1, 0), ({}, 2, 0),
     ({"a": ["h1", "new"], "b": ["h1"]}, 0, 1), ({"a": ["h1", "h2", "h3"], "stranger": ["h1", "h2"]}, 1, 2)],
)  # fmt: skip
def test_what_hosts_say_decides_what_is_lost_and_doubled(
    incident: Incident, running: dict[str, list[str]], lost: int, doubled: int
) -> None:
    migration_of(incident, "done")
    line = measure(incident, lab="simulated", running=running, expected={"a", "b"})
    assert (line["dynos_lost"], line["dynos_doubled"]) == (lost, doubled)


def test_a_changed_timeline_is_no_verified_one(incident: Incident) -> None:
    migration_of(incident, "done")
    record(incident_id=incident.pk, kind="note", text="x", actor=SYSTEM, occurred_at=BEGAN)
    Incident.objects.filter(pk=incident.pk).update(last_sequence=7)
    record(incident_id=incident.pk, kind="note", text="y", actor=SYSTEM, occurred_at=BEGAN)
    line = measure(Incident.objects.get(pk=incident.pk), lab="simulated", running={}, expected=set())
    assert line["timeline_verified"] is False
    assert any(told.startswith("timeline_verified") for told in shortcomings(line, deploy="d3", cohort={}))


def test_the_postmortem_is_written_in_every_format_of_the_contract(incident: Incident, tmp_path: Path) -> None:
    written = write_postmortem(incident, tmp_path / "var" / "demo")
    assert [path.name for path in written] == [f"postmortem.{name}" for name in ("md", "html", "json", "csv")]
    assert all(path.stat().st_size > 50 for path in written)
    assert json.loads(written[2].read_text())["incident"]["number"] == incident.pk
    assert write_postmortem(incident, tmp_path / "var" / "demo") == written
