"""The scan: over look-backs, delays, kinds and slices, how much likelier the crashes are if an exposure is to blame.

For exposed host-bins S, per bin: C crashes (weighted) inside S, N in all, q the expected share inside. Then
LLR = max over r of [sum C log r - sum N log(1 + q (r - 1))] / dispersion. Each bin is its own stratum, so whatever
happens to the whole fleet at once cancels out, and hosts that are not (yet) exposed are the controls. It is the partial
likelihood of Cox (1972) with one covariate, and Kulldorff's scan statistic (1997) conditioned on each minute's total.
"""

from dataclasses import dataclass

import numpy as np

from incidents.correlation.events import Floats
from incidents.correlation.settings import Settings
from incidents.correlation.slices import Slices
from incidents.correlation.tables import Table
from incidents.correlation.tally import Tally
from incidents.correlation.view import View

TRIED_OF_BEST = 3
TRIED_SLICES = 3
WORTH_TRYING = 1.5
Strip3 = tuple[Floats, Floats, Floats]


@dataclass(frozen=True, slots=True)
class Fit:
    """The best explanation found for one exposure and one slice."""

    slice_: tuple[tuple[str, str], ...]
    group: int
    delay: int
    look_back: int
    ratio: float
    llr: float
    score: float
    observed: float
    expected: float


def scan_tally(tally: Tally, dispersion: Floats, settings: Settings, *, alone: bool) -> list[Fit]:
    """The fits of an exposure and its slices, best first; `alone`: of slices that were always exposed."""
    guesses = bound(*tally.look_back_sums(), dispersion)
    lags = np.zeros(len(tally.slices)) if alone else tally.mean_ages()
    paid = penalties(tally.delays, lags, settings) + tally.slices.prices[None, :, None, None]
    promise = guesses - paid
    best = promise.max(axis=(0, 2, 3))
    narrow = tally.exposed_hosts < settings.least_slice_hosts
    narrow[0] = alone  # the whole may be few hosts; a slice alone is never the whole
    best[narrow] = -np.inf
    fits = []
    for place, number in enumerate(_worth_trying(best, settings)):
        most = 1 if place else TRIED_OF_BEST
        fits.append(_best_fit(tally, number, promise[:, number], paid[:, number], dispersion, settings, most))
    return sorted(fits, key=lambda fit: -fit.score)


def _worth_trying(best: Floats, settings: Settings) -> list[int]:
    """The slices that are computed exactly: the most promising few; where it matters, all that may still win."""
    top = float(best.max())
    if top < WORTH_TRYING:
        return []
    loud = top >= settings.page_score / 2
    least = max(WORTH_TRYING, top - settings.rival_reach) if loud else WORTH_TRYING
    order = [int(number) for number in np.argsort(-best) if best[number] >= least]
    return order if loud else order[:TRIED_SLICES]


def bound(inside: Floats, due: Floats, total: Floats, dispersion: Floats) -> Floats:
    """A lower bound of each LLR from sums alone, as if the share inside were the same in each bin.

    [look-back, slice, group, delay]; Kulldorff's (1997) statistic: C log(C/E) + (N-C) log((N-C)/(N-E)), 0 where C <= E.
    """
    every = total[:, None, :, None]
    rest, rest_due = np.maximum(every - inside, 1e-9), np.maximum(every - due, 1e-9)
    promising = (inside > due) & (due > 1e-9)
    ratio = np.divide(inside, due, out=np.ones_like(inside), where=promising)
    bounds: Floats = np.where(promising, inside * np.log(ratio) + rest * np.log(rest / rest_due), 0.0)
    return bounds / dispersion[None, None, :, None]


def penalties(delays: tuple[int, ...], lags: Floats, settings: Settings) -> Floats:
    """What a hypothesis pays by [look-back, slice, group, delay]: for a late onset, and for an old exposure."""
    backs = np.array(settings.look_backs, dtype=float)
    overdue = np.maximum(0.0, lags[None, :] - backs[:, None] - settings.lag_grace_bins) / settings.lag_cost_bins
    late = np.where(np.array(delays) > 0, settings.delay_cost, 0.0)
    paid: Floats = overdue[:, :, None, None] + late[None, None, None, :]
    return paid


def _best_fit(
    tally: Tally, number: int, promise: Floats, paid: Floats, dispersion: Floats, settings: Settings, most: int
) -> Fit:
    """Computes the `most` promising look-backs of a slice exactly and takes the best. By [look-back, group, delay]."""
    fits = []
    for place in np.argsort(promise, axis=None)[: -most - 1 : -1]:
        back, group, delay = (int(x) for x in np.unravel_index(place, promise.shape))
        look_back = settings.look_backs[back]
        at, price = (
            (group, tally.delays[delay], look_back),
            float(np.broadcast_to(paid, promise.shape)[back, group, delay]),
        )
        strip = tally.strip(number, group, delay, look_back)
        fits.append(fit_strip(strip, tally.slices.names[number], at, dispersion, price, settings))
    return max(fits, key=lambda fit: fit.score)


def fit_strip(
    strip: Strip3, name: tuple[tuple[str, str], ...], at: tuple[int, int, int], dispersion: Floats, paid: float,
    settings: Settings,
) -> Fit:  # fmt: skip
    """The best ratio of one strip (inside, share, total), less what it pays. `at`: group, delay, look-back."""
    inside, share, total = strip
    ratio, llr = maximise(inside, share, total, settings.ratios)
    llr /= float(dispersion[at[0]])
    return Fit(name, *at, ratio, llr, llr - paid, float(inside.sum()), float((share * total).sum()))


def scan_table(table: Table, view: View, slices: Slices, *, at: tuple[int, int, int], settings: Settings) -> list[Fit]:
    """The fit of each slice of a table at one group, delay and look-back."""
    window = slice(max(0, view.length - at[2]), None)
    group, fits = at[0], []
    for number, name in enumerate(slices.names):
        strip = table.inside[number, group, 0, window], table.share[number, 0, 0, window], table.total[group, window]
        fits.append(fit_strip(strip, name, at, view.dispersion, float(slices.prices[number]), settings))
    return fits


def maximise(inside: Floats, share: Floats, total: Floats, ratios: tuple[float, ...]) -> tuple[float, float]:
    """The ratio with the highest log likelihood ratio, and that LLR (before dispersion), near what the sums suggest."""
    seen, due, every = float(inside.sum()), float((share * total).sum()), float(total.sum())
    if seen <= 0 or due <= 0:
        return 1.0, 0.0
    pooled = seen / due * max(every - due, 1e-9) / max(every - seen, 1e-9)
    near = [r for r in ratios if pooled / 4 <= r <= pooled * 6] or [min(max(pooled, ratios[0]), ratios[-1])]
    values = likelihoods(inside, share, total, np.array(near))
    best = int(np.argmax(values))
    return (near[best], float(values[best])) if values[best] > 0 else (1.0, 0.0)


def likelihoods(inside: Floats, share: Floats, total: Floats, ratios: Floats) -> Floats:
    """LLR at each ratio."""
    use = total > 0
    logs = np.log1p(share[use][None, :] * (ratios[:, None] - 1.0))
    values: Floats = inside.sum() * np.log(ratios) - logs @ total[use]
    return values
