"""Figures of incidents and deploys, from the fleet's roll-ups."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.cache import cache

from fleet.charts import Chart, Marker, exposure_chart, heat_chart, pulse_chart
from fleet.exposure import Exposure, exposure_of
from fleet.models import Deploy
from fleet.pulse import SPAN, pulse_and_heat
from fleet.queries import deploys_since


def fleet_charts(*, now: datetime) -> list[Chart]:
    """The fleet's pulse with its deploys, and the hosts that stand out; drawn once for all who look."""
    draw = partial(_fleet_charts, now)
    charts: list[Chart] | None = cache.get_or_set("fleet-charts", draw, settings.CHART_CACHE_SECONDS)
    return charts or []


def _fleet_charts(now: datetime) -> list[Chart]:
    pulse, heat = pulse_and_heat(now=now)
    markers = [Marker(deploy.started_at, f"{deploy.kind} {deploy.key}") for deploy in deploys_since(now - SPAN)]
    charts = [
        pulse_chart(
            minutes=pulse.minutes, hard=pulse.hard, other=pulse.other, recorded_until=pulse.recorded_until,
            markers=markers,
        )
    ]  # fmt: skip
    if heat.hosts:
        charts.append(heat_chart(hosts=heat.hosts, minutes=heat.minutes, counts=heat.counts, excess=heat.excess))
    return charts


def deploy_chart(deploy: Deploy, *, cohort: Mapping[str, Any], now: datetime) -> tuple[Chart | None, Exposure | None]:
    """Exposed against not exposed, and the numbers behind it; nothing while the deploy has reached no host."""
    key = f"deploy-chart-{deploy.pk}-{urlencode(sorted(cohort.items()))}"
    draw = partial(_deploy_chart, deploy, cohort, now)
    return cache.get_or_set(key, draw, settings.CHART_CACHE_SECONDS)  # type: ignore[return-value]


def _deploy_chart(deploy: Deploy, cohort: Mapping[str, Any], now: datetime) -> tuple[Chart | None, Exposure | None]:
    exposure = exposure_of(deploy, cohort=cohort, now=now)
    if exposure is None:
        return None, None
    sides = [*exposure.exposed, exposure.unexposed]
    curves = [(curve.name, curve.lags, curve.rates) for curve in sides if curve.hosts]
    return exposure_chart(curves=curves, key="exposure"), exposure
