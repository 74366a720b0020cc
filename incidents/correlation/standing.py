"""What is held of every deploy, harmless or not: its rate ratio against the others, and what would have been seen."""

import math
from dataclasses import dataclass

import numpy as np

from incidents.correlation.candidate import Candidate, Strip
from incidents.correlation.events import Floats, Ints
from incidents.correlation.exposure import Exposure
from incidents.correlation.scan import Fit
from incidents.correlation.scene import Scene
from incidents.correlation.view import FAR, View

CROWDED = 0.95  # from this share of what is expected on, a minute has hardly any controls
LEAST_USABLE = 0.1


@dataclass(frozen=True, slots=True)
class Standing:
    """One deploy. `seen_from`: the smallest rise that would have been blamed by now, in five cases of six.

    `rate_ratio` is against the hosts that it had not reached in the same minutes; where it is `alone` with all hosts,
    against their own time before, and proves little.
    """

    deploy: str
    hosts: int
    controls: int
    host_minutes: float
    rate_ratio: float | None
    interval: tuple[float, float]
    observed: float
    expected: float
    seen_from: float | None
    alone: bool


def standings(scene: Scene) -> tuple[Standing, ...]:
    """Of every live deploy whose roll-out is still in the window."""
    found = [_standing(scene, *one) for one in scene.live()]
    return tuple(standing for standing in found if standing)


def _standing(scene: Scene, exposure: Exposure, exposed: Ints) -> Standing | None:
    deploy = exposure.deploy
    stack = deploy.stack if deploy.target == "stack" else None
    view = scene.view(stack=stack, apart_from=("deploy", deploy.deploy))
    touched = exposed < FAR
    first = int(exposed[touched].min()) if touched.any() else FAR
    look_back = min(view.length, view.end_bin - first)
    if look_back < 1:
        return None
    everyone = np.ones(len(exposed), dtype=bool)
    fit = Fit((), 0, 0, look_back, 1.0, 0.0, 0.0, 0.0, 0.0)
    strip = Candidate(deploy.deploy, view, exposed, everyone, fit).own_strip
    if _is_alone(strip):
        return _by_time(scene, deploy.deploy, view, exposed) if first > view.start_bin else None
    dispersion = float(view.dispersion[0])
    ratio, _, interval = strip.best(dispersion)
    known = float(strip.total.sum()) > 0
    return Standing(
        deploy.deploy, int(touched.sum()), int((~touched).sum()), _host_minutes(scene, view, exposed),
        ratio if known else None, interval if known else (0.0, 0.0), float(strip.inside.sum()),
        float((strip.share * strip.total).sum()), seen_from(strip, dispersion, scene), False,
    )  # fmt: skip


def _is_alone(strip: Strip) -> bool:
    """Whether it had, for nearly all its time, all hosts: nothing to compare with."""
    usable = float(strip.share[strip.share < CROWDED].sum())
    return usable < LEAST_USABLE * max(float(strip.share.sum()), 1e-9)


def _host_minutes(scene: Scene, view: View, exposed: Ints) -> float:
    bins = np.clip(view.end_bin - np.maximum(exposed, view.start_bin), 0, view.length)
    return float(bins.sum()) * scene.settings.bin_seconds / 60


def seen_from(strip: Strip, dispersion: float, scene: Scene) -> float | None:
    """The smallest rise that would have reached the score of a blame by now; None where none would have."""
    free = float((1.0 - strip.share).sum())
    level = float((strip.total - strip.inside).sum()) / free if free > 0.5 else float(strip.total.mean())
    ratios = np.array(scene.settings.ratios)
    within = 1.0 + strip.share[None, :] * (ratios[:, None] - 1.0)
    gain = strip.share[None, :] * (ratios * np.log(ratios))[:, None] - within * np.log(within)
    due: Floats = level * gain.sum(axis=1) / dispersion
    # A log likelihood ratio scatters by the root of twice its mean.
    enough = np.flatnonzero(due - np.sqrt(2 * np.maximum(due, 0.0)) >= scene.settings.page_score)
    return float(ratios[enough[0]]) if len(enough) else None


def _by_time(scene: Scene, deploy: str, view: View, exposed: Ints) -> Standing:
    """Its hosts after the deploy against the same hosts before it."""
    inside = exposed < FAR
    since = exposed[view.events.host]
    weight = view.events.weight
    after = float(weight[(view.events.bin >= since)].sum())
    before = float(weight[(view.events.bin < since) & (since < FAR)].sum())
    after_bins = np.clip(view.end_bin - exposed, 0, view.length)[inside].sum()
    start = max(view.start_bin, scene.baseline.first_bin or 0)
    before_bins = np.clip(exposed[inside] - start, 0, view.length).sum()
    ratio, interval = None, (0.0, 0.0)
    if after_bins and before_bins and before:
        ratio = (after / float(after_bins)) / (before / float(before_bins))
        spread = math.exp(1.96 * math.sqrt(float(view.dispersion[0]) * (1 / max(after, 0.5) + 1 / before)))
        interval = (ratio / spread, ratio * spread)
    due = before / float(before_bins) * float(after_bins) if before_bins else 0.0
    minutes = _host_minutes(scene, view, exposed)
    controls = int((~inside).sum())
    return Standing(deploy, int(inside.sum()), controls, minutes, ratio, interval, after, due, None, True)
