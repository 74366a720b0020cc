"""The tables of a scan counted from nothing: for one candidate at a time, and to check the tallies by."""

from dataclasses import dataclass, replace

import numpy as np

from incidents.correlation.events import Floats, Ints, Mask, sums
from incidents.correlation.facts import ALL_KINDS, KIND_CLASSES
from incidents.correlation.slices import Slices
from incidents.correlation.view import FAR, View

ALL_GROUPS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Table:
    """Inside crashes and expected shares by [value, group, delay, bin], and all crashes by [group, bin]."""

    inside: Floats
    share: Floats
    total: Floats


def tabulate(
    view: View, exposed: Ints, slices: Slices, *, delays: tuple[int, ...], groups: tuple[int, ...] = ALL_GROUPS
) -> Table:
    """Sorts the crashes of the window and the expected rates (of some groups) by slice, kind, age and bin."""
    view = _counted(view)
    inside = _tabulate_crashes(view, exposed, slices, delays)
    share = np.stack([_tabulate_share(view, exposed, slices, delays, group) for group in groups], axis=1)
    kinds = sums(view.events.kind * view.length + view.time, view.events.weight, KIND_CLASSES * view.length)
    total = kinds.reshape(KIND_CLASSES, view.length)
    total = np.concatenate([total.sum(axis=0, keepdims=True), total[1:]])
    return Table(inside, share, total)


def _counted(view: View) -> View:
    out = view.left_out(view.events.host, view.events.bin)
    if not len(out):
        return view
    keep = np.ones(len(view.time), dtype=bool)
    keep[out] = False
    return replace(view, time=view.time[keep], events=view.events.where(keep))


def count_strip(
    view: View, exposed: Ints, member: Mask, *, group: int, delay: int, look_back: int
) -> tuple[Floats, Floats, Floats]:
    """The same of some hosts as a whole, for one kind, delay and look-back: inside, share and total by bin."""
    length = min(look_back, view.length)
    events, first_bin = view.events.since(view.place_of(length)), view.end_bin - length
    if group != ALL_KINDS:
        events = events.where(events.kind == group)
    host, bins, weight = events.host, events.bin, events.weight
    out = view.left_out(host, bins)
    if len(out):
        weight = weight.copy()
        weight[out] = 0.0
    since = np.where(member, exposed + delay, FAR)
    cells = sums(bins - first_bin + length * (bins >= since[host]), weight, 2 * length)
    inside = cells[length:]
    return inside, _share_of(view, since - first_bin, view.expected[group], length), cells[:length] + inside


def _share_of(view: View, since: Ints, rate: Floats, length: int) -> Floats:
    """Expected share by bin of the hosts that are exposed since these bins of the strip."""
    hosts = np.flatnonzero(since < length)
    since = np.maximum(since[hosts], 0)
    level = sums(since, rate[hosts], length).cumsum()
    first_bin = view.end_bin - length
    gone = (view.gone_from < view.end_bin) & (view.gone_to > first_bin)
    if not gone.any():
        whole: Floats = level / max(float(rate.sum()), 1e-12)
        return whole
    gone_from = np.clip(view.gone_from - first_bin, 0, length)
    gone_to = np.clip(view.gone_to - first_bin, 0, length)
    lost = _span(gone_from[gone], gone_to[gone], rate[gone], length)
    begun = np.maximum(since, gone_from[hosts])
    apart = gone[hosts] & (begun < gone_to[hosts])
    missing = _span(begun[apart], gone_to[hosts][apart], rate[hosts][apart], length)
    share: Floats = np.clip((level - missing) / np.maximum(rate.sum() - lost, 1e-12), 0.0, 1.0)
    return share


def _span(first: Ints, end: Ints, rate: Floats, length: int) -> Floats:
    """Sum of rates over [first, end) by bin."""
    spans: Floats = (sums(first, rate, length + 1) - sums(end, rate, length + 1)).cumsum()[:-1]
    return spans


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
