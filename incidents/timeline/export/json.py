"""JSON: everything, and enough of the timeline's chain to check it without us (`incidents.timeline.chain`)."""

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from incidents.models import Incident, TimelineEntry
from incidents.postmortems.draft import Draft
from incidents.timeline.chain import FIELDS
from incidents.timeline.record import content_of

TIMES = ("began_at", "opened_at", "named_at", "acknowledged_at", "mitigated_at", "resolved_at")


def write(draft: Draft) -> str:
    """One object; `timeline` is in the order of the chain."""
    entries = sorted(draft.entries, key=lambda entry: entry.sequence)
    document = {
        "format": "faultline-incident-1",
        "drafted_at": draft.drafted_at,
        "incident": _incident(draft.incident) | {"hosts": draft.hosts},
        "summary": draft.summary,
        "impact": draft.impact,
        "metrics": {m.key: {"seconds": m.seconds, "definition": m.definition} for m in draft.metrics},
        "suspects": [_suspect(suspect) for suspect in draft.suspects],
        "evidence": [_evidence(item) for item in draft.evidence],
        "reports": [{"text": r.text, "reporter": r.reporter, "reported_at": r.reported_at} for r in draft.reports],
        "done": draft.done,
        "chain": {
            "algorithm": "SHA-256 of the canonical JSON (sorted keys, no spaces, UTF-8) of `covers`",
            "covers": FIELDS,
            "last_sequence": len(entries),
            "last_digest": draft.chain_digest,
            "first_break": draft.first_break,
        },
        "timeline": [_entry(draft, entry) for entry in entries],
    }
    return json.dumps(document, cls=DjangoJSONEncoder, indent=1, ensure_ascii=False) + "\n"


def _entry(draft: Draft, entry: TimelineEntry) -> dict[str, Any]:
    """What the digest covers; of an entry kept out of exports the digest stands, and its text and data do not."""
    content = content_of(entry)
    if entry.sequence not in draft.revisions.hidden_by:
        return content
    return content | {"text": draft.revisions.text_for_export(entry), "data": {}, "withheld": True}


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "number": incident.pk,
        "state": str(incident.state),
        "severity": str(incident.severity),
        "verdict": str(incident.verdict),
        "subject": incident.subject,
        "headline": incident.headline,
        "deploy": incident.deploy.key if incident.deploy else None,
        "stack": incident.stack.name if incident.stack else None,
        "cohort": incident.cohort,
        "numbers": incident.numbers,
        "acknowledged_by": incident.acknowledged_by,
        **{name: getattr(incident, name) for name in TIMES},
    }


def _suspect(suspect: Any) -> dict[str, Any]:
    return {
        "deploy": suspect.deploy.key,
        "score": suspect.score,
        "rate_ratio": suspect.rate_ratio,
        "interval": suspect.interval,
        "for": suspect.speaks_for,
        "against": suspect.speaks_against,
    }


def _evidence(item: Any) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "bearing": str(item.bearing),
        "summary": item.summary,
        "host": item.host.name if item.host else None,
        "observed_at": item.observed_at,
        "data": item.data,
    }
