"""Runs the correlation over recorded data, offline, on the data's own clock."""

import gzip
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from fleet.wording import count
from incidents.correlation.correlator import Correlator
from incidents.correlation.facts import OUTCOMES, Crash, Deploy, HostDeploy
from incidents.correlation.settings import Settings
from incidents.correlation.verdict import Notice, Verdict

Record = Mapping[str, Any]


class BadRecordError(ValueError):
    """A line that cannot be used; says which file and line, and why."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record with the time from which it can be known."""

    known_at: float
    record: Record
    place: str


def read_files(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """All lines of plain or gzip files, each with its place (file:line)."""
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            try:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield f"{path}:{number}", line
            except (OSError, EOFError, UnicodeDecodeError) as error:
                raise BadRecordError(f"{path}: cannot be read to its end: {error}") from error


def parse(place: str, line: str) -> Record:
    """One record; unknown keys are kept and ignored, unknown types refused."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise BadRecordError(f"{place}: not JSON: {error.msg}") from error
    if not isinstance(record, dict):
        raise BadRecordError(f"{place}: a record is a JSON object")
    if record.get("type") not in FEEDS:
        raise BadRecordError(f"{place}: unknown type {record.get('type')!r}; known are {', '.join(FEEDS)}")
    return record


def seconds(text: Any) -> float:
    """Epoch seconds of an RFC 3339 time."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _feed_host(correlator: Correlator, record: Record) -> None:
    attributes = record.get("attributes") or {}
    correlator.set_host(record["host"], {str(key): str(value) for key, value in attributes.items()})


def _feed_dyno(correlator: Correlator, record: Record) -> None:
    correlator.set_dynos(record["host"], record["app"], record.get("stack"), int(record.get("count", 1)))


def _feed_deploy(correlator: Correlator, record: Record) -> None:
    target, kind = record.get("target", "config"), record.get("kind", "upgrade")
    correlator.add_deploy(Deploy(record["deploy"], seconds(record["at"]), target, kind, record.get("stack")))


def _feed_host_deploy(correlator: Correlator, record: Record) -> None:
    outcome, started = record.get("outcome", "installed"), record.get("started_at")
    if outcome not in OUTCOMES:
        raise ValueError(f"unknown outcome {outcome!r}")
    started_at = seconds(started) if started else None
    correlator.add_host_deploy(HostDeploy(record["deploy"], record["host"], seconds(record["at"]), outcome, started_at))


def _feed_crash(correlator: Correlator, record: Record) -> None:
    at = seconds(record["at"])
    received_at = seconds(record["received_at"]) if record.get("received_at") else at
    status = record.get("exit_status")
    correlator.add_crash(
        Crash(at, received_at, record["host"], record["app"], record.get("stack"), None, record.get("signal"), status)
    )


FEEDS: dict[str, Callable[[Correlator, Record], None]] = {
    "host": _feed_host,
    "dyno": _feed_dyno,
    "deploy": _feed_deploy,
    "host_deploy": _feed_host_deploy,
    "crash": _feed_crash,
}


def arrivals(lines: Iterable[tuple[str, str]]) -> Iterator[Arrival]:
    """The records in order, each with the earliest time it can have been known.

    Only crashes say when they were received; another record came no earlier than the crashes before it in the file.
    """
    clock = -math.inf
    for place, line in lines:
        record = parse(place, line)
        try:
            at = record.get("received_at") or record.get("at")
            known_at = seconds(at) if at else clock
        except (TypeError, ValueError) as error:
            raise BadRecordError(f"{place}: not a time: {error}") from error
        if record["type"] == "crash":
            clock = max(clock, known_at)
        yield Arrival(max(known_at, clock), record, place)


def replay(lines: Iterable[tuple[str, str]], settings: Settings | None = None) -> Iterator[Notice]:
    """Every page and update, as they would have been sent; ticks at the end of each bin."""
    correlator = Correlator(settings)
    length = correlator.settings.bin_seconds
    known = sorted(arrivals(lines), key=lambda arrival: arrival.known_at)
    dated = [arrival.known_at for arrival in known if arrival.known_at > -math.inf]
    if not dated:
        return
    tick_at = (math.floor(dated[0] / length) + 1) * length
    for arrival in chain(known, [None]):
        while arrival is None or arrival.known_at >= tick_at:
            board = correlator.tick(tick_at)
            yield from chain(board.pages, board.updates)
            tick_at += length
            if arrival is None:
                return
        _feed(correlator, arrival)


def _feed(correlator: Correlator, arrival: Arrival) -> None:
    try:
        FEEDS[arrival.record["type"]](correlator, arrival.record)
    except KeyError as error:
        raise BadRecordError(f"{arrival.place}: {arrival.record['type']} without {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BadRecordError(f"{arrival.place}: {error}") from error


def in_order(notices: Iterable[Notice]) -> list[Notice]:
    """Pages first, then the updates of open pages."""
    return sorted(notices, key=lambda notice: (notice.update, notice.at))


def as_json(notice: Notice) -> dict[str, Any]:
    """A notice by the contract."""
    verdict = notice.verdict
    line: dict[str, Any] = {"at": stamp(notice.at), "verdict": verdict.kind, **_subject(verdict)}
    line |= {
        "score": round(verdict.score, 2),
        "rate_ratio": round(verdict.rate_ratio, 2),
        "interval": [round(bound, 2) for bound in verdict.interval],
        "suspects": [{"deploy": s.deploy, "score": round(s.score, 2)} for s in notice.suspects],
        "for": list(verdict.for_),
        "against": list(verdict.against),
    }
    return line | ({"update": True} if notice.update else {})


def _subject(verdict: Verdict) -> dict[str, Any]:
    hosts = list(verdict.hosts)
    match verdict.kind:
        case "deploy":
            return {"deploy": verdict.subject, "cohort": dict(verdict.cohort), "hosts": hosts}
        case "group":
            return {"group": dict(verdict.cohort), "hosts": hosts}
        case "fleet":
            return {}
        case kind:
            return {kind: verdict.subject}


def as_text(notice: Notice) -> str:
    """A notice for people."""
    verdict = notice.verdict
    cohort = " ".join(f"{key}={value}" for key, value in verdict.cohort.items()) if verdict.kind == "deploy" else ""
    word = "update" if notice.update else "page"
    head = f"{stamp(notice.at)} {word}: {verdict.kind} {verdict.subject} {cohort}".rstrip()
    low, high = verdict.interval
    facts = f"  score {verdict.score:.1f}, rate ratio {verdict.rate_ratio:.1f} ({low:.1f} to {high:.1f})"
    facts += f", {count(len(verdict.hosts), 'host')} named, {verdict.hosts_hit} hit"
    words = [f"  + {word}" for word in verdict.for_] + [f"  - {word}" for word in verdict.against]
    return "\n".join([head, facts, *words])


def stamp(at: float) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run(paths: list[Path], *, json_lines: bool, settings: Settings | None = None) -> Iterator[str]:
    """The lines that the command prints."""
    return printed(replay(read_files(paths), settings), json_lines=json_lines)


def printed(sent: Iterable[Notice], *, json_lines: bool) -> Iterator[str]:
    """Notices as lines."""
    notices = in_order(sent)
    if not notices and not json_lines:
        yield "Nothing would have been sent."
    for notice in notices:
        yield json.dumps(as_json(notice), separators=(",", ":")) if json_lines else as_text(notice)


def main(arguments: list[str]) -> int:
    """The same without Django: python -m incidents.correlation.replay FILE... [--json]."""
    paths = [Path(argument) for argument in arguments if argument != "--json"]
    try:
        for line in run(paths, json_lines="--json" in arguments):
            sys.stdout.write(line + "\n")
    except (BadRecordError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
