"""The tables kept from tick to tick against the same tables counted from nothing."""

from collections.abc import Iterator

import numpy as np
import pytest

from incidents.correlation.events import Events, Ints
from incidents.correlation.settings import Settings
from incidents.correlation.slices import Slices
from incidents.correlation.tables import Table, tabulate
from incidents.correlation.tally import Moment, Tally
from incidents.correlation.view import FAR, View

HOSTS, DELAYS, WINDOW, KEPT = 12, (0, 5, 20), 50, 90
SETTINGS = Settings(look_backs=(3, 10, WINDOW))
FIRST_BIN, END_BIN = 60, 290


class Life:
    """A fleet that lives on: crashes come late, hosts are exposed, stamps change, host-bins are explained, or muted."""

    def __init__(self, seed: int, *, explains: bool, mutes: bool) -> None:
        self.chance = np.random.default_rng(seed)
        self.explains, self.mutes = explains, mutes
        size = 3000
        bins = np.sort(self.chance.integers(FIRST_BIN, END_BIN, size))
        known = bins + np.where(self.chance.random(size) < 0.1, self.chance.integers(0, 8, size), 0)
        order = np.argsort(known, kind="stable")
        self.known = known[order]
        self.events = Events(
            bins[order], self.chance.integers(0, HOSTS, size), np.zeros(size, dtype=np.int64),
            self.chance.integers(-1, 2, size), self.chance.integers(0, 3, size), self.chance.uniform(0.1, 1, size),
        )  # fmt: skip
        codes = np.stack([np.zeros(HOSTS, dtype=np.int64), self.chance.integers(1, 3, HOSTS)])
        self.slices = Slices(codes, ((), (("zone", "a"),), (("zone", "b"),)), np.zeros(3))
        self.expected = self.rates()

    def rates(self) -> np.ndarray:
        return self.chance.uniform(0.5, 2, (3, HOSTS))

    def moments(self) -> Iterator[Moment]:
        exposed, first, end, muted = (np.full(HOSTS, FAR) for _ in range(4))
        for end_bin in range(FIRST_BIN + WINDOW, END_BIN):
            exposed, first, end, muted = exposed.copy(), first.copy(), end.copy(), muted.copy()
            host = int(self.chance.integers(HOSTS))
            if self.chance.random() < 0.2:
                exposed[host] = end_bin - self.chance.integers(0, 6)
            if self.explains and self.chance.random() < 0.1:
                first[host] = end_bin - self.chance.integers(0, 60)
                end[host] = FAR - 1 if self.chance.random() < 0.5 else first[host] + self.chance.integers(1, 40)
            if self.mutes and self.chance.random() < 0.2:
                muted[host] = end_bin - self.chance.integers(0, 9)
            known, dropped = (int((self.known < bin_).sum()) for bin_ in (end_bin, end_bin - KEPT))
            events = self.events.where(np.arange(dropped, known))
            yield Moment(
                end_bin, events, dropped, exposed, first, end, (muted,) if end_bin > 150 and self.mutes else ()
            )


def from_nothing(life: Life, moment: Moment, stack: int | None) -> Table:
    events, host = moment.events, moment.events.host
    use = (events.bin >= moment.end_bin - WINDOW) & (events.bin < moment.end_bin)
    use &= (events.bin < moment.gone_from[host]) | (events.bin >= moment.gone_to[host])
    if stack is not None:
        use &= np.isin(events.stack, [stack, -1])
    for muted in moment.muted:
        age = events.bin - muted[host]
        use &= (age < 0) | (age >= SETTINGS.burst_bins)
    events = events.where(use)
    time = events.bin - (moment.end_bin - WINDOW)
    gone = moment.gone_from, moment.gone_to
    view = View(moment.end_bin, WINDOW, time, events, life.expected, *gone, np.ones(3))
    return tabulate(view, moment.exposed, life.slices, delays=DELAYS)


@pytest.mark.parametrize("stack", [None, 1])
@pytest.mark.parametrize(("explains", "mutes"), [(False, False), (True, False), (True, True)])
def test_what_is_kept_equals_what_is_counted_anew(stack: int | None, *, explains: bool, mutes: bool) -> None:
    life = Life(3, explains=explains, mutes=mutes)
    tally = Tally(SETTINGS, life.slices, life.expected, DELAYS, stack)
    for moment in life.moments():
        if life.chance.random() < 0.03:
            life.expected = life.rates()
            tally.renew(life.expected)
        tally.update(moment)
        if moment.end_bin % 7 == 0:
            check(tally, from_nothing(life, moment, stack), moment)


def check(tally: Tally, table: Table, moment: Moment) -> None:
    for number, group, delay in np.ndindex(3, 3, len(DELAYS)):
        inside, share, total = tally.strip(number, group, delay, WINDOW)
        assert inside == pytest.approx(table.inside[number, group, delay])
        assert share == pytest.approx(table.share[number, group, delay])
        assert total == pytest.approx(table.total[group])
    due = table.share * table.total[None, :, None, :]
    for place, look_back in enumerate(SETTINGS.look_backs):
        sums = (table.inside, due, table.total)
        for running, values in zip(tally.look_back_sums(), sums, strict=True):
            assert running[place] == pytest.approx(values[..., -look_back:].sum(axis=-1))
    assert tally.mean_ages() == pytest.approx(mean_ages(tally, moment))


def mean_ages(tally: Tally, moment: Moment) -> list[float]:
    hosts = [moment.exposed[(tally.slices.codes == number).any(axis=0)] for number in range(3)]
    ages: list[Ints] = [moment.end_bin - exposed[exposed < FAR] for exposed in hosts]
    empty = float(moment.end_bin - tally.base_bin)
    return [float(age.mean()) if len(age) else empty for age in ages]
