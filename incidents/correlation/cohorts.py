"""Which attribute tells the affected hosts from the others."""

from dataclasses import replace

import numpy as np

from incidents.correlation.candidate import Candidate
from incidents.correlation.events import Ints
from incidents.correlation.fleet import Fleet
from incidents.correlation.scan import Fit, scan_table
from incidents.correlation.settings import Settings
from incidents.correlation.slices import Slices, all_slices, members
from incidents.correlation.tables import tabulate
from incidents.correlation.view import FAR


def _too_narrow(slices: Slices, exposed: Ints, settings: Settings) -> set[tuple[tuple[str, str], ...]]:
    """A slice needs a few exposed hosts to be called a slice; the whole does not."""
    codes = slices.codes[:, exposed < FAR]
    count = np.bincount(codes[codes >= 0], minlength=len(slices))
    return {slices.names[number] for number in np.flatnonzero(count < settings.least_slice_hosts) if number}


def refine(candidate: Candidate, fits: list[Fit], fleet: Fleet, settings: Settings) -> tuple[Candidate, Candidate]:
    """The candidate on the cohort that pays for its search: one attribute at most, then perhaps a second."""
    whole = next((fit for fit in fits if not fit.slice_), None)
    sliced = next((fit for fit in fits if fit.slice_), None)
    if sliced is None or (whole is not None and sliced.score < whole.score + settings.cohort_gain):
        candidate = candidate.narrowed(members(fleet, ()), whole) if whole else candidate
        return candidate, candidate
    candidate = candidate.narrowed(members(fleet, sliced.slice_), sliced)
    return candidate, _second_attribute(candidate, fleet, settings)


def _second_attribute(candidate: Candidate, fleet: Fleet, settings: Settings) -> Candidate:
    fit = candidate.fit
    slices = all_slices(fleet, settings, within=candidate.member, apart_from=fit.slice_)
    view, exposed = candidate.view, candidate.exposed
    table = tabulate(view, exposed, slices, delays=(fit.delay,), groups=(fit.group,))
    found = scan_table(table, view, slices, at=(fit.group, fit.delay, fit.look_back), settings=settings)
    narrow = _too_narrow(slices, exposed, settings)
    finer = [f for f in found if len(f.slice_) > len(fit.slice_) and f.slice_ not in narrow]
    best = max(finer, key=lambda f: f.score, default=None)
    paid = fit.llr - fit.score  # what the first attribute and its lag have cost already
    if best is None or best.score - paid < fit.score + settings.cohort_gain:
        return candidate
    return candidate.narrowed(members(fleet, best.slice_), replace(best, score=best.score - paid))
