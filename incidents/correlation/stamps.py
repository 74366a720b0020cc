"""Deploy tools that stamp a host minutes after they touched it: told by how the crashes follow the stamps, earlier."""

from dataclasses import replace

import numpy as np

from incidents.correlation.candidate import Candidate
from incidents.correlation.events import Ints
from incidents.correlation.scan import maximise
from incidents.correlation.settings import Settings
from incidents.correlation.vetoes import Finding, Ruling, lead
from incidents.correlation.view import FAR

SHIFTS = (3, 5, 8, 12)  # bins


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
