"""Deploys and what they did on hosts."""

from datetime import UTC, datetime, timedelta

import pytest

from fleet.ingest.deploys import UnknownDeploy, record_facts, record_host_deploy
from fleet.ingest.formats.facts import DeployFact, DeployFinishedFact, Fact, HostDeployFact
from fleet.lifecycle import HostState
from fleet.models import Deploy, Host, HostDeploy

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
STARTED = DeployFact("d3", "stack", "redeploy", NOW, stack="cedar-14", image="sha256:1", image_version="v1", by="jane")
pytestmark = pytest.mark.django_db


def tell(*facts: Fact) -> Deploy | None:
    return record_facts(facts=facts, source="ci", now=NOW)


def on_host(host: str = "h1", *, outcome: str = "installed", seconds: float = 0, tools: str = "") -> HostDeployFact:
    return HostDeployFact("d3", host, NOW + timedelta(seconds=seconds), outcome, tools)


def test_a_deploy_told_again_is_filled_in() -> None:
    tell(DeployFact("d3", "stack", "redeploy", NOW, stack="cedar-14"))
    tell(STARTED)
    tell(DeployFact("d3", "stack", "rollback", NOW, stack="cedar-14"))
    deploy = Deploy.objects.get()
    assert deploy.image
    assert (deploy.kind, deploy.image.digest, deploy.image.version, deploy.by) == ("rollback", "sha256:1", "v1", "jane")
    assert deploy.source == "ci"


def test_the_end_is_told_once_and_an_abort_stays() -> None:
    end = NOW + timedelta(minutes=5)
    tell(STARTED, DeployFinishedFact("d3", end, aborted=True))
    tell(DeployFinishedFact("d3", end + timedelta(minutes=1)))
    deploy = Deploy.objects.get()
    assert (deploy.finished_at, deploy.aborted) == (end, True)


def test_hosts_are_exposed_from_the_first_touch_and_overwriting_stays() -> None:
    tell(STARTED, on_host(seconds=9, outcome="failed"), on_host("new", tools="1.9"))
    tell(on_host(seconds=5, outcome="overwrote"), on_host("new", seconds=3, outcome="skipped"))
    tell(on_host(seconds=20))
    rows = {row.host.name: row for row in HostDeploy.objects.select_related("host")}
    assert (rows["h1"].at, rows["h1"].outcome) == (NOW + timedelta(seconds=5), "overwrote")
    assert (rows["new"].at, rows["new"].outcome, rows["new"].tools_version) == (NOW, "skipped", "1.9")
    assert Host.objects.get(name="new").state == HostState.UNKNOWN


def test_it_is_kept_when_it_was_told_of_and_when_it_was_told_otherwise() -> None:
    first, later, last = (NOW + timedelta(minutes=minutes) for minutes in (10, 20, 30))
    tell(STARTED)
    record_facts(facts=[on_host(seconds=9), on_host("h2")], source="ci", now=first)
    record_facts(facts=[on_host(seconds=9, tools="1.9"), on_host("h2", seconds=5)], source="ci", now=later)
    assert set(HostDeploy.objects.values_list("received_at", "corrected_at")) == {(first, None)}
    record_facts(facts=[on_host(seconds=8), on_host("h2", outcome="overwrote")], source="ci", now=last)
    record_facts(facts=[on_host("h2", outcome="skipped")], source="ci", now=last + timedelta(minutes=9))
    assert set(HostDeploy.objects.values_list("received_at", "corrected_at")) == {(first, last)}
    record_facts(facts=[STARTED], source="ci", now=last)
    assert Deploy.objects.get().received_at == NOW


def test_the_same_host_twice_in_one_delivery_is_no_error() -> None:
    tell(STARTED, on_host(outcome="skipped"), on_host(outcome="installed"))
    assert HostDeploy.objects.get().outcome == "installed"


@pytest.mark.parametrize("fact", [on_host(), DeployFinishedFact("d3", NOW)])
def test_facts_of_a_deploy_nobody_told_of_keep_nothing(fact: Fact) -> None:
    with pytest.raises(UnknownDeploy) as caught:
        tell(DeployFact("d4", "kernel", "upgrade", NOW), fact)
    assert "d3" in caught.value.problem.error
    assert not Deploy.objects.exists()
    assert not Host.objects.exists()


def test_one_host_alone() -> None:
    tell(STARTED)
    assert record_host_deploy(fact=on_host(tools="2.0"), now=NOW).tools_version == "2.0"
