"""Crashes as lines of a COPY, and their counts by minute: one pass over a batch."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b

import msgspec

from fleet.ingest.batches import Batch
from fleet.ingest.kinds import kind_of
from fleet.ingest.records import CrashRecord

NULL, NO_APP = "\\N", "0"
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
MOMENT = len("2026-01-05T12:00:30.000000Z")
MINUTE = len("2026-01-05T12:00")
TIMES = msgspec.json.Encoder()


@dataclass(frozen=True)
class Intake:
    """How a batch is taken in: from whom, when, and whether it is a recording of the past."""

    source: str
    now: datetime
    recorded: bool


@dataclass
class Rows:
    """Lines of the COPY; beside each its key, its time, when it was known, and its minute, host, app and kind."""

    moments: list[str]
    received: list[str]
    lines: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)

    @property
    def are_distinct(self) -> bool:
        """Whether no crash is told twice."""
        return len(set(self.keys)) == len(self.keys)

    def crashes(self) -> str:
        """What the COPY takes: in one order everywhere, so that two batches never wait for each other crosswise."""
        return "".join(sorted(self.lines))

    def minutes(self) -> str:
        """The counts for a COPY: how often at a place; when the crash known first happened, and when it was known."""
        first = earliest(self.places, zip(self.received, self.moments, strict=True))
        lines = []
        for place, count in Counter(self.places).items():
            received, moment = first[place]
            lines.append(f"{place}\t{count}\t{moment}\t{received}\n")
        return "".join(lines).replace(f"\t{NULL}\t", f"\t{NO_APP}\t")


def rows_of(batch: Batch[CrashRecord], intake: Intake, hosts: dict[str, int], apps: dict[str, int]) -> Rows:
    """The rows of a batch whose times are in UTC. This is the hot loop: nothing in it is looked up twice."""
    rows = Rows(told(record.at for record in batch.records), _received(batch, intake))
    app_texts: dict[str | None, str] = {None: NULL, **{name: str(key) for name, key in apps.items()}}
    texts, source = _plain if batch.plain else _escaped, intake.source if batch.plain else _safe(intake.source)
    for record, moment, received in zip(batch.records, rows.moments, rows.received, strict=True):
        host, app = hosts[record.host], app_texts[record.app]
        kind, died = classify(record.signal, record.exit_status)
        what = f"{host}\t{app}\t{kind}\t{died}\t{texts(record)}"
        key = key_of(f"{host}\tid\t{record.id}" if record.id is not None else what, moment)
        rows.lines.append(f"{moment}\t{key}\t{received}\t{what}\t{_safe(record.source) if record.source else source}\n")
        rows.keys.append(key)
        rows.places.append(f"{moment[:MINUTE]}:00Z\t{host}\t{app}\t{kind}")
    return rows


def told(times: Iterable[datetime]) -> list[str]:
    """Times in UTC as text, all of one length so that they sort as they follow each other."""
    text = TIMES.encode(list(times)).decode()
    moments = text[2:-2].split('","') if len(text) > 2 else []
    return [moment if len(moment) == MOMENT else f"{moment[:-1]}.000000Z" for moment in moments]


def earliest(places: Iterable[str], known: Iterable[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """The least of each place."""
    first: dict[str, tuple[str, str]] = {}
    for place, moments in zip(places, known, strict=True):
        if place not in first or moments < first[place]:
            first[place] = moments
    return first


@lru_cache(maxsize=1024)
def classify(signal: str | None, exit_status: int | None) -> tuple[str, str]:
    """Kind, and signal with exit status, as they stand in a line of the COPY."""
    name, kind = kind_of(signal, exit_status)
    status = NULL if exit_status is None else str(exit_status)
    return str(kind.value), f"{_safe(name) if name else NULL}\t{status}"


def key_of(content: str, moment: str) -> str:
    """A crash's identity, as a UUID in hex: its time, and its host with its id, else all that it says."""
    return blake2b(f"{moment}\t{content}".encode(), digest_size=16).hexdigest()


def _received(batch: Batch[CrashRecord], intake: Intake) -> list[str]:
    if intake.recorded:
        return told((record.received_at or record.at).astimezone(UTC) for record in batch.records)
    return told([intake.now.astimezone(UTC)]) * len(batch.records)


def _plain(record: CrashRecord) -> str:
    """Texts that are known to need no escapes."""
    return f"{record.dyno or ''}\t{record.program or ''}"


def _escaped(record: CrashRecord) -> str:
    return f"{_safe(record.dyno or '')}\t{_safe(record.program or '')}"


def _safe(text: str) -> str:
    return text.translate(ESCAPES)
