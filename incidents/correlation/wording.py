"""Turns candidates into verdicts and suspects, with the words for and against."""

from itertools import compress

import numpy as np

from fleet.wording import count, plural
from incidents.correlation.candidate import Candidate
from incidents.correlation.direct import points
from incidents.correlation.explain import Explanation
from incidents.correlation.outcomes import told_cohort
from incidents.correlation.rivals import AppLoop, FleetRise, HostSpike
from incidents.correlation.scene import Scene
from incidents.correlation.slices import members
from incidents.correlation.verdict import Suspect, Verdict
from incidents.correlation.vetoes import Finding, Ruling
from incidents.correlation.view import FAR


def numbers(candidate: Candidate) -> tuple[float, tuple[float, float]]:
    """Rate ratio and its 95 % interval."""
    ratio, _, interval = candidate.own_strip.best(candidate.dispersion)
    return ratio, interval


def lag_seconds(scene: Scene, candidate: Candidate) -> float | None:
    """How long after its exposure a host crashed, in the median."""
    return None if candidate.lag_bins is None else candidate.lag_bins * scene.settings.bin_seconds


def suspect(scene: Scene, explanation: Explanation, probability: float) -> Suspect:
    """One deploy for the board."""
    candidate = explanation.candidate
    ratio, interval = numbers(candidate)
    return Suspect(
        explanation.deploy, explanation.score, candidate.cohort, ratio, interval, lag_seconds(scene, candidate),
        int(candidate.hit.sum()), scene.ledger.is_open(("deploy", explanation.deploy)),
        words_for(candidate, explanation), words_against(candidate, explanation), probability,
    )  # fmt: skip


def words_for(candidate: Candidate, explanation: Explanation) -> tuple[str, ...]:
    """What speaks for it."""
    fit = candidate.fit
    sums = (
        f"{fit.observed:.1f} weighted crashes on its hosts in {count(fit.look_back, 'bin')}"
        f" where {fit.expected:.1f} were due"
        f" ({int(candidate.hit.sum())} of {count(int(candidate.inside.sum()), 'host')} hit) ({points(fit.llr)})"
    )
    evidence = [item.told for item in explanation.evidence if item.adds >= 0]
    evidence += [explanation.spared.told] if explanation.spared else []
    passed = [finding.words for finding in explanation.findings if finding.ruling == Ruling.PASS]
    return (sums, *evidence, *passed)


def words_against(candidate: Candidate, explanation: Explanation) -> tuple[str, ...]:
    """What speaks against it."""
    words = [finding.words for finding in explanation.findings if finding.ruling != Ruling.PASS]
    words += [item.told for item in explanation.evidence if item.adds < 0]
    price = candidate.fit.score - candidate.fit.llr
    if price < -0.05:
        words.append(f"it was picked from many slices, delays and ages ({points(price)})")
    spared = int(candidate.inside.sum()) - int(candidate.hit.sum())
    if spared:
        shows = plural(spared, "shows", "show")
        words.append(f"{count(spared, 'host')} of the same exposure {shows} nothing unusual so far")
    if not bool((candidate.exposed >= FAR).any()):
        words.append("no host is left that it did not touch: only the order of its roll-out tells")
    return tuple(words)


def silent_words(scene: Scene) -> tuple[str, ...]:
    """That some hosts are left out, where some are."""
    silent = len(scene.silence)
    return (f"nothing is heard of {count(silent, 'host')}: left out on both sides",) if silent else ()


def deploy_verdict(scene: Scene, explanation: Explanation, *, rivals: list[Explanation]) -> Verdict:
    """The verdict that blames a deploy."""
    candidate = explanation.candidate
    ratio, interval = numbers(candidate)
    against = [
        f"{rival.deploy} explains it nearly as well (score {rival.score:.1f} to {explanation.score:.1f})"
        for rival in rivals
        if rival.plain_score > explanation.plain_score - scene.settings.tie_score
    ]
    cohort = candidate.cohort or told_cohort(scene.exposures[explanation.deploy].outcomes, scene.fleet)
    hosts = candidate.inside & members(scene.fleet, tuple(cohort.items()))
    return Verdict(
        "deploy", explanation.deploy, scene.now, cohort, names(scene, hosts), explanation.score,
        ratio, interval, lag_seconds(scene, candidate), int(candidate.hit.sum()),
        int((candidate.exposed >= FAR).sum()), words_for(candidate, explanation),
        (*against, *words_against(candidate, explanation), *silent_words(scene)),
    )  # fmt: skip


def group_verdict(scene: Scene, group: Candidate, findings: list[Finding]) -> Verdict:
    """The verdict that blames a part of the fleet."""
    ratio, interval = numbers(group)
    fit = group.fit
    words = f"{fit.observed:.1f} weighted crashes in {count(fit.look_back, 'bin')} where {fit.expected:.1f} were due"
    return Verdict(
        "group", group.name, scene.now, group.cohort, names(scene, group.member), fit.score, ratio, interval, None,
        int(group.hit.sum()), int((~group.member).sum()), (words, *(finding.words for finding in findings)),
        ("no deploy explains this", *silent_words(scene)),
    )  # fmt: skip


def host_verdict(scene: Scene, spike: HostSpike) -> Verdict:
    """The verdict that blames one host."""
    name = scene.fleet.hosts.names[spike.host]
    words = (
        f"{spike.observed:.1f} weighted crashes of {count(spike.apps, 'app')} in {count(spike.look_back, 'bin')}"
        f" where {spike.expected:.1f} were due"
    )
    ratio = spike.observed / max(spike.expected, 0.1)
    score = float(-np.log(max(spike.chance, 1e-300)))
    spread = ratio * np.exp(np.array([-1.96, 1.96]) / np.sqrt(max(spike.observed, 1.0)))
    interval = (float(spread[0]), float(spread[1]))
    against = ("no deploy explains this: the other hosts they touched are quiet",)
    return Verdict(
        "host", name, scene.now, {}, (name,), score, ratio, interval, None, 1, scene.hosts - 1, (words,), against
    )


def fleet_verdict(scene: Scene, rise: FleetRise, by_time: list[str]) -> Verdict:
    """The verdict that blames nothing on the fleet itself; `by_time`: deploys that only fit by time."""
    words = f"{rise.observed:.1f} weighted crashes across the fleet where {rise.expected:.1f} were due"
    against = tuple(f"{deploy} had reached nearly every host shortly before: by time only" for deploy in by_time)
    spread = rise.ratio * np.exp(np.array([-1.96, 1.96]) / np.sqrt(max(rise.observed, 1.0)))
    return Verdict(
        "fleet", "fleet", scene.now, {}, (), rise.score, rise.ratio, (float(spread[0]), float(spread[1])),
        None, 0, 0, (words,), (*(against or ("no deploy explains this",)), *silent_words(scene)),
    )  # fmt: skip


def app_verdict(scene: Scene, loop: AppLoop) -> Verdict:
    """The notice to the owner of an app."""
    name = scene.fleet.apps.names[loop.app]
    words = f"{loop.share:.0%} of what is new in the fleet is this app, on {count(loop.hosts, 'host')}"
    return Verdict("app", name, scene.now, {}, (), 0.0, loop.ratio, (0.0, 0.0), None, loop.hosts, 0, (words,), ())


def names(scene: Scene, hosts: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[str, ...]:
    """The names of hosts, sorted."""
    return tuple(sorted(compress(scene.fleet.hosts.names, hosts.tolist())))
