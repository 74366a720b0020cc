"""PURE. OpenTelemetry logs in JSON: records with an exit code, and entries of the journal carried in their bodies."""

from collections.abc import Iterator, Sequence
from typing import Any

from fleet.ingest.formats.deaths import Found, at, how, listed, moment_of
from fleet.ingest.formats.journald import record_of

NAME = "otlp"
EXIT_CODES = ("process.exit.code", "process.exit_code", "container.exit_code", "exit_code")
EXAMPLE = {"resourceLogs": [{
    "resource": {"attributes": [{"key": "host.name", "value": {"stringValue": "h0007"}},
                                {"key": "service.name", "value": {"stringValue": "app-17"}}]},
    "scopeLogs": [{"logRecords": [{"timeUnixNano": "1767575059000000000", "attributes": [
        {"key": "process.exit.code", "value": {"intValue": "139"}}]}]}],
}]}  # fmt: skip
Attributes = dict[str, Any]


def parse(events: Sequence[tuple[int, Any]]) -> Found:
    """The crashes that some exports tell of, each with the place of its export."""
    found = Found()
    for line, export in events:
        if not isinstance(at(export, "resourceLogs"), list):
            found.reject(line, "expected an object with resourceLogs")
            continue
        for resource, record in _records(export):
            try:
                crash = _crash(resource, record)
            except (ValueError, TypeError, OverflowError) as error:
                found.reject(line, f"a record cannot be read: {error}"[:300])
                continue
            if crash:
                found.add(line, crash)
    return found


def _records(export: Any) -> Iterator[tuple[Attributes, dict[str, Any]]]:
    for resource in export["resourceLogs"]:
        attributes = _attributes(at(resource, "resource", "attributes"))
        for scope in listed(at(resource, "scopeLogs")):
            yield from ((attributes, record) for record in listed(at(scope, "logRecords")) if isinstance(record, dict))


def _crash(resource: Attributes, record: dict[str, Any]) -> dict[str, Any] | None:
    told, body = _attributes(record.get("attributes")), _value(record.get("body"))
    place = {"host": resource.get("host.name"), "app": resource.get("service.name"), "dyno": _dyno(resource)}
    entry = record_of(body) if isinstance(body, dict) else None
    if entry:
        return {**place, **{name: value for name, value in entry.items() if value}}
    status = next((told[name] for name in EXIT_CODES if name in told), None)
    died = None if status is None else how(status, out_of_memory=told.get("oom_killed") is True)
    return died and {"at": _moment(record), **place, "program": told.get("process.executable.name"), **died}


def _dyno(resource: Attributes) -> Any:
    return next(
        (resource[name] for name in ("k8s.pod.name", "container.name", "service.instance.id") if name in resource), None
    )


def _moment(record: dict[str, Any]) -> str:
    """Nanoseconds, which JSON carries as text."""
    told = int(record.get("timeUnixNano") or 0) or int(record.get("observedTimeUnixNano") or 0)
    return moment_of(told / 1e9)


def _attributes(pairs: Any) -> Attributes:
    named = [pair for pair in pairs if isinstance(at(pair, "key"), str)] if isinstance(pairs, list) else []
    return {pair["key"]: _value(pair.get("value")) for pair in named}


def _value(value: Any) -> Any:
    """A value as it is, without the name of its type."""
    if not isinstance(value, dict):
        return None
    if "kvlistValue" in value:
        return _attributes(at(value, "kvlistValue", "values"))
    if "arrayValue" in value:
        return [_value(each) for each in listed(at(value, "arrayValue", "values"))]
    if "intValue" in value:
        return int(value["intValue"])
    return next(iter(value.values()), None)
