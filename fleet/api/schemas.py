"""Shapes of requests and answers, for those who read the description of the interface."""

from typing import Any

import msgspec
from ninja import Schema

from fleet.ingest.records import CrashRecord, DynoRecord, HostRecord

TOKEN_PROBLEMS = (401, 403)


class Rejected(Schema):
    """One record that does not count, and why; `line` counts from 1."""

    line: int
    error: str


class CrashReceipt(Schema):
    """What became of a batch of crashes; sent after they are committed."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


class InventoryAnswer(Schema):
    """What became of inventory records."""

    created: int
    updated: int
    rejected: list[Rejected]


class ProblemAnswer(Schema):
    """An error, RFC 9457; `detail` says what to do."""

    type: str
    title: str
    status: int
    detail: str


def batch_of(record: type[msgspec.Struct]) -> dict[str, Any]:
    """How a body of many such records is described."""
    schemas, components = msgspec.json.schema_components([record])
    schema = components[record.__name__] if "$ref" in schemas[0] else schemas[0]
    content = {
        "application/x-ndjson": {"schema": {"type": "string", "description": "One such object a line"}},
        "application/json": {"schema": {"type": "array", "items": schema}},
    }
    return {"requestBody": {"required": True, "content": content}}


CRASHES, HOSTS, DYNOS = batch_of(CrashRecord), batch_of(HostRecord), batch_of(DynoRecord)
FEED = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"description": "One event, an array of them, or one a line"}},
            "application/logplex-1": {"schema": {"type": "string", "description": "Octet-counted lines"}},
        },
    }
}


def problems(*statuses: int) -> dict[int, type[Schema]]:
    """The errors a call may answer with."""
    return dict.fromkeys((*TOKEN_PROBLEMS, *statuses), ProblemAnswer)
