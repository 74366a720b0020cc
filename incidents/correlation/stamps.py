"""Deploy tools that stamp a host minutes after they touched it: told by how the crashes follow the stamps, earlier.

A host without a stamp, while such a deploy rolls, may have been touched already.
"""

import math
from dataclasses import replace

import numpy as np

from incidents.correlation.candidate import Candidate
from incidents.correlation.events import Ints, Mask
from incidents.correlation.exposure import Exposure
from incidents.correlation.scan import maximise
from incidents.correlation.scene import Scene
from incidents.correlation.settings import Settings
from incidents.correlation.vetoes import Finding, Ruling, lead
from incidents.correlation.view import FAR

SHIFTS = (3, 5, 8, 12)  # bins
LEAST_TOLD = 3


def excuse_late_stamps(
    candidate: Candidate, findings: list[Finding], settings: Settings, *, started_bin: int
) -> list[Finding]:
    """The findings, the one of hosts that crashed too early taken back where the stamps are merely late.

    They are where each host's crashes begin the same time before its stamp, none of it before the deploy itself began.
    What only comes after the trouble, such as a rollback, cannot be excused so.
    """
    found = lead(candidate, settings)
    shift = _shift(candidate, settings, started_bin) if found.ruling == Ruling.REFUSE else 0
    if not shift:
        return findings
    words = (
        f"its hosts crash from about {shift} bins before their stamps, but not before it began: the stamps come late"
    )
    return [Finding(Ruling.PASS, words) if finding == found else finding for finding in findings]


def lateness(candidate: Candidate, exposure: Exposure, settings: Settings) -> int:
    """How many bins after it touched a host a deploy may stamp it: as told, or as the crashes show."""
    told = 0
    if len(exposure.delays) >= LEAST_TOLD:
        told = math.ceil(float(np.quantile(exposure.delays, 0.95)) / settings.bin_seconds) + 1
    seen = settings.late_stamp_bins if _crashed_before(candidate, settings) else 0
    return min(max(told, seen, settings.stamp_bins), settings.rolling_bins)


def _crashed_before(candidate: Candidate, settings: Settings) -> bool:
    """Whether its hosts are about as bad in the last few bins before their stamps."""
    inside = candidate.inside
    view = candidate.view.without(first=np.where(inside, candidate.exposed, FAR), end=np.where(inside, FAR - 1, FAR))
    before = np.where(inside, candidate.exposed - settings.stamp_bins - candidate.fit.delay, FAR)
    strip = candidate.strip(view=view, exposed=before, look_back=candidate.fit.look_back + settings.stamp_bins)
    ratio, llr = maximise(strip.inside, strip.share, strip.total, settings.ratios)
    return llr / candidate.dispersion > settings.lead_score and ratio - 1 > (candidate.fit.ratio - 1) / 3


def perhaps_touched(scene: Scene, exposure: Exposure, member: Mask, exposed: Ints) -> Mask:
    """The hosts of a cohort that a deploy which still rolls may have touched without saying so yet."""
    touched = exposed[exposed < FAR]
    rolls = len(touched) > 0 and scene.end_bin - int(touched.max()) <= scene.settings.rolling_bins
    open_ = member & (exposed >= FAR) & rolls
    open_[list(exposure.hosts_with("skipped"))] = False
    return open_


def _shift(candidate: Candidate, settings: Settings, started_bin: int) -> int:
    """By how many bins the stamps are late; 0 where that explains nothing."""
    scores = {shift: _llr(candidate, _earlier(candidate, shift, started_bin), settings) for shift in SHIFTS}
    best = max(SHIFTS, key=lambda shift: scores[shift])
    if scores[best] < candidate.fit.llr + settings.cohort_gain:
        return 0
    shifted = replace(candidate, exposed=_earlier(candidate, best, started_bin))
    return best if lead(shifted, settings).ruling == Ruling.PASS else 0


def _earlier(candidate: Candidate, shift: int, started_bin: int) -> Ints:
    exposed = candidate.exposed
    earlier: Ints = np.where(exposed < FAR, np.minimum(exposed, np.maximum(exposed - shift, started_bin)), FAR)
    return earlier


def _llr(candidate: Candidate, exposed: Ints, settings: Settings) -> float:
    strip = candidate.strip(exposed=exposed, look_back=candidate.fit.look_back + max(SHIFTS))
    return maximise(strip.inside, strip.share, strip.total, settings.ratios)[1] / candidate.dispersion
