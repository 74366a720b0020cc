"""PURE. Bodies of many records: NDJSON or one JSON array. One bad record never spoils the others."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from fleet.ingest.receipts import Rejection

MAX_RECORDS = 500_000
SLICE = 1 << 17  # bytes
CUT_OFF = "the body ends in the middle of this record; send it and what follows again"
NO_NULLS = "text with a null character cannot be kept"


class Record(Protocol):
    """What the kinds of records have in common."""

    def texts(self) -> list[str | None]:
        """Every text in it that goes into the database."""
        ...


R = TypeVar("R", bound=Record)


class TooManyRecords(ValueError):  # noqa: N818 - it is an answer
    """More records than one batch may hold."""


@dataclass
class Batch(Generic[R]):
    """Records with their line numbers, side by side. `plain`: no text in it needs escaping."""

    records: list[R] = field(default_factory=list)
    lines: "range | list[int]" = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    plain: bool = False


class BatchReader(Generic[R]):
    """Reads batches of one kind of record."""

    def __init__(self, kind: type[R]) -> None:
        self.kind = kind
        self.one = msgspec.json.Decoder(kind)
        self.many = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]

    def read(self, body: bytes, *, cut_off: bool = False) -> Batch[R]:
        """The records of a body. `cut_off`: it is known that its end is missing."""
        if body.count(b"\n") > MAX_RECORDS:
            raise TooManyRecords
        is_array = body[:64].lstrip().startswith(b"[")
        batch = self._read_at_once(body, is_array=is_array)
        if batch is None or cut_off:
            elements = _elements(body) if is_array else _lines(body)
            batch = self._read_singly(elements, cut_off=cut_off and not is_array)
        return batch

    def take(self, records: Iterable[R | Mapping[str, Any]], *, lines: Iterable[int] | None = None) -> Batch[R]:
        """The same from records that are objects already; `lines` are their places, else they are counted from 1."""
        batch: Batch[R] = Batch(lines=[])
        for line, record in zip(count(1) if lines is None else lines, records, strict=False):
            try:
                self._add(batch, line, record if isinstance(record, self.kind) else msgspec.convert(record, self.kind))
            except (ValueError, RecursionError) as error:
                batch.rejected.append(Rejection(line, said_of(error)))
        return batch

    def _read_at_once(self, body: bytes, *, is_array: bool) -> Batch[R] | None:
        """Everything in one go where all of it is good; None where each must be looked at."""
        if b"\\u0000" in body:
            return None
        try:
            records = self.many.decode(body) if is_array else self._decoded(body)
        except (ValueError, RecursionError):
            return None
        gapless = is_array or len(records) == body.count(b"\n") + (not body.endswith(b"\n"))
        if len(records) > MAX_RECORDS:
            raise TooManyRecords
        return Batch(records, range(1, len(records) + 1), plain=b"\\" not in body) if gapless or not records else None

    def _decoded(self, body: bytes) -> list[R]:
        """The records of all lines, slice by slice: no other thread gets on while one is decoded."""
        records: list[R] = []
        start = 0
        while start < len(body):
            end = body.find(b"\n", start + SLICE) + 1 or len(body)
            records += self.one.decode_lines(body[start:end])
            start = end
        return records

    def _read_singly(self, elements: Iterable[tuple[int, bytes, str]], *, cut_off: bool) -> Batch[R]:
        batch: Batch[R] = Batch(lines=[])
        line, last_error = 0, ""
        for line, raw, trouble in elements:
            last_error = trouble
            try:
                self._add(batch, line, self.one.decode(raw))
            except (ValueError, RecursionError) as error:
                last_error = trouble or said_of(error)
                batch.rejected.append(Rejection(line, last_error))
        if cut_off and last_error:
            batch.rejected[-1] = Rejection(line, CUT_OFF)
        elif cut_off:
            batch.rejected.append(Rejection(line + 1, CUT_OFF))
        return batch

    def _add(self, batch: Batch[R], line: int, record: R) -> None:
        if any(text and "\0" in text for text in record.texts()):
            raise ValueError(NO_NULLS)
        if len(batch.records) + len(batch.rejected) >= MAX_RECORDS:
            raise TooManyRecords
        batch.records.append(record)
        batch.lines.append(line)  # type: ignore[union-attr]


def said_of(error: Exception) -> str:
    """What to tell the sender of a record that could not be read."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeError):
        return "not UTF-8"
    return str(error)[:300]


def _lines(body: bytes) -> Iterator[tuple[int, bytes, str]]:
    """The lines that are not blank, with their numbers."""
    lines = body.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if line.strip():
            is_end = number == len(lines)
            yield number, line, CUT_OFF if is_end and not line.rstrip().endswith(b"}") else ""


def _elements(body: bytes) -> Iterator[tuple[int, bytes, str]]:
    """The elements of an array, up to where it is cut off or is no JSON any more."""
    text = body.decode("utf-8", "surrogateescape")
    scan, position, place = json.JSONDecoder().raw_decode, _after(text, text.index("[") + 1, ""), 0
    while text[position : position + 1] not in {"]", ""}:
        place += 1
        if place > MAX_RECORDS:
            raise TooManyRecords
        try:
            _, end = scan(text, position)
        except (ValueError, RecursionError):
            yield place, b"", "from here on this is no JSON, or cut off; send it and what follows again"
            return
        yield place, text[position:end].encode("utf-8", "surrogateescape"), ""
        position = _after(text, end, ",")
        if text[position : position + 1] not in {"]", ""} and "," not in text[end:position]:
            yield place + 1, b"", "a comma is missing before this record; send it and what follows again"
            return
    if text[position : position + 1] == "":
        yield place + 1, b"", CUT_OFF


def _after(text: str, position: int, separator: str) -> int:
    """The place after white space and at most one separator."""
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    if separator and text[position : position + 1] == separator:
        return _after(text, position + 1, "")
    return position
