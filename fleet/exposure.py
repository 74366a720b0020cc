"""Crashes on hosts that a deploy touched beside those it did not, aligned on each host's own host deploy."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from fleet.lifecycle import HostState
from fleet.models import Deploy, Host, HostDeploy

MINUTE = timedelta(minutes=1)
# Both sides in one reading of the roll-up: crashes of exposed hosts by lag, which is whole minutes since a host's own
# deploy, and by whether the host is of the cohort; those of the others by minute.
COUNTED = """
WITH side AS MATERIALIZED (
    SELECT host.id, date_trunc('minute', touched.at, 'UTC') AS at,
           touched.at IS NOT NULL AND host.attributes @> %(cohort)s::jsonb AS such
    FROM fleet_host host LEFT JOIN fleet_hostdeploy touched
      ON touched.host_id = host.id AND touched.deploy_id = %(deploy)s AND touched.outcome <> 'skipped'
    WHERE touched.at IS NOT NULL OR host.state <> ALL(%(apart)s)
)
SELECT CASE WHEN side.at IS NULL THEN rolled.minute END,
       (date_part('epoch', rolled.minute - side.at) / 60)::int, side.such, sum(rolled.count)::int
FROM fleet_crash_minute rolled JOIN side ON side.id = rolled.host_id
WHERE rolled.minute BETWEEN %(first)s AND %(last)s
  AND (side.at IS NULL OR rolled.minute BETWEEN side.at - %(span)s AND side.at + %(span)s)
GROUP BY 1, 2, 3
"""
APART = [HostState.RETIRED.value, HostState.UNKNOWN.value]


@dataclass(frozen=True)
class Curve:
    """Crashes per host and minute by lag; `crashes` and `host_minutes` are what came after the deploy."""

    name: str
    hosts: int
    lags: list[int]
    rates: list[float | None]
    crashes: float
    host_minutes: float

    @property
    def rate(self) -> float:
        """Crashes per host and minute since the deploy."""
        return self.crashes / self.host_minutes if self.host_minutes else 0.0

    @property
    def per_hour(self) -> float:
        """Crashes per host and hour since the deploy."""
        return 60 * self.rate


@dataclass(frozen=True)
class Exposure:
    """The exposed hosts (those of the cohort first), and the others in the same minutes."""

    exposed: list[Curve]
    unexposed: Curve

    @property
    def ratio(self) -> tuple[float, float, float] | None:
        """Rate ratio of exposed against unexposed since the deploy, with its 95 % interval; None without crashes."""
        crashes = sum(curve.crashes for curve in self.exposed)
        time = sum(curve.host_minutes for curve in self.exposed)
        control = self.unexposed
        if not (crashes and time and control.crashes and control.host_minutes):
            return None
        ratio = (crashes / time) / control.rate
        spread = math.exp(1.96 * math.sqrt(1 / crashes + 1 / control.crashes))
        return ratio, ratio / spread, ratio * spread


@dataclass(frozen=True)
class Counts:
    """Crashes of exposed hosts by lag and whether they are of the cohort, and of the others by minute."""

    exposed: dict[tuple[int, bool], int]
    others: dict[datetime, int]


def exposure_of(deploy: Deploy, *, cohort: Mapping[str, Any], now: datetime, span_minutes: int = 60) -> Exposure | None:
    """Both sides' crashes around the host deploys; None where the deploy touched no host yet."""
    touched = _touched(deploy, cohort)
    every = [at for ats in touched.values() for at in ats]
    if not every:
        return None
    lags = list(range(-span_minutes, span_minutes + 1))
    span = MINUTE * span_minutes
    bounds = (min(every) - span, min(max(every) + span, now))
    counts = _counts(deploy, cohort, span, bounds)
    names = _names(cohort, touched)
    exposed = [
        _curve(names[such], ats, lags, {lag: counts.exposed.get((lag, such), 0) for lag in lags}, now)
        for such, ats in sorted(touched.items(), reverse=True)
        if ats
    ]
    others = Host.objects.exclude(state__in=APART).exclude(pk__in=_reached(deploy).values("host")).count()
    return Exposure(exposed, _control(others, counts.others, every, lags, bounds, now))


def _reached(deploy: Deploy) -> QuerySet[HostDeploy]:
    return HostDeploy.objects.filter(deploy=deploy).exclude(outcome=HostDeploy.Outcome.SKIPPED)


def _touched(deploy: Deploy, cohort: Mapping[str, Any]) -> dict[bool, list[datetime]]:
    """When each exposed host was touched, those of the cohort apart from the others."""
    touched: dict[bool, list[datetime]] = {True: [], False: []}
    for at, attributes in _reached(deploy).values_list("at", "host__attributes"):
        such = all(attributes.get(key) == value for key, value in cohort.items())
        touched[such].append(at.replace(second=0, microsecond=0))
    return touched


def _names(cohort: Mapping[str, Any], touched: dict[bool, list[datetime]]) -> dict[bool, str]:
    words = ", ".join(f"{key} {value}" for key, value in cohort.items())
    such = f"exposed, {words}" if words else "exposed"
    return {True: f"{such} ({len(touched[True])})", False: f"exposed, others ({len(touched[False])})"}


def _counts(deploy: Deploy, cohort: Mapping[str, Any], span: timedelta, bounds: tuple[datetime, datetime]) -> Counts:
    counts = Counts({}, {})
    arguments: dict[str, Any] = {
        "cohort": json.dumps(dict(cohort)), "span": span, "deploy": deploy.pk, "first": bounds[0], "last": bounds[1],
        "apart": APART,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, arguments)
        for minute, lag, such, count in cursor.fetchall():
            if minute is None:
                counts.exposed[lag, such] = count
            else:
                counts.others[minute] = count
    return counts


def _curve(name: str, ats: Sequence[datetime], lags: list[int], counts: Mapping[int, float], now: datetime) -> Curve:
    seen = observed(ats, lags, now)
    rates = [round(counts.get(lag, 0) / hosts, 5) if hosts else None for lag, hosts in zip(lags, seen, strict=True)]
    after = [(counts.get(lag, 0), hosts) for lag, hosts in zip(lags, seen, strict=True) if lag >= 0 and hosts]
    return Curve(name, len(ats), lags, rates, sum(n for n, _ in after), sum(hosts for _, hosts in after))


def observed(ats: Sequence[datetime], lags: list[int], now: datetime) -> list[int]:
    """How many of the hosts had come as far, at each lag, by now."""
    ages = [int((now - at) / MINUTE) for at in ats]
    return [sum(age > lag for age in ages) if lag >= 0 else len(ages) for lag in lags]


def _control(
    hosts: int,
    by_minute: Mapping[datetime, int],
    ats: list[datetime],
    lags: list[int],
    bounds: tuple[datetime, datetime],
    now: datetime,
) -> Curve:
    """The hosts not touched, in the very minutes of the exposed ones: what befell the whole fleet cancels out."""
    weights = Counter(ats)
    counts = {
        lag: sum(weight * by_minute.get(at + MINUTE * lag, 0) for at, weight in weights.items()) / hosts
        for lag in lags
    } if hosts else {}  # fmt: skip
    curve = _curve(f"not exposed ({hosts})", ats if hosts else [], lags, counts, now)
    after = sum(n for minute, n in by_minute.items() if minute >= min(ats))
    span = max(1.0, (bounds[1] - min(ats)) / MINUTE)
    return Curve(curve.name, hosts, lags, curve.rates, after, hosts * span)
