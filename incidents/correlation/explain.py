"""Weighs each live deploy, and each slice alone, as a cause."""

from dataclasses import dataclass, replace

from incidents.correlation.candidate import Candidate
from incidents.correlation.cohorts import refine
from incidents.correlation.direct import Item, direct_evidence, spared
from incidents.correlation.events import Ints
from incidents.correlation.exposure import Exposure
from incidents.correlation.ledger import Key
from incidents.correlation.scan import Fit, Strip3
from incidents.correlation.scene import Scene
from incidents.correlation.settings import Settings
from incidents.correlation.slices import members
from incidents.correlation.stamps import excuse_late_stamps
from incidents.correlation.tally import Tally
from incidents.correlation.vetoes import Finding, Ruling, against_group, breadth, judge, persistence, standing, widest


@dataclass(frozen=True, slots=True)
class Explanation:
    """One deploy with its best candidate, what the tests found, and its direct evidence."""

    deploy: str
    candidate: Candidate
    coarse: Candidate  # the same before a second attribute sharpened the cohort
    fits: tuple[Fit, ...]
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Item, ...] = ()
    evidence_score: float = 0.0
    spared: Item | None = None
    whole: bool = False  # judged with what other deploys are blamed for
    own: bool = False  # open, and judged with what it is blamed for itself

    @property
    def score(self) -> float:
        """Statistics plus direct evidence."""
        return self.candidate.fit.score + self.evidence_score

    @property
    def plain_score(self) -> float:
        """Its score before a second attribute sharpened the cohort: what deploys are compared by."""
        return min(self.score, self.fits[0].score + self.evidence_score)

    @property
    def ruling(self) -> Ruling:
        """Whether it may be blamed."""
        return standing(list(self.findings))


def weigh_deploys(scene: Scene) -> list[Explanation]:
    """Every live deploy that explains anything, best first. An open one is judged with all that it explains itself."""
    named: list[tuple[Exposure, Ints]] = []
    others: list[tuple[Exposure, Ints]] = []
    for exposure, exposed in scene.live():
        is_open = scene.ledger.is_open(("deploy", exposure.deploy.deploy))
        (named if is_open else others).append((exposure, exposed))
    found = [weigh_deploy(scene, *one, own=True) for one in named]
    held = sum(e.score for e in found if e) if any(found) else None  # each explains what the others do not
    found += [_weigh_other(scene, *one, held=held) for one in others]
    return sorted((e for e in found if e), key=lambda explanation: -explanation.plain_score)


def _weigh_other(scene: Scene, exposure: Exposure, exposed: Ints, *, held: float | None) -> Explanation | None:
    """A deploy that is not blamed: by what is left, or by everything where it beats all that are, taken together."""
    rest = weigh_deploy(scene, exposure, exposed)
    if held is None or (rest and rest.score >= scene.settings.page_score):
        return rest
    needed = held + scene.settings.blame_moves_score
    bold = weigh_deploy(scene, exposure, exposed, whole=True, least=needed - scene.settings.most_evidence_score)
    return bold if bold and bold.score > needed else rest


def weigh_deploy(
    scene: Scene, exposure: Exposure, exposed: Ints, *, whole: bool = False, own: bool = False, least: float = 0.0
) -> Explanation | None:
    """The best candidate of one deploy with its direct evidence, before any test; None below `least`."""
    deploy = exposure.deploy
    tally, fits = scene.fits(exposure, exposed, whole=whole, own=own)
    if not fits or fits[0].score < max(least, scene.settings.suspect_score / 2):
        return None
    stack = deploy.stack if deploy.target == "stack" else None
    itself = ("deploy", deploy.deploy) if own else None
    view = scene.view(stack=stack, apart_from=itself, whole=whole, reach=_reach(fits, scene.settings))
    best = Candidate(
        deploy.deploy, view, exposed, members(scene.fleet, fits[0].slice_), fits[0], counted(tally, fits[0])
    )
    items = direct_evidence(scene, exposure, best)
    bonus = sum(item.adds for item in items)
    coarse = best
    if best.fit.score + bonus >= scene.settings.page_score:
        sharper = refine(best, fits, scene.fleet, scene.settings)
        if sharper[1].fit.score + bonus >= scene.settings.page_score:
            coarse, best = sharper
    return Explanation(deploy.deploy, best, coarse, tuple(fits), (), items, bonus, None, whole, own)


def counted(tally: Tally, fit: Fit) -> Strip3:
    """The counts behind a fit, from the tables that it was found in."""
    number = tally.slices.names.index(fit.slice_)
    return tally.strip(number, fit.group, tally.delays.index(fit.delay), fit.look_back)


def _reach(fits: list[Fit], settings: Settings) -> int:
    """How many bins the tests of these fits look at."""
    good = [fit.look_back for fit in fits if fit.score >= fits[0].score - settings.rival_reach]
    return max(good) + settings.lead_bins


def weigh_groups(scene: Scene, *, whole: bool = False, apart_from: Key | None = None) -> list[Candidate]:
    """Every slice of the fleet that explains crashes without any deploy, best first."""
    cost, least = scene.settings.slice_cost, scene.settings.suspect_score
    tally, fits = scene.fits_alone(whole=whole, apart_from=apart_from)
    good = [fit for fit in fits if fit.score - cost >= least]
    if not good:
        return []
    view = scene.view(whole=whole, apart_from=apart_from, reach=max(fit.look_back for fit in good))
    exposed = widest(view)
    return [
        Candidate(
            "=".join(fit.slice_[0]), view, exposed, members(scene.fleet, fit.slice_),
            replace(fit, score=fit.score - cost), counted(tally, fit),
        )
        for fit in good
    ]  # fmt: skip


def examine_deploy(scene: Scene, explanation: Explanation, groups: list[Candidate]) -> Explanation:
    """The explanation with what all tests found.

    A cohort of two attributes was picked from so many that chance finds one; so the tests must hold for the first
    attribute alone as well.
    """
    if explanation.whole:
        groups = weigh_groups(scene, whole=True)
    elif explanation.own:
        groups = weigh_groups(scene, apart_from=("deploy", explanation.deploy))
    candidate, coarse = explanation.candidate, explanation.coarse
    findings = _test(scene, explanation, candidate, groups)
    if len(coarse.fit.slice_) < len(candidate.fit.slice_):
        findings += [f for f in _test(scene, explanation, coarse, groups) if f.ruling != Ruling.PASS]
    if any(finding.fades for finding in findings) and scene.is_bin_over:  # half a bin looks as if it faded
        scene.ledger.noisy.add(explanation.deploy)
    well = spared(scene.exposures[explanation.deploy], candidate)
    return replace(explanation, findings=tuple(dict.fromkeys(findings)), spared=well)


def _test(scene: Scene, explanation: Explanation, candidate: Candidate, groups: list[Candidate]) -> list[Finding]:
    """What the tests find of one candidate of a deploy."""
    settings = scene.settings
    findings = judge(candidate, settings, evidence=max(0.0, explanation.evidence_score))
    started_bin = int(scene.exposures[explanation.deploy].deploy.at // settings.bin_seconds)
    findings = excuse_late_stamps(candidate, findings, settings, started_bin=started_bin)
    waited = scene.ledger.waited(("deploy", explanation.deploy), scene.end_bin)
    rivals = [group for group in groups if group.fit.score > candidate.fit.score - settings.rival_reach]
    return findings + [
        against_group(candidate, group, scene.fleet, settings, waited_bins=waited) for group in rivals[:5]
    ]


def examine_group(scene: Scene, group: Candidate) -> list[Finding]:
    """A group needs breadth and time, as a deploy does."""
    return [breadth(group, scene.settings), persistence(group, scene.settings)]
