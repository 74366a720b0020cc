"""Incidents: the list, and one of them with its runbook and timeline."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from fleet.views.frame import actor_of, may_act, render_page, whole_number
from incidents.charts import deploy_chart
from incidents.errors import Refused
from incidents.gates import standing_gate
from incidents.lifecycle import IncidentState, RunState, StepState
from incidents.models import Incident, RunStep
from incidents.queries import latest_run, listed, progress_of, step_in_turn, timeline_part
from incidents.runbooks.approval import is_asked, needs_approval
from incidents.runbooks.catalogue import offered_runbooks
from incidents.runbooks.confirming import prepare_step


@login_required
@require_safe
def incidents(request: HttpRequest) -> HttpResponse:
    """What goes on, and what went on?"""
    state = "all" if request.GET.get("state") == "all" else "ongoing"
    page = listed(state, request.GET.get("page", "1"))
    return render_page(request, "incidents/incidents.html", {"page": page, "shown": state})


@login_required
@require_safe
def incident(request: HttpRequest, number: int) -> HttpResponse:
    """What is it, and what do I do next?"""
    found = get_object_or_404(Incident.objects.select_related("deploy", "stack"), pk=number)
    now = timezone.now()
    chart = deploy_chart(found.deploy, cohort=found.cohort, now=now)[0] if found.deploy else None
    named = found.incident_hosts.filter(until_at__isnull=True).select_related("host").order_by("host__name")
    context = {
        "incident": found,
        "state": IncidentState.of(found.state),
        "may_act": may_act(request),
        "ongoing": found.state in IncidentState.ongoing(),
        "chart": chart,
        "suspects": found.suspects.select_related("deploy__stack"),
        "evidence": found.evidence.select_related("host").order_by("-observed_at")[:30],
        "named": named[:120],
        "host_count": named.count(),
        "reports": found.reports.select_related("app", "host").order_by("-reported_at")[:10],
        "gate": standing_gate(found.stack) if found.stack else None,
        "timeline": timeline_part(
            found, kind=request.GET.get("kind", ""), before=whole_number(request.GET.get("before", ""))
        ),
    }
    return render_page(request, "incidents/incident.html", context | run_context(request, found))


def run_context(request: HttpRequest, found: Incident) -> dict[str, Any]:
    """The runbook beside: the run with its steps, the one whose turn it is prepared, or what could be started."""
    run = latest_run(found)
    if run is None or run.state in (RunState.CANCELLED, RunState.DONE):
        offered = offered_runbooks(found) if found.state in IncidentState.ongoing() else []
        return {"run": run, "steps": _told(run), "offered": offered, "step": None}
    steps = _told(run)
    step = step_in_turn(steps)
    trouble = ""
    if step and step.state == StepState.READY and may_act(request):
        trouble = _prepare(request, step)
    approval = {"needed": needs_approval(step), "asked": is_asked(step, step.digest)} if step else {}
    progress = progress_of(step.result.get("migration") if step else None, now=timezone.now())
    return {
        "run": run, "steps": steps, "step": step, "progress": progress, "trouble": trouble, "approval": approval,
        "answers_to_weigh": _answers_to_weigh(steps, step),
    }  # fmt: skip


def _answers_to_weigh(steps: list[RunStep], step: RunStep | None) -> int | None:
    """The step whose hosts' answers are before the person who has to decide; they stand open until then."""
    if step is None or step.kind != "decide":
        return None
    answered = [one.pk for one in steps if one.position < step.position and one.result.get("hosts")]
    return answered[-1] if answered else None


def _told(run: Any) -> list[RunStep]:
    """The run's steps, each with the words of its runbook as `plan`."""
    if run is None:
        return []
    plans = {plan["key"]: plan for plan in run.plan["steps"]}
    steps = list(run.steps.all())
    for step in steps:
        step.plan = plans.get(step.key, {})
    return steps


def _prepare(request: HttpRequest, step: RunStep) -> str:
    """Works out the plan that is about to be shown; gives the reason where there is none."""
    plan = step.plan  # type: ignore[attr-defined]
    try:
        prepare_step(step=step, now=timezone.now(), actor=actor_of(request))
    except Refused as refused:
        return refused.message
    finally:
        step.plan = plan  # type: ignore[attr-defined]
    return ""
