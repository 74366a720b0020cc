"""One explanation under test: an exposure, the hosts of its slice, and the fit that the scan found."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from incidents.correlation.events import Floats, Ints, Mask, sums
from incidents.correlation.facts import ALL_KINDS
from incidents.correlation.scan import Fit, Strip3, likelihoods, maximise
from incidents.correlation.tables import count_strip
from incidents.correlation.view import FAR, View

COARSE_RATIOS = np.geomspace(0.05, 1e5, 60)
FINE_STEPS = 40


@dataclass(frozen=True, slots=True)
class Strip:
    """Per bin of a look-back: crashes inside, expected share inside, all crashes."""

    inside: Floats
    share: Floats
    total: Floats

    def llr(self, ratio: float) -> float:
        """The log likelihood ratio at one rate ratio, before dispersion."""
        return float(likelihoods(self.inside, self.share, self.total, np.array([ratio]))[0])

    def best(self, dispersion: float) -> tuple[float, float, tuple[float, float]]:
        """Rate ratio, LLR and 95 % profile interval, over a fine grid.

        Half a crash is added outside, so that the ratio stays finite where the controls are silent.
        """
        values = self._doubted(COARSE_RATIOS, dispersion)
        top = int(np.argmax(values))
        ratios = np.geomspace(COARSE_RATIOS[max(0, top - 1)], COARSE_RATIOS[min(top + 1, len(values) - 1)], FINE_STEPS)
        fine = self._doubted(ratios, dispersion)
        best, level = float(ratios[np.argmax(fine)]), float(fine.max()) - 1.92
        low = _crossing(COARSE_RATIOS[: top + 1][::-1], values[: top + 1][::-1], best, level)
        return best, float(fine.max()), (low, _crossing(COARSE_RATIOS[top:], values[top:], best, level))

    def _doubted(self, ratios: Floats, dispersion: float) -> Floats:
        usual = float((self.share * self.total).sum()) / max(float(self.total.sum()), 1e-9)
        values = likelihoods(self.inside, self.share, self.total, ratios) / dispersion
        doubted: Floats = values - 0.5 * np.log1p(usual * (ratios - 1.0))
        return doubted


def _crossing(ratios: Floats, values: Floats, best: float, level: float) -> float:
    """The ratio, going away from the best, at which the likelihood falls to a level; between points in proportion."""
    below = np.flatnonzero(values < level)
    if not len(below):
        return float(ratios[-1])
    end = int(below[0])
    if end == 0:
        return best
    part = (values[end - 1] - level) / (values[end - 1] - values[end])
    return float(np.exp(np.log(ratios[end - 1]) + part * np.log(ratios[end] / ratios[end - 1])))


@dataclass(frozen=True)
class Candidate:
    """`exposed`: absolute bin per host; `member`: the hosts of the slice, exposed or not; `counted`: its own strip."""

    name: str
    view: View
    exposed: Ints
    member: Mask
    fit: Fit
    counted: Strip3 | None = None

    @property
    def dispersion(self) -> float:
        """The dispersion of the crashes it is judged by."""
        return float(self.view.dispersion[self.fit.group])

    @property
    def cohort(self) -> dict[str, str]:
        """The slice as a mapping."""
        return dict(self.fit.slice_)

    @property
    def inside(self) -> Mask:
        """The hosts that are exposed and in the slice."""
        return self.member & (self.exposed < FAR)

    def strip(self, *, view: View | None = None, exposed: Ints | None = None, look_back: int | None = None) -> Strip:
        """The counts behind the fit, perhaps in another view, with other exposures or another look-back."""
        view = self.view if view is None else view
        exposed = self.exposed if exposed is None else exposed
        fit, look_back = self.fit, look_back or self.fit.look_back
        counts = count_strip(view, exposed, self.member, group=fit.group, delay=fit.delay, look_back=look_back)
        return Strip(*counts)

    def llr_in(self, view: View) -> float:
        """The LLR in another view, at the ratio of the fit."""
        return self.strip(view=view).llr(self.fit.ratio) / self.dispersion

    def best_llr_in(self, view: View, ratios: tuple[float, ...]) -> float:
        """The LLR in another view, at the ratio that fits it best but is no higher than that of the fit."""
        strip = self.strip(view=view)
        lower = tuple(ratio for ratio in ratios if ratio <= self.fit.ratio) or (self.fit.ratio,)
        return maximise(strip.inside, strip.share, strip.total, lower)[1] / self.dispersion

    def crashes_inside(self) -> Mask:
        """The events of the view that count as inside."""
        inside = np.zeros(len(self.view.time), dtype=bool)
        inside[self.places_inside] = True
        return inside

    @cached_property
    def places_inside(self) -> Ints:
        """The places of the events of the view that count as inside."""
        start = self.view.place_of(self.fit.look_back)
        events, since = self.view.events.since(start), np.where(self.member, self.exposed + self.fit.delay, FAR)
        inside = events.bin >= since[events.host]
        if self.fit.group != ALL_KINDS:
            inside &= events.kind == self.fit.group
        return np.flatnonzero(inside) + start

    def weight_by_host(self) -> Floats:
        """Weighted crashes inside, per host. Not to be written to."""
        return self._weight_by_host

    @cached_property
    def _weight_by_host(self) -> Floats:
        events, inside = self.view.events, self.places_inside
        return sums(events.host[inside], events.weight[inside], len(self.member))

    def due_by_host(self) -> Floats:
        """What each host would have shown in its exposed bins at the rate of the controls."""
        since = np.maximum(self.exposed + self.fit.delay, self.view.end_bin - self.fit.look_back)
        bins = np.where(self.member, np.clip(self.view.end_bin - since, 0, None), 0)
        due: Floats = self.view.expected[self.fit.group] * bins * self.control_level
        return due

    @cached_property
    def lag_bins(self) -> float | None:
        """Median time from a host's exposure to its first crash inside; None where it was exposed ever since."""
        host, bins = self.view.events.host[self.places_inside], self.view.events.bin[self.places_inside]
        if not len(bins) or bool((self.exposed[host] < 0).any()):
            return None
        first = np.full(len(self.member), FAR)
        np.minimum.at(first, host, bins)
        hit = np.flatnonzero(self.hit & (first < FAR))
        return float(np.median(first[hit] - self.exposed[hit])) if len(hit) else None

    @cached_property
    def own_strip(self) -> Strip:
        """The counts behind the fit as it was found."""
        return Strip(*self.counted) if self.counted else self.strip()

    @cached_property
    def control_level(self) -> float:
        """Crashes of the controls over what was expected of them, worth one expected hour of doubt."""
        strip = self.own_strip
        rate = float(self.view.expected[self.fit.group].sum())
        outside = float((strip.total - strip.inside).sum())
        due = float((rate * (1.0 - strip.share)).sum())
        return (outside + 5.0) / (due + 5.0) if due + outside > 0 else 1.0

    @cached_property
    def hit(self) -> Mask:
        """The hosts inside with clearly more crashes than due."""
        weight = self.weight_by_host()
        hit: Mask = (weight >= 0.5) & (weight > 1.5 * self.due_by_host())
        return hit

    def of_kinds(self, group: int) -> "Candidate":
        """The same explanation of the crashes of another group of kinds."""
        return replace(self, fit=replace(self.fit, group=group), counted=None)

    def narrowed(self, member: Mask, fit: Fit) -> "Candidate":
        """The same exposure on fewer hosts."""
        return replace(self, member=member, fit=fit, counted=None)
