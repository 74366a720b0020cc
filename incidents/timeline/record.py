"""Appends to timelines. Every entry is chained to the one before by its digest."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any, Unpack

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from fleet.journal import Fact
from fleet.live import announce
from incidents.models import Incident, TimelineEntry
from incidents.timeline.chain import digest_of_content, first_break_in, settled, settled_text

MOST_TEXT = 20_000


def record(*, incident_id: int, **fact: Unpack[Fact]) -> TimelineEntry:
    """Appends one entry, in the caller's transaction or one of its own.

    The update of the incident's row takes its lock, so entries of one incident line up; `recorded_at` is read
    after that and so grows along the chain. Raises Incident.DoesNotExist for an unknown incident.
    """
    with transaction.atomic():
        if not Incident.objects.filter(pk=incident_id).update(last_sequence=F("last_sequence") + 1):
            raise Incident.DoesNotExist(f"There is no incident {incident_id}.")
        sequence = Incident.objects.values_list("last_sequence", flat=True).get(pk=incident_id)
        previous = TimelineEntry.objects.filter(incident_id=incident_id, sequence=sequence - 1).first()
        entry = TimelineEntry(
            incident_id=incident_id,
            sequence=sequence,
            occurred_at=fact["occurred_at"],
            recorded_at=timezone.now(),
            kind=fact["kind"],
            actor_kind=fact["actor"].kind,
            actor=settled_text(fact["actor"].name)[:150],
            text=settled_text(fact["text"])[:MOST_TEXT],
            data=plain(fact.get("data") or {}),
            previous_digest=previous.digest if previous else "",
        )
        entry.digest = digest_of(entry)
        entry.save(force_insert=True)
        announce(f"incident:{incident_id}", entry=sequence)
    return entry


def fleet_journal(*, reference: str, **fact: Unpack[Fact]) -> None:
    """Keeps what the fleet tells of an incident ("incident:12"); other references are none of ours."""
    subject, _, number = reference.partition(":")
    if subject == "incident" and number.isdecimal():
        record(incident_id=int(number), **fact)


def plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data as the database gives it back, so that a digest made before storing equals one made after reading."""
    return dict(settled(json.loads(json.dumps(data, cls=DjangoJSONEncoder))))


def content_of(entry: TimelineEntry) -> dict[str, Any]:
    """What the digest of an entry covers, and the digest itself."""
    return {
        "incident": entry.incident_id,
        "sequence": entry.sequence,
        "occurred_at": entry.occurred_at.astimezone(UTC).isoformat(),
        "recorded_at": entry.recorded_at.astimezone(UTC).isoformat(),
        "kind": entry.kind,
        "actor_kind": entry.actor_kind,
        "actor": entry.actor,
        "text": entry.text,
        "data": entry.data,
        "previous": entry.previous_digest,
        "digest": entry.digest,
    }


def digest_of(entry: TimelineEntry) -> str:
    """The digest that the entry ought to carry."""
    return digest_of_content(content_of(entry))


def first_break(entries: Iterable[TimelineEntry]) -> int | None:
    """The sequence at which a whole timeline, in order, stops being the one that was written; None when it is whole."""
    return first_break_in(content_of(entry) for entry in entries)


def first_break_of(incident: Incident, entries: Sequence[TimelineEntry] | None = None) -> int | None:
    """Where the incident's timeline stops being the one that was written, a cut-off end included; None if nowhere."""
    entries = whole_timeline(incident) if entries is None else entries
    last = entries[0].incident.last_sequence if entries else incident.last_sequence
    broken = first_break(entries)
    return len(entries) + 1 if broken is None and len(entries) != last else broken


def whole_timeline(incident: Incident) -> list[TimelineEntry]:
    """Every entry with its incident as of the same moment, so that one written meanwhile looks like no break."""
    return list(incident.timeline.select_related("incident").order_by("sequence"))


def is_whole(incident: Incident) -> bool:
    """Whether the incident's timeline is complete and unchanged, its last entries included."""
    return first_break_of(incident) is None
