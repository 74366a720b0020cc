"""What must hold before a deploy is blamed; each test says yes, not yet, or no, and why."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from incidents.correlation.candidate import Candidate
from incidents.correlation.facts import HARD
from incidents.correlation.fleet import Fleet
from incidents.correlation.scan import maximise
from incidents.correlation.settings import Settings
from incidents.correlation.slices import members
from incidents.correlation.view import FAR, View
from incidents.wording import count


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
        findings.append(burst(candidate, settings))
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
    rest = candidate.llr_in(candidate.view.only_hosts(others))
    dominant = weights[strongest] > weights.sum() / 2
    if rest < settings.page_score * (0.8 if dominant else 0.5):
        return Finding(Ruling.WAIT, "it rests on one host")
    return Finding(Ruling.PASS, f"{hit} hosts are hit, and it stands without the strongest")


def persistence(candidate: Candidate, settings: Settings) -> Finding:
    """Not one bad bin: it must stand without its strongest bin."""
    window = candidate.own_strip
    worst = candidate.view.length - len(window.inside) + int(np.argmax(window.inside))
    rest = candidate.llr_in(candidate.view.without_times(np.array([worst])))
    if rest < settings.page_score / 3:
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


def burst(candidate: Candidate, settings: Settings) -> Finding:
    """A restart makes noise for a moment; a fault goes on, against the other hosts of the same minutes."""
    if candidate.fit.delay >= settings.burst_bins:
        return Finding(Ruling.PASS, "it does not begin with the restart")
    if candidate.fit.group == HARD and candidate.fit.score >= settings.page_score + settings.hard_margin:
        return Finding(Ruling.PASS, "fatal signals of many apps are not what a restart makes")
    early, late = _excess(candidate, 0, settings.burst_bins), _excess(candidate, settings.burst_bins, FAR)
    rest = candidate.strip(view=_without_restarts(candidate, settings))
    ratio, llr = maximise(rest.inside, rest.share, rest.total, settings.ratios)
    # A fault is as loud later as at first; what fades has to prove itself by the later crashes alone.
    needed = settings.page_score * (0.5 if late[0] >= settings.steady_share * early[0] else 0.8)
    if llr / candidate.dispersion >= needed and late[0] >= settings.burst_share * early[0]:
        return Finding(Ruling.PASS, f"it goes on after the restarts, at {ratio:g} times the rate")
    if _late_at_early_rate(candidate, early[0], settings) < settings.least_late_crashes or late[1] > early[1]:
        return Finding(Ruling.WAIT, "so far it could be the restarts of the deploy itself")
    return Finding(Ruling.REFUSE, "it fades after the restarts of the deploy itself", fades=True)


def _without_restarts(candidate: Candidate, settings: Settings) -> View:
    first = np.where(candidate.exposed < FAR, candidate.exposed, FAR)
    return candidate.view.without(first=first, end=np.minimum(first + settings.burst_bins, FAR))


def _excess(candidate: Candidate, first_age: int, end_age: int) -> tuple[float, float]:
    """Relative and absolute excess of crashes at these ages."""
    view = candidate.view
    use = candidate.crashes_inside()
    host = view.events.host[use]
    age = view.events.bin[use] - candidate.exposed[host]
    seen = float(view.events.weight[use][(age >= first_age) & (age < end_age)].sum())
    due = _due_at(candidate, first_age, end_age)
    return (seen - due) / max(due, 1e-9), seen - due


def _due_at(candidate: Candidate, first_age: int, end_age: int) -> float:
    """What the exposed hosts would have shown at these ages at the rate of the controls."""
    view, fit = candidate.view, candidate.fit
    first = np.maximum(candidate.exposed + max(first_age, fit.delay), view.end_bin - fit.look_back)
    end = np.minimum(np.minimum(candidate.exposed + end_age, view.end_bin), view.gone_from)
    bins = np.where(candidate.inside, np.clip(end - first, 0, None), 0)
    return float((view.expected[fit.group] * bins).sum()) * candidate.control_level


def _late_at_early_rate(candidate: Candidate, early_excess: float, settings: Settings) -> float:
    """How many crashes there should have been since, had the first moments gone on."""
    return _due_at(candidate, settings.burst_bins, FAR) * (1.0 + early_excess)


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
