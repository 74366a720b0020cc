"""PURE. The sentences of incidents: the headline, and what the timeline says of causes and hosts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fleet.wording import count, plural

DEPLOY_WORDS = {
    "upgrade": "upgrade", "redeploy": "redeploy", "rollback": "rollback", "abort": "abort", "provision": "provisioning",
}  # fmt: skip
BOUNDLESS = 1000.0  # an upper bound from here on says that the others had next to no crashes
MOST_NAMES = 12


@dataclass(frozen=True, slots=True)
class Cause:
    """What a headline is made of. `such`: hosts of the cohort that were touched; `hit`: those of them that crash."""

    verdict: str
    subject: str
    deploy_kind: str = ""
    target: str = ""
    stack: str = ""
    cohort: Mapping[str, str] = field(default_factory=dict)
    such: int = 0
    hit: int = 0
    rate_ratio: float = 1.0
    interval: tuple[float, float] = (0.0, 0.0)
    tied_with: str = ""


def headline(cause: Cause) -> str:
    """The cause in one sentence, with its numbers."""
    return {
        "deploy": _deploy_headline,
        "group": _group_headline,
        "host": _host_headline,
        "app": _app_headline,
        "fleet": _fleet_headline,
    }[cause.verdict](cause)


def _deploy_headline(cause: Cause) -> str:
    damaged = f"hosts with {cohort_words(cause.cohort)}" if cause.cohort else "the hosts it touched"
    doubt = f"; {cause.tied_with} explains it nearly as well" if cause.tied_with else ""
    belief = "may damage" if cause.tied_with else "probably damages"
    numbers = (
        f"{cause.hit} of {cause.such} such {plural(cause.such, 'host')}, {times(cause.rate_ratio, cause.interval)}"
    )
    return f"{deploy_name(cause)} {belief} {damaged}: {numbers} the crashes of the others{doubt}"


def _group_headline(cause: Cause) -> str:
    ratio = times(cause.rate_ratio, cause.interval)
    numbers = f"{cause.hit} of {count(cause.such, 'host')}, {ratio} the crashes of the others"
    return f"Hosts with {cohort_words(cause.cohort) or cause.subject} crash: {numbers}; no deploy explains it"


def _host_headline(cause: Cause) -> str:
    return (
        f"Host {cause.subject} has {times(cause.rate_ratio, cause.interval)} its usual crashes; no deploy explains it"
    )


def _app_headline(cause: Cause) -> str:
    return f"App {cause.subject} crashes on {count(cause.hit, 'host')}; neither a host nor a deploy is to blame"


def _fleet_headline(cause: Cause) -> str:
    return f"The whole fleet has {times(cause.rate_ratio, cause.interval)} its usual crashes; no deploy explains it"


def deploy_name(cause: Cause) -> str:
    """Such as "Redeploy d3 of cedar-14" or "Kernel upgrade k7"."""
    word = DEPLOY_WORDS.get(cause.deploy_kind, "deploy")
    if cause.target in {"", "stack"}:
        return f"{word.capitalize()} {cause.subject}" + (f" of {cause.stack}" if cause.stack else "")
    return f"{cause.target.capitalize()} {word} {cause.subject}"


def cohort_words(cohort: Mapping[str, str]) -> str:
    """Such as "tools 1.9 and zone b"."""
    return " and ".join(f"{key} {value}" for key, value in sorted(cohort.items()))


def times(ratio: float, interval: tuple[float, float]) -> str:
    """Such as "9.1 times [5.2, 15.8]"; only the lower bound where there is no upper one."""
    low, high = interval
    if not (math.isfinite(ratio) and math.isfinite(low)):
        return "many times"
    if high >= BOUNDLESS:
        return f"at least {figure(low)} times"
    return f"{figure(ratio)} times [{figure(low)}, {figure(high)}]" if high > 0 else f"{figure(ratio)} times"


def figure(value: float) -> str:
    """One decimal up to a hundred, none above."""
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def some_names(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES} more"


def hosts_changed(added: Sequence[str], removed: Sequence[str], named: int) -> str:
    """What the timeline says when the hosts of an incident change."""
    if len(added) == named and not removed:
        return f"{count(named, 'host')} named: {some_names(added)}."
    parts = []
    if added:
        parts.append(f"{count(len(added), 'host')} added: {some_names(added)}")
    if removed:
        parts.append(f"{count(len(removed), 'host')} no longer named: {some_names(removed)}")
    return f"{'; '.join(parts)}. {count(named, 'host')} named now."


def outcomes_words(deploy: str, outcomes: Mapping[str, int]) -> str:
    """What a deploy did on the hosts of the cohort."""
    verbs = {
        "overwrote": "overwrote the image on", "installed": "installed on",
        "skipped": "skipped", "failed": "failed on",
    }  # fmt: skip
    parts = [f"{verb} {count(outcomes[outcome], 'host')}" for outcome, verb in verbs.items() if outcomes.get(outcome)]
    return f"{deploy} {', '.join(parts)}" if parts else f"{deploy} touched no host"
