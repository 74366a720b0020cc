"""The scan: of all look-backs, delays, kinds and slices, how much likelier are these crashes if this exposure is to blame.

For exposed host-bins S, per bin: C crashes (weighted) inside S, N in all, q the expected share inside. Then
LLR = max over r of [sum C log r - sum N log(1 + q (r - 1))] / dispersion. Each bin is its own stratum, so whatever
happens to the whole fleet at once cancels out, and hosts that are not (yet) exposed are the controls.
"""

from dataclasses import dataclass

import numpy as np

from incidents.correlation.events import Floats, Ints
from incidents.correlation.facts import KIND_CLASSES
from incidents.correlation.fleet import Attribute
from incidents.correlation.settings import Settings
from incidents.correlation.view import View

GROUPS = 3
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
    view: View, exposed: Ints, attribute: Attribute | None, *, delays: tuple[int, ...], settings: Settings, lags: Floats
) -> list[Fit]:
    """The best fit of each value of an attribute (or of all hosts). `exposed`: absolute bin per host; `lags`: mean age."""
    codes = np.zeros(len(exposed), dtype=np.int64) if attribute is None else attribute.codes
    values = 1 if attribute is None else len(attribute.values)
    table = tabulate(view, exposed, codes, values=values, delays=delays)
    price = 0.0 if attribute is None else float(np.log(max(values, 2)))
    guesses = _guess(table, view, settings)
    fits = []
    for value in range(values):
        slice_ = () if attribute is None else ((attribute.key, attribute.values[value]),)
        fit = _best_fit(table, guesses, value, view=view, delays=delays, settings=settings, lag=float(lags[value]))
        if fit:
            fits.append(_priced(fit, slice_, price))
    return fits


def tabulate(view: View, exposed: Ints, codes: Ints, *, values: int, delays: tuple[int, ...]) -> Table:
    """Sorts the crashes of the window and the expected rates by slice, kind, age of the exposure, and bin."""
    inside = _tabulate_crashes(view, exposed, codes, values, delays)
    share = np.stack([_tabulate_share(view, exposed, codes, values, delays, group) for group in range(GROUPS)], axis=1)
    kinds = np.bincount(view.events.kind * view.length + view.time, view.events.weight, KIND_CLASSES * view.length)
    total = kinds.reshape(KIND_CLASSES, view.length)
    total = np.concatenate([total.sum(axis=0, keepdims=True), total[1:]])
    return Table(inside, share, total)


def _tabulate_crashes(view: View, exposed: Ints, codes: Ints, values: int, delays: tuple[int, ...]) -> Floats:
    age = view.events.bin - exposed[view.events.host]
    code = codes[view.events.host]
    use = (age >= delays[0]) & (code >= 0)
    age_class = np.searchsorted(np.array(delays), age[use], side="right") - 1
    cell = (code[use] * KIND_CLASSES + view.events.kind[use]) * len(delays) + age_class
    shape = (values, KIND_CLASSES, len(delays), view.length)
    table = np.bincount(cell * view.length + view.time[use], view.events.weight[use], int(np.prod(shape))).reshape(
        shape
    )
    table = table[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
    return np.concatenate([table.sum(axis=1, keepdims=True), table[:, 1:]], axis=1)


def _tabulate_share(view: View, exposed: Ints, codes: Ints, values: int, delays: tuple[int, ...], group: int) -> Floats:
    """Expected share inside by [value, delay, bin]: each host adds its rate from its exposure on."""
    rate, hosts = view.expected[group], np.flatnonzero(codes >= 0)
    longest, width = max(delays), view.length + max(delays) + 1
    first = np.clip(exposed[hosts] - view.start_bin + longest, 0, width - 1)
    steps = np.bincount(codes[hosts] * width + first, rate[hosts], values * width).reshape(values, width)
    steps[:, -1] = 0.0  # exposed after the window
    rates = steps.cumsum(axis=1)[:, :-1]
    inside = np.stack([rates[:, longest - delay : longest - delay + view.length] for delay in delays], axis=1)
    missing, total = _explained(view, exposed, codes, values, delays, rate)
    inside = inside - missing if missing is not None else inside
    return np.clip(inside / np.maximum(total, 1e-12), 0.0, 1.0)


def _explained(
    view: View, exposed: Ints, codes: Ints, values: int, delays: tuple[int, ...], rate: Floats
) -> tuple[Floats | None, Floats]:
    """The rates of host-bins that are taken out: inside by [value, delay, bin], and what is left of the fleet by bin."""
    gone_from = np.clip(view.gone_from - view.start_bin, 0, view.length)
    gone_to = np.clip(view.gone_to - view.start_bin, 0, view.length)
    gone = np.flatnonzero(gone_from < gone_to)
    width = view.length + 1
    total = np.full(view.length, rate.sum())
    if not len(gone):
        return None, total
    total = total - _spans(np.zeros_like(gone), gone_from[gone], gone_to[gone], rate[gone], (1, width))[0]
    gone = gone[codes[gone] >= 0]
    since = np.clip(exposed[gone] - view.start_bin, -width - max(delays), width)
    starts = [np.clip(np.maximum(since + delay, gone_from[gone]), 0, gone_to[gone]) for delay in delays]
    spans = [_spans(codes[gone], start, gone_to[gone], rate[gone], (values, width)) for start in starts]
    return np.stack(spans, axis=1), total


def _spans(row: Ints, first: Ints, end: Ints, rate: Floats, shape: tuple[int, int]) -> Floats:
    """Sum of rates over [first, end) in each row."""
    size = shape[0] * shape[1]
    steps = np.bincount(row * shape[1] + first, rate, size) - np.bincount(row * shape[1] + end, rate, size)
    spans: Floats = steps.reshape(shape).cumsum(axis=1)[:, :-1]
    return spans


def _guess(table: Table, view: View, settings: Settings) -> Floats:
    """A lower bound of each LLR, by [value, group, delay, look-back], from the sums of the look-back alone."""
    ages = view.length - np.arange(view.length)
    back = (ages[:, None] <= np.array(settings.look_backs)[None, :]).astype(float)
    seen, total = table.inside @ back, (table.total @ back)[None, :, None, :]
    due = (table.share * table.total[None, :, None, :]) @ back
    rest, rest_due = np.maximum(total - seen, 1e-9), np.maximum(total - due, 1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = seen * np.log(seen / due) + rest * np.log(rest / rest_due)
    bound = np.where((seen > due) & (due > 0), bound, 0.0)
    guess: Floats = np.nan_to_num(bound) / view.dispersion[None, :, None, None]
    return guess


def _best_fit(
    table: Table, guesses: Floats, value: int, *, view: View, delays: tuple[int, ...], settings: Settings, lag: float
) -> Fit | None:
    """Computes the few most promising look-backs of a slice exactly and takes the best."""
    overdue = np.maximum(0.0, lag - np.array(settings.look_backs) - settings.lag_grace_bins)
    penalty = overdue / settings.lag_cost_bins
    ranked = (guesses[value] - penalty).ravel()
    best: Fit | None = None
    for place in np.argsort(ranked)[::-1][:TRIED_PER_SLICE]:
        group, delay, back = (int(x) for x in np.unravel_index(place, guesses[value].shape))
        if guesses[value][group, delay, back] < WORTH_TRYING:
            break
        look_back = settings.look_backs[back]
        window = slice(view.length - look_back, None)
        inside, share = table.inside[value, group, delay, window], table.share[value, group, delay, window]
        total = table.total[group, window]
        ratio, llr = maximise(inside, share, total, settings.ratios)
        llr /= float(view.dispersion[group])
        score = llr - float(penalty[back])
        if best is None or score > best.score:
            sums = float(inside.sum()), float((share * total).sum())
            best = Fit((), group, delays[delay], look_back, ratio, llr, score, *sums)
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


def _priced(fit: Fit, slice_: tuple[tuple[str, str], ...], price: float) -> Fit:
    return Fit(
        slice_, fit.group, fit.delay, fit.look_back, fit.ratio, fit.llr, fit.score - price, fit.observed, fit.expected
    )
