"""Crashes as lines of a COPY, and their counts by minute: one pass over a batch."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b

from fleet.ingest.batches import Batch
from fleet.ingest.kinds import kind_of
from fleet.ingest.records import CrashRecord

NULL = "\\N"
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
IDENTITY = 32 + 1 + 32  # characters of a line that hold its time and key
MINUTE = 16  # characters of a time up to its minute


@dataclass(frozen=True)
class Intake:
    """How a batch is taken in: from whom, when, and whether it is a recording of the past."""

    source: str
    now: datetime
    recorded: bool


@dataclass
class Tally:
    """How often it happened in one minute; when the crash known first happened, and when it was known."""

    count: int
    first_at: str
    first_received_at: str


@dataclass
class Rows:
    """Lines of the COPY, and the counts they add up to, by minute, host, app and kind."""

    lines: list[str] = field(default_factory=list)
    tallies: dict[tuple[str, int, str, str], Tally] = field(default_factory=dict)

    @property
    def are_distinct(self) -> bool:
        """Whether no crash is told twice."""
        return len({line[:IDENTITY] for line in self.lines}) == len(self.lines)

    def minutes(self) -> Iterator[str]:
        """The counts as lines of a COPY."""
        for (minute, host, app, kind), tally in self.tallies.items():
            known = "0" if app == NULL else app
            times = f"{tally.first_at}\t{tally.first_received_at}"
            yield f"{minute}:00+00:00\t{host}\t{known}\t{kind}\t{tally.count}\t{times}\n"


def rows_of(batch: Batch[CrashRecord], intake: Intake, hosts: dict[str, int], apps: dict[str, int]) -> Rows:
    """The rows of a batch whose times are in UTC. This is the hot loop: nothing in it is looked up twice."""
    rows, write = Rows(), _plain_line if batch.plain else _escaped_line
    received = intake.now.isoformat(timespec="microseconds")
    app_texts: dict[str | None, str] = {None: NULL, **{name: str(key) for name, key in apps.items()}}
    for record in batch.records:
        moment = record.at.isoformat(timespec="microseconds")
        if intake.recorded:
            received = (record.received_at or record.at).isoformat(timespec="microseconds")
        host, app = hosts[record.host], app_texts[record.app]
        died = classify(record.signal, record.exit_status)
        known = f"{moment}\t{key_of(record, moment)}\t{received}\t{host}\t{app}"
        rows.lines.append(write(known, died, record, record.source or intake.source))
        _count(rows.tallies, (moment[:MINUTE], host, app, died[1]), moment, received)
    # In one order everywhere, so that two batches with the same crashes never wait for each other crosswise.
    rows.lines.sort()
    return rows


def _count(
    tallies: dict[tuple[str, int, str, str], Tally], place: tuple[str, int, str, str], moment: str, received: str
) -> None:
    tally = tallies.get(place)
    if tally is None:
        tallies[place] = Tally(1, moment, received)
        return
    tally.count += 1
    if (received, moment) < (tally.first_received_at, tally.first_at):
        tally.first_at, tally.first_received_at = moment, received


@lru_cache(maxsize=1024)
def classify(signal: str | None, exit_status: int | None) -> tuple[str, str, str]:
    """Signal, kind and exit status as they stand in a line of the COPY."""
    name, kind = kind_of(signal, exit_status)
    return name or NULL, str(kind.value), NULL if exit_status is None else str(exit_status)


def _plain_line(known: str, died: tuple[str, str, str], record: CrashRecord, source: str) -> str:
    """One line whose texts are known to need no escapes."""
    signal, kind, status = died
    return f"{known}\t{kind}\t{signal}\t{status}\t{record.dyno or ''}\t{record.program or ''}\t{source}\n"


def _escaped_line(known: str, died: tuple[str, str, str], record: CrashRecord, source: str) -> str:
    signal, kind, status = died
    texts = [text.translate(ESCAPES) for text in (record.dyno or "", record.program or "", source)]
    return "\t".join([known, kind, signal if signal == NULL else signal.translate(ESCAPES), status, *texts]) + "\n"


def key_of(record: CrashRecord, moment: str) -> str:
    """Its identity, as a UUID in hex: from its id and host, else from what it says. `moment` is its time in UTC."""
    if record.id is not None:
        content = f"id\0{record.host}\0{record.id}"
    else:
        told = f"{moment}\0{record.host}\0{record.app}\0{record.dyno}"
        content = f"{told}\0{record.signal}\0{record.exit_status}\0{record.program}"
    return blake2b(content.encode(), digest_size=16).hexdigest()
