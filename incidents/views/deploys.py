"""Deploys: did one of them do harm?"""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from fleet.models import Deploy
from fleet.views.frame import may_act, render_page
from incidents.charts import deploy_chart
from incidents.gates import standing_gate
from incidents.models import Incident
from incidents.queries import deploy_rows, host_deploys_by_outcome, page_of_deploys, standing_gates


@login_required
@require_safe
def deploys(request: HttpRequest) -> HttpResponse:
    """Every deploy with its verdict, also the good ones."""
    page, rows = page_of_deploys(request.GET.get("page", "1"))
    context = {"page": page, "rows": rows, "gates": list(standing_gates()), "may_act": may_act(request)}
    return render_page(request, "incidents/deploys.html", context)


@login_required
@require_safe
def deploy(request: HttpRequest, key: str) -> HttpResponse:
    """One deploy: where it went, what it did, and how the hosts fared."""
    found = get_object_or_404(Deploy.objects.select_related("stack", "image", "from_image"), key=key)
    row = deploy_rows([found])[0]
    blamed = Incident.objects.filter(pk=row.blamed_in).first() if row.blamed_in else None
    chart, exposure = deploy_chart(found, cohort=blamed.cohort if blamed else {}, now=timezone.now())
    touched = host_deploys_by_outcome(found)
    context = {
        "deploy": found, "row": row, "incident": blamed, "chart": chart, "exposure": exposure,
        "ratio": exposure and exposure.ratio,
        "touched": Paginator(touched, 50).get_page(request.GET.get("page", "1")),
        "suspicions": found.suspicions.select_related("incident").order_by("-score")[:5],
        "gate": standing_gate(found.stack) if found.stack else None, "may_act": may_act(request),
    }  # fmt: skip
    return render_page(request, "incidents/deploy.html", context)
