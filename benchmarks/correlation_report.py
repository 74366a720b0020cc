"""Turns runs into the table and the figures."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from benchmarks.correlation_cost import Cost
from benchmarks.correlation_run import Run
from incidents.correlation.simulation.outcome import Outcome

APART = frozenset({"restarts", "surge", "host_blips"})  # false pages told of apart
CALM = APART | {"quiet"}
BY_TIME_ONLY = "all_at_once"
Chosen = Callable[[Run], Outcome]


def report(runs: list[Run], costs: list[Cost]) -> Iterator[str]:
    """The table for people."""
    for conditions, hosts in sorted(
        {(r.task.conditions, r.task.hosts) for r in runs}, key=lambda c: (c[0] != "usual", c)
    ):
        chosen = [r for r in runs if (r.task.conditions, r.task.hosts) == (conditions, hosts)]
        yield f"\n{hosts} hosts, {conditions}"
        yield (
            "  scenario            runs first recall wrong false/day  minutes (p50 p90)  suspect  oracle ratio"
            "  blast Jaccard cohort"
        )
        yield from (_row(name, [r for r in chosen if r.task.scenario == name]) for name in _names(chosen))
        faults = [r for r in chosen if r.task.scenario not in CALM]
        if faults:
            yield _row("all faults", faults)
            yield from (_row(name, faults, _of(name)) for name in faults[0].beside)
    yield from _cost_table(costs)


def _names(runs: list[Run]) -> list[str]:
    return list(dict.fromkeys(sorted((r.task.scenario for r in runs), key=lambda name: (name in CALM, name))))


def _of(name: str) -> Chosen:
    return lambda run: run.beside[name]


def _product(run: Run) -> Outcome:
    return run.product


def _row(name: str, runs: list[Run], of: Chosen = _product) -> str:
    sums = summary(runs, of)
    text = f"  {name:<18} {len(runs):5d} {sums['verdict_at_1']:5.3f} {sums['recall']:6.3f} {sums['wrong_deploy']:5.3f}"
    text += f" {sums['false_pages_per_day']:9.3f}"
    keys = (
        "minutes_median",
        "minutes_p90",
        "suspect_median",
        "oracle_median",
        "oracle_ratio",
        "blast",
        "jaccard",
        "cohort",
    )
    return text + "".join(f" {'-' if sums[key] is None else format(sums[key], '.2f'):>8}" for key in keys)


def summary(runs: list[Run], of: Chosen = _product) -> dict[str, Any]:
    """The figures of some runs of one method."""
    outcomes = [of(run) for run in runs]
    minutes = _known(o.minutes for o in outcomes)
    pairs = [(o.minutes, o.oracle_minutes) for o in outcomes if o.minutes and o.oracle_minutes]
    ratio = np.median([p[0] for p in pairs]) / np.median([p[1] for p in pairs]) if pairs else None
    return {
        "runs": len(runs),
        "verdict_at_1": _mean(o.right for o in outcomes),
        "recall": _mean(o.recalled for o in outcomes),
        "wrong_deploy": _mean(o.wrong_deploy for o in outcomes),
        "false_pages_per_day": _false_pages(runs, outcomes),
        "minutes_median": _quantile(minutes, 50),
        "minutes_p90": _quantile(minutes, 90),
        "suspect_median": _quantile(_known(o.suspect_minutes for o in outcomes), 50),
        "oracle_median": _quantile(_known(o.oracle_minutes for o in outcomes), 50),
        "oracle_ratio": None if ratio is None else round(float(ratio), 3),
        "blast": _average(o.blast for o in outcomes),
        "jaccard": _average(o.jaccard for o in outcomes),
        "cohort": _average(None if o.cohort is None else float(o.cohort) for o in outcomes),
    }


def _false_pages(runs: list[Run], outcomes: list[Outcome]) -> float:
    """Pages without a cause: of quiet days all, of others those before the fault."""
    pages = sum(o.false_pages + (len(o.pages) - o.false_pages) * _calm(r) for r, o in zip(runs, outcomes, strict=True))
    return round(pages / sum(run.days for run in runs), 4)


def _calm(run: Run) -> bool:
    return run.task.scenario in CALM


def by_scenario(runs: list[Run]) -> dict[str, dict[str, Any]]:
    """Figures of each scenario under each conditions and size."""
    groups: dict[str, dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        groups[f"{run.task.hosts} hosts, {run.task.conditions}"][run.task.scenario].append(run)
    return {key: {name: summary(some) for name, some in found.items()} for key, found in groups.items()}


def figures(runs: list[Run], costs: list[Cost]) -> dict[str, Any]:
    """What the last line says of the main size (that of the quiet days) and of all others."""
    usual = [r for r in runs if r.task.conditions == "usual"]
    main = usual[0].task.hosts if usual else 0
    main = next((r.task.hosts for r in usual if r.task.scenario == "quiet"), main)
    faults = [r for r in usual if r.task.hosts == main and r.task.scenario not in CALM]
    sums = summary(faults) if faults else {}
    deploys = [r.product for r in faults if r.product.first_is_deploy]
    return {
        "hosts": main,
        "verdict_at_1": sums.get("verdict_at_1"),
        "recall": sums.get("recall"),
        "wrong_deploy": sums.get("wrong_deploy"),
        "false_pages_per_quiet_day": _quiet(usual, "quiet"),
        "precision_at_1": _mean(o.right for o in deploys) if deploys else None,
        "minutes_to_detect_median": sums.get("minutes_median"),
        "minutes_to_detect_p90": sums.get("minutes_p90"),
        "oracle_ratio": sums.get("oracle_ratio"),
        **_cost_figures(costs),
        "calibration_error": calibration_error([pair for r in runs for pair in r.product.stated]),
        "false_pages_apart": {name: _quiet(usual, name) for name in sorted(APART)},
        "verdict_at_1_by": _each(runs),
        "beside": {name: _beside(usual, main, name) for name in (usual[0].beside if usual else {})},
    }


def _quiet(runs: list[Run], name: str) -> float | None:
    calm = [r for r in runs if r.task.scenario == name]
    return summary(calm)["false_pages_per_day"] if calm else None


def _each(runs: list[Run]) -> dict[str, float]:
    """Verdict@1 of all faults by size and conditions."""
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.task.scenario not in CALM:
            groups[f"{run.task.hosts} hosts, {run.task.conditions}"].append(run)
    return {key: summary(some)["verdict_at_1"] for key, some in groups.items()}


def _beside(usual: list[Run], main: int, name: str) -> dict[str, Any]:
    chosen = [r for r in usual if r.task.hosts == main]
    faults = [r for r in chosen if r.task.scenario not in CALM]
    quiet = [r for r in chosen if r.task.scenario == "quiet"]
    told = {key: summary(faults, _of(name))[key] for key in ("verdict_at_1", "wrong_deploy")} if faults else {}
    return told | ({"false_pages_per_quiet_day": summary(quiet, _of(name))["false_pages_per_day"]} if quiet else {})


def _cost_figures(costs: list[Cost]) -> dict[str, float]:
    named: dict[str, float] = {}
    for cost in costs:
        named[f"tick_ms_{cost.hosts}"] = round(cost.quiet_mean, 2)
        named[f"tick_p99_ms_{cost.hosts}"] = round(cost.incident_p99, 2)
        named[f"memory_mb_{cost.hosts}"] = round(cost.memory_mb, 1)
    return named


def _cost_table(costs: list[Cost]) -> Iterator[str]:
    if costs:
        yield "\n  CPU ms a tick   hosts  quiet mean   p99  incident mean   p99  memory MB  crashes a minute at the end"
    for cost in costs:
        yield (
            f"  {cost.hosts:21d} {cost.quiet_mean:11.2f} {cost.quiet_p99:5.1f} {cost.incident_mean:14.1f}"
            f" {cost.incident_p99:5.1f} {cost.memory_mb:10.0f} {cost.crashes_a_minute:10.0f}"
        )


def calibration_error(stated: list[tuple[float, bool]]) -> float | None:
    """Mean distance of the stated probability from how often it was right, over ten classes of it."""
    if not stated:
        return None
    chance, right = np.array([s[0] for s in stated]), np.array([s[1] for s in stated], dtype=float)
    place = np.minimum((chance * 10).astype(np.int64), 9)
    count = np.bincount(place, minlength=10)
    gaps = np.abs(np.bincount(place, chance, 10) - np.bincount(place, right, 10))
    return round(float(gaps.sum() / count.sum()), 4)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _quantile(values: list[float], percent: int) -> float | None:
    return round(float(np.percentile(values, percent)), 2) if values else None


def _mean(values: Iterable[bool]) -> float:
    return round(float(np.mean(list(values))), 4)


def _average(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return round(float(np.mean(known)), 3) if known else None
