"""The lab's deploy tool tells Faultline of each step, signed, and stops where the gate is closed."""

import asyncio
import urllib.error
from datetime import datetime

import pytest

from fleet.lab.deployer import Deployer, Rollout
from tests.fleet.lab.hub import Hub, NotingLab

ROLLOUT = Rollout("d7", "redeploy", "cedar-14", "sha256:1", "2.0", seconds_between_hosts=0)


def roll(hub: Hub, lab: NotingLab, hosts: list[str], *, aborted: bool = False) -> tuple[dict[str, str], list[str]]:
    said: list[str] = []
    deployer = Deployer(lab, hub.faultline(), said.append)
    return asyncio.run(deployer.roll(ROLLOUT, hosts, aborted=aborted)), said


def test_a_rollout_is_told_from_its_beginning_to_its_end() -> None:
    with Hub() as hub:
        outcomes, said = roll(hub, NotingLab(), ["h1", "h3"])
    assert outcomes == {"h1": "installed", "h3": "skipped"}
    assert said == ["d7 on h1: installed", "d7 on h3: skipped"]
    assert [kind for kind, _ in hub.events] == ["deploy.started", "host_deploy", "host_deploy", "deploy.finished"]
    started, first, second, finished = (data for _, data in hub.events)
    assert {key: started[key] for key in ("deploy", "target", "kind", "stack", "image")} == {
        "deploy": "d7", "target": "stack", "kind": "redeploy", "stack": "cedar-14", "image": "sha256:1",
    }  # fmt: skip
    assert [(one["host"], one["outcome"], one["tools_version"]) for one in (first, second)] == [
        ("h1", "installed", "2.0"), ("h3", "skipped", "2.0"),
    ]  # fmt: skip
    assert (finished["deploy"], finished["aborted"]) == ("d7", False)
    times = [datetime.fromisoformat(data["at"]) for _, data in hub.events]
    assert times == sorted(times)
    assert all(str(at.tzinfo) == "UTC" for at in times)


def test_a_host_is_told_of_after_it_was_done() -> None:
    lab = NotingLab()
    with Hub() as hub:
        roll(hub, lab, ["h1"])
        assert lab.done == [("install", "h1", "cedar-14", "sha256:1", "2.0")]


def test_a_closed_gate_stops_it_before_the_next_host() -> None:
    lab = NotingLab()
    with Hub(open_for=1) as hub:
        outcomes, said = roll(hub, lab, ["h1", "h2", "h3"])
    assert list(outcomes) == ["h1"]
    assert [done[1] for done in lab.done] == ["h1"]
    assert said[-1] == "d7: the gate of cedar-14 is closed, so it stops here"
    assert hub.events[-1][1]["aborted"] is False


@pytest.mark.parametrize(("open_for", "aborted"), [(0, False), (9, True)])
def test_what_reached_no_host_or_was_broken_off_is_aborted(open_for: int, aborted: bool) -> None:
    with Hub(open_for=open_for) as hub:
        roll(hub, NotingLab(), ["h1"], aborted=aborted)
    assert hub.events[-1][0] == "deploy.finished"
    assert hub.events[-1][1]["aborted"] is True


def test_a_wrong_secret_or_token_is_an_error_and_touches_no_host() -> None:
    lab = NotingLab()
    with Hub() as hub:
        for faultline in (hub.faultline(secret="whsec_" + "AAAA"), hub.faultline(token="other")):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                asyncio.run(Deployer(lab, faultline, print).roll(ROLLOUT, ["h1"]))
    assert (lab.done, hub.refused) == ([], ["/hooks/deploys"])


def test_readiness_is_asked_and_never_raises() -> None:
    with Hub() as hub:
        faultline = hub.faultline()
        assert faultline.is_ready() is True
        hub.ready = False
        assert faultline.is_ready() is False
    assert faultline.is_ready() is False, "nobody listens any more"
