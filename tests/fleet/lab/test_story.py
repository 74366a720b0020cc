"""The story does what the operators did, in their order, and only that."""

import asyncio

import pytest

from fleet.lab.story import Script, deployed_hosts, play
from tests.fleet.lab.hub import Hub, NotingLab

SCRIPT = Script("t1", "cedar-14", "sha256:1", "sha256:2", quiet_seconds=0, seconds_between_hosts=0)


def told(lab: NotingLab, hub: Hub) -> tuple[dict[str, str], list[str]]:
    said: list[str] = []
    return asyncio.run(play(lab, hub.faultline(), SCRIPT, said.append)), said


def test_an_upgrade_is_aborted_and_the_original_goes_to_every_deployed_host() -> None:
    lab = NotingLab(old=2, new=3, fresh=1)
    with Hub() as hub:
        outcomes, said = told(lab, hub)
    installs = [(host, image, tools) for word, host, _, image, tools in (d for d in lab.done if d[0] == "install")]
    assert installs[:2] == [("h3", "sha256:2", "2.0"), ("h4", "sha256:2", "2.0")]
    assert installs[2:] == [(f"h{n}", "sha256:1", "2.0") for n in range(1, 6)]
    assert outcomes == {"h1": "installed", "h2": "installed", "h3": "skipped", "h4": "skipped", "h5": "skipped"}
    endings = [data for kind, data in hub.events if kind == "deploy.finished"]
    assert [(data["deploy"], data["aborted"]) for data in endings] == [("t1-upgrade", True), ("t1-redeploy", False)]
    assert any("the upgrade is aborted" in line for line in said)


def test_pages_are_forgotten_once_everything_is_installed() -> None:
    lab = NotingLab(old=1, new=2)
    with Hub() as hub:
        told(lab, hub)
    words = [done[0] for done in lab.done]
    assert words == ["install"] * 5 + ["drop"] * 3
    assert [done[1] for done in lab.done if done[0] == "drop"] == ["h1", "h2", "h3"]


def test_hosts_that_the_closed_gate_saved_are_left_alone() -> None:
    lab = NotingLab(old=2, new=2)
    with Hub(open_for=3) as hub:  # both of the upgrade, one of the redeploy
        outcomes, _ = told(lab, hub)
    assert list(outcomes) == ["h1"]
    assert [done for done in lab.done if done[0] == "drop"] == [("drop", "h1")]


@pytest.mark.parametrize(("new", "upgraded"), [(0, []), (1, ["h2"]), (4, ["h2", "h3"])])
def test_the_upgrade_begins_on_hosts_of_new_tools_alone(new: int, upgraded: list[str]) -> None:
    lab = NotingLab(old=1, new=new)
    with Hub() as hub:
        told(lab, hub)
    assert [done[1] for done in lab.done if done[0] == "install" and done[3] == "sha256:2"] == upgraded


def test_fresh_hosts_are_unknown_to_the_deploy_tool() -> None:
    assert [host.name for host in deployed_hosts(NotingLab(old=1, new=1, fresh=2).hosts)] == ["h1", "h2"]
