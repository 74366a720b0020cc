"""CSV (RFC 4180): the timeline as a table, safe to open in a spreadsheet."""

import csv
import io
from datetime import UTC, datetime

from incidents.postmortems.draft import Draft

COLUMNS = ("sequence", "occurred_at", "recorded_at", "kind", "actor_kind", "actor", "text", "digest")
FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)


def write(draft: Draft) -> str:
    """One row an entry, in the order in which things occurred."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for entry in draft.entries:
        times = (_utc(entry.occurred_at), _utc(entry.recorded_at))
        texts = (entry.kind, entry.actor_kind, entry.actor, draft.revisions.text_for_export(entry), entry.digest)
        writer.writerow([entry.sequence, *times, *(inert(text) for text in texts)])
    return out.getvalue()


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
