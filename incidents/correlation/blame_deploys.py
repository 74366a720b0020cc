"""Who is blamed now, who has to wait, and what is kept up to date among the deploys."""

from dataclasses import replace

import numpy as np

from incidents.correlation.candidate import Candidate
from incidents.correlation.events import Ints, Mask
from incidents.correlation.explain import Explanation
from incidents.correlation.exposure import Exposure
from incidents.correlation.ledger import Entry, Key
from incidents.correlation.scene import Scene
from incidents.correlation.slices import members
from incidents.correlation.stamps import lateness, perhaps_touched
from incidents.correlation.verdict import Suspect
from incidents.correlation.vetoes import Ruling
from incidents.correlation.view import FAR
from incidents.correlation.wording import deploy_verdict, names

Suspects = tuple[Suspect, ...]
BLOCKS_BINS = 15
LATE_LIFE = 0.7  # below this share of its peak score a verdict's cohort is not reconsidered


def blame_deploy(scene: Scene, explanations: list[Explanation], suspects: Suspects) -> set[Key]:
    """Blames at most one deploy a tick; a stronger one that must wait holds up the weaker for a while."""
    candidates = [e for e in explanations if _can_be_blamed(scene, e)]
    waited = {e.deploy: scene.ledger.waited(("deploy", e.deploy), scene.end_bin) for e in candidates}
    eligible = [e for e in candidates if e.ruling != Ruling.REFUSE]
    for place, explanation in enumerate(eligible):
        rivals = eligible[place + 1 :]
        if _ruling(scene, explanation, rivals, waited[explanation.deploy]) == Ruling.PASS:
            _name(scene, explanation, rivals, suspects)
            break
        if waited[explanation.deploy] < BLOCKS_BINS:
            break
    return {("deploy", e.deploy) for e in candidates}


def _can_be_blamed(scene: Scene, explanation: Explanation) -> bool:
    settings = scene.settings
    other = any(entry.verdict.kind in {"deploy", "group", "fleet"} for entry in scene.ledger.open_entries())
    second = settings.second_score if other else 0.0
    strong = explanation.score >= settings.page_score + second
    return strong and not scene.ledger.is_open(("deploy", explanation.deploy))


def _ruling(scene: Scene, explanation: Explanation, rivals: list[Explanation], waited: int) -> Ruling:
    """The ruling of the tests, held back for a while where another deploy explains it nearly as well."""
    settings = scene.settings
    tied = any(rival.plain_score > explanation.plain_score - settings.tie_score for rival in rivals)
    if explanation.ruling == Ruling.PASS and tied and waited < settings.tie_wait_bins:
        return Ruling.WAIT
    return explanation.ruling


def _name(scene: Scene, explanation: Explanation, rivals: list[Explanation], suspects: Suspects) -> None:
    if explanation.whole:
        for entry in scene.ledger.open_entries("deploy"):
            scene.ledger.close(entry.verdict.key, scene.end_bin)  # the blame moves
    chance = next((s.probability for s in suspects if s.deploy == explanation.deploy), 0.0)
    verdict = replace(deploy_verdict(scene, explanation, rivals=rivals), probability=chance)
    candidate, exposure = explanation.candidate, scene.exposures[explanation.deploy]
    late = lateness(candidate, exposure, scene.settings)
    explains = explains_from(scene, exposure, candidate.member, candidate.exposed, late)
    scene.ledger.name(verdict, now=scene.now, end_bin=scene.end_bin, suspects=suspects, explains_from=explains)


def explains_from(scene: Scene, exposure: Exposure, member: Mask, exposed: Ints, late: int) -> Ints:
    """The first explained bin of each host of the cohort: a little before its stamp, which may be `late` bins late.

    What has no stamp yet, while the deploy rolls, may be explained by one that comes; so the last bins wait for it.
    """
    lead = max(scene.settings.explained_lead_bins, late + scene.settings.stamp_bins)
    stamped = np.where(member & (exposed < FAR), exposed - lead, FAR)
    return np.where(perhaps_touched(scene, exposure, member, exposed), scene.end_bin - late, stamped)


def keep_deploys(scene: Scene, explanations: list[Explanation]) -> None:
    """Brings open verdicts up to date: new hosts as the deploy rolls on, a better cohort, the end of it."""
    by_name = {explanation.deploy: explanation for explanation in explanations}
    for entry in scene.ledger.open_entries("deploy"):
        name = entry.verdict.subject
        exposed = scene.exposures[name].bins(scene.hosts, scene.settings.bin_seconds, until=scene.now)
        explanation = by_name.get(name)
        weak = explanation is None or explanation.score < max(scene.settings.page_score, LATE_LIFE * entry.peak)
        if explanation is None or weak or explanation.ruling == Ruling.REFUSE:
            _extend(scene, entry, exposed)
        else:
            steady = _steady(scene, entry, explanation)
            late = lateness(steady.candidate, scene.exposures[name], scene.settings)
            entry.stamp_bins = max(entry.stamp_bins, late)
            _renew(scene, entry, steady)
        if explanation and explanation.ruling != Ruling.REFUSE and goes_on(scene, explanation.candidate):
            entry.supported_bin = scene.end_bin


def _extend(scene: Scene, entry: Entry, exposed: Ints) -> None:
    """Adds the hosts of the same cohort that the deploy has touched since."""
    member = members(scene.fleet, tuple(entry.verdict.cohort.items()))
    exposure = scene.exposures[entry.verdict.subject]
    explains = explains_from(scene, exposure, member, exposed, max(entry.stamp_bins, scene.settings.stamp_bins))
    verdict = replace(entry.verdict, hosts=names(scene, member & (exposed < FAR)))
    supported = entry.supported_bin
    scene.ledger.name(verdict, now=scene.now, end_bin=scene.end_bin, suspects=(), explains_from=explains)
    entry.supported_bin = supported


def _renew(scene: Scene, entry: Entry, explanation: Explanation) -> None:
    supported = entry.supported_bin
    old = entry.verdict
    verdict = replace(deploy_verdict(scene, explanation, rivals=[]), since=old.since, probability=old.probability)
    candidate, exposure = explanation.candidate, scene.exposures[explanation.deploy]
    explains = explains_from(scene, exposure, candidate.member, candidate.exposed, entry.stamp_bins)
    scene.ledger.name(verdict, now=scene.now, end_bin=scene.end_bin, suspects=(), explains_from=explains)
    entry.supported_bin = supported


def _steady(scene: Scene, entry: Entry, explanation: Explanation) -> Explanation:
    """Keeps the cohort already named unless another one is clearly better."""
    old = tuple(entry.verdict.cohort.items())
    if explanation.candidate.fit.slice_ == old:
        return explanation
    fit = next((fit for fit in explanation.fits if fit.slice_ == old), None)
    if fit is None or fit.score + scene.settings.cohort_gain < explanation.candidate.fit.score:
        return explanation
    return replace(explanation, candidate=explanation.candidate.narrowed(members(scene.fleet, old), fit))


def goes_on(scene: Scene, candidate: Candidate) -> bool:
    """Whether its hosts still crash more than the others."""
    strip = candidate.strip(look_back=scene.settings.quiet_bins // 2)
    due = float((strip.share * (strip.total - strip.inside) / np.maximum(1 - strip.share, 0.05)).sum())
    return float(strip.inside.sum()) > 1.5 * due + 1.0
