"""What a responder does on an incident's page: each a plain form, each a service, and back to the page."""

from collections.abc import Callable
from datetime import UTC, datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST

from fleet.migration import mover
from fleet.models import App, Host, Migration, Stack
from fleet.views.frame import acting, actor_of, text_in, whole_number
from incidents import gates, responding
from incidents.errors import Refused
from incidents.lifecycle import StepState
from incidents.models import Incident, RunbookRun, RunStep
from incidents.runbooks import confirming, deciding, runs
from incidents.timeline import revisions

Act = Callable[[HttpRequest, Incident], str]


def carry_out(request: HttpRequest, act: Callable[[], str]) -> None:
    """Does it, and tells the person what came of it."""
    try:
        done = act()
    except (Refused, mover.NotPossible) as refused:
        messages.error(request, str(refused))
    else:
        if done:
            messages.success(request, done)


def _acknowledge(request: HttpRequest, found: Incident) -> str:
    responding.acknowledge_incident(incident=found, actor=actor_of(request), now=timezone.now())
    return "You have taken this incident."


def _mitigate(request: HttpRequest, found: Incident) -> str:
    responding.mitigate_incident(incident=found, actor=actor_of(request), now=timezone.now())
    return "Marked as mitigated: the harm has stopped."


def _resolve(request: HttpRequest, found: Incident) -> str:
    responding.resolve_incident(incident=found, actor=actor_of(request), now=timezone.now())
    return "Resolved. The timeline below is ready to be exported."


def _dismiss(request: HttpRequest, found: Incident) -> str:
    reason = text_in(request.POST, "reason")
    responding.dismiss_incident(incident=found, reason=reason, actor=actor_of(request), now=timezone.now())
    return "Dismissed."


def _reopen(request: HttpRequest, found: Incident) -> str:
    reason = text_in(request.POST, "reason")
    responding.reopen_incident(incident=found, reason=reason, actor=actor_of(request), now=timezone.now())
    return "Opened again."


def _note(request: HttpRequest, found: Incident) -> str:
    responding.add_note(
        incident=found, text=text_in(request.POST, "text"), actor=actor_of(request), now=timezone.now(),
        occurred_at=_when(text_in(request.POST, "occurred_at")),
    )  # fmt: skip
    return ""


def _correct(request: HttpRequest, found: Incident) -> str:
    revisions.correct_note(
        incident=found, sequence=_entry(request), text=request.POST.get("text", ""), actor=actor_of(request),
    )  # fmt: skip
    return ""


def _hide(request: HttpRequest, found: Incident) -> str:
    revisions.hide_from_exports(
        incident=found, sequence=_entry(request), reason=request.POST.get("reason", ""), actor=actor_of(request),
        now=timezone.now(),
    )  # fmt: skip
    return "Exports leave that entry's text out from now on. It stays on this page."


def _show(request: HttpRequest, found: Incident) -> str:
    revisions.show_in_exports(
        incident=found, sequence=_entry(request), actor=actor_of(request), now=timezone.now()
    )  # fmt: skip
    return "Exports show that entry again."


def _entry(request: HttpRequest) -> int:
    number = request.POST.get("entry", "")
    return int(number) if number.isdecimal() else 0


def _report(request: HttpRequest, found: Incident) -> str:
    app, host = text_in(request.POST, "app").strip(), text_in(request.POST, "host").strip()
    responding.file_report(
        incident=found, text=text_in(request.POST, "text"), actor=actor_of(request), now=timezone.now(),
        app=App.objects.filter(name=app).first() if app else None,
        host=Host.objects.filter(name=host).first() if host else None,
    )  # fmt: skip
    return "The report stands with the evidence."


def _start(request: HttpRequest, found: Incident) -> str:
    run = runs.start_run(
        incident=found, runbook=text_in(request.POST, "runbook"), now=timezone.now(), actor=actor_of(request)
    )
    return f"Started the runbook “{run.title}”. Nothing has been done to any host."


ACTS: dict[str, Act] = {
    "acknowledge": _acknowledge, "mitigate": _mitigate, "resolve": _resolve, "dismiss": _dismiss, "reopen": _reopen,
    "note": _note, "report": _report, "start": _start, "correct": _correct, "hide": _hide, "show": _show,
}  # fmt: skip


@require_POST
@acting
def incident_act(request: HttpRequest, number: int, act: str) -> HttpResponse:
    """One of the acts on an incident."""
    found = get_object_or_404(Incident, pk=number)
    if act not in ACTS:
        raise Http404
    carry_out(request, lambda: ACTS[act](request, found))
    return redirect("incident", number=number)


@require_POST
@acting
def run_act(request: HttpRequest, number: int, act: str) -> HttpResponse:
    """Pauses, resumes or gives up the run."""
    run = get_object_or_404(RunbookRun, incident=number, pk=whole_number(request.POST.get("run", "")))
    service = {"pause": runs.pause_run, "resume": runs.resume_run, "cancel": runs.cancel_run}.get(act)
    if service is None:
        raise Http404
    said = {"pause": "Paused: nothing new begins.", "resume": "The run goes on.", "cancel": "Gave the run up."}

    def do() -> str:
        service(run=run, now=timezone.now(), actor=actor_of(request))
        return said[act]

    carry_out(request, do)
    return redirect("incident", number=number)


@require_POST
@acting
def step_act(request: HttpRequest, number: int, step_id: int, act: str) -> HttpResponse:
    """Confirms, tries again, settles or passes over a step."""
    step = get_object_or_404(RunStep.objects.select_related("run"), pk=step_id, run__incident=number)
    now, actor, asked = timezone.now(), actor_of(request), request.POST

    def do() -> str:
        if act == "confirm":
            choice = {name: text_in(asked, name) for name in ("choice", "note") if asked.get(name)}
            begun = confirming.confirm_step(
                step=step, digest=asked.get("digest", ""), choice=choice, now=now, actor=actor,
                break_glass=text_in(asked, "break_glass"),
            )  # fmt: skip
            return "Another person has to approve it; nothing was done yet." if begun.state == StepState.READY else ""
        if act == "retry":
            deciding.retry_step(step=step, now=now, actor=actor)
        elif act in ("succeeded", "failed"):
            deciding.settle_unknown(step=step, outcome=act, reason=text_in(asked, "reason"), now=now, actor=actor)
        elif act == "skip":
            deciding.skip_step(step=step, reason=text_in(asked, "reason"), now=now, actor=actor)
        else:
            raise Http404
        return ""

    carry_out(request, do)
    return redirect("incident", number=number)


@require_POST
@acting
def migration_act(request: HttpRequest, number: int, migration_id: int, act: str) -> HttpResponse:
    """Pauses, resumes or cancels a migration, or tries its failed moves again."""
    found = get_object_or_404(Incident, pk=number)
    migration = get_object_or_404(Migration, pk=migration_id, reference=found.reference)
    services: dict[str, Callable[..., object]] = {
        "pause": mover.pause_migration, "resume": mover.resume_migration,
        "cancel": mover.cancel_migration, "retry": deciding.retry_moves,
    }  # fmt: skip
    if act not in services:
        raise Http404

    def do() -> str:
        services[act](migration=migration, actor=actor_of(request), now=timezone.now())
        return ""

    carry_out(request, do)
    return redirect("incident", number=number)


@require_POST
@acting
def gate_act(request: HttpRequest, stack: str, act: str) -> HttpResponse:
    """Closes or opens the deploy gate of a stack."""
    found, now, reason = get_object_or_404(Stack, name=stack), timezone.now(), text_in(request.POST, "reason")
    if act not in {"close", "open"}:
        raise Http404

    def do() -> str:
        if act == "close":
            gates.close_gate(stack=found, incident=None, reason=reason, actor=actor_of(request), now=now)
            return f"Closed the deploy gate of {found}: no deploy tool may go on with it."
        gates.open_gate(stack=found, actor=actor_of(request), now=now, reason=reason)
        return f"Opened the deploy gate of {found}."

    carry_out(request, do)
    return redirect("deploys")


def _when(text: str) -> datetime | None:
    """What a person typed as the time of a note, in UTC. Raises Refused."""
    if not text.strip():
        return None
    try:
        at = parse_datetime(text.strip())
    except ValueError:
        at = None
    if at is None:
        raise Refused("The time of the note is not one; write it as 2026-12-31 23:59. Nothing was recorded.")
    return at if at.tzinfo else at.replace(tzinfo=UTC)
