"""What is read from the database, once, and from when on it counts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.ingest.crashes import ingest_crashes
from fleet.models import App, CrashMinute, Deploy, Dyno, Host, HostDeploy, KernelLine, Stack
from incidents.correlation import facts
from incidents.models import Evidence, Incident
from incidents.watching.beginning import HARD
from incidents.watching.memory import Memory
from incidents.watching.readings import (
    AT_ONCE,
    CrashReader,
    DeployReader,
    DynoReader,
    EvidenceReader,
    HostReader,
    Running,
    Told,
)

NOW = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=24)
pytestmark = pytest.mark.django_db


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def host() -> Host:
    return Host.objects.create(name="h1", state="in_service", attributes={"zone": "a", "tags": ["x"]}, added_at=NOW)


def died(*seconds: float, received: float, **more: Any) -> None:
    lines = [{"at": at(s).isoformat(), "host": "h1", "app": "a", "signal": "SIGSEGV", **more} for s in seconds]
    assert ingest_crashes(lines=lines, source="test", now=at(received)).rejected == []


def test_a_crash_is_read_once_and_counts_from_when_it_was_received(host: Host) -> None:
    reader = CrashReader(LONG_AGO)
    died(5, 20, received=30)
    (told,) = reader.new(at(31), oldest=LONG_AGO)
    assert (told.known_at, told.at) == (at(30).timestamp(), at(5).timestamp())
    assert isinstance(told.fact, facts.Crash)
    assert (told.fact.host, told.fact.app, told.fact.kind) == ("h1", "a", "segv")
    died(40, received=45)
    died(1, received=46, dyno="another")
    assert reader.new(at(50), oldest=LONG_AGO) == [], "the minute is known, though an earlier crash of it came late"
    assert [one.at for one in CrashReader(LONG_AGO).new(at(50), oldest=LONG_AGO)] == [at(5).timestamp()]
    died(61, received=70)
    died(41, received=71, app=None)
    assert {one.fact.app for one in reader.new(at(80), oldest=LONG_AGO)} == {"a", ""}  # type: ignore[union-attr]


def test_a_row_that_is_committed_late_is_not_lost(host: Host) -> None:
    reader = CrashReader(LONG_AGO)
    assert reader.new(at(60), oldest=LONG_AGO) == []
    died(10, received=20)
    assert len(reader.new(at(70), oldest=LONG_AGO)) == 1
    assert reader.new(at(80), oldest=LONG_AGO) == []


def test_a_host_deploy_counts_from_when_it_was_told_and_again_when_it_is_corrected(host: Host) -> None:
    reader = DeployReader(LONG_AGO)
    deploy = Deploy.objects.create(key="d1", target="config", kind="upgrade", started_at=at(0), received_at=at(2))
    row = HostDeploy.objects.create(deploy=deploy, host=host, at=at(5), outcome="installed", received_at=at(900))
    told = reader.new(at(901), oldest=LONG_AGO)
    assert [one.known_at for one in told] == [at(2).timestamp(), at(900).timestamp()]
    assert [one.is_late(180) for one in told] == [False, True]
    assert reader.new(at(902), oldest=LONG_AGO) == []
    HostDeploy.objects.filter(pk=row.pk).update(outcome="overwrote", corrected_at=at(2000))
    (corrected,) = reader.new(at(2001), oldest=LONG_AGO)
    assert corrected.known_at == at(2000).timestamp()
    assert isinstance(corrected.fact, facts.HostDeploy)
    assert corrected.fact.outcome == "overwrote"
    assert reader.new(at(2002), oldest=LONG_AGO) == []


def test_host_deploys_without_a_time_of_arrival_are_known_at_once(host: Host) -> None:
    reader = DeployReader(LONG_AGO)
    reader.new(at(600), oldest=LONG_AGO)
    deploy = Deploy.objects.create(key="d1", target="config", kind="upgrade", started_at=at(0))
    HostDeploy.objects.create(deploy=deploy, host=host, at=at(5), outcome="skipped", started_at=at(1))
    told = reader.new(at(601), oldest=LONG_AGO)
    assert [one.known_at for one in told] == [at(0).timestamp(), at(5).timestamp()]
    assert told[1].fact == facts.HostDeploy("d1", "h1", at(5).timestamp(), "skipped", at(1).timestamp())


def test_a_stamp_of_a_clock_that_is_ahead_is_told_once_and_counts_from_its_time(host: Host) -> None:
    reader = DeployReader(LONG_AGO)
    deploy = Deploy.objects.create(key="d1", target="config", kind="upgrade", started_at=at(0))
    HostDeploy.objects.create(deploy=deploy, host=host, at=at(300), outcome="installed")
    assert [one.known_at for one in reader.new(at(1), oldest=LONG_AGO)] == [at(0).timestamp(), at(300).timestamp()]
    for seconds in range(60, 500, 60):
        assert reader.new(at(seconds), oldest=LONG_AGO) == []


@pytest.mark.parametrize("signal", ["SIGABRT", "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS"])
def test_the_same_signals_are_hard_live_and_in_replay(host: Host, signal: str) -> None:
    died(5, received=30, signal=signal)
    (told,) = CrashReader(LONG_AGO).new(at(31), oldest=LONG_AGO)
    assert isinstance(told.fact, facts.Crash)
    assert told.fact.kind_class == facts.HARD == facts.Crash(0, 0, "h1", "a", signal=signal).kind_class
    assert CrashMinute.objects.get().kind in HARD


def test_dynos_count_where_they_are_from_when_they_changed(host: Host) -> None:
    other = Host.objects.create(name="h2", state="in_service", added_at=NOW)
    app, stack = App.objects.create(name="a"), Stack.objects.create(name="s")
    for name in ("a.1", "a.2"):
        Dyno.objects.create(name=name, app=app, host=host, stack=stack, changed_at=at(0))
    reader = DynoReader()
    assert list(reader.new(at(10))) == [Told(AT_ONCE, Running("h1", "a", "s", 2))]
    Dyno.objects.filter(name="a.1").update(host=other, changed_at=at(20))
    Dyno.objects.filter(name="a.2").update(state="stopped", changed_at=at(25))
    moved, gone = at(20).timestamp(), at(25).timestamp()
    assert set(reader.new(at(30))) == {
        Told(moved, Running("h1", "a", "s", 1)),
        Told(moved, Running("h2", "a", "s", 1)),
        Told(gone, Running("h1", "a", "s", 0)),
    }
    assert list(reader.new(at(31))) == []


def test_hosts_are_told_when_they_are_new_or_changed(host: Host) -> None:
    reader = HostReader()
    (first,) = reader.new()
    assert (first.known_at, first.fact) == (AT_ONCE, first.fact)
    assert first.fact.attributes == {"zone": "a"}, "what is no plain value tells nothing"  # type: ignore[union-attr]
    Host.objects.create(name="h2", state="in_service", added_at=at(40))
    assert [one.known_at for one in reader.new()] == [at(40).timestamp()]
    Host.objects.filter(name="h1").update(attributes={"zone": "b"})
    assert [one.fact.attributes for one in reader.new()] == [{"zone": "b"}]  # type: ignore[union-attr]
    assert list(reader.new()) == []


def test_what_hosts_say_is_read_once_by_when_it_was_read(host: Host) -> None:
    reader = EvidenceReader(LONG_AGO)
    KernelLine.objects.create(host=host, at=at(1), received_at=at(50), kind="fs_error", line="SQUASHFS error")
    KernelLine.objects.create(host=host, at=at(1), kind="suppressed", line="9 callbacks suppressed")
    incident = Incident.objects.create(verdict="host", subject="h1", headline="", began_at=NOW, opened_at=NOW)
    for finding in ("damaged", "intact"):
        Evidence.objects.create(
            incident=incident, host=host, kind="verification", bearing="for", summary=finding, observed_at=at(55),
            data={"finding": finding},
        )  # fmt: skip
    told = sorted((one.known_at, one.fact.kind) for one in reader.new(at(60), oldest=LONG_AGO))  # type: ignore[union-attr]
    verified = at(55).timestamp()
    assert told == [(at(50).timestamp(), "fs_error"), (verified, "verified_damaged"), (verified, "verified_intact")]
    assert reader.new(at(61), oldest=LONG_AGO) == []


def test_a_memory_judges_by_what_was_known_before_the_end_of_a_bin(host: Host) -> None:
    memory = Memory(since=LONG_AGO)
    died(10, received=59)
    died(70, received=60)
    memory.read(at(200))
    first = int(NOW.timestamp() // 60) + 1
    memory.judge(first)
    assert len(memory.waiting) == 1, "what is received in the moment a bin ends belongs to the next one"
    memory.judge(first + 1)
    assert memory.waiting == []
    died(15, received=400, app="b")
    memory.read(at(401))
    look = memory.judge(first + 6)
    assert look.late is not None
    assert (look.late.crashes, look.late.host_deploys, look.late.hosts) == (1, 0, frozenset({"h1"}))
    assert look.late.words == "1 crash of 03:00 UTC arrived at 03:06"
