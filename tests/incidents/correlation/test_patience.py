"""What has to wait and what has not: restarts and fatal signals, single hosts, stamps that are yet to come."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.correlation.candidate import Candidate
from incidents.correlation.events import Events
from incidents.correlation.exposure import Exposure
from incidents.correlation.facts import HARD, OTHER, Deploy, HostDeploy
from incidents.correlation.rivals import spiking_hosts
from incidents.correlation.scan import Fit, likelihoods, maximise
from incidents.correlation.settings import Settings
from incidents.correlation.simulation.outcome import compare
from incidents.correlation.simulation.play import play
from incidents.correlation.simulation.recording import tell
from incidents.correlation.stamps import lateness
from incidents.correlation.vetoes import Ruling, breadth, burst, persistence
from incidents.correlation.view import FAR, View
from tests.incidents.correlation.stage import PAST, Stage, wave

START = PAST
HOSTS, LENGTH, END = 40, 64, 200
RATIOS = Settings().ratios
counts = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.floats(0.01, 0.9)), min_size=1, max_size=30)


def candidate(crashes: list[tuple[int, int, int]], *, exposed: dict[int, int], ratio: float = 22.0) -> Candidate:
    """Of crashes (bin, host, kind), each of another app, on hosts exposed from these bins on."""
    bins, hosts, kinds = (np.array(column, dtype=np.int64) for column in zip(*sorted(crashes), strict=True))
    apps = np.arange(len(bins))
    events = Events(bins, hosts, apps, np.zeros(len(bins), dtype=np.int64), kinds, np.ones(len(bins)))
    usual = np.full((3, HOSTS), 0.03) * np.array([1.0, 0.12, 0.15])[:, None]
    never = np.full(HOSTS, FAR)
    view = View(END, LENGTH, bins - (END - LENGTH), events, usual, never, never, np.ones(3))
    since = np.full(HOSTS, FAR)
    since[list(exposed)] = list(exposed.values())
    fit = Fit((), 0, 0, 10, ratio, 20.0, 20.0, 0.0, 0.0)
    return Candidate("d1", view, since, np.ones(HOSTS, dtype=bool), fit)


def at_once(fatal: int, other: int) -> Candidate:
    """Crashes right after the stamps of eight hosts, a bin ago."""
    kinds = [HARD] * fatal + [OTHER] * other
    crashes = [(END - 1, number % 8, kind) for number, kind in enumerate(kinds)]
    return candidate(crashes, exposed=dict.fromkeys(range(8), END - 2))


def test_fatal_signals_need_not_wait_for_the_restarts_to_be_over() -> None:
    assert burst(at_once(8, 2), Settings()).ruling == Ruling.PASS
    assert burst(at_once(1, 9), Settings()).ruling == Ruling.WAIT


@settings(max_examples=60, deadline=None)
@given(fatal=st.integers(0, 20), other=st.integers(1, 20))
def test_more_fatal_signals_never_make_it_look_more_like_restarts(fatal: int, other: int) -> None:
    if burst(at_once(fatal, other), Settings()).ruling == Ruling.PASS:
        assert burst(at_once(fatal + 1, other), Settings()).ruling == Ruling.PASS
        assert fatal / (fatal + other) > Settings().restart_fatal_share


def test_where_most_crashes_are_fatal_anyway_they_prove_nothing() -> None:
    usual = at_once(8, 2)
    usual.view.expected[HARD] = 0.5 * usual.view.expected[0]
    assert burst(usual, Settings()).ruling == Ruling.WAIT


def test_a_host_that_is_far_the_worst_does_not_hide_the_others() -> None:
    """The others are judged at their own rate ratio, not at the one that the worst host made."""
    worst = [(END - n % 8 - 1, 0, HARD) for n in range(24)]
    others = [(END - n % 9 - 1, 1 + n % 3, HARD) for n in range(9)]
    exposed = dict.fromkeys(range(4), END - 10)
    assert breadth(candidate(worst + others, exposed=exposed, ratio=120.0), Settings()).ruling == Ruling.PASS
    alone = breadth(candidate(worst + others[:3], exposed=exposed, ratio=120.0), Settings())
    assert (alone.ruling, alone.words) == (Ruling.WAIT, "it rests on one host")


def test_a_single_moment_is_enough_only_of_fatal_signals_far_beyond_doubt() -> None:
    fatal, other = at_once(10, 1), at_once(1, 10)
    assert [persistence(one, Settings()).ruling for one in (fatal, other)] == [Ruling.WAIT, Ruling.WAIT]
    fatal, other = (replace(one, fit=replace(one.fit, score=25.0)) for one in (fatal, other))
    assert [persistence(one, Settings()).ruling for one in (fatal, other)] == [Ruling.PASS, Ruling.WAIT]


def test_an_unruly_hour_of_one_host_takes_more_than_fatal_signals_do() -> None:
    """The same breadth on one host, once everyday crashes, once fatal signals, which an unruly hour does not raise."""
    spikes = []
    for kind in (OTHER, HARD):
        crashes = [(END - 1 - n, 0, kind) for n in range(11)]
        spikes.append(spiking_hosts(candidate(crashes, exposed={}).view, Settings()))
    assert [len(found) for found in spikes] == [0, 1]


@pytest.mark.parametrize(
    ("scenario", "hosts", "seed"), [("one_bad_host", 50, 23), ("late_stamps", 50, 21), ("delayed", 200, 4)]
)
def test_stories_that_once_were_misread(scenario: str, hosts: int, seed: int) -> None:
    """A host beside another's bad moment; a zone that a late tool had just reached; a host before its deploy."""
    story = tell(scenario, seed=seed, hosts=hosts)
    outcome = compare(story, play(story).notices)
    assert outcome.right, outcome.pages
    assert not outcome.wrong_deploy


@given(minutes=counts)
def test_the_likelihood_at_the_best_ratio_is_never_below_nothing(minutes: list[tuple[int, int, float]]) -> None:
    inside, outside, share = (np.array(column, dtype=float) for column in zip(*minutes, strict=True))
    ratio, best = maximise(inside, share, inside + outside, RATIOS)
    assert best >= 0
    assert best == pytest.approx(max(0.0, float(likelihoods(inside, share, inside + outside, np.array([ratio]))[0])))


@given(minutes=counts, place=st.integers(0, 29))
def test_a_crash_in_favour_never_lowers_the_likelihood(minutes: list[tuple[int, int, float]], place: int) -> None:
    inside, outside, share = (np.array(column, dtype=float) for column in zip(*minutes, strict=True))
    more = inside.copy()
    more[place % len(more)] += 1
    every = np.array(RATIOS)
    before = max(0.0, float(likelihoods(inside, share, inside + outside, every).max()))
    after = max(0.0, float(likelihoods(more, share, more + outside, every).max()))
    assert after >= before - 1e-9


@given(minutes=counts, place=st.integers(0, 29))
def test_a_crash_of_the_others_never_raises_the_likelihood(minutes: list[tuple[int, int, float]], place: int) -> None:
    inside, outside, share = (np.array(column, dtype=float) for column in zip(*minutes, strict=True))
    more = outside.copy()
    more[place % len(more)] += 1
    every = np.array(RATIOS)
    assert (
        likelihoods(inside, share, inside + more, every) <= likelihoods(inside, share, inside + outside, every)
    ).all()


def exposure(*delays: float) -> Exposure:
    told = Exposure(Deploy("d1", 0))
    for host, delay in enumerate(delays):
        told.touch(host, HostDeploy("d1", f"h{host}", END * 60.0, "installed", END * 60.0 - delay))
    return told


def test_how_late_stamps_come_is_told_by_the_tool_or_by_the_crashes() -> None:
    quiet_before = candidate([(END - 1, n, HARD) for n in range(8)], exposed=dict.fromkeys(range(8), END - 2))
    assert lateness(quiet_before, exposure(), Settings()) == Settings().stamp_bins
    assert lateness(quiet_before, exposure(300, 420, 480), Settings()) == 9
    assert lateness(quiet_before, exposure(90_000, 90_000, 90_000), Settings()) == Settings().rolling_bins
    early = [(END - 5 + n % 3, n % 8, HARD) for n in range(16)]
    crashed_before = candidate(early, exposed=dict.fromkeys(range(8), END - 2))
    assert lateness(crashed_before, exposure(), Settings()) == Settings().late_stamp_bins


@pytest.mark.parametrize("seed", range(3))
def test_hosts_that_a_late_stamp_still_has_to_reach_are_nobodys_else_fault(seed: int) -> None:
    """They crash before their stamps; an innocent deploy on the same hosts and the hosts themselves are left alone."""
    stage = Stage(seed=seed)
    stage.quiet(START + 90)
    touched = wave(range(40), START, pace=1.5)
    late = {number: at + float(stage.chance.exponential(4.0)) for number, at in touched.items()}
    stage.deploy("innocent", START - 40, wave(range(12, 40), START - 40, pace=1.0))
    stage.deploy("d1", START, late)
    stage.hurt(touched, START + 90)
    stage.play(START + 90)
    assert stage.blamed == ["d1"]


@pytest.mark.parametrize("seed", range(3))
def test_two_faults_on_overlapping_hosts_keep_their_own_hosts_and_their_names(seed: int) -> None:
    """The second one is judged without what the first explains, and a third on the same hosts takes neither's place."""
    stage = Stage(seed=seed)
    stage.quiet(START + 120)
    first = wave(range(20), START, pace=0.5)
    second = {number: START + 30.0 + place for place, number in enumerate(range(3, 40, 4))}
    third = {number: START + 60.0 + number / 4 for number in range(3, 40, 4)}
    stage.deploy("d1", START, first)
    stage.deploy("d2", START + 30, second)
    stage.deploy("d3", START + 60, third)
    stage.hurt(first, START + 120, rate=0.3)
    stage.hurt({n: float(at) for n, at in second.items()}, START + 120, rate=0.5)
    stage.play(START + 120)
    assert stage.blamed == ["d1", "d2"]
