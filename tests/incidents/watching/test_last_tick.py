"""When the watch last looked, as monitoring and the page Now are told."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from fleet.metrics import exposition
from incidents.models import Watch
from incidents.watching.silence import stale_watch
from tests.incidents.fleet_in_trouble import Fleet
from tests.incidents.views.story import person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fast_ticks")]


def told() -> dict[str, float]:
    lines = [line for line in exposition(now=timezone.now()).splitlines() if line.startswith("faultline_tick_")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_a_tick_leaves_when_it_was_and_how_many_bins_it_acted_on(quiet_fleet: Fleet) -> None:
    before = timezone.now()
    quiet_fleet.pass_ticks(1)
    watch = Watch.objects.get()
    assert watch.tick_started_at is not None
    assert watch.tick_ended_at is not None
    assert before <= watch.tick_started_at < watch.tick_ended_at <= timezone.now()
    assert watch.tick_bins == 1
    figures = told()
    assert figures["faultline_tick_duration_seconds"] == pytest.approx(watch.tick_seconds, rel=1e-3)
    assert 0 <= figures["faultline_tick_age_seconds"] < 60
    assert figures["faultline_tick_bins"] == 1
    quiet_fleet.tick()  # nothing has ended since
    assert Watch.objects.get().tick_bins == 0


def test_a_tick_that_fails_is_none(quiet_fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("incidents.watch.keep_standings", fail)
    with pytest.raises(RuntimeError):
        quiet_fleet.pass_ticks(1)
    assert told() == {}


def test_now_says_so_where_the_watch_has_not_looked_for_some_ticks(client: Client, quiet_fleet: Fleet) -> None:
    client.force_login(person("robin", "viewer"))
    quiet_fleet.pass_ticks(1)
    assert stale_watch(timezone.now()) is None
    assert "The watch last looked" not in client.get("/").content.decode()
    Watch.objects.update(tick_ended_at=timezone.now() - timedelta(hours=2))
    assert "The watch last looked" in client.get("/").content.decode()
    assert told()["faultline_tick_age_seconds"] >= 7200
