"""Exports of an incident's record: one file a format, and their registry."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils import timezone

from incidents.errors import Refused
from incidents.models import Incident
from incidents.postmortems.draft import Draft, draft_postmortem
from incidents.timeline.export import csv, html, json, markdown, pdf

Writer = Callable[[Draft], str | bytes]
FORMATS: dict[str, tuple[Writer, str]] = {
    "md": (markdown.write, "text/markdown; charset=utf-8"),
    "html": (html.write, "text/html; charset=utf-8"),
    "pdf": (pdf.write, "application/pdf"),
    "json": (json.write, "application/json"),
    "csv": (csv.write, "text/csv; charset=utf-8; header=present"),
}


@dataclass(frozen=True)
class Document:
    """A file to hand out."""

    filename: str
    content_type: str
    content: bytes


def export(incident: Incident, format: str) -> Document:  # noqa: A002 - the contract's word
    """The incident's record in one format. Raises Refused for one that there is not, or that cannot be made here."""
    if format not in FORMATS:
        raise Refused(f"There is no export as {format!r}; choose one of {', '.join(FORMATS)}.")
    write, content_type = FORMATS[format]
    incident = Incident.objects.select_related("deploy", "stack").get(pk=incident.pk)
    content = write(draft_postmortem(incident, now=timezone.now()))
    return Document(
        f"incident-{incident.pk}.{format}", content_type, content.encode() if isinstance(content, str) else content
    )
