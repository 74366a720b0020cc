"""The scan: over look-backs, delays, kinds and slices, how much likelier the crashes are if an exposure is to blame.

For exposed host-bins S, per bin: C crashes (weighted) inside S, N in all, q the expected share inside. Then
LLR = max over r of [sum C log r - sum N log(1 + q (r - 1))] / dispersion. Each bin is its own stratum, so whatever
happens to the whole fleet at once cancels out, and hosts that are not (yet) exposed are the controls.
"""

from dataclasses import dataclass, replace

import numpy as np

from incidents.correlation.events import Floats, Ints, sums
from incidents.correlation.facts import KIND_CLASSES
from incidents.correlation.settings import Settings
from incidents.correlation.slices import Slices
from incidents.correlation.view import FAR, View

ALL_GROUPS = (0, 1, 2)
TRIED_PER_SLICE = 3
WORTH_TRYING = 2.0


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


@dataclass(frozen=True, slots=True)
class Table:
    """Inside crashes and expected shares by [value, group, delay, bin], and all crashes by [group, bin]."""

    inside: Floats
    share: Floats
    total: Floats


def scan_exposure(
    view: View, exposed: Ints, slices: Slices, *, delays: tuple[int, ...], settings: Settings, lagging: bool
) -> list[Fit]:
    """The best fit of each slice of an exposure. `exposed`: bin per host; `lagging`: an old exposure counts less."""
    table = tabulate(view, exposed, slices, delays=delays)
    guesses = _guess(table, view, settings)
    lags = mean_ages(exposed, slices, view.end_bin) if lagging else np.zeros(len(slices))
    fits = []
    for number in np.flatnonzero(guesses.max(axis=(1, 2, 3)) >= WORTH_TRYING):
        penalty = _penalty(delays, float(lags[number]), settings)
        fit = _best_fit(
            table, guesses[number], int(number), view=view, delays=delays, settings=settings, penalty=penalty
        )
        if fit:
            fits.append(replace(fit, slice_=slices.names[number], score=fit.score - float(slices.prices[number])))
    return fits


def _penalty(delays: tuple[int, ...], lag: float, settings: Settings) -> Floats:
    """What a hypothesis pays, by [delay, look-back]: for a late onset, and for an old exposure."""
    overdue = np.maximum(0.0, lag - np.array(settings.look_backs) - settings.lag_grace_bins)
    late = np.where(np.array(delays) > 0, settings.delay_cost, 0.0)
    penalty: Floats = late[:, None] + overdue[None, :] / settings.lag_cost_bins
    return penalty


def mean_ages(exposed: Ints, slices: Slices, end_bin: int) -> Floats:
    """Mean age in bins of the exposed hosts of each slice."""
    row, host = np.nonzero((slices.codes >= 0) & (exposed < FAR)[None, :])
    code = slices.codes[row, host]
    count = np.bincount(code, minlength=len(slices))
    mean: Floats = sums(code, (end_bin - exposed[host]).astype(float), len(slices)) / np.maximum(count, 1)
    return mean


def tabulate(
    view: View, exposed: Ints, slices: Slices, *, delays: tuple[int, ...], groups: tuple[int, ...] = ALL_GROUPS
) -> Table:
    """Sorts the crashes of the window and the expected rates (of some groups) by slice, kind, age and bin."""
    inside = _tabulate_crashes(view, exposed, slices, delays)
    share = np.stack([_tabulate_share(view, exposed, slices, delays, group) for group in groups], axis=1)
    kinds = sums(view.events.kind * view.length + view.time, view.events.weight, KIND_CLASSES * view.length)
    total = kinds.reshape(KIND_CLASSES, view.length)
    total = np.concatenate([total.sum(axis=0, keepdims=True), total[1:]])
    return Table(inside, share, total)


def _tabulate_crashes(view: View, exposed: Ints, slices: Slices, delays: tuple[int, ...]) -> Floats:
    age = view.events.bin - exposed[view.events.host]
    exposed_events = np.flatnonzero(age >= delays[0])
    age_class = np.searchsorted(np.array(delays), age[exposed_events], side="right") - 1
    codes = slices.codes[:, view.events.host[exposed_events]]
    cell = (codes * KIND_CLASSES + view.events.kind[exposed_events]) * len(delays) + age_class
    cell = cell * view.length + view.time[exposed_events]
    shape = (len(slices), KIND_CLASSES, len(delays), view.length)
    weights = np.broadcast_to(view.events.weight[exposed_events], codes.shape)
    table = sums(cell[codes >= 0], weights[codes >= 0], int(np.prod(shape))).reshape(shape)
    for younger in range(len(delays) - 2, -1, -1):
        table[:, :, younger] += table[:, :, younger + 1]
    return np.concatenate([table.sum(axis=1, keepdims=True), table[:, 1:]], axis=1)


def _tabulate_share(view: View, exposed: Ints, slices: Slices, delays: tuple[int, ...], group: int) -> Floats:
    """Expected share inside by [slice, delay, bin]: each host adds its rate from its exposure on."""
    rate = view.expected[group]
    longest, width = max(delays), view.length + max(delays) + 1
    touched = np.flatnonzero(exposed < view.end_bin)
    first = np.maximum(exposed[touched] - view.start_bin + longest, 0)
    codes = slices.codes[:, touched]
    member = codes >= 0
    rates = np.broadcast_to(rate[touched], codes.shape)[member]
    steps = sums((codes * width + first)[member], rates, len(slices) * width).reshape(len(slices), width)
    rates = steps.cumsum(axis=1)
    inside = np.stack([rates[:, longest - delay : longest - delay + view.length] for delay in delays], axis=1)
    gone = np.flatnonzero((view.gone_from < view.end_bin) & (view.gone_to > view.start_bin))
    if not len(gone):
        share: Floats = inside / max(float(rate.sum()), 1e-12)
        return share
    missing, total = _explained(view, exposed, slices, delays, rate, gone)
    return np.clip((inside - missing) / np.maximum(total, 1e-12), 0.0, 1.0)


def _explained(
    view: View, exposed: Ints, slices: Slices, delays: tuple[int, ...], rate: Floats, gone: Ints
) -> tuple[Floats, Floats]:
    """The rates of host-bins taken out, inside by [slice, delay, bin]; and what is left of the fleet by bin."""
    width = view.length + 1
    gone_from = np.clip(view.gone_from[gone] - view.start_bin, 0, view.length)
    gone_to = np.clip(view.gone_to[gone] - view.start_bin, 0, view.length)
    out = _spans(np.zeros_like(gone), gone_from, gone_to, rate[gone], (1, width))[0]
    since = np.clip(exposed[gone] - view.start_bin, -width - max(delays), width)
    row, place = np.nonzero(slices.codes[:, gone] >= 0)
    codes = slices.codes[:, gone][row, place]
    spans = []
    for delay in delays:
        first = np.minimum(np.maximum(np.maximum(since + delay, gone_from), 0), gone_to)
        spans.append(_spans(codes, first[place], gone_to[place], rate[gone][place], (len(slices), width)))
    return np.stack(spans, axis=1), rate.sum() - out


def _spans(row: Ints, first: Ints, end: Ints, rate: Floats, shape: tuple[int, int]) -> Floats:
    """Sum of rates over [first, end) in each row."""
    size = shape[0] * shape[1]
    steps = np.bincount(row * shape[1] + first, rate, size) - np.bincount(row * shape[1] + end, rate, size)
    spans: Floats = steps.reshape(shape).cumsum(axis=1)[:, :-1]
    return spans


def _guess(table: Table, view: View, settings: Settings) -> Floats:
    """A lower bound of each LLR, by [slice, group, delay, look-back], from the sums of the look-back alone."""
    ages = view.length - np.arange(view.length)
    back = (ages[:, None] <= np.array(settings.look_backs)[None, :]).astype(float)
    seen, total = table.inside @ back, (table.total @ back)[None, :, None, :]
    due = (table.share * table.total[None, :, None, :]) @ back
    rest, rest_due = np.maximum(total - seen, 1e-9), np.maximum(total - due, 1e-9)
    promising = (seen > due) & (due > 1e-9)
    ratio = np.divide(seen, due, out=np.ones_like(seen), where=promising)
    bound = seen * np.log(ratio) + rest * np.log(rest / rest_due)
    guess: Floats = np.where(promising, bound, 0.0) / view.dispersion[None, :, None, None]
    return guess


def _best_fit(
    table: Table,
    guesses: Floats,
    number: int,
    *,
    view: View,
    delays: tuple[int, ...],
    settings: Settings,
    penalty: Floats,
) -> Fit | None:
    """Computes the few most promising look-backs of a slice exactly and takes the best."""
    best: Fit | None = None
    for place in np.argsort((guesses - penalty).ravel())[::-1][:TRIED_PER_SLICE]:
        group, delay, back = (int(x) for x in np.unravel_index(place, guesses.shape))
        if guesses[group, delay, back] < WORTH_TRYING:
            break
        look_back = settings.look_backs[back]
        window = slice(view.length - look_back, None)
        inside, share = table.inside[number, group, delay, window], table.share[number, group, delay, window]
        total = table.total[group, window]
        ratio, llr = maximise(inside, share, total, settings.ratios)
        llr /= float(view.dispersion[group])
        score = llr - float(penalty[delay, back])
        if best is None or score > best.score:
            counts = float(inside.sum()), float((share * total).sum())
            best = Fit((), group, delays[delay], look_back, ratio, llr, score, *counts)
    return best


def maximise(inside: Floats, share: Floats, total: Floats, ratios: tuple[float, ...]) -> tuple[float, float]:
    """The ratio with the highest log likelihood ratio, and that LLR (before dispersion)."""
    values = likelihoods(inside, share, total, np.array(ratios))
    best = int(np.argmax(values))
    return (ratios[best], float(values[best])) if values[best] > 0 else (1.0, 0.0)


def likelihoods(inside: Floats, share: Floats, total: Floats, ratios: Floats) -> Floats:
    """LLR at each ratio."""
    use = total > 0
    logs = np.log1p(share[use][None, :] * (ratios[:, None] - 1.0))
    values: Floats = inside.sum() * np.log(ratios) - logs @ total[use]
    return values
