"""What must hold before a deploy is blamed; each test says yes, not yet, or no, and why."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from fleet.wording import count
from incidents.correlation.candidate import Candidate
from incidents.correlation.facts import ALL_KINDS, HARD
from incidents.correlation.fleet import Fleet
from incidents.correlation.scan import maximise
from incidents.correlation.settings import Settings
from incidents.correlation.slices import members
from incidents.correlation.view import FAR, View


class Ruling(StrEnum):
    """PASS: nothing against it. WAIT: undecided, give it a few bins. REFUSE: not this cause."""

    PASS = "pass"  # noqa: S105
    WAIT = "wait"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Finding:
    """The ruling of one test, with the words for the page."""

    ruling: Ruling
    words: str
    rival: str | None = None  # the group that explains it better
    fades: bool = False  # its restarts make noise that should not count for anything


def judge(candidate: Candidate, settings: Settings, *, evidence: float) -> list[Finding]:
    """Every test that looks at the candidate alone."""
    findings = [breadth(candidate, settings), persistence(candidate, settings), lead(candidate, settings)]
    if not evidence:
        findings += [kinds(candidate, settings), burst(candidate, settings)]
    return findings


def breadth(candidate: Candidate, settings: Settings) -> Finding:
    """Enough hosts, and still there without the strongest one."""
    hit = int(candidate.hit.sum())
    if hit < settings.least_hosts_hit:
        return Finding(Ruling.WAIT, f"only {count(hit, 'host')} hit so far")
    weights = candidate.weight_by_host()
    strongest = int(np.argmax(weights))
    others = np.ones(len(candidate.member), dtype=bool)
    others[strongest] = False
    rest = candidate.best_llr_in(candidate.view.only_hosts(others), settings.ratios)
    dominant = weights[strongest] > weights.sum() / 2
    if rest < settings.page_score * (0.8 if dominant else 0.5):
        return Finding(Ruling.WAIT, "it rests on one host")
    return Finding(Ruling.PASS, f"{hit} hosts are hit, and it stands without the strongest")


def persistence(candidate: Candidate, settings: Settings) -> Finding:
    """Not one bad bin: it must stand without its strongest bin, or be far beyond doubt by fatal signals."""
    window = candidate.own_strip
    worst = candidate.view.length - len(window.inside) + int(np.argmax(window.inside))
    rest = candidate.llr_in(candidate.view.without_times(np.array([worst])))
    if rest < settings.page_score / 3:
        if candidate.fit.score >= settings.moment_score and _too_fatal(candidate, settings):
            return Finding(Ruling.PASS, "most of it happened in a single moment, but by fatal signals of many apps")
        return Finding(Ruling.WAIT, "most of it happened in a single moment")
    return Finding(Ruling.PASS, "it lasts")


def lead(candidate: Candidate, settings: Settings) -> Finding:
    """The same hosts must not have been as bad before the deploy touched them."""
    exposed, inside = candidate.exposed, candidate.inside
    before = np.where(inside, exposed - settings.lead_bins - candidate.fit.delay, FAR)
    touched = np.where(inside, exposed - settings.lead_gap_bins + 1, FAR)
    view = candidate.view.without(first=touched, end=np.where(inside, FAR - 1, FAR))
    strip = candidate.strip(view=view, exposed=before, look_back=candidate.fit.look_back + settings.lead_bins)
    ratio, llr = maximise(strip.inside, strip.share, strip.total, settings.ratios)
    if llr / candidate.dispersion > settings.lead_score and ratio - 1 > (candidate.fit.ratio - 1) / 2:
        return Finding(Ruling.REFUSE, "the same hosts were already crashing before this deploy touched them")
    return Finding(Ruling.PASS, "the hosts were quiet before the deploy touched them")


def kinds(candidate: Candidate, settings: Settings) -> Finding:
    """Crashes of the usual kinds are what an unruly hour makes; of them more is asked than of others."""
    if candidate.fit.group != ALL_KINDS or _fatal_beyond(candidate, settings, usually=1.0):
        return Finding(Ruling.PASS, "its crashes are of another kind than usual")
    if candidate.fit.score < settings.page_score + settings.usual_margin:
        return Finding(Ruling.WAIT, "its crashes are of the usual kinds, and no more than an unruly hour may make")
    return Finding(Ruling.PASS, "it is more than an unruly hour makes")


def burst(candidate: Candidate, settings: Settings) -> Finding:
    """A restart makes noise for a moment; a fault goes on, against the other hosts of the same minutes."""
    if candidate.fit.delay >= settings.burst_bins:
        return Finding(Ruling.PASS, "it does not begin with the restart")
    if _too_fatal(candidate, settings):
        return Finding(Ruling.PASS, "most of it is fatal signals, and a restart ends dynos by other means")
    early, late = _ages(candidate, 0, settings.burst_bins), _ages(candidate, settings.burst_bins, FAR)
    rest = candidate.strip(view=_without_restarts(candidate, settings))
    ratio, llr = maximise(rest.inside, rest.share, rest.total, settings.ratios)
    # A fault is as loud later as at first; what fades has to prove itself by the later crashes alone.
    needed = settings.page_score * (0.5 if late.excess >= settings.steady_share * early.excess else 0.8)
    if llr / candidate.dispersion >= needed and late.excess >= settings.burst_share * early.excess:
        return Finding(Ruling.PASS, f"it goes on after the restarts, at {ratio:g} times the rate")
    if early.excess < late.excess or _differ(early, late) / candidate.dispersion < settings.fades_score:
        return Finding(Ruling.WAIT, "so far it could be the restarts of the deploy itself")
    return Finding(Ruling.REFUSE, "it fades after the restarts of the deploy itself", fades=True)


def _too_fatal(candidate: Candidate, settings: Settings) -> bool:
    """Whether clearly more of the crashes inside are fatal signals than a restart makes, or than is usual."""
    return _fatal_beyond(candidate, settings, usually=2.0, least=settings.restart_fatal_share)


def _fatal_beyond(candidate: Candidate, settings: Settings, *, usually: float, least: float = 0.0) -> bool:
    """Whether clearly more of the crashes inside are fatal signals than so many times the usual share."""
    view = candidate.view
    inside = candidate.of_kinds(ALL_KINDS).crashes_inside()
    weights, fatal = view.events.weight[inside], view.events.kind[inside] == HARD
    usual = float(view.expected[HARD].sum()) / max(float(view.expected[ALL_KINDS].sum()), 1e-12)
    most = min(max(least, usually * usual, 1e-3), 0.95)
    rest, every = float(weights[~fatal].sum()), max(float(weights.sum()), 1e-12)
    share = float(weights[fatal].sum()) / every
    likelier = every * share * math.log(max(share, 1e-12) / most)
    likelier += rest * math.log(max(1 - share, 1e-12) / (1 - most))
    return share > most and likelier / float(view.dispersion[HARD]) >= settings.fatal_score


def _without_restarts(candidate: Candidate, settings: Settings) -> View:
    first = np.where(candidate.exposed < FAR, candidate.exposed, FAR)
    return candidate.view.without(first=first, end=np.minimum(first + settings.burst_bins, FAR))


@dataclass(frozen=True, slots=True)
class _Ages:
    """Weighted crashes of the exposed hosts at some ages, and what was due at the rate of the controls."""

    seen: float
    due: float

    @property
    def excess(self) -> float:
        """By how much more than due, as a multiple of what was due."""
        return (self.seen - self.due) / max(self.due, 1e-9)


def _ages(candidate: Candidate, first_age: int, end_age: int) -> _Ages:
    view = candidate.view
    use = candidate.crashes_inside()
    host = view.events.host[use]
    age = view.events.bin[use] - candidate.exposed[host]
    seen = float(view.events.weight[use][(age >= first_age) & (age < end_age)].sum())
    return _Ages(seen, _due_at(candidate, first_age, end_age))


def _differ(one: _Ages, other: _Ages) -> float:
    """The log likelihood ratio of two rates against one rate for both."""
    rate = (one.seen + other.seen) / max(one.due + other.due, 1e-9)
    parts = ((ages.seen, ages.due * rate) for ages in (one, other))
    return sum(seen * math.log(seen / due) for seen, due in parts if seen > 0 and due > 0)


def _due_at(candidate: Candidate, first_age: int, end_age: int) -> float:
    """What the exposed hosts would have shown at these ages at the rate of the controls."""
    view, fit = candidate.view, candidate.fit
    first = np.maximum(candidate.exposed + max(first_age, fit.delay), view.end_bin - fit.look_back)
    end = np.minimum(np.minimum(candidate.exposed + end_age, view.end_bin), view.gone_from)
    bins = np.where(candidate.inside, np.clip(end - first, 0, None), 0)
    return float((view.expected[fit.group] * bins).sum()) * candidate.control_level


def against_group(
    candidate: Candidate, group: Candidate, fleet: Fleet, settings: Settings, *, waited_bins: int
) -> Finding:
    """Within a rival slice, hosts that the deploy touched must be worse than those that it did not."""
    name = "=".join(group.fit.slice_[0])
    within = candidate.view.only_hosts(members(fleet, group.fit.slice_))
    contrast = candidate.llr_in(within)
    if contrast > settings.rival_decides:
        return Finding(Ruling.PASS, f"among hosts with {name}, those it touched are worse than those it did not")
    if contrast < -settings.rival_decides:
        return Finding(Ruling.REFUSE, f"hosts with {name} crash whether it touched them or not", rival=name)
    if not _follows_exposure(candidate, group, settings):
        return Finding(
            Ruling.REFUSE, f"hosts with {name} began at one moment, whenever it had touched them", rival=name
        )
    if group.fit.score > candidate.fit.score:
        return Finding(Ruling.REFUSE, f"{name} alone explains it better", rival=name)
    words = f"{name} alone explains it nearly as well"
    if _follows(candidate, settings):
        return Finding(Ruling.PASS, f"{words}, but it began right after the deploy")
    return Finding(Ruling.WAIT if waited_bins < settings.rival_wait_bins else Ruling.REFUSE, words, rival=name)


def _follows_exposure(candidate: Candidate, group: Candidate, settings: Settings) -> bool:
    """Whether the crashes, seen from the first exposure on, follow each host's own exposure as well as the clock.

    A deploy that is to blame gains by the minutes in which it had touched some hosts and others not yet.
    """
    inside = candidate.inside & group.member
    exposed = candidate.exposed[inside]
    if not len(exposed):
        return False
    back = int(candidate.view.end_bin - exposed.min()) - candidate.fit.delay
    if back <= group.fit.look_back or back > candidate.view.length:
        return True
    strip = candidate.strip(exposed=np.where(inside, candidate.exposed, FAR), look_back=back)
    _, llr = maximise(strip.inside, strip.share, strip.total, settings.ratios)
    return llr / candidate.dispersion > group.fit.llr - settings.rival_decides


def _follows(candidate: Candidate, settings: Settings) -> bool:
    """The crashes began right after the deploy: nothing was wrong with these hosts until then."""
    age = candidate.view.end_bin - candidate.exposed[candidate.inside]
    return bool(len(age)) and float(np.mean(age)) <= candidate.fit.look_back + settings.lag_grace_bins


def standing(findings: list[Finding]) -> Ruling:
    """The strictest ruling of all; what was not examined has to wait."""
    rulings = {finding.ruling for finding in findings} or {Ruling.WAIT}
    return next(ruling for ruling in (Ruling.REFUSE, Ruling.WAIT, Ruling.PASS) if ruling in rulings)


def widest(view: View) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """An exposure of every host since ever: what a slice alone is judged by."""
    return np.full(len(view.gone_from), -FAR, dtype=np.int64)
