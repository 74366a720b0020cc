"""The real incident on real hosts: what broke, that the evidence shows it, and that the protection holds."""

import asyncio
import errno
import os
import time
from functools import partial
from pathlib import Path

import pytest

from fleet.hostkit import linux
from fleet.lab.real.host import RealHost
from fleet.lab.real.lab import RealLab
from tests.lab.hosts import ask, crashes, eventually, image_of, loop_device, redeploy

pytestmark = [pytest.mark.real_lab, pytest.mark.timeout(300)]


def test_the_redeploy_breaks_hosts_with_old_checksum_files_only(lab: RealLab, tmp_path: Path) -> None:
    old, new = ["host-01", "host-02"], ["host-03"]
    assert redeploy(lab, "2.0") == {
        "host-01": "installed", "host-02": "installed", "host-03": "skipped", "host-04": "skipped",
    }  # fmt: skip
    sick = [lab.real_hosts[name] for name in old]
    for host in sick:
        assert eventually(partial(_has_crashed_apps, host, 3)), host.name
    so_far = {host.name: len(crashes(host)) for host in sick}
    for host in sick:
        assert eventually(partial(_has_more_crashes, host, so_far[host.name] + 3)), host.name
        assert eventually(partial(_has_died_of, [host], {"SIGSEGV"})), host.name
    assert eventually(partial(_has_died_of, sick, _signals_of_damage(tmp_path)))
    assert [crashes(lab.real_hosts[name]) for name in new] == [[]]
    _evidence_tells_them_apart(lab)


def _has_crashed_apps(host: RealHost, count: int) -> bool:
    return len({crash["app"] for crash in crashes(host)}) >= count


def _has_more_crashes(host: RealHost, count: int) -> bool:
    return len(crashes(host)) >= count


def _has_died_of(hosts: list[RealHost], signals: set[str]) -> bool:
    return signals <= {crash["signal"] for host in hosts for crash in crashes(host)}


def _signals_of_damage(folder: Path) -> set[str]:
    """Older kernels give zeros where a loop device's file has ended, and there is no SIGBUS without an error."""
    image = folder / "short.img"
    image.write_bytes(b"A" * 2 * linux.BLOCK)
    with loop_device(image) as device:
        os.truncate(image, linux.BLOCK)
        try:
            with device.open("rb", buffering=0) as stream:
                os.pread(stream.fileno(), linux.BLOCK, linux.BLOCK)
        except OSError:
            return {"SIGSEGV", "SIGBUS"}
    return {"SIGSEGV"}


def _evidence_tells_them_apart(lab: RealLab) -> None:
    damaged = ask(lab.real_hosts["host-01"], "verify", stack="cedar-14", image=lab.images["original"])
    sound = ask(lab.real_hosts["host-03"], "verify", stack="cedar-14", image=lab.images["original"])
    assert damaged["receipt"]["checksum_matches"], "the rewritten file itself is right"
    assert damaged["damaged"]
    assert damaged["samples"]["differ"] + damaged["samples"]["unreadable"] > 0
    on_it = {dyno["dyno"] for dyno in damaged["dynos"]}
    assert on_it
    assert set(damaged["changed_after_start_of"]) == on_it
    assert sound["damaged"] is False
    assert sound["against"] == []
    assert sound["changed_after_start_of"] == []
    assert sound["samples"]["files"] > 10
    assert sound["mounts"][0]["backing_is_this_file"]


def test_moved_dynos_are_well_on_a_fresh_host(lab: RealLab) -> None:
    redeploy(lab, "2.0")
    sick, fresh = lab.real_hosts["host-01"], lab.real_hosts["host-04"]
    assert eventually(lambda: len(crashes(sick)) > 3)
    moving = [dyno for dyno in ask(sick, "dynos")["dynos"] if dyno["stack"] == "cedar-14"]
    for dyno in moving:
        wanted = {key: dyno[key] for key in ("dyno", "app", "stack", "image", "memory_mb")}
        ask(fresh, "start", dyno=wanted)
        assert ask(fresh, "health", dyno=dyno["dyno"], wait_seconds=10)["healthy"]
        assert ask(fresh, "commit", dyno=dyno["dyno"])["dyno"]["provisional"] is False
        assert ask(sick, "stop", dyno=dyno["dyno"], grace_seconds=1)["state"] == "stopped"
    before = len(crashes(sick))
    time.sleep(6)
    assert len(crashes(sick)) == before, "a dyno stopped on purpose is no crash"
    assert crashes(fresh) == []
    assert all(dyno["healthy"] for dyno in ask(fresh, "dynos")["dynos"])


def test_with_fixed_tools_and_protection_the_original_recipe_is_refused(lab: RealLab) -> None:
    assert set(redeploy(lab, "2.1").values()) == {"skipped"}
    for host in lab.real_hosts.values():
        protected = ask(host, "protect", stack="cedar-14")["images"]
        assert [image["immutable"] for image in protected] == [True]
        with pytest.raises(OSError, match="not permitted") as refused:
            image_of(lab, host).open("wb")
        assert refused.value.errno == errno.EPERM
    outcomes = redeploy(lab, "2.0")
    assert outcomes["host-01"] == outcomes["host-02"] == "failed"
    time.sleep(10)
    for host in lab.real_hosts.values():
        assert crashes(host) == []
        evidence = ask(host, "verify", stack="cedar-14", image=lab.images["original"])
        assert (evidence["damaged"], evidence["changed_after_start_of"]) == (False, [])


def test_protecting_does_not_wipe_the_trace_of_an_overwriting(lab: RealLab) -> None:
    host = lab.real_hosts["host-01"]
    asyncio.run(lab.install(host.name, stack="cedar-14", image=lab.images["original"], tools="2.0"))
    ask(host, "protect", stack="cedar-14")
    evidence = ask(host, "verify", stack="cedar-14", image=lab.images["original"])
    assert evidence["file"]["immutable"]
    assert evidence["changed_after_start_of"] != []
