"""Crash feeds in their senders' own formats: what counts as a crash, what was asked for, and whatever else comes."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.ingest.feeds import Place, read_feed
from fleet.ingest.formats import FEEDS, docker, journald, kubernetes, logplex, otlp, podman
from fleet.ingest.records import CrashRecord

AT = datetime(2026, 1, 5, 1, 4, 19, tzinfo=UTC)
SECONDS = int(AT.timestamp())
EXAMPLES = {
    module.NAME: module.EXAMPLE.encode() if isinstance(module.EXAMPLE, str) else json.dumps(module.EXAMPLE).encode()
    for module in (docker, journald, kubernetes, logplex, otlp, podman)
}


def read(feed: str, *events: Any, host: str | None = "h1", app: str | None = None) -> Any:
    body = "".join(events) if feed == "logplex" else "\n".join(json.dumps(event) for event in events)
    return read_feed(feed=feed, body=body.encode(), place=Place(host, app))


def crashes(feed: str, *events: Any) -> list[CrashRecord]:
    batch = read(feed, *events)
    assert not batch.rejected
    return list(batch.records)


@pytest.mark.parametrize("feed", FEEDS)
def test_every_example_is_one_crash(feed: str) -> None:
    batch = read_feed(feed=feed, body=EXAMPLES[feed], place=Place("h0007", "app-17"))
    assert not batch.rejected
    (crash,) = batch.records
    assert (crash.host, crash.signal, crash.source) == ("h0007", "SIGSEGV", feed)
    assert (
        crash.at.replace(microsecond=0) == datetime.fromtimestamp(1767575059, UTC)
        or crash.at.replace(microsecond=0) == AT
    )


def container(action: str, second: float = 0, **told: str) -> dict[str, Any]:
    nano = int((SECONDS + second) * 1e9)
    return {
        "Type": "container",
        "Action": action,
        "timeNano": nano,
        "Actor": {"ID": "c1", "Attributes": {"name": "web.1", **told}},
    }


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([container("die", exitCode="139")], ["SIGSEGV"]),
        ([container("die", exitCode="1")], [None]),
        ([container("die", exitCode="0")], []),
        ([container("die", exitCode="143")], []),
        ([container("die", exitCode="137")], []),
        ([container("oom"), container("die", 1, exitCode="137")], ["SIGKILL"]),
        ([container("kill", signal="15"), container("die", 10, exitCode="139")], []),
        ([container("kill", signal="1"), container("die", 10, exitCode="139")], ["SIGSEGV"]),
        ([container("kill", signal="15"), container("die", 90, exitCode="139")], ["SIGSEGV"]),
        ([container("stop"), container("die", exitCode="134")], []),
        ([container("die", 5, exitCode="134"), container("stop", 6)], ["SIGABRT"]),
        ([container("health_status: healthy"), container("start")], []),
        ([{"Type": "network", "Action": "die", "time": SECONDS}], []),
    ],
)  # fmt: skip
def test_docker_tells_deaths_from_stops(events: list[dict[str, Any]], expected: list[str | None]) -> None:
    assert [crash.signal for crash in crashes("docker", *events)] == expected


def test_docker_names_dyno_app_and_place() -> None:
    (crash,) = crashes("docker", container("die", 0.25, exitCode="135", app="app-9"))
    assert (crash.dyno, crash.app, crash.host, crash.exit_status) == ("web.1", "app-9", "h1", 135)
    assert crash.at.microsecond == 250_000
    batch = read("docker", container("start"), container("die", exitCode="x"), {"Action": "die"}, 7)
    assert [rejection.line for rejection in batch.rejected] == [3, 4, 2]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["SIGSEGV"]),
        ({"ContainerExitCode": 137}, []),
        ({"ContainerExitCode": 137, "OOMKilled": True}, ["SIGKILL"]),
        ({"ContainerExitCode": 0}, []),
        ({"Status": "start"}, []),
        ({"Type": "image"}, []),
    ],
)
def test_podman_counts_numbers(changes: dict[str, Any], expected: list[str]) -> None:
    assert [crash.signal for crash in crashes("podman", podman.EXAMPLE | changes)] == expected


def pod(**terminated: Any) -> dict[str, Any]:
    ended = {"exitCode": 139, "finishedAt": AT.isoformat(), "containerID": "c1", **terminated}
    status = {"containerStatuses": [{"name": "web", "lastState": {"terminated": ended}, "state": {"running": {}}}]}
    return {
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"app": "a"}},
        "spec": {"nodeName": "n1"},
        "status": status,
    }


def test_kubernetes_reads_pods_lists_and_watches() -> None:
    for event in (pod(), {"kind": "PodList", "items": [pod()]}, {"type": "MODIFIED", "object": pod()}):
        (crash,) = crashes("kubernetes", event)
        assert (crash.host, crash.app, crash.dyno, crash.id, crash.signal) == ("n1", "a", "p/web", "c1", "SIGSEGV")


def test_kubernetes_calls_a_kill_out_of_memory_only_where_it_was() -> None:
    assert crashes("kubernetes", pod(exitCode=137, reason="Error")) == []
    assert crashes("kubernetes", pod(exitCode=137, reason="OOMKilled"))[0].exit_status == 137
    assert crashes("kubernetes", pod(exitCode=0, reason="Completed"), {"kind": "Pod"}) == []
    assert [rejection.line for rejection in read("kubernetes", pod(), pod(exitCode=None)).rejected] == [2]


def test_journald_reads_bytes_repeats_and_what_vector_renames() -> None:
    entry = journald.EXAMPLE | {
        "COREDUMP_COMM": list(b"r\xffby"), "COREDUMP_UNIT": ["app-3.service", "x"], "_HOSTNAME": None, "host": "h5",
        "COREDUMP_ENVIRON": "TOKEN=secret", "COREDUMP_CMDLINE": "--password=secret",
    }  # fmt: skip
    (crash,) = read("journald", entry, host=None).records
    assert (crash.host, crash.program, crash.app, crash.dyno) == ("h5", "r\ufffdby", "app-3", "web.1")
    assert "secret" not in str(msgspec.to_builtins(crash))


def test_journald_passes_over_everything_else_and_knows_podmans_deaths() -> None:
    podmans = {"PODMAN_EVENT": "died", "PODMAN_TIME": AT.isoformat(), "PODMAN_EXIT_CODE": "134", "PODMAN_NAME": "web.3"}
    assert crashes("journald", {"MESSAGE": "hello", "MESSAGE_ID": "0"}, {"PODMAN_EVENT": "start"}) == []
    (crash,) = crashes("journald", podmans)
    assert (crash.signal, crash.dyno, crash.at) == ("SIGABRT", "web.3", AT)
    assert crashes("journald", podmans | {"PODMAN_EXIT_CODE": "137"}) == []
    assert len(read("journald", journald.EXAMPLE | {"__REALTIME_TIMESTAMP": "soon"}, "x").rejected) == 2


def frame(message: str, dyno: str = "web.1", sender: str = "heroku", host: str = "host") -> str:
    line = f"<45>1 {AT.isoformat()} {host} {sender} {dyno} - {message}"
    return f"{len(line.encode())} {line}"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([frame("Process exited with status 139")], ["SIGSEGV"]),
        ([frame("- Process exited with status 1")], [None]),
        ([frame("Stopping all processes with SIGTERM"), frame("Process exited with status 143")], []),
        ([frame("Stopping process with SIGKILL"), frame("Process exited with status 134")], []),
        ([frame("Stopping process with SIGKILL", "web.2"), frame("Process exited with status 134")], ["SIGABRT"]),
        ([frame("Process exited with status 137")], []),
        ([frame("Error R15 (Memory quota vastly exceeded)"), frame("Process exited with status 137")], ["SIGKILL"]),
        ([frame("Process exited with status 139", sender="app")], []),
        ([frame("ünï"), frame("Process exited with status 135")], ["SIGBUS"]),
    ],
)
def test_logplex_tells_deaths_from_stops(lines: list[str], expected: list[str | None]) -> None:
    assert [crash.signal for crash in crashes("logplex", *lines)] == expected


def test_logplex_cut_off_or_miscounted_keeps_the_lines_before() -> None:
    good = frame("Process exited with status 139", host="h7")
    for rest in (good[:-5], "999 <45>1 x", "no length"):
        batch = read_feed(feed="logplex", body=(good + rest).encode(), place=Place())
        assert [record.host for record in batch.records] == ["h7"]
        assert [rejection.line for rejection in batch.rejected] == [2]
        assert "send the frame again" in batch.rejected[0].error


def test_otlp_reads_exit_codes_and_journals_in_bodies() -> None:
    def export(record: dict[str, Any]) -> dict[str, Any]:
        return {"resourceLogs": [otlp.EXAMPLE["resourceLogs"][0] | {"scopeLogs": [{"logRecords": [record]}]}]}

    pairs = [{"key": name, "value": {"stringValue": value}} for name, value in journald.EXAMPLE.items()]
    (crash,) = crashes("otlp", export({"body": {"kvlistValue": {"values": pairs}}}))
    assert (crash.host, crash.app, crash.program) == ("h0007", "app-17", "ruby")
    assert crashes("otlp", export({"timeUnixNano": "1", "body": {"stringValue": "hello"}})) == []
    wrong = {"timeUnixNano": "now", "attributes": [{"key": "exit_code", "value": {"intValue": "139"}}]}
    assert len(read("otlp", export(wrong), {"resource": 1}).rejected) == 2


def test_what_names_no_host_is_told_so() -> None:
    batch = read("docker", container("die", exitCode="139"), host=None)
    assert not batch.records
    assert "?host=" in batch.rejected[0].error


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def mutated(value: Any, draw: Any) -> Any:
    """An example with some of its parts replaced."""
    if draw(st.integers(0, 9)) == 0:
        return draw(JSON)
    if isinstance(value, dict):
        return {name: mutated(part, draw) for name, part in value.items()}
    return [mutated(part, draw) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("feed", [feed for feed in FEEDS if feed != "logplex"])
@given(data=st.data())
def test_whatever_comes_is_read_or_rejected_never_a_failure(feed: str, data: st.DataObject) -> None:
    body = json.dumps([mutated(json.loads(EXAMPLES[feed]), data.draw) for _ in range(2)]).encode()
    batch = read_feed(feed=feed, body=body, place=Place("h1"))
    assert len(batch.records) + len(batch.rejected) <= 50


@given(body=st.binary(max_size=200))
def test_whatever_bytes_come_too(body: bytes) -> None:
    for feed in FEEDS:
        read_feed(feed=feed, body=body, place=Place())
        read_feed(feed=feed, body=EXAMPLES[feed] + body, place=Place())
