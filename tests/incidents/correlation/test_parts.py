"""The small parts, each alone."""

import math

import numpy as np
import pytest

from incidents.correlation.baseline import Baseline
from incidents.correlation.correlator import Correlator
from incidents.correlation.events import EventStore
from incidents.correlation.exposure import Exposure
from incidents.correlation.facts import HARD, OOM, OTHER, Crash, Deploy, HostDeploy
from incidents.correlation.fleet import Fleet
from incidents.correlation.novelty import Novelty
from incidents.correlation.rivals import tail
from incidents.correlation.settings import Settings
from incidents.correlation.view import FAR, hull


def test_an_app_is_news_once_in_half_an_hour_and_less_on_each_host() -> None:
    novelty = Novelty(1800, moment_seconds=60, most_a_moment=9)
    assert novelty.weigh(host=1, app=1, at=0) == 1
    assert novelty.weigh(host=1, app=1, at=1799) == 0
    assert novelty.weigh(host=2, app=1, at=10) == 1 / 2
    assert novelty.weigh(host=3, app=1, at=20) == 1 / 3
    assert novelty.weigh(host=3, app=2, at=20) == 1
    assert novelty.weigh(host=1, app=1, at=1800) == 1
    novelty.forget_before(10_000)
    assert novelty.weigh(host=1, app=1, at=10_001) == 1


def test_a_moment_counts_as_a_whole_whichever_of_its_crashes_is_told() -> None:
    for first, second in ((10, 1800), (59, 1859), (10, 1859), (59, 1800)):
        novelty = Novelty(1800, moment_seconds=60, most_a_moment=9)
        assert [novelty.weigh(host=1, app=1, at=at) for at in (first, second - 60, second)] == [1, 0, 1]


def test_a_crash_that_comes_late_is_news_where_its_time_had_none() -> None:
    novelty = Novelty(1800, moment_seconds=60, most_a_moment=9)
    assert novelty.weigh(host=1, app=1, at=7200) == 1
    assert novelty.weigh(host=1, app=1, at=6000) == 0
    assert novelty.weigh(host=1, app=1, at=3600) == 1 / 2
    assert [novelty.weigh(host=1, app=1, at=3600 + 60 * n) for n in range(1, 30)] == [0] * 29
    assert novelty.weigh(host=1, app=1, at=9000) > 0


def test_what_can_no_longer_matter_is_forgotten_and_the_rest_is_not() -> None:
    novelty = Novelty(1800, moment_seconds=60, most_a_moment=9)
    for app in range(100):
        novelty.weigh(host=1, app=app, at=60 * app)
    for _ in range(100):
        novelty.forget_before(60 * 79)
    kept = len(novelty._last), len(novelty._moments), len(novelty._hosts_of_app)
    assert kept == (20, 20, 20)
    assert [novelty.weigh(host=1, app=app, at=60 * 100) for app in (79, 80)] == [1, 0]
    novelty.forget_before(1e9)
    assert (novelty._last, novelty._moments, novelty._late) == ({}, {}, {})


def test_the_same_app_on_a_host_is_news_again_after_a_forgotten_hour_of_others() -> None:
    novelty = Novelty(1800, moment_seconds=60, most_a_moment=9)
    hosts, apps = [0, 0, 1, 1, 2, 2], [5, 6, 5, 6, 5, 6]
    for at in range(0, 7200, 60):
        novelty.forget_before(at - 3600)
        weights = [weight for _, weight in novelty.news(hosts, apps, [at // 60] * 6)]
        assert len(weights) == (6 if at % 1800 == 0 else 0)
    assert len(novelty._last) == 6


def test_an_app_of_several_stacks_crashes_on_the_stack_of_its_host() -> None:
    fleet = Fleet()
    for host, stack in (("h0", "s0"), ("h1", "s1"), ("h2", None)):
        fleet.set_dynos(host, "moves", stack, 1)
        fleet.set_dynos(host, "stays", "s1", 1)
    moves, stays = fleet.apps.numbers(["moves", "stays"])
    assert fleet.see_hosts(["h0", "h1", "h2", "h3"]) == [0, 1, 2, 3]
    assert [fleet.stack_number(moves, None, host) for host in range(4)] == [0, 1, -1, -1]
    assert [fleet.stack_number(stays, None, host) for host in range(4)] == [1, 1, 1, 1]
    assert fleet.stack_number(stays, "s0", 0) == 0
    assert fleet.stack_number(fleet.apps.number("new"), None, 0) == -1


def test_a_moment_in_which_a_whole_host_dies_counts_as_three() -> None:
    novelty = Novelty(1800, moment_seconds=60, most_a_moment=3)
    at_once = [novelty.weigh(host=1, app=app, at=app) for app in range(13)]
    assert sum(at_once) == pytest.approx(4)
    assert novelty.weigh(host=1, app=99, at=60) == 1
    assert novelty.weigh(host=2, app=98, at=0) == 1


@pytest.mark.parametrize(
    ("signal", "status", "kind"),
    [("SIGSEGV", None, HARD), (None, 139, HARD), ("SIGBUS", 135, HARD), ("SIGKILL", 137, OOM), (None, 1, OTHER)],
)
def test_kinds_of_crashes(signal: str | None, status: int | None, kind: int) -> None:
    assert Crash(0, 0, "h", "a", signal=signal, exit_status=status).kind_class == kind


def test_skipped_hosts_are_controls_and_failed_ones_are_not() -> None:
    exposure = Exposure(Deploy("d", 0))
    for host, outcome in enumerate(["installed", "skipped", "failed", "overwrote"]):
        exposure.touch(host, HostDeploy("d", f"h{host}", 120, outcome))
    exposure.touch(0, HostDeploy("d", "h0", 300, "installed", started_at=60))
    assert exposure.bins(5, 60, until=400).tolist() == [1, FAR, 2, 2, FAR]
    assert exposure.bins(5, 60, until=100).tolist() == [1, FAR, FAR, FAR, FAR]


def test_the_baseline_shrinks_a_host_with_little_past_towards_the_fleet() -> None:
    settings = Settings(baseline_lag_bins=0)
    baseline, store = Baseline(settings), EventStore()
    baseline.starts_at(0)
    for bin_ in range(100):
        for host in range(4):
            store.add((bin_, host, 0, 0, OTHER), 0.2 if host else 1.0)
    never = np.full(4, FAR), np.full(4, FAR)
    baseline.absorb(store, end_bin=100, shape=(4, 2), gone=never)
    expected = baseline.expected(np.full((4, 2), 5.0), stack=None, group=0)
    mean = 0.4
    assert expected[1] == pytest.approx(expected[2])
    assert 0.2 < expected[1] < mean < expected[0] < 1.0
    assert expected.sum() == pytest.approx(4 * mean, rel=0.15)


def test_an_incident_does_not_become_normal() -> None:
    settings = Settings(baseline_lag_bins=0)
    plain, frozen = Baseline(settings), Baseline(settings)
    store = EventStore()
    for bin_ in range(100):
        store.add((bin_, 0, 0, 0, HARD), 5.0 if bin_ >= 50 else 0.1)
        store.add((bin_, 1, 0, 0, HARD), 0.1)
    for baseline, first in ((plain, FAR), (frozen, 50)):
        baseline.starts_at(0)
        gone = np.array([first, FAR]), np.array([FAR - 1 if first < FAR else FAR, FAR])
        baseline.absorb(store, end_bin=100, shape=(2, 1), gone=gone)
    dynos = np.full((2, 1), 5.0)
    usual, calm = (b.expected(dynos, stack=None, group=0) for b in (plain, frozen))
    assert usual[0] > 3 * usual[1]
    assert calm[0] == pytest.approx(calm[1], rel=0.01)


@pytest.mark.parametrize("dispersion", [1.0, 1.7, 4.0])
def test_the_tail_is_that_of_its_distribution(dispersion: float) -> None:
    chance = np.random.default_rng(3)
    mean = 3.0
    drawn = chance.poisson(
        chance.gamma(mean / (dispersion - 1), dispersion - 1, 400_000) if dispersion > 1 else mean, 400_000
    )
    assert tail(6, mean, dispersion) == pytest.approx((drawn >= 6).mean(), rel=0.05)
    assert tail(0, mean, dispersion) == 1
    assert math.isclose(tail(1, 1e-9, 1.0), 1e-9, rel_tol=1e-3)


def test_a_hull_ignores_empty_intervals() -> None:
    none = np.array([FAR]), np.array([FAR])
    some = np.array([5]), np.array([9])
    assert [x.tolist() for x in hull(none, some)] == [[5], [9]]
    assert [x.tolist() for x in hull(some, none)] == [[5], [9]]
    assert [x.tolist() for x in hull((np.array([7]), np.array([12])), some)] == [[5], [12]]
    assert [x.tolist() for x in hull(none, none)] == [[FAR], [FAR]]


def test_memory_stays_bounded() -> None:
    correlator = Correlator(Settings(look_backs=(3, 5, 10), live_bins=30))
    chance = np.random.default_rng(1)
    sizes = []
    for minute in range(1500):
        for _ in range(20):
            host, app = int(chance.integers(50)), int(chance.integers(2000))
            correlator.add_crash(Crash(minute * 60.0, minute * 60.0, f"h{host}", f"a{app}"))
        if minute % 100 == 0:
            correlator.add_host_deploy(HostDeploy(f"d{minute}", "h1", minute * 60.0))
        correlator.tick(minute * 60.0 + 60)
        sizes.append(len(correlator._store))
    assert max(sizes[1000:]) <= 1.2 * max(sizes[:500])
    assert len(correlator._exposures) <= 2
    assert len(correlator._novelty._last) < 2500


def test_an_empty_correlator_has_nothing_to_say() -> None:
    board = Correlator().tick(1000.0)
    assert (board.verdicts, board.suspects, board.pages, board.updates) == ((), (), (), ())


def test_hosts_that_come_later_are_taken_in() -> None:
    correlator = Correlator()
    for minute in range(200):
        correlator.add_crash(
            Crash(minute * 60.0, minute * 60.0, f"h{minute % 30}", f"a{minute}", stack=f"s{minute // 80}")
        )
        correlator.set_host(f"late{minute}", {"zone": "a" if minute % 2 else "b"})
        correlator.add_host_deploy(HostDeploy("d", f"late{minute}", minute * 60.0))
        assert not correlator.tick(minute * 60.0 + 30).pages
