"""The cohort where the deploy tool's own outcomes tell hosts apart: those it damaged from the rest."""

from collections.abc import Mapping

import numpy as np

from incidents.correlation.events import Mask
from incidents.correlation.fleet import Fleet

LEAST_HOSTS = 2


def told_cohort(outcomes: Mapping[int, str], fleet: Fleet) -> dict[str, str]:
    """The attribute that all damaged hosts share and no other host of the deploy has; none where none does.

    The scan compares touched hosts with each other; where a deploy touched hardly any but the cohort, there is
    nothing left for it to tell apart. Overwriting an image in use is damage by itself, so it counts alone where it
    was reported.
    """
    if not {"overwrote", "skipped"} & set(outcomes.values()):
        return {}  # then nobody was spared
    overwrote = {host for host, outcome in outcomes.items() if outcome == "overwrote"}
    damaged = overwrote or {host for host, outcome in outcomes.items() if outcome != "skipped"}
    return telling_attribute(_mask(damaged, fleet), _mask(outcomes.keys() - damaged, fleet), fleet)


def telling_attribute(damaged: Mask, spared: Mask, fleet: Fleet) -> dict[str, str]:
    """Of the attributes that separate the two, the one with the fewest values in the fleet."""
    if min(damaged.sum(), spared.sum()) < LEAST_HOSTS:
        return {}
    telling = []
    for attribute in fleet.attributes:
        shared = np.unique(attribute.codes[damaged])
        if len(shared) == 1 and shared[0] >= 0 and not (attribute.codes[spared] == shared[0]).any():
            telling.append((len(attribute.values), attribute.key, attribute.values[int(shared[0])]))
    return dict([min(telling)[1:]]) if telling else {}


def _mask(hosts: set[int], fleet: Fleet) -> Mask:
    mask = np.zeros(len(fleet.hosts), dtype=bool)
    mask[list(hosts)] = True
    return mask
