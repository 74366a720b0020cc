"""Backtests over a fleet's own stored past: true to what was, one at a time, cancelled at once, never run twice."""

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from fleet.actor import Actor
from fleet.models import HostDeploy
from incidents.backtesting import running, stored
from incidents.backtesting.running import cancel_backtest, request_backtest, run_backtest
from incidents.backtesting.stored import Span, boards, span_of, tick_times
from incidents.correlation.settings import Settings
from incidents.errors import Refused
from incidents.models import Backtest, Incident, Notice
from incidents.tasks.backtesting import sweep
from tests.incidents.fleet_in_trouble import START, TICK, Fleet

pytestmark = pytest.mark.usefixtures("fast_ticks")
ADA = Actor("person", "ada")


@pytest.fixture
def fleet_with_a_past(quiet_fleet: Fleet) -> Fleet:
    """A minute later, so that there is something to play."""
    quiet_fleet.now += timedelta(seconds=15 * TICK)
    return quiet_fleet


def ask(fleet: Fleet, **wanted: str) -> Backtest:
    return request_backtest(wanted=wanted, since=START, until=fleet.now, actor=ADA, now=fleet.now)


def ran(fleet: Fleet, **wanted: str) -> dict[str, Any]:
    backtest = ask(fleet, **wanted)
    run_backtest(backtest.pk)
    backtest.refresh_from_db()
    assert (backtest.state, backtest.message, backtest.progress) == ("done", "", 1.0)
    assert backtest.lease_owner == ""
    return dict(backtest.result)


def test_the_thresholds_in_use_say_what_was_and_others_do_not(troubled_fleet: Fleet) -> None:
    result = ran(troubled_fleet)
    incident = Incident.objects.get()
    assert (result["would"], result["was"]) == (1, 1)
    (row,) = result["rows"]
    assert row["would"]["words"].startswith("Redeploy d3 of cedar-14")
    assert row["was"]["incident"] == incident.pk
    assert abs(row["would"]["at"] - incident.opened_at.timestamp()) <= 3 * TICK
    silent = ran(troubled_fleet, page_score="900")
    assert (silent["would"], silent["was"]) == (0, 1)
    assert silent["summary"] == ["1 page fewer"]
    assert silent["rows"][0]["difference"] == "was paged, and would not have been"
    assert Incident.objects.get().last_sequence == incident.last_sequence, "a backtest leaves incidents alone"


def test_the_thresholds_in_use_page_exactly_when_the_watch_did(troubled_fleet: Fleet) -> None:
    span = span_of(since=START, until=troubled_fleet.now, bin_seconds=TICK)
    played = [page for board in boards(span, Settings(bin_seconds=TICK)) for page in board.pages]
    sent = Notice.objects.filter(update=False).order_by("at")
    assert [(page.at, page.verdict.subject) for page in played] == [(row.at.timestamp(), row.subject) for row in sent]
    assert len(played) == 1


def test_a_host_deploy_is_not_known_before_it_was_told(troubled_fleet: Fleet) -> None:
    """Told a day late, it cannot be blamed for what it did."""
    HostDeploy.objects.update(received_at=troubled_fleet.now + timedelta(days=1))
    assert "deploy" not in {row["would"]["verdict"] for row in ran(troubled_fleet)["rows"] if row["would"]}


def test_windows_of_any_length_say_the_same(troubled_fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def paged() -> list[tuple[float, str]]:
        span = span_of(since=START, until=troubled_fleet.now, bin_seconds=TICK)
        played = boards(span, Settings(bin_seconds=TICK))
        return [(notice.at, notice.verdict.subject) for board in played for notice in board.pages]

    whole = paged()
    monkeypatch.setattr(stored, "WINDOW_BINS", 7)
    assert paged() == whole
    assert len(whole) == 1


def test_the_run_up_is_coarse_and_the_span_fine() -> None:
    times = list(tick_times(Span(0.0, 12_000.0, 12_600.0), 60.0))
    assert times[0] == 1200.0
    assert [at for at in times if at > 8400][:3] == [8460.0, 8520.0, 8580.0]
    assert times[-1] == 12_600.0


def test_one_at_a_time(fleet_with_a_past: Fleet) -> None:
    first = ask(fleet_with_a_past)
    with pytest.raises(Refused, match="Another backtest is under way"):
        ask(fleet_with_a_past)
    cancel_backtest(backtest=first, actor=ADA, now=fleet_with_a_past.now)
    ask(fleet_with_a_past)


@pytest.mark.parametrize(
    ("wanted", "start", "end", "words"),
    [
        ({"moon": "1"}, 0, 100, "no threshold 'moon'"),
        ({"page_score": "-1"}, 0, 100, "from 1 to 1000"),
        ({}, 100, 0, "span"),
        ({}, 0, 0, "span"),
        ({}, -99_999, 10, "stored past begins"),
        ({}, 10_000_000, 20_000_000, "span"),
    ],
)
def test_what_makes_no_sense_is_refused(
    quiet_fleet: Fleet, wanted: dict[str, str], start: float, end: float, words: str
) -> None:
    since, until = (START + timedelta(seconds=seconds) for seconds in (start, end))
    with pytest.raises(Refused, match=words):
        request_backtest(wanted=wanted, since=since, until=until, actor=ADA, now=START + timedelta(hours=1))
    assert not Backtest.objects.exists()


def test_a_span_of_years_is_refused(quiet_fleet: Fleet) -> None:
    now = START + timedelta(days=900)
    with pytest.raises(Refused, match="at most"):
        request_backtest(wanted={}, since=START, until=now, actor=ADA, now=now)


def test_without_a_past_there_is_nothing_to_try_on(db: None) -> None:
    with pytest.raises(Refused, match="No crash is stored yet"):
        request_backtest(wanted={}, since=START, until=START + timedelta(days=1), actor=ADA, now=timezone.now())


def test_a_cancelled_one_stops_at_its_next_word_and_keeps_no_result(
    fleet_with_a_past: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    backtest = ask(fleet_with_a_past)
    tell, ticks = running._tell_progress, []

    def cancelled_soon(held: Any, progress: float) -> None:
        ticks.append(progress)
        if len(ticks) == 3:
            cancel_backtest(backtest=backtest, actor=ADA, now=fleet_with_a_past.now)
        tell(held, progress)

    monkeypatch.setattr(running, "_tell_progress", cancelled_soon)
    run_backtest(backtest.pk, tell_seconds=0.0)
    backtest.refresh_from_db()
    assert (backtest.state, backtest.message, backtest.result) == ("cancelled", "ada cancelled it.", {})
    assert len(ticks) == 3
    assert 0 < backtest.progress < 1
    with pytest.raises(Refused, match="has ended already"):
        cancel_backtest(backtest=backtest, actor=ADA, now=fleet_with_a_past.now)


def test_it_is_run_by_one_process_and_taken_over_when_that_is_gone(fleet_with_a_past: Fleet) -> None:
    backtest = ask(fleet_with_a_past)
    now = timezone.now()
    assert running._claim(backtest.pk, now) is not None
    assert running._claim(backtest.pk, now) is None
    assert running._claim(backtest.pk, now + timedelta(minutes=2)) is not None
    assert running._claim(backtest.pk, now + timedelta(minutes=4)) is None
    backtest.refresh_from_db()
    assert (backtest.state, backtest.message) == ("failed", "The process that ran it died, every time.")


def test_what_fails_says_so(fleet_with_a_past: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    backtest = ask(fleet_with_a_past)
    monkeypatch.setattr(running, "boards", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_backtest(backtest.pk)
    backtest.refresh_from_db()
    assert (backtest.state, backtest.message) == ("failed", "It failed: ZeroDivisionError: division by zero")


def test_the_sweeper_nudges_what_waits(fleet_with_a_past: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    nudged: list[tuple[str, list[int]]] = []
    monkeypatch.setattr("incidents.tasks.backtesting.nudge", lambda task, ids: nudged.append((task, ids)))
    backtest = ask(fleet_with_a_past)
    sweep()
    assert nudged == [("incidents.tasks.backtesting.run", [backtest.pk])]
    running._claim(backtest.pk, timezone.now())
    sweep()
    assert len(nudged) == 1


def own_environment() -> dict[str, str]:
    """With the database of this test."""
    base, _, _ = os.environ["DATABASE_URL"].partition("?")
    query = os.environ["DATABASE_URL"][len(base) :]
    name = str(connection.settings_dict["NAME"])
    return {
        **os.environ,
        "DATABASE_URL": f"{base.rpartition('/')[0]}/{name}{query}",
        "TICK_SECONDS": str(TICK),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


@pytest.mark.django_db(transaction=True)
def test_a_process_of_its_own_runs_it(fast_ticks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet().with_past()
    fleet.pass_ticks(12)
    backtest = ask(fleet)
    monkeypatch.setattr(os, "environ", own_environment())
    running.run_in_process(backtest.pk)
    backtest.refresh_from_db()
    assert (backtest.state, backtest.result["summary"]) == ("done", ["no difference"])


@pytest.mark.django_db(transaction=True)
def test_its_process_ends_with_the_worker(fast_ticks: None) -> None:
    """The worker dies: its end of the pipe closes."""
    argv = [sys.executable, "-c", PARENT]
    with subprocess.Popen(argv, env=own_environment(), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == "tied\n"
        assert alive(child)
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and alive(child):
        threading.Event().wait(0.05)
    assert not alive(child)


# Starts something that never ends by itself, tied as a backtest is.
PARENT = """
import subprocess, sys, time
code = "import django; django.setup(); from incidents.management.commands.run_backtest import _end_with_parent as end; "
code += "print('tied', flush=True); end()"
child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
print(child.pid, flush=True)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().split()[2] != "Z"


def test_the_command_replays_the_stored_past(troubled_fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    span = ["--since", START.isoformat(), "--until", troubled_fleet.now.isoformat()]
    call_command("replay", "--stored", *span, "--json")
    assert '"deploy":"d3"' in capsys.readouterr().out
    call_command("replay", "--stored", *span, "--set", "page_score=900")
    assert "Nothing would have been sent" in capsys.readouterr().out
    with pytest.raises(CommandError, match="There is no stored past"):
        call_command("replay", "--stored", "--until", "2020-01-01")
    with pytest.raises(CommandError, match="--until"):
        call_command("replay", "--stored", "--until", "noon")
