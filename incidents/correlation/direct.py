"""Direct evidence: what hosts and the deploy tool said themselves, and how much each item adds or takes away."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from incidents.correlation.candidate import Candidate
from incidents.correlation.events import Mask
from incidents.correlation.exposure import Exposure
from incidents.correlation.scene import Scene

DAMAGED, INTACT = "verified_damaged", "verified_intact"


@dataclass(frozen=True, slots=True)
class Item:
    """One kind of evidence, in words, with what it adds to the score."""

    words: str
    adds: float

    @property
    def told(self) -> str:
        """With its number, as the pages show it."""
        return f"{self.words} ({points(self.adds)})"


def points(adds: float) -> str:
    """Such as "+1.5" or "-3.1"."""
    return f"{adds:+.1f}"


def direct_evidence(scene: Scene, exposure: Exposure, candidate: Candidate) -> tuple[Item, ...]:
    """Overwritten images, damaged and intact ones, kernels' errors: each host counts once, in all within limits."""
    hit = set(np.flatnonzero(candidate.hit).tolist())
    overwrote = exposure.hosts_with("overwrote") & hit
    if 2 * len(overwrote) < len(hit):
        overwrote = set()
    damaged = _telling(scene, candidate, {DAMAGED})
    kernels = _telling(scene, candidate, {"loop_io_error", "fs_error", "kernel"})
    found = [
        (overwrote, f"the deploy tool reports overwriting an image in use on {len(overwrote)} of the hosts hit"),
        (damaged.keys(), f"{_hosts(damaged)} verified: the image changed under running dynos"),
        (kernels.keys(), f"kernel errors after the deploy on {_hosts(kernels)}: {next(iter(kernels.values()), '')}"),
    ]
    items = _weighed(scene, found)
    intact = _said(scene, candidate, {INTACT}).keys() & (hit - damaged.keys() - overwrote)
    if intact:
        takes = max(-scene.settings.most_evidence_score, -scene.settings.intact_score * len(intact))
        items.append(Item(f"{_hosts(intact)} verified and found intact, though they crash", takes))
    return tuple(items)


def _weighed(scene: Scene, found: Sequence[tuple[Collection[int], str]]) -> list[Item]:
    """Each kind counts the hosts that no kind before it counted, up to the limit for all."""
    items: list[Item] = []
    counted: set[int] = set()
    left = scene.settings.most_evidence_score
    for hosts, words in found:
        if hosts:
            adds = min(left, scene.settings.evidence_score * len(set(hosts) - counted))
            counted |= set(hosts)
            left -= adds
            items.append(Item(words, adds))
    return items


def _telling(scene: Scene, candidate: Candidate, kinds: Collection[str]) -> dict[int, str]:
    """Hosts inside of which this was said since their exposure, if it is rarer elsewhere."""
    inside = _said(scene, candidate, kinds)
    elsewhere = _said(scene, candidate, kinds, inside=False)
    return inside if len(inside) > len(elsewhere) else {}


def _said(scene: Scene, candidate: Candidate, kinds: Collection[str], *, inside: bool = True) -> dict[int, str]:
    seconds, found = scene.settings.bin_seconds, {}
    oldest = scene.now - scene.settings.window_bins * seconds
    for item in scene.evidence:
        host = scene.fleet.hosts.known(item.host)
        if host is not None and item.kind in kinds and oldest <= item.at <= scene.now:
            since = candidate.inside[host] and item.at // seconds >= candidate.exposed[host]
            if bool(since) == inside:
                found[host] = item.text
    return found


def spared(exposure: Exposure, candidate: Candidate) -> Item | None:
    """What the hosts that it skipped, and that stay well, contribute to the score as controls."""
    skipped = np.zeros(len(candidate.member), dtype=bool)
    skipped[list(exposure.hosts_with("skipped"))] = True
    skipped &= ~candidate.inside
    if not skipped.any():
        return None
    adds = candidate.fit.llr - candidate.llr_in(candidate.view.only_hosts(~skipped))
    weight = float(candidate.view.events.weight[_recent_on(candidate, skipped)].sum())
    due = float(candidate.view.expected[candidate.fit.group][skipped].sum()) * candidate.fit.look_back
    due *= candidate.control_level
    count = int(skipped.sum())
    words = f"{count} host{'s' if count > 1 else ''} that it skipped had {weight:.1f} weighted crashes where"
    return Item(f"{words} {due:.1f} were due, counted above", adds) if adds > 0 else None


def _recent_on(candidate: Candidate, hosts: Mask) -> Mask:
    view = candidate.view
    recent: Mask = view.time >= view.length - candidate.fit.look_back
    return recent & hosts[view.events.host] & view.of_group(candidate.fit.group)


def _hosts(hosts: Collection[int]) -> str:
    return f"{len(hosts)} host{'s' if len(hosts) != 1 else ''}"
