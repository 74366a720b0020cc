"""Reads timelines."""

from django.db.models import QuerySet

from incidents.models import Incident, TimelineEntry


def entries_since(incident: Incident, sequence: int = 0) -> QuerySet[TimelineEntry]:
    """The entries after a sequence, as they were recorded: what a live page asks for."""
    return incident.timeline.filter(sequence__gt=sequence).order_by("sequence")


def as_it_happened(incident: Incident) -> QuerySet[TimelineEntry]:
    """All entries in the order in which their facts occurred; back-dated ones stand where they belong."""
    return incident.timeline.order_by("occurred_at", "sequence")


def last_of_kind(incident: Incident, kind: str) -> TimelineEntry | None:
    """The newest entry of a kind."""
    return incident.timeline.filter(kind=kind).order_by("-sequence").first()
