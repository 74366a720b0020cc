"""The scan against sums done the slow way."""

import numpy as np
import pytest

from incidents.correlation.candidate import Strip
from incidents.correlation.events import Events
from incidents.correlation.scan import likelihoods
from incidents.correlation.slices import Slices
from incidents.correlation.tables import count_strip, tabulate
from incidents.correlation.view import FAR, View

HOSTS, LENGTH, DELAYS = 12, 50, (0, 5, 20)


def make_view(chance: np.random.Generator, *, gone: bool) -> View:
    size = 300
    events = Events(
        np.sort(chance.integers(100, 150, size)), chance.integers(0, HOSTS, size), np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64), chance.integers(0, 3, size), chance.uniform(0.1, 1, size),
    )  # fmt: skip
    never = np.full(HOSTS, FAR)
    view = View(150, LENGTH, events.bin - 100, events, chance.uniform(0.5, 2, (3, HOSTS)), never, never, np.ones(3))
    if not gone:
        return view
    first = np.where(np.arange(HOSTS) % 3 == 0, chance.integers(90, 150, HOSTS), FAR)
    end = np.where(first < FAR, first + chance.integers(1, 40, HOSTS), FAR)
    return view.without(first=first, end=end)


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_tables_are_the_sums_that_they_stand_for(seed: int, gone: bool) -> None:
    chance = np.random.default_rng(seed)
    view = make_view(chance, gone=gone)
    exposed = np.where(chance.random(HOSTS) < 0.7, chance.integers(60, 160, HOSTS), FAR)
    codes = np.stack([np.zeros(HOSTS, dtype=np.int64), chance.integers(1, 3, HOSTS)])
    slices = Slices(codes, ((), (("zone", "a"),), (("zone", "b"),)), np.zeros(3))
    table = tabulate(view, exposed, slices, delays=DELAYS)
    for number in range(3):
        hosts = [h for h in range(HOSTS) if number in codes[:, h]]
        for place, delay in enumerate(DELAYS):
            for time in range(0, LENGTH, 7):
                bin_ = 100 + time
                here = [h for h in hosts if exposed[h] + delay <= bin_ and not _gone(view, h, bin_)]
                left = [h for h in range(HOSTS) if not _gone(view, h, bin_)]
                at = (view.time == time) & np.isin(view.events.host, here)
                assert table.inside[number, 0, place, time] == pytest.approx(view.events.weight[at].sum())
                share = view.expected[1][here].sum() / view.expected[1][left].sum()
                assert table.share[number, 1, place, time] == pytest.approx(share)


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("group", [0, 1, 2])
def test_the_strip_of_some_hosts_is_that_of_the_tables(group: int, gone: bool) -> None:
    chance = np.random.default_rng(9)
    view = make_view(chance, gone=gone)
    exposed = np.where(chance.random(HOSTS) < 0.7, chance.integers(60, 160, HOSTS), FAR)
    member = chance.random(HOSTS) < 0.6
    slices = Slices(np.where(member, 0, -1)[None, :], ((),), np.zeros(1))
    table = tabulate(view, exposed, slices, delays=DELAYS)
    for place, delay in enumerate(DELAYS):
        for look_back in (1, 20, LENGTH, 3 * LENGTH):
            strip = count_strip(view, exposed, member, group=group, delay=delay, look_back=look_back)
            window = slice(max(0, LENGTH - look_back), None)
            whole = table.inside[0, group, place, window], table.share[0, group, place, window]
            for counted, known in zip(strip, (*whole, table.total[group, window]), strict=True):
                np.testing.assert_allclose(counted, known, atol=1e-12)


def test_a_view_without_some_times_counts_nothing_then() -> None:
    view = make_view(np.random.default_rng(2), gone=False)
    everyone, ever = np.ones(HOSTS, dtype=bool), np.full(HOSTS, -FAR)
    counts = [
        count_strip(one, ever, everyone, group=0, delay=0, look_back=LENGTH)[2]
        for one in (view, view.without_times(np.array([3, 40])))
    ]
    assert counts[0][3] > 0
    assert counts[1].tolist() == [0.0 if time in {3, 40} else seen for time, seen in enumerate(counts[0])]


def _gone(view: View, host: int, bin_: int) -> bool:
    return bool(view.gone_from[host] <= bin_ < view.gone_to[host])


def test_the_likelihood_is_that_of_the_conditional_binomial() -> None:
    inside, share, total = np.array([2.0, 3.0]), np.array([0.2, 0.5]), np.array([4.0, 5.0])
    ratio = 3.0
    raised = share * ratio / (1 + share * (ratio - 1))
    expected = inside * np.log(raised / share) + (total - inside) * np.log((1 - raised) / (1 - share))
    assert likelihoods(inside, share, total, np.array([ratio]))[0] == pytest.approx(expected.sum())


def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says() -> None:
    chance, held = np.random.default_rng(7), 0
    for _ in range(200):
        share, total = np.full(40, 0.2), chance.poisson(3.0, 40).astype(float)
        raised = 0.2 * 4 / (1 + 0.2 * 3)
        inside = chance.binomial(total.astype(int), raised).astype(float)
        _, _, (low, high) = Strip(inside, share, total).best(1.0)
        held += low <= 4.0 <= high
    assert 180 <= held <= 199
