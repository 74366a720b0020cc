"""PURE. Crash feeds: bodies in a sender's own format, made into batches of crash records."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from fleet.ingest.batches import CUT_OFF, MAX_RECORDS, Batch, BatchReader, TooManyRecords, said_of
from fleet.ingest.formats import FEEDS, logplex
from fleet.ingest.formats.deaths import Found
from fleet.ingest.receipts import Rejection
from fleet.ingest.records import CrashRecord

READER = BatchReader(CrashRecord)
NO_HOST = "no host is named; add ?host= to the address"


@dataclass(frozen=True)
class Place:
    """What a sender's address says of crashes that do not say it themselves."""

    host: str | None = None
    app: str | None = None


def read_feed(*, feed: str, body: bytes, place: Place, cut_off: bool = False) -> Batch[CrashRecord]:
    """The crashes in a body; events of no interest are passed over. Raises TooManyRecords."""
    events = Found()
    split = logplex.split(body, events) if feed == logplex.NAME else _events(body, events)
    found = FEEDS[feed](list(split))
    default = {name: value for name, value in (("host", place.host), ("app", place.app)) if value}
    homeless = [line for line, record in zip(found.lines, found.records, strict=True) if "host" not in default | record]
    told = [
        (line, {**default, **record, "source": feed})
        for line, record in zip(found.lines, found.records, strict=True)
        if "host" in default | record
    ]
    batch = READER.take([record for _, record in told], lines=[line for line, _ in told])
    batch.rejected += [*events.rejected, *found.rejected, *(Rejection(line, NO_HOST) for line in homeless)]
    if cut_off and not events.rejected:
        batch.rejected.append(Rejection(body.count(b"\n") + 1, CUT_OFF))
    return batch


def _events(body: bytes, found: Found) -> Iterator[tuple[int, Any]]:
    """The JSON values of a body: one, those of an array, or one a line; each with its place."""
    if body.count(b"\n") > MAX_RECORDS:
        raise TooManyRecords
    try:
        whole = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        yield from _lines(body, found)
    else:
        yield from enumerate(whole if isinstance(whole, list) else [whole], start=1)


def _lines(body: bytes, found: Found) -> Iterator[tuple[int, Any]]:
    for line, raw in enumerate(body.split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            yield line, msgspec.json.decode(raw)
        except (ValueError, RecursionError) as error:
            found.reject(line, said_of(error))
