"""Which attribute tells the affected hosts from the others."""

from dataclasses import replace

import numpy as np

from incidents.correlation.candidate import Candidate, members
from incidents.correlation.events import Floats, Ints
from incidents.correlation.exposure import mean_ages
from incidents.correlation.fleet import Attribute, Fleet
from incidents.correlation.scan import Fit, scan_exposure
from incidents.correlation.settings import Settings
from incidents.correlation.view import FAR, View


def fits_of(view: View, exposed: Ints, fleet: Fleet, settings: Settings, *, lagging: bool = True) -> list[Fit]:
    """The whole exposure first (where it fits at all), then every slice of it, best first."""
    delays = settings.delays if lagging else (0,)
    fits: list[Fit] = []
    for attribute in (None, *usable(fleet, settings)):
        if attribute is None and not lagging:
            continue
        codes = np.zeros(len(exposed), dtype=np.int64) if attribute is None else attribute.codes
        values = 1 if attribute is None else len(attribute.values)
        lags = mean_ages(exposed, codes, values, view.end_bin) if lagging else np.zeros(values)
        found = scan_exposure(view, exposed, attribute, delays=delays, settings=settings, lags=lags)
        fits += [fit for fit in found if attribute is None or _broad(fit, attribute, exposed, settings)]
    return sorted(fits, key=lambda fit: -fit.score)


def usable(fleet: Fleet, settings: Settings) -> list[Attribute]:
    """The attributes that can name a cohort."""
    return [attribute for attribute in fleet.attributes if 2 <= len(attribute.values) <= settings.most_values]


def refine(candidate: Candidate, fits: list[Fit], fleet: Fleet, settings: Settings) -> Candidate:
    """The candidate on the cohort that pays for its search: one attribute, then perhaps a second."""
    whole = next((fit for fit in fits if not fit.slice_), None)
    sliced = next((fit for fit in fits if fit.slice_), None)
    if sliced is None or (whole is not None and sliced.score < whole.score + settings.cohort_gain):
        return candidate.narrowed(members(fleet, ()), whole) if whole else candidate
    candidate = candidate.narrowed(members(fleet, sliced.slice_), sliced)
    return _second_attribute(candidate, fleet, settings)


def _second_attribute(candidate: Candidate, fleet: Fleet, settings: Settings) -> Candidate:
    fit, best = candidate.fit, candidate
    known = {key for key, _ in fit.slice_}
    for attribute in usable(fleet, settings):
        if attribute.key in known:
            continue
        codes = np.where(candidate.member, attribute.codes, -1)
        lags = np.zeros(len(attribute.values))
        within = Attribute(attribute.key, attribute.values, codes)
        for found in _within(candidate, within, lags, settings):
            score = found.score + fit.score - fit.llr
            if score > best.fit.score + settings.cohort_gain and _broad(found, within, candidate.exposed, settings):
                slice_ = (*fit.slice_, *found.slice_)
                best = candidate.narrowed(members(fleet, slice_), replace(found, slice_=slice_, score=score))
    return best


def _within(candidate: Candidate, attribute: Attribute, lags: Floats, settings: Settings) -> list[Fit]:
    delays = (candidate.fit.delay,)
    return scan_exposure(candidate.view, candidate.exposed, attribute, delays=delays, settings=settings, lags=lags)


def _broad(fit: Fit, attribute: Attribute, exposed: Ints, settings: Settings) -> bool:
    """A slice needs a few exposed hosts to be called a slice."""
    code = attribute.values.index(fit.slice_[0][1])
    return int(((attribute.codes == code) & (exposed < FAR)).sum()) >= settings.least_slice_hosts
