"""PURE. Faultline's own webhook schema.

An event is {"type": …, "data": {…}}; the fields of `data` are those of the replay format's records of that name.
The same fields beside `type`, without `data`, are understood too, so a line of a replay file is an event as it stands.
"""

from typing import Any

from fleet.ingest.formats.facts import DeployFact, DeployFinishedFact, Fact, HostDeployFact, Parsed
from fleet.ingest.formats.reading import Fields

NAME = "faultline"
TARGETS = ("stack", "agent", "kernel", "config")
KINDS = ("upgrade", "redeploy", "rollback", "abort", "provision")
OUTCOMES = ("installed", "skipped", "overwrote", "failed")

EXAMPLE = {
    "type": "host_deploys",
    "data": {
        "deploy": "d3",
        "hosts": [
            {"host": "h0007", "at": "2026-01-05T01:04:20Z", "outcome": "installed", "tools_version": "2.0"},
            {"host": "h0008", "at": "2026-01-05T01:04:29Z", "outcome": "overwrote", "detail": "no checksum file found"},
        ],
    },
}


def parse(payload: Any) -> Parsed:
    """The facts of one event; every fault with its path; neither for a type of no interest."""
    parsed = Parsed()
    event = Fields(payload, "$", parsed.problems)
    read = READERS.get(event.text("type", limit=100, required=isinstance(payload, dict)))
    if read and not parsed.problems:
        nested = "data" in event.values
        data = Fields(event.values["data"], "$.data", parsed.problems) if nested else event
        parsed.facts.extend(read(data))
    return Parsed(problems=parsed.problems) if parsed.problems else parsed


def _deploy(data: Fields) -> list[Fact]:
    target = data.choice("target", TARGETS)
    stack = data.text("stack", limit=100, required=target == "stack")
    fact = DeployFact(
        deploy=data.text("deploy", limit=200, required=True),
        target=target,
        kind=data.choice("kind", KINDS),
        at=data.moment("at"),
        stack=stack or None,
        image=data.text("image", limit=100) or None,
        image_version=data.text("image_version", limit=100),
        from_image=data.text("from_image", limit=100) or None,
        by=data.text("by", limit=150),
    )
    return [fact]


def _finished(data: Fields) -> list[Fact]:
    deploy = data.text("deploy", limit=200, required=True)
    return [DeployFinishedFact(deploy=deploy, at=data.moment("at"), aborted=data.flag("aborted"))]


def _host_deploy(data: Fields, deploy: str | None = None) -> list[Fact]:
    fact = HostDeployFact(
        deploy=data.text("deploy", limit=200, required=True) if deploy is None else deploy,
        host=data.text("host", limit=253, required=True),
        at=data.moment("at"),
        outcome=data.choice("outcome", OUTCOMES),
        started_at=data.moment("started_at") if data.values.get("started_at") else None,
        tools_version=data.text("tools_version", limit=50),
        detail=data.text("detail", limit=10_000),
    )
    return [fact]


def _host_deploys(data: Fields) -> list[Fact]:
    deploy = data.text("deploy", limit=200, required=True)
    hosts = data.values.get("hosts")
    if not isinstance(hosts, list) or not hosts:
        data.fault("hosts", "expected a list of what was done on each host")
        return []
    each = [Fields(host, f"{data.path}.hosts[{place}]", data.problems) for place, host in enumerate(hosts)]
    return [fact for host in each for fact in _host_deploy(host, deploy)]


READERS = {
    "deploy": _deploy,
    "deploy.started": _deploy,
    "deploy.finished": _finished,
    "host_deploy": _host_deploy,
    "host_deploys": _host_deploys,
}
