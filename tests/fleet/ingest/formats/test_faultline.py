"""Faultline's own webhook schema."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.ingest.formats import faultline
from fleet.ingest.formats.facts import DeployFact, DeployFinishedFact, HostDeployFact

AT = "2026-01-05T01:04:19Z"
MOMENT = datetime(2026, 1, 5, 1, 4, 19, tzinfo=UTC)
DEPLOY = {"deploy": "d3", "at": AT, "target": "stack", "stack": "cedar-14", "kind": "redeploy"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "data", "deploy", "host", "hosts", "at", "outcome", "stack", "target", "kind"]),
            inner,
        )
    ),
    max_leaves=10,
)


def facts_of(payload: Any) -> list[Any]:
    return list(faultline.parse(payload).facts)


def paths(payload: Any) -> Any:
    return {problem.path for problem in faultline.parse(payload).problems}


def test_the_example_is_understood() -> None:
    first, second = facts_of(faultline.EXAMPLE)
    assert first == HostDeployFact("d3", "h0007", MOMENT.replace(second=20), "installed", "2.0")
    assert (second.host, second.outcome, second.detail) == ("h0008", "overwrote", "no checksum file found")


@pytest.mark.parametrize("kind", ["deploy", "deploy.started"])
def test_a_deploy_in_its_envelope_or_as_a_line_of_a_replay_file(kind: Any) -> None:
    expected = [DeployFact("d3", "stack", "redeploy", MOMENT, stack="cedar-14")]
    assert faultline.parse({"type": kind, "data": DEPLOY}).facts == expected
    assert faultline.parse({"type": kind, **DEPLOY}).facts == expected


def test_when_it_began_on_a_host_may_be_told() -> None:
    told = {"deploy": "d3", "host": "h1", "at": AT, "outcome": "installed", "started_at": "2026-01-05T01:03:00Z"}
    assert facts_of({"type": "host_deploy", "data": told})[0].started_at == MOMENT.replace(minute=3, second=0)
    assert paths({"type": "host_deploy", "data": told | {"started_at": "soon"}}) == {"$.data.started_at"}


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
def test_a_time_at_the_edge_of_the_calendar_is_refused(at: str) -> None:
    assert paths({"type": "deploy", "data": DEPLOY | {"at": at}}) == {"$.data.at"}


def test_the_end_of_a_deploy() -> None:
    payload = {"type": "deploy.finished", "data": {"deploy": "d3", "at": "2026-01-05T02:04:19+01:00", "aborted": True}}
    assert faultline.parse(payload).facts == [DeployFinishedFact("d3", MOMENT, aborted=True)]


def test_a_deploy_of_something_else_needs_no_stack() -> None:
    facts = facts_of({"type": "deploy", "deploy": "k", "at": AT, "target": "kernel", "kind": "upgrade"})
    assert facts[0].stack is None


def test_a_type_of_no_interest_is_neither_fact_nor_fault() -> None:
    parsed = faultline.parse({"type": "deploy.lunch", "data": 5})
    assert (parsed.facts, parsed.problems) == ([], [])


def test_every_fault_is_named_at_once() -> None:
    bad = {"deploy": "", "at": "yesterday", "target": "moon", "kind": 5, "by": "x" * 151}
    assert paths({"type": "deploy", "data": bad}) == {
        "$.data.deploy", "$.data.at", "$.data.target", "$.data.kind", "$.data.by",
    }  # fmt: skip
    hosts = [
        {"host": "h1", "at": AT, "outcome": "installed"},
        {"host": "a\0b", "at": AT[:-1], "outcome": "exploded"},
        3,
    ]
    assert paths({"type": "host_deploys", "data": {"deploy": "d3", "hosts": hosts}}) >= {
        "$.data.hosts[1].host", "$.data.hosts[1].at", "$.data.hosts[1].outcome", "$.data.hosts[2]",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ([], "$"), (None, "$"), ({}, "$.type"), ({"type": 3}, "$.type"), ({"type": "deploy", "data": []}, "$.data"),
        ({"type": "host_deploys", "data": {"deploy": "d"}}, "$.data.hosts"),
        ({"type": "deploy", "data": {**DEPLOY, "stack": None}}, "$.data.stack"),
        ({"type": "deploy", "data": {**DEPLOY, "by": "\ud800"}}, "$.data.by"),
    ],
)  # fmt: skip
def test_faults_have_their_path(payload: Any, path: Any) -> None:
    assert path in paths(payload)


@given(st.sampled_from(sorted(faultline.READERS)), JSON)
def test_whatever_comes_is_understood_or_told(kind: Any, data: Any) -> None:
    parsed = faultline.parse({"type": kind, "data": data})
    assert bool(parsed.facts) != bool(parsed.problems)
