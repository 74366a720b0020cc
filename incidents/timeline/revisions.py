"""Corrections of notes, and what is kept out of exports: entries of their own, for nothing written is ever changed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from fleet.actor import Actor
from incidents.errors import Refused
from incidents.models import Incident, TimelineEntry
from incidents.timeline.record import record

CORRECTION, HIDDEN, SHOWN = "correction", "hidden", "shown"
CORRECTABLE = ("note", CORRECTION)


@dataclass(frozen=True)
class Revisions:
    """What later entries say of earlier ones, by sequence: the entry that corrects, and the one that hides."""

    corrected_by: dict[int, TimelineEntry] = field(default_factory=dict)
    hidden_by: dict[int, TimelineEntry] = field(default_factory=dict)

    def text_for_export(self, entry: TimelineEntry) -> str:
        """The entry's text as a document for others shows it."""
        if entry.sequence in self.hidden_by:
            return f"(kept out of exports by {self.hidden_by[entry.sequence].actor})"
        if entry.sequence in self.corrected_by:
            return f"{entry.text} (corrected by entry {self.corrected_by[entry.sequence].sequence})"
        return entry.text


def revisions_of(entries: Iterable[TimelineEntry]) -> Revisions:
    """Reads a timeline's revisions; the last word counts."""
    found = Revisions()
    for entry in sorted(entries, key=lambda entry: entry.sequence):
        about = entry.data.get("entry")
        if entry.kind == CORRECTION:
            found.corrected_by[about] = entry
        elif entry.kind == HIDDEN:
            found.hidden_by[about] = entry
        elif entry.kind == SHOWN:
            found.hidden_by.pop(about, None)
    return found


@transaction.atomic
def correct_note(*, incident: Incident, sequence: int, text: str, actor: Actor) -> TimelineEntry:
    """Says anew what a note said; both stay, and each names the other. Raises Refused."""
    if not text.strip():
        raise Refused("The correction is empty; nothing was recorded.")
    entry = _entry(incident, sequence)
    if entry.kind not in CORRECTABLE:
        raise Refused("Only notes can be corrected: the rest was written by what happened. Add a note instead.")
    told, data = f"Correction of entry {sequence}: {text.strip()}", {"entry": sequence}
    return record(
        incident_id=incident.pk, kind=CORRECTION, text=told, actor=actor, occurred_at=entry.occurred_at, data=data
    )


@transaction.atomic
def hide_from_exports(*, incident: Incident, sequence: int, reason: str, actor: Actor, now: datetime) -> TimelineEntry:
    """Keeps an entry's text out of exports; on the page and in the chain it stays. Raises Refused."""
    if not reason.strip():
        raise Refused("Say why it is kept out of exports; nothing was changed.")
    _entry(incident, sequence)
    if sequence in revisions_of(incident.timeline.all()).hidden_by:
        raise Refused(f"Entry {sequence} is kept out of exports already.")
    text, data = f"Kept entry {sequence} out of exports: {reason.strip()}", {"entry": sequence}
    return record(incident_id=incident.pk, kind=HIDDEN, text=text, actor=actor, occurred_at=now, data=data)


@transaction.atomic
def show_in_exports(*, incident: Incident, sequence: int, actor: Actor, now: datetime) -> TimelineEntry:
    """Takes that back. Raises Refused where it is shown."""
    if sequence not in revisions_of(incident.timeline.all()).hidden_by:
        raise Refused(f"Entry {sequence} is in the exports; nothing was changed.")
    text, data = f"Let entry {sequence} into exports again.", {"entry": sequence}
    return record(incident_id=incident.pk, kind=SHOWN, text=text, actor=actor, occurred_at=now, data=data)


def _entry(incident: Incident, sequence: int) -> TimelineEntry:
    entry = incident.timeline.filter(sequence=sequence).first()
    if entry is None:
        raise Refused(f"There is no entry {sequence} in this timeline; nothing was recorded.")
    return entry
