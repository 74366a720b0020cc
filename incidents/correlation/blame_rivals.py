"""The causes that are not deploys: a part of the fleet, one host, everything at once, one app."""

import numpy as np

from incidents.correlation.blame_deploys import goes_on
from incidents.correlation.candidate import Candidate
from incidents.correlation.events import Mask
from incidents.correlation.explain import Explanation, examine_group, weigh_groups
from incidents.correlation.ledger import Key
from incidents.correlation.rivals import HostSpike, fleet_rise, is_uneven, looping_apps, spiking_hosts
from incidents.correlation.scene import Scene
from incidents.correlation.slices import members
from incidents.correlation.stamps import perhaps_touched
from incidents.correlation.verdict import Suspect, Verdict
from incidents.correlation.vetoes import Ruling, standing
from incidents.correlation.view import FAR
from incidents.correlation.wording import app_verdict, fleet_verdict, group_verdict, host_verdict

Suspects = tuple[Suspect, ...]
MOSTLY = 0.6


def blame_rivals(
    scene: Scene, explanations: list[Explanation], groups: list[Candidate], suspects: Suspects
) -> set[Key]:
    """Names what no deploy explains; returns what is about to be named and has to wait."""
    pending = _blame_group(scene, explanations, groups, suspects)
    pending |= _blame_hosts(scene, explanations, groups, suspects)
    pending |= _blame_fleet(scene, explanations, groups, suspects)
    _tell_apps(scene, suspects)
    return pending


def _send(scene: Scene, verdict: Verdict, suspects: Suspects, hosts: Mask | None = None, first_bin: int = 0) -> None:
    """Names it; it explains what happens on these hosts from the first bin on."""
    explains_from = np.full(scene.hosts, FAR) if hosts is None else np.where(hosts, first_bin, FAR)
    scene.ledger.name(verdict, now=scene.now, end_bin=scene.end_bin, suspects=suspects, explains_from=explains_from)


def _blame_group(
    scene: Scene, explanations: list[Explanation], groups: list[Candidate], suspects: Suspects
) -> set[Key]:
    """Names the strongest slice, unless a deploy may still explain it."""
    _keep_groups(scene)
    settings = scene.settings
    group = next((g for g in groups if g.fit.score >= settings.page_score + settings.group_margin), None)
    if group is None or scene.ledger.is_open(("group", group.name)):
        return set()
    key = ("group", group.name)
    findings = examine_group(scene, group)
    ready = standing(findings) == Ruling.PASS and not _deploy_may_explain(group, explanations, scene)
    wait = settings.host_wait_bins if _deploy_just_began(group, scene) else settings.group_wait_bins
    if ready and scene.ledger.waited(key, scene.end_bin) >= wait:
        first = scene.end_bin - group.fit.look_back - settings.explained_lead_bins
        _send(scene, group_verdict(scene, group, findings), suspects, group.member, first)
    return {key}


def _keep_groups(scene: Scene) -> None:
    """A group stands as long as its hosts still crash more than the others."""
    for entry in scene.ledger.open_entries("group"):
        candidates = weigh_groups(scene, apart_from=entry.verdict.key)
        if any(c.name == entry.verdict.subject and goes_on(scene, c) for c in candidates):
            entry.supported_bin = scene.end_bin


def _deploy_may_explain(group: Candidate, explanations: list[Explanation], scene: Scene) -> bool:
    """A deploy that scores nearly as much and is not refuted."""
    least = group.fit.score - scene.settings.tie_score
    return any(e.score >= least and e.ruling != Ruling.REFUSE for e in explanations)


def _deploy_just_began(group: Candidate, scene: Scene) -> bool:
    """A deploy that began with the trouble, and so far touched mostly hosts of this slice, may just stamp late."""
    wait, onset = scene.settings.host_wait_bins, scene.end_bin - group.fit.look_back
    for _, exposed in scene.live():
        touched = exposed < FAR
        recent = int(exposed[touched].min()) >= onset - wait and int(exposed[touched].max()) >= scene.end_bin - wait
        if recent and float(group.member[touched].mean()) > MOSTLY:
            return True
    return False


def _blame_hosts(
    scene: Scene, explanations: list[Explanation], groups: list[Candidate], suspects: Suspects
) -> set[Key]:
    pending: set[Key] = set()
    for spike in spiking_hosts(scene.view(reach=max(scene.settings.host_windows)), scene.settings):
        key = ("host", scene.fleet.hosts.names[spike.host])
        pending.add(key)
        waited = scene.ledger.waited(key, scene.end_bin)
        if scene.ledger.explains(spike.host, scene.end_bin, scene.hosts):
            continue  # since this very moment
        if waited >= _hold_bins(scene, spike, explanations, groups):
            first = scene.end_bin - spike.look_back - scene.settings.explained_lead_bins
            _send(scene, host_verdict(scene, spike), suspects, np.arange(scene.hosts) == spike.host, first)
    for entry in scene.ledger.open_entries("host"):
        if _still_spikes(scene, entry.verdict):
            entry.supported_bin = scene.end_bin
    return pending


def _still_spikes(scene: Scene, verdict: Verdict) -> bool:
    host = scene.fleet.hosts.number(verdict.subject)
    view = scene.view(apart_from=verdict.key, reach=max(scene.settings.host_windows))
    return any(spike.host == host for spike in spiking_hosts(view, scene.settings))


def _hold_bins(scene: Scene, spike: HostSpike, explanations: list[Explanation], groups: list[Candidate]) -> int:
    """How long the page of a host waits for a cause that holds more hosts."""
    wait = scene.settings.host_wait_bins
    if _awaits_stamp(scene, spike.host):
        return 2 * wait
    bad = spike.observed / max(spike.expected, 0.1) / 4
    held = _settling_bins(scene, spike.host)
    for candidate in [e.candidate for e in explanations] + groups:
        if candidate.inside[spike.host] and candidate.fit.score >= scene.settings.suspect_score:
            others = np.arange(scene.hosts) != spike.host
            strip = candidate.strip(view=candidate.view.only_hosts(others))
            if strip.llr(max(candidate.fit.ratio, bad)) / candidate.dispersion > scene.settings.rival_decides:
                return 2 * wait  # about as bad as this one
            worse = max(strip.llr(r) for r in scene.settings.ratios if r >= scene.settings.host_rival_ratio)
            if worse / candidate.dispersion > scene.settings.rival_decides:
                held = max(held, wait // 2)
    return held


def _awaits_stamp(scene: Scene, host: int) -> bool:
    """Whether a deploy that is blamed, and rolls, may have touched it without saying so yet."""
    for entry in scene.ledger.open_entries("deploy"):
        exposure = scene.exposures[entry.verdict.subject]
        member = members(scene.fleet, tuple(entry.verdict.cohort.items()))
        if perhaps_touched(scene, exposure, member, scene.bins(exposure))[host]:
            return True
    return False


def _settling_bins(scene: Scene, host: int) -> int:
    """A host that a deploy touched just now may be the first of many."""
    ages = [scene.end_bin - int(exposed[host]) for _, exposed in scene.live() if exposed[host] < FAR]
    return max(0, 2 * scene.settings.host_wait_bins - min(ages)) if ages else 0


def _blame_fleet(
    scene: Scene, explanations: list[Explanation], groups: list[Candidate], suspects: Suspects
) -> set[Key]:
    tally, _ = scene.fits_alone()
    rise = fleet_rise(tally.totals(), scene.settings)
    if rise is None:
        return set()
    key = ("fleet", "fleet")
    half = scene.settings.page_score / 2
    others = any(e.score >= half and e.ruling != Ruling.REFUSE for e in explanations)
    others = others or any(group.fit.score >= half for group in groups)
    waited = scene.ledger.waited(key, scene.end_bin)
    hold = (
        scene.settings.fleet_uneven_bins
        if is_uneven(scene.view(reach=2 * scene.settings.fleet_bins), scene.settings)
        else 0
    )
    if waited >= max(hold, scene.settings.fleet_wait_bins if others else 0):
        _send(scene, fleet_verdict(scene, rise, _covering(scene)), suspects)
    return {key}


def _covering(scene: Scene) -> list[str]:
    """Deploys that have touched nearly every host within the last hour of bins."""
    found = []
    for exposure, exposed in scene.live():
        touched = exposed < FAR
        if touched.mean() > 0.9 and scene.end_bin - int(exposed[touched].max()) <= scene.settings.quiet_bins:
            found.append(exposure.deploy.deploy)
    return found


def _tell_apps(scene: Scene, suspects: Suspects) -> None:
    for loop in looping_apps(scene.view(reach=scene.settings.novelty_bins), scene.view, scene.settings):
        _send(scene, app_verdict(scene, loop), suspects)
