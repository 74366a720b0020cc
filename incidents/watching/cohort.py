"""Names the cohort where the deploy tool's own outcomes tell hosts apart: those it damaged from the rest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from fleet.models import HostDeploy
from incidents.correlation.verdict import Verdict
from incidents.watching.readings import read_hosts

LEAST_HOSTS = 2
Attributes = Mapping[str, str]


def with_cohort(verdict: Verdict) -> Verdict:
    """The verdict with the attribute that all damaged hosts share and no other host of the deploy has.

    The correlation compares touched hosts with each other; where a deploy touched hardly any but the cohort, there is
    nothing left for it to tell apart. Overwriting an image in use is damage by itself, so it counts alone where it
    was reported.
    """
    if verdict.kind != "deploy" or verdict.cohort:
        return verdict
    rows = HostDeploy.objects.filter(deploy__key=verdict.subject).values_list("outcome", "host__name")
    outcomes = {host: outcome for outcome, host in rows}
    fleet = dict(read_hosts())
    damaged = _damaged(outcomes)
    cohort = telling_attribute(
        [fleet[host] for host in damaged], [fleet[host] for host in set(outcomes) - damaged], list(fleet.values())
    )
    such = tuple(host for host in verdict.hosts if fleet.get(host, {}).items() >= cohort.items())
    return replace(verdict, cohort=cohort, hosts=such)


def telling_attribute(
    damaged: Sequence[Attributes], spared: Sequence[Attributes], fleet: Sequence[Attributes]
) -> dict[str, str]:
    """Of the attributes that separate the two, the one with the fewest values in the fleet; none where none does."""
    if min(len(damaged), len(spared)) < LEAST_HOSTS:
        return {}
    shared = set(damaged[0].items()).intersection(*(set(host.items()) for host in damaged))
    elsewhere = {pair for host in spared for pair in host.items()}
    values = Counter(key for key, _ in {pair for host in fleet for pair in host.items()})
    telling = sorted(shared - elsewhere, key=lambda pair: (values[pair[0]], pair))
    return dict(telling[:1])


def _damaged(outcomes: Mapping[str, str]) -> set[str]:
    overwrote = {host for host, outcome in outcomes.items() if outcome == HostDeploy.Outcome.OVERWROTE}
    return overwrote or {host for host, outcome in outcomes.items() if outcome != HostDeploy.Outcome.SKIPPED}
