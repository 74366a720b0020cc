"""Calls about incidents, gates, deploys and reports."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Status

from fleet.api.access import Scoped, actor_of
from fleet.api.paging import cursor_of, place_of
from fleet.api.problems import Problem
from fleet.api.schemas import problems
from fleet.models import App, Deploy, Host
from incidents.api import schemas, shapes
from incidents.gates import gate_of
from incidents.lifecycle import IncidentState
from incidents.models import Incident
from incidents.responding import file_report
from incidents.timeline.export import export
from incidents.timeline.export.pdf import NoPrinter, PrinterFailed

router = Router()
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get(
    "/gate/{path:stack}",
    auth=Scoped("read", "deploys"),
    response={200: schemas.GateAnswer, **problems(503)},
    tags=["deploys"],
)
def get_gate(request: HttpRequest, stack: str) -> schemas.GateAnswer:  # noqa: ARG001
    """May deploys of the stack go on? A stack that nobody knows yet is open."""
    gate = gate_of(stack)
    if gate is None:
        return schemas.GateAnswer(open=True)
    return schemas.GateAnswer(open=False, reason=gate.reason, incident=gate.incident_id, since=gate.closed_at)


@router.get(
    "/incidents",
    auth=Scoped("read"),
    response={200: schemas.IncidentPage, **problems(422, 503)},
    tags=["incidents"],
)
def get_incidents(
    request: HttpRequest,  # noqa: ARG001
    cursor: str | None = None,
    limit: Limit = 50,
    state: Literal["open", "acknowledged", "mitigated", "resolved", "dismissed", "ongoing"] | None = None,
) -> schemas.IncidentPage:
    """Incidents, the newest first."""
    rows = Incident.objects.select_related("deploy", "stack").order_by("-pk")
    if state:
        rows = rows.filter(state__in=IncidentState.ongoing() if state == "ongoing" else [state])
    if place := place_of(cursor):
        rows = rows.filter(pk__lt=place)
    page = list(rows[: limit + 1])
    items = [shapes.incident_answer(incident) for incident in page[:limit]]
    return schemas.IncidentPage(items=items, next=cursor_of(items[-1].number) if len(page) > limit else None)


@router.get(
    "/incidents/{number}",
    auth=Scoped("read"),
    response={200: schemas.IncidentDetail, **problems(404, 503)},
    tags=["incidents"],
)
def get_incident(request: HttpRequest, number: int) -> schemas.IncidentDetail:  # noqa: ARG001
    """One incident, with its hosts and suspects."""
    return shapes.incident_detail(_incident(number))


@router.get(
    "/incidents/{number}/timeline",
    auth=Scoped("read"),
    response={200: schemas.TimelinePage, **problems(404, 422, 503)},
    tags=["incidents"],
)
def get_timeline(
    request: HttpRequest,  # noqa: ARG001
    number: int,
    cursor: str | None = None,
    limit: Limit = 100,
) -> schemas.TimelinePage:
    """The incident's timeline, in the order in which it was recorded."""
    rows = _incident(number).timeline.order_by("sequence").filter(sequence__gt=place_of(cursor) or 0)
    page = list(rows[: limit + 1])
    items = [schemas.EntryAnswer.from_orm(entry) for entry in page[:limit]]
    return schemas.TimelinePage(items=items, next=cursor_of(items[-1].sequence) if len(page) > limit else None)


@router.get(
    "/incidents/{number}/export",
    auth=Scoped("read"),
    response={**problems(404, 422, 501, 503)},
    openapi_extra={"responses": {200: {"description": "The document, with its name in Content-Disposition"}}},
    tags=["incidents"],
)
def get_export(
    request: HttpRequest,  # noqa: ARG001
    number: int,
    format: Literal["md", "html", "pdf", "json", "csv"] = "md",  # noqa: A002
) -> HttpResponse:
    """The timeline as a document."""
    incident = _incident(number)
    try:
        document = export(incident, format)
    except NoPrinter as missing:
        raise Problem(501, missing.message) from missing
    except PrinterFailed as failed:
        raise Problem(503, failed.message, headers={"Retry-After": "10"}) from failed
    disposition = f'attachment; filename="{document.filename}"'
    return HttpResponse(
        document.content, content_type=document.content_type, headers={"Content-Disposition": disposition}
    )


@router.get(
    "/deploys/{path:key}",
    auth=Scoped("read", "deploys"),
    response={200: schemas.DeployAnswer, **problems(404, 503)},
    tags=["deploys"],
)
def get_deploy(request: HttpRequest, key: str) -> schemas.DeployAnswer:  # noqa: ARG001
    """The deploy, what it did on hosts, and its current verdict with the numbers for and against."""
    rows = Deploy.objects.select_related("stack", "image", "from_image")
    deploy = None if "\0" in key else rows.filter(key=key).first()
    if deploy is None:
        raise Problem(404, "No deploy of that name is known; its name is the one its webhook told.")
    return shapes.deploy_answer(deploy)


@router.post(
    "/reports",
    auth=Scoped("respond"),
    response={201: schemas.ReportAnswer, **problems(400, 422, 503)},
    tags=["incidents"],
)
def post_report(request: HttpRequest, report: schemas.ReportIn) -> Status[schemas.ReportAnswer]:
    """A person's report, shown with the evidence of the incident that it belongs to."""
    if "\0" in report.text or not report.text.strip():
        raise Problem(422, "The text is empty, or holds characters that cannot be kept.")
    app, host = _named(App, "app", report.app), _named(Host, "host", report.host)
    kept = file_report(text=report.text, app=app, host=host, actor=actor_of(request), now=timezone.now())
    answer = schemas.ReportAnswer(report=kept.pk, incident=kept.incident_id, reported_at=kept.reported_at)
    return Status(201, answer)


def _incident(number: int) -> Incident:
    incident = Incident.objects.select_related("deploy", "stack").filter(pk=number).first()
    if incident is None:
        raise Problem(404, f"There is no incident {number}.")
    return incident


def _named(model: Any, word: str, name: str | None) -> Any:
    """The row of that name, None where none was given. Raises Problem."""
    if not name:
        return None
    row = None if "\0" in name else model.objects.filter(name=name).first()
    if row is None:
        raise Problem(422, f"No {word} of that name is known; leave {word} out and name it in the text.")
    return row
