"""Now: is anything wrong?"""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from fleet.pulse import SPAN
from fleet.queries import deploys_since, fleet_state
from fleet.views.frame import render_page
from incidents.charts import fleet_charts
from incidents.queries import deploy_rows, ongoing_with_steps, standing_gates, step_in_turn, under_suspicion
from incidents.watching.silence import stale_watch


@login_required
@require_safe
def now(request: HttpRequest) -> HttpResponse:
    """Open incidents, the fleet's pulse, and what is not known."""
    at = timezone.now()
    incidents = ongoing_with_steps()
    for incident in incidents:
        run = next(iter(incident.live_runs), None)  # type: ignore[attr-defined]
        incident.step = step_in_turn(list(run.steps.all())) if run else None  # type: ignore[attr-defined]
    charts = fleet_charts(now=at)
    context = {
        "incidents": incidents,
        "major": [incident for incident in incidents if incident.severity != "notice"],
        "fleet": fleet_state(now=at),
        "charts": charts,
        "gates": list(standing_gates()),
        "stale_watch": stale_watch(at),
        "suspected": list(under_suspicion(at)),
        "deploys": list(reversed(deploy_rows(deploys_since(at - SPAN, limit=5)))),
        "crashes_window": sum(hard + other for _, hard, other in charts[0].rows),
    }
    return render_page(request, "incidents/now.html", context)
