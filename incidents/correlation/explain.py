"""Weighs each live deploy, and each slice alone, as a cause."""

from dataclasses import dataclass

import numpy as np

from incidents.correlation.candidate import Candidate, members
from incidents.correlation.cohorts import fits_of, refine
from incidents.correlation.events import Ints
from incidents.correlation.exposure import Exposure
from incidents.correlation.scan import Fit
from incidents.correlation.scene import Scene
from incidents.correlation.vetoes import Finding, Ruling, against_group, breadth, judge, persistence, standing, widest


@dataclass(frozen=True, slots=True)
class Explanation:
    """One deploy with its best candidate, what the tests found, and its direct evidence."""

    deploy: str
    candidate: Candidate
    fits: tuple[Fit, ...]
    findings: tuple[Finding, ...] = ()
    evidence: tuple[str, ...] = ()
    evidence_score: float = 0.0

    @property
    def score(self) -> float:
        """Statistics plus direct evidence."""
        return self.candidate.fit.score + self.evidence_score

    @property
    def ruling(self) -> Ruling:
        """Whether it may be blamed."""
        return standing(list(self.findings))


def weigh_deploys(scene: Scene) -> list[Explanation]:
    """Every live deploy that explains anything, best first. Open ones are judged on what they explain themselves."""
    found = []
    strongest = max((entry.verdict.score for entry in scene.ledger.open_entries("deploy")), default=None)
    for exposure, exposed in scene.live():
        explanation = weigh_deploy(scene, exposure, exposed)
        low = explanation is None or explanation.score < scene.settings.page_score
        if strongest is not None and low and not scene.ledger.is_open(("deploy", exposure.deploy.deploy)):
            bold = weigh_deploy(scene, exposure, exposed, whole=True)
            moves = bold is not None and bold.score > strongest + scene.settings.blame_moves_score
            explanation = bold if moves else explanation
        if explanation:
            found.append(explanation)
    return sorted(found, key=lambda explanation: -explanation.score)


def weigh_deploy(scene: Scene, exposure: Exposure, exposed: Ints, *, whole: bool = False) -> Explanation | None:
    """The best candidate of one deploy with its direct evidence, before any test."""
    deploy = exposure.deploy
    stack = deploy.stack if deploy.target == "stack" else None
    view = scene.view(stack=stack, apart_from=("deploy", deploy.deploy), whole=whole)
    fits = fits_of(view, exposed, scene.fleet, scene.settings)
    if not fits or fits[0].score < scene.settings.suspect_score / 2:
        return None
    best = Candidate(deploy.deploy, view, exposed, members(scene.fleet, fits[0].slice_), fits[0])
    words, bonus = direct_evidence(scene, exposure, best)
    if best.fit.score + bonus >= scene.settings.page_score:
        refined = refine(best, fits, scene.fleet, scene.settings)
        best = refined if refined.fit.score + bonus >= scene.settings.page_score else best
    return Explanation(deploy.deploy, best, tuple(fits), (), words, bonus)


def direct_evidence(scene: Scene, exposure: Exposure, candidate: Candidate) -> tuple[tuple[str, ...], float]:
    """What hosts said themselves: overwritten images under crashing dynos, errors of the kernel after the deploy."""
    hit = set(np.flatnonzero(candidate.hit()).tolist())
    overwrote = exposure.hosts_with("overwrote") & hit
    said = _kernel_hosts(scene, candidate)
    if 2 * len(overwrote) < len(hit):
        overwrote = set()
    words = []
    if overwrote:
        words.append(f"the deploy tool reports overwriting an image in use on {len(overwrote)} of the hosts hit")
    if said:
        words.append(f"kernel errors after the deploy on {len(said)} hosts: {next(iter(said.values()))}")
    hosts = len(overwrote | set(said))
    return tuple(words), min(scene.settings.most_evidence_score, scene.settings.evidence_score * hosts)


def _kernel_hosts(scene: Scene, candidate: Candidate) -> dict[int, str]:
    """Hosts inside with kernel evidence since their exposure, if such evidence is rarer elsewhere."""
    seconds, inside, elsewhere = scene.settings.bin_seconds, {}, set()
    oldest = scene.now - scene.settings.window_bins * seconds
    for item in scene.evidence:
        host = scene.fleet.hosts.known(item.host)
        if host is None or not oldest <= item.at <= scene.now:
            continue
        if candidate.inside[host] and item.at // seconds >= candidate.exposed[host]:
            inside[host] = item.text
        else:
            elsewhere.add(host)
    return inside if len(inside) > len(elsewhere) else {}


def weigh_groups(scene: Scene) -> list[Candidate]:
    """Every slice of the fleet that explains crashes without any deploy, best first."""
    view = scene.view()
    exposed = widest(view)
    fits = fits_of(view, exposed, scene.fleet, scene.settings, lagging=False)
    cost = scene.settings.slice_cost
    found = []
    for fit in fits:
        if fit.score - cost >= scene.settings.suspect_score:
            member = members(scene.fleet, fit.slice_)
            found.append(Candidate("=".join(fit.slice_[0]), view, exposed, member, _cheaper(fit, cost)))
    return found


def _cheaper(fit: Fit, cost: float) -> Fit:
    return Fit(
        fit.slice_,
        fit.group,
        fit.delay,
        fit.look_back,
        fit.ratio,
        fit.llr,
        fit.score - cost,
        fit.observed,
        fit.expected,
    )


def examine_deploy(scene: Scene, explanation: Explanation, groups: list[Candidate]) -> Explanation:
    """The explanation with what all tests found."""
    settings, candidate = scene.settings, explanation.candidate
    findings = judge(candidate, settings, evidence=explanation.evidence_score)
    waited = scene.ledger.waited(("deploy", explanation.deploy), scene.end_bin)
    rivals = [group for group in groups if group.fit.score > candidate.fit.score - settings.rival_reach]
    findings += [against_group(candidate, group, scene.fleet, settings, waited_bins=waited) for group in rivals[:5]]
    return Explanation(
        explanation.deploy,
        candidate,
        explanation.fits,
        tuple(findings),
        explanation.evidence,
        explanation.evidence_score,
    )


def examine_group(scene: Scene, group: Candidate) -> list[Finding]:
    """A group needs breadth and time, as a deploy does."""
    return [breadth(group, scene.settings), persistence(group, scene.settings)]
