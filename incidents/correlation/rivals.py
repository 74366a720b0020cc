"""The explanations without a deploy: one host, the whole fleet, one app."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from incidents.correlation.events import Floats, Ints, Mask, sums
from incidents.correlation.facts import ALL_KINDS, HARD
from incidents.correlation.settings import Settings
from incidents.correlation.view import View


@dataclass(frozen=True, slots=True)
class HostSpike:
    """A host with more crashes than its own past and the fleet of the moment explain."""

    host: int
    chance: float
    look_back: int
    observed: float
    expected: float
    apps: int


@dataclass(frozen=True, slots=True)
class FleetRise:
    """The whole fleet crashes more than in the last hours."""

    score: float
    ratio: float
    observed: float
    expected: float


@dataclass(frozen=True, slots=True)
class AppLoop:
    """One app makes the news on many hosts."""

    app: int
    hosts: int
    share: float
    ratio: float


def spiking_hosts(view: View, settings: Settings) -> list[HostSpike]:
    """Hosts whose breadth of crashes (all, or fatal signals) is out of line, and not of a moment only."""
    found: dict[int, HostSpike] = {}
    for group in (ALL_KINDS, HARD):
        for window, seen in zip(settings.host_windows, _seen(view, group, settings), strict=True):
            for spike in _spikes(view, group, window, seen, settings):
                known = found.get(spike.host)
                if known is None or spike.chance < known.chance:
                    found[spike.host] = spike
    return sorted(found.values(), key=lambda spike: spike.chance)


def _seen(view: View, group: int, settings: Settings) -> Floats:
    """Weighted crashes of each host by [window, host]."""
    events = view.events.since(view.place_of(max(settings.host_windows)))
    if group != ALL_KINDS:
        events = events.where(events.kind == group)
    starts = np.searchsorted(events.bin, view.end_bin - np.array(settings.host_windows)).tolist()
    parts = [
        sums(events.host[start:end], events.weight[start:end], len(view.gone_from))
        for start, end in zip(starts, [len(events), *starts], strict=False)
    ]
    return np.stack(list(accumulate(parts, np.add)))


def _spikes(view: View, group: int, window: int, seen: Floats, settings: Settings) -> list[HostSpike]:
    many = np.flatnonzero(seen >= settings.host_least_apps + 1)
    if not len(many):
        return []
    chance = settings.host_fatal_chance if group == HARD else settings.host_chance
    due, limit = _due(view.expected[group], seen, window, many), chance / (144 * max(len(seen), 1))
    loud = (seen[many] > 3 * due) & _may_be(seen[many], due, limit, view)
    recent = (view.time >= view.length - window) & view.of_group(group) if loud.any() else None
    spikes = [
        _spike(view, int(many[place]), recent, float(due[place]), group, window, settings)
        for place in np.flatnonzero(loud)
        if recent is not None
    ]
    return [spike for spike in spikes if spike and spike.chance < limit]


def _may_be(seen: Floats, due: Floats, limit: float, view: View) -> Mask:
    """A quick bound that spares the exact tail for hosts that are far from the limit."""
    ratio = np.maximum(seen, 1e-9) / np.maximum(due, 1e-9)
    bound = (seen * np.log(ratio) - (seen - due)) / float(view.dispersion.max())
    near: Mask = bound > -math.log(limit) - 6.0
    return near


def _due(expected: Floats, seen: Floats, window: int, hosts: Ints) -> Floats:
    """Expected crashes of some hosts: by their own past, or by their share of what the other hosts show now."""
    share = expected[hosts] / max(float(expected.sum()), 1e-12)
    by_fleet = share / np.maximum(1 - share, 1e-9) * (seen.sum() - seen[hosts])
    due: Floats = np.maximum(expected[hosts] * window, by_fleet)
    return due


def _spike(
    view: View, host: int, recent: Mask, due: float, group: int, window: int, settings: Settings
) -> HostSpike | None:
    mine = recent & (view.events.host == host)
    per_bin = sums(view.time[mine], view.events.weight[mine], view.length)
    dispersion = float(view.dispersion[group])
    steady = float(np.minimum(per_bin, 1.0).sum())  # a moment in which everything dies counts once
    brief = int((per_bin > 0).sum()) < settings.host_least_bins
    few = brief or len(np.unique(view.events.app[mine])) < settings.host_least_apps
    if few or tail(steady, due, dispersion) >= settings.host_rest_chance:
        return None
    observed, apps = float(per_bin.sum()), len(np.unique(view.events.app[mine]))
    return HostSpike(host, tail(observed, due, dispersion), window, observed, due, apps)


def tail(count: float, mean: float, dispersion: float) -> float:
    """P(X >= count) for a negative binomial of this mean and variance mean x dispersion (Poisson at 1)."""
    least = math.floor(count + 1e-9)
    if least <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    spread = 1 - 1 / dispersion if dispersion > 1.01 else 0.0
    size = mean / (dispersion - 1) if spread else 0.0
    mass, chance = math.exp(_log_mass(least, mean, dispersion)), 0.0
    for k in range(least, least + 1000):
        chance += mass
        mass *= (k + size) * spread / (k + 1) if spread else mean / (k + 1)
        if mass < 1e-9 * chance:
            break
    return min(1.0, chance)


def _log_mass(k: int, mean: float, dispersion: float) -> float:
    if dispersion <= 1.01:
        return k * math.log(mean) - mean - math.lgamma(k + 1)
    size = mean / (dispersion - 1)
    ways = math.lgamma(k + size) - math.lgamma(size) - math.lgamma(k + 1)
    return ways - size * math.log(dispersion) + k * math.log(1 - 1 / dispersion)


def fleet_rise(per_bin: Floats, settings: Settings) -> FleetRise | None:
    """A rise of the whole fleet (crashes of each bin) that outlives its worst three bins."""
    recent, past = per_bin[-settings.fleet_bins :], _past(per_bin, settings)
    if len(past) < settings.least_history_bins:
        return None
    due = max(float(past.mean()), 0.02) * settings.fleet_bins
    seen = float(recent.sum())
    rest = float(np.sort(recent)[:-3].sum()) / (settings.fleet_bins - 3)
    score = excess(seen, due) / _unruly(past, settings)
    lasting = rest * settings.fleet_bins > settings.fleet_ratio * due
    if seen <= settings.fleet_ratio * due or score <= settings.page_score or not lasting:
        return None
    return FleetRise(score, seen / due, seen, due)


def _past(per_bin: Floats, settings: Settings) -> Floats:
    end = len(per_bin) - settings.fleet_bins
    past: Floats = per_bin[max(0, end - settings.fleet_past_bins) : end]
    first = np.flatnonzero(per_bin)[:1]
    silent = int(first[0]) - max(0, end - settings.fleet_past_bins) if len(first) else len(past)
    return past[max(0, silent) :]


def _unruly(past: Floats, settings: Settings) -> float:
    """Dispersion of the fleet's own sums, the highest tenth left out."""
    usable = past[len(past) % settings.fleet_bins :].reshape(-1, settings.fleet_bins).sum(axis=1)
    usable = np.sort(usable)[: max(2, int(len(usable) * 0.9))]
    return float(np.clip(usable.var() / max(usable.mean(), 1e-9), 1.0, settings.most_dispersion))


def is_uneven(view: View, settings: Settings) -> bool:
    """Whether some hosts carry the rise: what hits the whole fleet hits its hosts alike."""
    recent = view.time >= view.length - 2 * settings.fleet_bins
    seen = sums(view.events.host[recent], view.events.weight[recent], len(view.gone_from))
    due = view.expected[0] * seen.sum() / max(float(view.expected[0].sum()), 1e-12)
    squares = (seen - due) ** 2 / np.maximum(due, 1e-12)
    return float(np.sort(squares)[:-1].mean()) > settings.fleet_unevenness * float(view.dispersion[0])


def excess(seen: float, due: float) -> float:
    """Poisson log likelihood ratio of seeing more than due."""
    return seen * math.log(seen / due) - (seen - due) if seen > due > 0 else 0.0


def looping_apps(recent: View, earlier: Callable[[], View], settings: Settings) -> list[AppLoop]:
    """Apps that are new on many hosts at once and make up much of what is new; `earlier` reaches further back."""
    now = recent.time >= recent.length - settings.novelty_bins
    counts = np.bincount(recent.events.app[now]) if now.any() else np.zeros(0)
    loud = np.flatnonzero((counts >= settings.app_hosts) & (counts > settings.app_share * max(counts.sum(), 1)))
    if not len(loud):
        return []
    usual = _usual(earlier(), len(counts), float(counts.sum()), settings)
    loops = []
    for app in loud:
        hosts = len(np.unique(recent.events.host[now & (recent.events.app == app)]))
        due = max(float(usual[app]), 0.5)
        if hosts >= settings.app_hosts and excess(float(counts[app]), due) > settings.page_score:
            loops.append(AppLoop(int(app), hosts, float(counts[app] / counts.sum()), float(counts[app]) / due))
    return loops


def _usual(view: View, apps: int, news: float, settings: Settings) -> Floats:
    """How many of so much news were of each app before."""
    before = view.events.app[view.time < view.length - settings.novelty_bins]
    usual: Floats = np.bincount(before, minlength=apps)[:apps] / max(len(before), 1) * news
    return usual
