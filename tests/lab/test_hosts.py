"""The verbs of a real host: dynos in namespaces of their own, provisional starts, taints, kernel and SSH."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from fleet.lab.real.command import CommandFailed
from fleet.lab.real.host import RealHost
from fleet.lab.real.lab import RealLab
from tests.lab.conftest import leftovers, new_lab
from tests.lab.hosts import ask, crashes, eventually, ssh

pytestmark = [pytest.mark.real_lab, pytest.mark.timeout(300)]


def wanted(lab: RealLab, name: str = "web.9", memory_mb: int = 16) -> dict[str, object]:
    return {
        "dyno": name, "app": "shop", "stack": "cedar-14", "image": lab.images["original"], "memory_mb": memory_mb,
    }  # fmt: skip


def states(host: RealHost) -> dict[str, str]:
    return {dyno["dyno"]: dyno["state"] for dyno in ask(host, "dynos")["dynos"]}


def test_a_dynos_life(lab: RealLab) -> None:
    fresh = lab.real_hosts["host-04"]
    _dyno_sees_its_image_and_its_app(lab, fresh)
    _provisional_start_ends_by_itself(lab, fresh)
    _refusals(lab, fresh)
    _crash_is_recorded_and_restarted(lab, fresh)


def _dyno_sees_its_image_and_its_app(lab: RealLab, host: RealHost) -> None:
    started = ask(host, "start", dyno=wanted(lab), operation="start-9")["dyno"]
    assert (started["state"], started["provisional"]) == ("starting", True)
    assert ask(host, "start", dyno=wanted(lab), operation="start-9")["dyno"]["pid"] == started["pid"]
    assert ask(host, "health", dyno="web.9", wait_seconds=10) == {"dyno": "web.9", "healthy": True, "state": "running"}
    mounts = [line.split() for line in Path(f"/proc/{started['pid']}/mountinfo").read_text().splitlines()]
    top = next(words for words in mounts if words[4] == "/")
    assert top[5].startswith("ro")
    assert "/dev/loop" in top[-2]
    assert next(words for words in mounts if words[4] == "/app")[5].startswith("rw")
    assert Path(f"/proc/{started['pid']}").stat().st_uid != 0
    assert ask(host, "commit", dyno="web.9")["dyno"]["provisional"] is False


def _provisional_start_ends_by_itself(lab: RealLab, host: RealHost) -> None:
    ask(host, "start", dyno=wanted(lab, "web.10"), commit_within_seconds=1)
    assert eventually(lambda: "web.10" not in states(host), 8)
    with pytest.raises(CommandFailed, match="ended"):
        ask(host, "commit", dyno="web.10")
    assert states(host)["web.9"] == "running"
    assert crashes(host) == []
    assert ask(host, "stop", dyno="web.10")["state"] in {"stopped", "absent"}


def _refusals(lab: RealLab, host: RealHost) -> None:
    with pytest.raises(CommandFailed, match="exists_elsewise"):
        ask(host, "start", dyno=wanted(lab))
    with pytest.raises(CommandFailed, match="no_capacity"):
        ask(host, "start", dyno=wanted(lab, "web.11", memory_mb=100000))
    with pytest.raises(CommandFailed, match="no_image"):
        ask(host, "start", dyno=wanted(lab, "web.11") | {"image": "sha256:" + "0" * 64})
    ask(host, "taint", reason="looks sick", reference="incident:1")
    assert (host.root / "tainted.json").exists()
    with pytest.raises(CommandFailed, match="tainted: this host takes no new dynos: looks sick"):
        ask(host, "start", dyno=wanted(lab, "web.11"))
    ask(host, "untaint")
    with pytest.raises(CommandFailed, match="bad_request"):
        ask(host, "start", dyno=wanted(lab, "../web"))
    assert list(states(host)) == ["web.9"]


def _crash_is_recorded_and_restarted(lab: RealLab, host: RealHost) -> None:
    first = ask(host, "dynos")["dynos"][0]
    cursor = ask(host, "crashes", cursor=None)["cursor"]
    os.kill(first["pid"], signal.SIGSEGV)
    assert eventually(lambda: bool(crashes(host)))
    (crash,) = crashes(host)
    assert (crash["dyno"], crash["signal"], crash["exit_status"]) == ("web.9", "SIGSEGV", 139)
    after = ask(host, "crashes", cursor=cursor)
    assert [entry["id"] for entry in after["crashes"]] == [crash["id"]]
    assert ask(host, "crashes", cursor=after["cursor"])["crashes"] == []
    assert ask(host, "health", dyno="web.9", wait_seconds=15)["healthy"]
    assert ask(host, "dynos")["dynos"][0]["restarts"] == 1
    assert ask(host, "stop", dyno="web.9")["state"] == "stopped"
    assert ask(host, "stop", dyno="web.9")["state"] == "absent"
    assert len(crashes(host)) == 1


def test_what_a_killed_lab_left_is_cleared_by_the_next(lab: RealLab) -> None:
    """The lab object forgets everything here, as a killed process would."""
    host = lab.real_hosts["host-03"]
    protected = ask(host, "protect")["images"]
    assert protected
    servers = [other.server for other in lab.real_hosts.values()]
    lab.real_hosts, lab.hosts = {}, []
    assert leftovers(lab.folder) != []
    again = new_lab(lab.folder)
    asyncio.run(again.start())
    try:
        assert ask(again.real_hosts["host-03"], "facts")["host"] == "host-03"
        assert all(server is not None and server.wait(5) is not None for server in servers)
    finally:
        asyncio.run(again.stop())


def test_two_labs_side_by_side(lab: RealLab, tmp_path: Path) -> None:
    other = new_lab(tmp_path)
    asyncio.run(other.start())
    try:
        assert {host.address for host in lab.hosts}.isdisjoint(host.address for host in other.hosts)
        asyncio.run(other.stop())
        time.sleep(0.5)
        assert all(dyno["pid"] for dyno in ask(lab.real_hosts["host-01"], "dynos")["dynos"])
        assert ssh(lab, "host-01", '{"verb":"facts"}\n').returncode == 0
    finally:
        asyncio.run(other.stop())
    assert leftovers(tmp_path) == []
