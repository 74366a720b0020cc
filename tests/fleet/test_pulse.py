"""Known crashes give known curves: of the fleet, of one host, and of the hosts that stand out."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fleet.models import CrashKind, CrashMinute, Host
from fleet.partitions import MINUTES, ensure_partitions
from fleet.pulse import SPAN, crashes_by_host, host_pulse, minutes_until, pulse_and_heat

NOW = datetime(2031, 3, 30, 12, 34, 56, 789, tzinfo=UTC)
THIS = datetime(2031, 3, 30, 12, 34, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def host(name: str) -> Host:
    return Host.objects.create(name=name, state="in_service", added_at=NOW)


def crash(
    host: Host, ago: int, count: int = 1, kind: CrashKind = CrashKind.SEGV, *, app: int = 1, recorded: bool = False
) -> None:
    minute = THIS - ago * MINUTE
    ensure_partitions(MINUTES, times=[minute])
    CrashMinute.objects.create(
        minute=minute, host=host, app_id=app, kind=kind, count=count, first_at=minute, first_received_at=minute,
        recorded=recorded,
    )  # fmt: skip


def test_the_minutes_end_with_the_one_that_is_still_running() -> None:
    minutes = minutes_until(NOW, timedelta(minutes=3))
    assert minutes == [THIS - 2 * MINUTE, THIS - MINUTE, THIS]


def test_minutes_are_even_where_a_zone_puts_its_clocks_forward() -> None:
    berlin = datetime(2031, 3, 30, 3, 5, tzinfo=ZoneInfo("Europe/Berlin"))
    minutes = minutes_until(berlin, timedelta(minutes=10))
    assert {later - earlier for earlier, later in pairwise(minutes)} == {MINUTE}
    assert (minutes[0], minutes[-1]) == (datetime(2031, 3, 30, 0, 56, tzinfo=UTC), berlin)


@pytest.mark.django_db
def test_crashes_are_summed_by_minute_and_told_apart_by_kind() -> None:
    one, other = host("one"), host("other")
    crash(one, 0, 2)
    crash(other, 0, 3, CrashKind.EXIT)
    crash(one, 5, 4, CrashKind.OUT_OF_MEMORY, app=1)
    crash(one, 5, 1, CrashKind.ABORT, app=2)
    crash(one, 119, 7)
    crash(one, 120, 99)
    crash(one, -1, 99)
    pulse, _ = pulse_and_heat(now=NOW)
    assert len(pulse.minutes) == SPAN / MINUTE
    assert {place: n for place, n in enumerate(pulse.hard) if n} == {0: 7, 114: 1, 119: 2}
    assert {place: n for place, n in enumerate(pulse.other) if n} == {114: 4, 119: 3}


@pytest.mark.django_db
def test_one_host_has_a_pulse_of_its_own() -> None:
    one, other = host("one"), host("other")
    crash(one, 3, 2)
    crash(other, 3, 5)
    crash(other, 4, 5)
    assert [n for n in host_pulse(one, now=NOW).hard if n] == [2]


@pytest.mark.django_db
def test_nothing_stored_is_a_flat_line_and_no_hot_host() -> None:
    pulse, heat = pulse_and_heat(now=NOW)
    assert (sum(pulse.hard), sum(pulse.other), len(pulse.hard)) == (0, 0, 120)
    assert pulse.recorded_until is None
    assert (heat.hosts, heat.counts, heat.excess) == ([], [], [])


@pytest.mark.django_db
def test_a_minute_is_recorded_only_where_nothing_in_it_was_measured() -> None:
    one, other = host("one"), host("other")
    crash(one, 90, recorded=True)
    crash(one, 80, recorded=True)
    crash(other, 80, recorded=False)
    pulse, _ = pulse_and_heat(now=NOW)
    assert pulse.recorded_until == THIS - 90 * MINUTE


@pytest.mark.django_db
def test_hosts_rank_by_what_came_beyond_their_own_past() -> None:
    names = ("always", "fresh", "calmer", "quiet", "late")
    always, fresh, calmer, quiet, late = map(host, names)
    for ago, count in ((10, 30), (70, 30)):
        crash(always, ago, count)
    crash(fresh, 59, 6)
    crash(calmer, 30, 1)
    crash(calmer, 100, 9)
    crash(quiet, 60, 5)
    crash(late, 0, 6)
    _, heat = pulse_and_heat(now=NOW)
    assert dict(zip(heat.hosts, heat.excess, strict=True)) == {"fresh": 6, "late": 6, "always": 0, "calmer": -8}
    assert heat.hosts == ["fresh", "late", "always", "calmer"]
    assert [sum(row) for row in heat.counts] == [6, 6, 30, 1]
    assert (heat.counts[0][0], heat.counts[1][-1], len(heat.minutes)) == (6, 6, 60)


@pytest.mark.django_db
def test_the_hottest_are_cut_off_at_the_limit_and_hosts_without_a_row_are_left_out() -> None:
    hosts = [host(f"h{n}") for n in range(4)]
    for place, one in enumerate(hosts):
        crash(one, 2, 10 - place)
    hosts[0].delete()
    _, heat = pulse_and_heat(now=NOW, limit=3)
    assert heat.hosts == ["h1", "h2"]


@pytest.mark.django_db
def test_pulse_and_heat_read_the_roll_up_once_each_way() -> None:
    for n in range(3):
        crash(host(f"h{n}"), n)
    with CaptureQueriesContext(connection) as captured:
        pulse_and_heat(now=NOW)
    assert len(captured) == 3


@pytest.mark.django_db
def test_series_hold_a_place_for_every_host_and_minute() -> None:
    one, other = host("one"), host("other")
    crash(one, 1, 2, CrashKind.EXIT)
    crash(one, 1, 3, CrashKind.BUS)
    minutes = minutes_until(NOW, timedelta(minutes=3))
    assert crashes_by_host([one.pk, other.pk], minutes) == {one.pk: [0, 5, 0], other.pk: [0, 0, 0]}
    assert crashes_by_host([], minutes) == {}


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(3))
def test_sums_are_those_of_the_single_crashes(seed: int) -> None:
    dice = random.Random(seed)
    hosts = [host(f"h{n}") for n in range(5)]
    told = {(dice.choice(hosts), dice.randrange(-2, 125), dice.choice(list(CrashKind))): dice.randint(1, 9)
            for _ in range(80)}  # fmt: skip
    for (one, ago, kind), count in told.items():
        crash(one, ago, count, kind)
    pulse, heat = pulse_and_heat(now=NOW)
    seen = {key: count for key, count in told.items() if 0 <= key[1] < 120}
    hard = set(CrashKind) - {CrashKind.EXIT, CrashKind.OUT_OF_MEMORY}
    for place in range(120):
        every = sum(count for (_, ago, _), count in seen.items() if ago == 119 - place)
        fatal = sum(count for (_, ago, kind), count in seen.items() if ago == 119 - place and kind in hard)
        assert (pulse.hard[place], pulse.hard[place] + pulse.other[place]) == (fatal, every)
    for one in hosts:
        own = dict.fromkeys(range(120), 0)
        for (where, ago, _), count in seen.items():
            own[ago] += count if where == one else 0
        lately = sum(own[ago] for ago in range(60))
        alone = host_pulse(one, now=NOW)
        both = [fatal + other for fatal, other in zip(alone.hard, alone.other, strict=True)]
        assert both == [own[119 - place] for place in range(120)]
        assert (one.name in heat.hosts) == (lately > 0)
        if lately:
            assert heat.excess[heat.hosts.index(one.name)] == lately - sum(own[ago] for ago in range(60, 120))
            assert heat.counts[heat.hosts.index(one.name)] == [own[59 - place] for place in range(60)]
