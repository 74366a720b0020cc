"""What calls with a batch share: caps, encodings, answers."""

from typing import TypeVar

import msgspec
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError

from fleet.api.problems import Problem
from fleet.ingest.batches import MAX_RECORDS, Batch, BatchReader, Record, TooManyRecords
from fleet.ingest.bodies import Body, Damaged, TooLarge, unpack

R = TypeVar("R", bound=Record)
ENCODER = msgspec.json.Encoder()


def read_batch(request: HttpRequest, reader: BatchReader[R]) -> Batch[R]:
    """The records in a request's body. Raises Problem."""
    body = unpacked(request)
    try:
        return reader.read(body.content, cut_off=body.cut_off)
    except TooManyRecords as error:
        raise too_many() from error


def raw_body(request: HttpRequest, *, max_bytes: int) -> bytes:
    """The body as it came, at most `max_bytes` of it. Raises Problem."""
    length = request.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > max_bytes:
        raise too_large(max_bytes)
    try:
        body = request.read(max_bytes + 1)
    except (RequestDataTooBig, UnreadablePostError) as error:
        raise Problem(400, "The body did not arrive whole; send the request again.") from error
    if len(body) > max_bytes:
        raise too_large(max_bytes)
    return body


def too_large(max_bytes: int) -> Problem:
    """The answer to a body over the cap."""
    return Problem(413, f"The body is over {max_bytes} bytes, as sent or unpacked; send smaller batches.")


def too_many() -> Problem:
    """The answer to more records than one batch may hold."""
    return Problem(413, f"More than {MAX_RECORDS} lines in one batch; send smaller ones.")


def told(receipt: object, *, status: int) -> HttpResponse:
    """A receipt as the answer."""
    return HttpResponse(ENCODER.encode(receipt), status=status, content_type="application/json")


def unpacked(request: HttpRequest) -> Body:
    """The body before its Content-Encoding. Raises Problem."""
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise Problem(415, f"The Content-Encoding {encoding[:40]} is not understood; send gzip, or none.")
    cap = settings.INGEST_MAX_BYTES
    try:
        return unpack(raw_body(request, max_bytes=cap), encoding=encoding, max_bytes=cap)
    except TooLarge as error:
        raise too_large(cap) from error
    except Damaged as error:
        raise Problem(400, str(error)) from error
