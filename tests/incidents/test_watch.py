from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from fleet.models import CrashMinute, KernelLine
from incidents import watch
from incidents.correlation.verdict import Board, Verdict
from incidents.models import Evidence, Incident, TimelineEntry, WatchMemory
from incidents.tasks import watching
from incidents.timeline.record import is_whole
from incidents.watching import opening
from incidents.watching.opening import carry_out
from tests.incidents.fleet_in_trouble import NEW, Fleet

pytestmark = pytest.mark.usefixtures("fast_ticks")


def test_damaged_cohort_opens_one_incident_that_names_deploy_and_cohort(troubled_fleet: Fleet) -> None:
    incident = Incident.objects.get()
    assert (incident.verdict, incident.subject, incident.cohort) == ("deploy", "d3", {"tools": "1.9"})
    assert incident.deploy is not None
    assert incident.stack is not None
    assert incident.severity == "major"
    named = incident.incident_hosts.filter(until_at__isnull=True).values_list("host__name", flat=True)
    assert sorted(named) == ["h00", "h01", "h02", "h03"]
    assert incident.headline.startswith("Redeploy d3 of cedar-14 probably damages hosts with tools 1.9: ")
    assert " of 4 such hosts, " in incident.headline
    assert incident.numbers["rate_ratio"] > 2
    first = CrashMinute.objects.filter(host__name__in=named, kind=3).order_by("first_at").first()
    assert first is not None
    assert incident.began_at == first.first_at
    assert (incident.opened_at - incident.began_at).total_seconds() < 60
    assert is_whole(incident)


def test_quiet_fleet_opens_nothing(quiet_fleet: Fleet) -> None:
    quiet_fleet.upgrade("d2")
    quiet_fleet.redeploy("d3")
    quiet_fleet.pass_ticks(30)
    assert not Incident.objects.exists()


def test_another_process_and_a_restart_open_no_second_incident(troubled_fleet: Fleet) -> None:
    entries = Incident.objects.get().last_sequence
    for _ in range(2):
        troubled_fleet.hand_over()
        troubled_fleet.pass_ticks(1, dying=0.2)
    assert len(troubled_fleet.opened) == 1
    assert Incident.objects.get().last_sequence <= entries + 1


def test_rebuilt_memory_names_what_the_running_one_named(troubled_fleet: Fleet) -> None:
    running = troubled_fleet.tick()
    WatchMemory.objects.all().delete()
    troubled_fleet.hand_over()
    rebuilt = troubled_fleet.tick()
    assert running is not None
    assert rebuilt is not None
    assert [v.key for v in rebuilt.board.verdicts] == [v.key for v in running.board.verdicts] == [("deploy", "d3")]


def test_ticks_do_not_flood_the_timeline(troubled_fleet: Fleet) -> None:
    incident = Incident.objects.get()
    before = incident.last_sequence
    troubled_fleet.pass_ticks(20, dying=0.2)
    incident.refresh_from_db()
    assert incident.last_sequence <= before + 2


def test_suspects_and_evidence_carry_what_speaks_for_and_against(troubled_fleet: Fleet) -> None:
    incident = Incident.objects.get()
    best = incident.suspects.select_related("deploy").first()
    assert best is not None
    assert best.deploy.key == "d3"
    assert best.speaks_for
    outcomes = Evidence.objects.get(incident=incident, kind="outcomes")
    assert outcomes.data["outcomes"] == {"overwrote": 4, "skipped": 6}
    assert outcomes.bearing == "for"


def test_resolved_subject_is_not_paged_again_while_it_stands(troubled_fleet: Fleet) -> None:
    Incident.objects.update(state="resolved", resolved_at=troubled_fleet.now)
    troubled_fleet.pass_ticks(5, dying=0.2)
    assert Incident.objects.count() == 1


def test_new_onset_after_it_had_faded_is_paged_again(troubled_fleet: Fleet) -> None:
    ticked = troubled_fleet.tick()
    assert ticked is not None
    now = troubled_fleet.now + timedelta(minutes=1)
    Incident.objects.update(state="resolved", resolved_at=now)
    assert carry_out(ticked.board, now=now).opened == []
    carry_out(replace(ticked.board, verdicts=()), now=now)
    closed = Incident.objects.get()
    assert closed.numbers["standing"] is False
    assert len(carry_out(ticked.board, now=now).opened) == 1
    assert Incident.objects.ongoing().get().pk != closed.pk


def test_a_deploy_that_hits_more_and_more_gets_worse_and_says_so(quiet_fleet: Fleet) -> None:
    quiet_fleet.redeploy("d3")
    now = quiet_fleet.now
    few = Verdict("deploy", "d3", now.timestamp(), {}, ("h00", "h01"), 20.0, 8.0, (4.0, 14.0), hosts_hit=2)
    board = Board(now.timestamp(), (few,), (), (), ())
    carry_out(board, now=now)
    incident = Incident.objects.get()
    assert incident.severity == "minor"
    assert incident.numbers["severity"]["words"].startswith("Minor: 2 of 14 hosts (14 %), 14 % of the dynos")
    many = replace(few, hosts=tuple(f"h{n:02}" for n in range(8)))
    for _ in range(2):
        carry_out(replace(board, verdicts=(many,)), now=now)
    incident.refresh_from_db()
    assert incident.severity == "major"
    assert incident.timeline.get(kind="severity").text.startswith("Now major, it was minor. Major: 8 of 14 hosts")
    carry_out(board, now=now)
    incident.refresh_from_db()
    assert incident.severity == "major", "it is not lowered by itself"


def test_fading_is_told_once(troubled_fleet: Fleet) -> None:
    ticked = troubled_fleet.tick()
    assert ticked is not None
    for _ in range(3):
        carry_out(replace(ticked.board, verdicts=()), now=troubled_fleet.now)
    assert TimelineEntry.objects.filter(kind="faded").count() == 1


def test_blame_that_moves_keeps_the_incident(troubled_fleet: Fleet) -> None:
    ticked = troubled_fleet.tick()
    assert ticked is not None
    troubled_fleet.redeploy("d4")
    verdict = replace(ticked.board.verdicts[0], subject="d4")
    carried = carry_out(replace(ticked.board, verdicts=(verdict,)), now=troubled_fleet.now)
    assert carried.opened == []
    incident = Incident.objects.get()
    assert (incident.subject, incident.deploy and incident.deploy.key) == ("d4", "d4")
    assert incident.named_at == troubled_fleet.now
    assert incident.headline.startswith("Redeploy d4 of cedar-14")
    assert incident.timeline.filter(kind="cause").count() == 1


def test_one_sick_host_is_told_without_a_deploy(quiet_fleet: Fleet) -> None:
    ticked = quiet_fleet.tick()
    assert ticked is not None
    verdict = Verdict("host", "h05", quiet_fleet.now.timestamp(), {}, ("h05",), 20.0, 8.0, (4.0, 14.0), hosts_hit=1)
    board = replace(ticked.board, verdicts=(verdict,))
    (number,) = carry_out(board, now=quiet_fleet.now).opened
    incident = Incident.objects.get(pk=number)
    assert incident.headline == "Host h05 has 8.0 times [4.0, 14.0] its usual crashes; no deploy explains it"
    assert incident.severity == "minor"


def test_a_past_that_is_loaded_later_is_taken_in(db: None) -> None:
    fleet = Fleet()
    fleet.pass_ticks(2)
    memory = fleet.watcher.memory
    fleet.with_past()
    fleet.pass_ticks(1)
    assert fleet.watcher.memory is not memory
    memory = fleet.watcher.memory
    fleet.pass_ticks(2)
    assert fleet.watcher.memory is memory


def test_crashes_on_every_host_blame_no_deploy(quiet_fleet: Fleet) -> None:
    quiet_fleet.redeploy("d3")
    for _ in range(15):
        quiet_fleet.now += timedelta(seconds=4)
        quiet_fleet.crash([row for row in quiet_fleet.dynos_on("1.9") if quiet_fleet.dice.random() < 0.2])
        quiet_fleet.crash([row for row in quiet_fleet.dynos_on(NEW) if quiet_fleet.dice.random() < 0.2])
        quiet_fleet.tick()
    assert not Incident.objects.filter(verdict="deploy").exists()


def test_crashes_since_counts_by_host(troubled_fleet: Fleet) -> None:
    incident = Incident.objects.get()
    counted = watch.crashes_since(hosts=troubled_fleet.hosts, since=incident.began_at, incident=incident)
    damaged = [counted[host.pk] for host in troubled_fleet.hosts[:4]]
    assert min(damaged) > 3
    assert sum(damaged) > 10 * sum(counted[host.pk] for host in troubled_fleet.hosts[10:])
    later = troubled_fleet.now + timedelta(hours=1)
    assert set(watch.crashes_since(hosts=troubled_fleet.hosts, since=later).values()) == {0}


def test_silent_feeds_are_said(troubled_fleet: Fleet) -> None:
    host = troubled_fleet.hosts[0]
    host.address, host.host_key = "127.0.0.1", "ssh-ed25519 AAAA"
    host.feed_at = troubled_fleet.now - timedelta(minutes=10)
    host.save()
    assert [h.name for h in watch.silent_hosts(troubled_fleet.now)] == ["h00"]
    troubled_fleet.pass_ticks(1, dying=0.2)
    assert Incident.objects.get().numbers["silent"] == ["h00"]


def test_silent_hosts_are_not_counted_as_well(quiet_fleet: Fleet, settings: Any) -> None:
    settings.COLLECT_SECONDS = 2.0
    quiet_fleet.pass_ticks(2)
    silent = quiet_fleet.hosts[-1]
    silent.address, silent.host_key = "127.0.0.1", "ssh-ed25519 AAAA"
    silent.feed_at = quiet_fleet.now
    silent.save()
    quiet_fleet.redeploy("d3")
    quiet_fleet.pass_ticks(20, dying=0.2, normal=0.0)
    assert "nothing is heard of 1 host: left out on both sides" in Incident.objects.get().numbers["against"]


def test_kernel_errors_become_evidence_and_reach_the_correlation(troubled_fleet: Fleet) -> None:
    at = troubled_fleet.now
    for number in range(3):
        line = f"I/O error, dev loop{number}"
        KernelLine.objects.create(host=troubled_fleet.hosts[1], at=at, kind="loop_io_error", line=line)
    KernelLine.objects.create(host=troubled_fleet.hosts[2], at=at, kind="suppressed", line="12 callbacks suppressed")
    troubled_fleet.pass_ticks(2, dying=0.2)
    evidence = Evidence.objects.get(kind="kernel")
    assert (evidence.host, evidence.bearing, evidence.data) == (troubled_fleet.hosts[1], "for", {"lines": 3})
    assert Evidence.objects.get(kind="suppressed").bearing == "neutral"
    best = Incident.objects.get().suspects.first()
    assert best is not None
    assert any("kernel errors after the deploy on 1 host: " in words for words in best.speaks_for)


def test_spared_hosts_speak_for_the_deploy_but_silent_ones_do_not(troubled_fleet: Fleet) -> None:
    assert Evidence.objects.get(kind="spared").data["hosts"] == 6
    silent = troubled_fleet.hosts[5]
    silent.address, silent.host_key, silent.trouble = "127.0.0.1", "ssh-ed25519 AAAA", "timed out"
    silent.save()
    troubled_fleet.pass_ticks(1, dying=0.2)
    evidence = Evidence.objects.get(kind="spared")
    assert (evidence.data["hosts"], evidence.bearing) == (5, "for")
    assert evidence.summary.startswith("5 hosts that d3 skipped: ")


def test_what_could_not_be_written_is_opened_by_the_next_tick(
    quiet_fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("the database went away")

    quiet_fleet.pass_ticks(2)
    quiet_fleet.redeploy("d3")
    monkeypatch.setattr(opening, "record", fail)
    with pytest.raises(RuntimeError):
        quiet_fleet.pass_ticks(20, dying=0.2)
    monkeypatch.undo()
    quiet_fleet.pass_ticks(1, dying=0.2)
    assert Incident.objects.get().subject == "d3"


def test_the_schedule_names_the_task() -> None:
    assert "incidents.tasks.watching.tick" in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert watching.tick.name == "incidents.tasks.watching.tick"
