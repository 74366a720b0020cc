"""Simulated hosts: crashes follow from what became of the images, on a clock that the tests hold."""

import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fleet.hostkit.dynohost import MemoryStore, Program, Refused
from fleet.lab import installer as real
from fleet.lab.simulated import IMAGES, STACK, Nature, SimulatedMachine
from fleet.lab.simulated.demo import put_images, run_dyno

IMAGE = IMAGES["original"]
OPERATIONS = itertools.count()
CALM = Nature(crashes_per_dyno_hour=0)


class Clock:
    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


class Host:
    """A machine with its program, a clock to turn and ten dynos placed long ago."""

    def __init__(self, tools: str = "1.9", *, nature: Nature = CALM, seed: int = 1) -> None:
        self.clock = Clock()
        self.machine = SimulatedMachine(
            "h01",
            attributes={"tools": tools},
            memory_mb=1024,
            slots=16,
            dice=random.Random(seed),
            nature=nature,
            clock=self.clock,
        )
        self.program = Program(self.machine, MemoryStore())
        put_images(self.machine, [IMAGE], tools=tools, at=self.clock.at - 86400)
        for number in range(10):
            run_dyno(self.machine, f"app-{number}", f"app-{number}.web.1", image=IMAGE, at=self.clock.at - 3600)

    def ask(self, verb: str, **words: Any) -> dict[str, Any]:
        answer = self.program.handle({"verb": verb, "fence": 1, **words})
        if not answer["ok"]:
            raise Refused(answer["error"], answer["message"], retry=answer["retry"])
        return dict(answer["result"])

    def start(self, name: str, **words: Any) -> dict[str, Any]:
        dyno = {"dyno": name, "app": "shop", "stack": STACK, "image": IMAGE, "memory_mb": 64}
        return self.ask("start", dyno=dyno, **{"operation": f"{name}-start", **words})

    def install(self, tools: str) -> str:
        return self.machine.run_installer(stack=STACK, image=IMAGE, tools=tools)

    def crashes_in(self, seconds: float) -> list[dict[str, Any]]:
        cursor = self.ask("crashes")["cursor"]
        self.clock.at += seconds
        return list(self.ask("crashes", cursor=cursor)["crashes"])

    def evidence(self) -> dict[str, Any]:
        return self.ask("verify", stack=STACK, image=IMAGE, digest=IMAGE)


@pytest.mark.parametrize(
    ("provisioned_with", "installer", "outcome", "rewritten"),
    [
        ("1.9", "1.9", "skipped", False),
        ("1.9", "2.0", "installed", True),
        ("1.9", "2.1", "skipped", False),
        ("2.0", "1.9", "installed", True),
        ("2.0", "2.0", "skipped", False),
        ("2.0", "2.1", "skipped", False),
    ],
)
def test_installers_do_and_report_what_they_do_on_real_files(
    provisioned_with: str, installer: str, outcome: str, rewritten: bool, tmp_path: Path
) -> None:
    packed, target = tmp_path / "packed", tmp_path / "here" / "image.img"
    packed.write_bytes(b"image" * 1000)
    real.install(provisioned_with, target=target, packed=packed)
    before = target.stat()
    assert real.install(installer, target=target, packed=packed) == outcome
    after = target.stat()
    assert after.st_ino == before.st_ino
    assert (after.st_mtime_ns != before.st_mtime_ns) is rewritten

    host = Host(provisioned_with)
    assert host.install(installer) == outcome
    assert (host.evidence()["file"]["changed_at"] == host.clock.at) is rewritten
    assert host.evidence()["damaged"] is rewritten


@pytest.mark.parametrize("installer", ["1.9", "2.0", "2.1"])
def test_every_installer_brings_an_image_that_is_not_there(installer: str) -> None:
    machine = Host("2.0").machine
    assert machine.run_installer(stack=STACK, image=IMAGES["upgrade"], tools=installer) == "installed"
    assert machine.run_installer(stack=STACK, image=IMAGES["upgrade"], tools=installer) == "skipped"


def test_nothing_crashes_unless_an_image_was_overwritten() -> None:
    for tools, installer in (("1.9", "1.9"), ("2.0", "2.0"), ("1.9", "2.1")):
        host = Host(tools)
        host.install(installer)
        host.machine.drop_caches()
        assert host.crashes_in(3600) == []


def test_dynos_of_an_overwritten_image_die_of_fatal_signals_and_again() -> None:
    host = Host()
    host.install("2.0")
    crashes = host.crashes_in(120)
    assert {crash["dyno"] for crash in crashes} == {f"app-{n}.web.1" for n in range(10)}
    assert len(crashes) > 25
    signals = Counter(crash["signal"] for crash in crashes)
    assert set(signals) <= {"SIGSEGV", "SIGBUS", "SIGILL"}
    assert signals["SIGSEGV"] > 0.6 * len(crashes)
    assert len({crash["id"] for crash in crashes}) == len(crashes)


def test_the_first_crash_comes_within_a_minute_for_any_seed() -> None:
    for seed in range(30):
        host = Host(seed=seed)
        host.install("2.0")
        assert host.crashes_in(60), seed


def test_dropping_caches_makes_damage_worse_and_leaves_sound_images_alone() -> None:
    kept, dropped = Host(), Host()
    for host in (kept, dropped):
        host.install("2.0")
    dropped.machine.drop_caches()
    assert dropped.evidence()["samples"]["differ"] > kept.evidence()["samples"]["differ"]


def test_a_dyno_started_afresh_on_the_damaged_mount_is_damaged_too() -> None:
    host = Host()
    for number in range(10):
        host.ask("stop", operation=f"s{number}", dyno=f"app-{number}.web.1")
    host.install("2.0")
    assert host.crashes_in(600) == []
    host.start("shop.web.1")
    host.ask("commit", operation="c", dyno="shop.web.1")
    assert host.crashes_in(600)


def test_dynos_placed_on_another_host_are_well() -> None:
    damaged, fresh = Host(), Host("2.0")
    damaged.install("2.0")
    fresh.start("shop.web.1")
    fresh.ask("commit", operation="c", dyno="shop.web.1")
    assert damaged.crashes_in(300)
    assert fresh.crashes_in(300) == []


def test_the_kernel_tells_some_of_it_and_holds_some_back() -> None:
    host = Host()
    host.install("2.0")
    crashes, lines = host.crashes_in(600), host.ask("crashes")["kernel"]
    kinds = Counter(line["kind"] for line in lines)
    assert set(kinds) <= {"segfault", "loop_io_error", "fs_error", "suppressed"}
    assert 0 < kinds["segfault"] < len(crashes)
    assert {line.get("device") for line in lines if line["kind"] != "segfault"} <= {"loop0", None}
    assert [line["number"] for line in lines] == sorted(line["number"] for line in lines)


def test_a_crash_is_read_once_however_small_the_pages() -> None:
    host = Host()
    host.install("2.0")
    host.clock.at += 200
    everything = [crash["id"] for crash in host.ask("crashes")["crashes"]]
    cursor, paged = None, []
    while page := host.ask("crashes", cursor=cursor, limit=7):
        paged += [crash["id"] for crash in page["crashes"]]
        cursor = page["cursor"]
        if not page["crashes"]:
            break
    assert paged == everything
    assert len(everything) > 14


def test_healthy_dynos_crash_as_often_as_they_should() -> None:
    host = Host(nature=Nature(crashes_per_dyno_hour=2.0))
    crashes = host.crashes_in(30 * 3600)
    assert 520 <= len(crashes) <= 680  # 10 dynos, 2 an hour, 30 hours
    assert all(crash["exit_status"] for crash in crashes)


def test_evidence_of_damage_is_not_the_digest() -> None:
    host = Host()
    host.install("2.0")
    host.clock.at += 60
    found = host.evidence()
    assert found["file"]["digest"] == IMAGE
    assert found["receipt"]["digest_as_expected"] is True
    assert found["receipt"]["checksum_matches"] is True
    assert found["damaged"] is True
    assert len(found["changed_after_start_of"]) == 10
    assert any("differ through the mount" in statement for statement in found["against"])
    assert found["kernel"]["errors"] > 0


@pytest.mark.parametrize(("tools", "installer"), [("1.9", "1.9"), ("2.0", "2.0"), ("1.9", "2.1")])
def test_a_sound_image_has_nothing_against_it(tools: str, installer: str) -> None:
    host = Host(tools)
    host.install(installer)
    found = host.evidence()
    assert found["against"] == []
    assert found["damaged"] is False
    assert found["changed_after_start_of"] == []


def test_a_protected_image_cannot_be_overwritten_and_nobody_crashes() -> None:
    host = Host()
    assert [image["protected"] for image in host.ask("protect", operation="p", stack=STACK)["images"]] == ["now"]
    assert host.install("2.0") == "failed"
    host.machine.drop_caches()
    assert host.crashes_in(3600) == []
    assert host.evidence()["damaged"] is False


def test_a_test_of_the_protection_tells_and_harms_nothing() -> None:
    host = Host()
    tried = host.ask("protect", operation="p", test=True)
    assert (tried["held"], set(tried["attempts"][IMAGE[7:]].values())) == (False, {"got_through"})
    assert host.crashes_in(3600) == []
    assert host.ask("protect", operation="q")["images"][0]["protected"] == "now"
    assert host.ask("protect", operation="r")["images"][0]["protected"] == "already"
    assert host.ask("protect", operation="s", test=True)["held"] is True


def test_protection_does_not_wipe_the_trace_of_an_overwrite() -> None:
    host = Host()
    host.install("2.0")
    host.clock.at += 5
    host.ask("protect", operation="p")
    found = host.evidence()
    assert found["damaged"] is True
    assert len(found["changed_after_start_of"]) == 10


def test_a_dyno_not_committed_in_time_is_gone() -> None:
    host = Host("2.0")
    host.start("shop.web.1", commit_within_seconds=5)
    host.start("shop.web.2", commit_within_seconds=5)
    host.clock.at += 4.9
    host.ask("commit", operation="c", dyno="shop.web.2")
    host.clock.at += 0.2
    here = {dyno["dyno"] for dyno in host.ask("dynos")["dynos"]}
    assert "shop.web.2" in here
    assert "shop.web.1" not in here
    with pytest.raises(Refused) as caught:
        host.ask("commit", operation="d", dyno="shop.web.1")
    assert caught.value.code == "absent"
    assert host.ask("health", dyno="shop.web.1")["state"] == "absent"


def test_a_start_is_healthy_after_half_a_second_to_three() -> None:
    host = Host("2.0")
    host.start("shop.web.1")
    host.clock.at += 0.49
    assert host.ask("health", dyno="shop.web.1") == {"dyno": "shop.web.1", "healthy": False, "state": "starting"}
    host.clock.at += 2.52
    assert host.ask("health", dyno="shop.web.1") == {"dyno": "shop.web.1", "healthy": True, "state": "running"}


def refusal(host: Host, **dyno: Any) -> str:
    wanted = {"dyno": "x.1", "app": "x", "stack": STACK, "image": IMAGE, "memory_mb": 64, **dyno}
    with pytest.raises(Refused) as caught:
        host.ask("start", operation=f"o{next(OPERATIONS)}", dyno=wanted)
    return caught.value.code


def test_starts_are_refused_with_the_codes_of_a_real_host() -> None:
    host = Host("2.0")
    assert refusal(host, memory_mb=500) == "no_capacity"
    assert refusal(host, image=IMAGES["upgrade"]) == "no_image"
    assert refusal(host, dyno="app-1.web.1") == "exists_elsewise"
    assert refusal(host, memory_mb=0) == "bad_request"
    for number in range(6):
        host.start(f"more.{number}")
    assert refusal(host) == "no_capacity"
    host.ask("taint", operation="t", reason="sick")
    assert refusal(host) == "tainted"
    host.ask("untaint", operation="u")
    assert host.ask("facts")["tainted"] is False


def test_stopping_is_done_once_and_an_absent_dyno_is_fine() -> None:
    host = Host("2.0")
    assert host.ask("stop", operation="a", dyno="app-1.web.1", grace_seconds=5)["state"] == "stopped"
    assert host.ask("stop", operation="b", dyno="app-1.web.1")["state"] == "absent"
    assert len(host.ask("dynos")["dynos"]) == 9
