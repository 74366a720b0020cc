"""Dynos on a host, with no real shims behind them: what is placed, refused, kept and cleared away."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from fleet.hostkit import dynos as placing
from fleet.hostkit.disk import locked, write_json
from fleet.hostkit.dynohost import Json, Refused
from fleet.hostkit.dynos import FIRST_PORT, Dynos
from fleet.hostkit.folders import Folders
from fleet.hostkit.shim import Spawner

DIGEST = "sha256:" + "0a" * 32


class Shims:
    """Stands where shims are spawned: each holds its dyno's lock and says what it is told to say."""

    def __init__(self) -> None:
        self.stack, self.spawned = ExitStack(), list[str]()
        self.held: dict[str, ExitStack] = {}
        self.silent = False

    def spawn(self, folder: Path) -> None:
        self.spawned.append(folder.name)
        holding = self.held[folder.name] = self.stack.enter_context(ExitStack())
        assert holding.enter_context(locked(folder / "shim.lock", 0))
        if not self.silent:
            write_json(folder / "state.json", {"state": "running", "pid": 4711, "started_at": 1.0, "restarts": 0})

    def end(self, name: str) -> None:
        self.held.pop(name).close()


@pytest.fixture
def shims() -> Iterator[Shims]:
    found = Shims()
    with found.stack:
        yield found


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    found = Folders(tmp_path / "root")
    (tmp_path / "root" / "host.json").write_text(json.dumps({"host": "h1", "memory_mb": 256, "slots": 3}))
    image = found.image("cedar-14", DIGEST)
    image.parent.mkdir()
    image.write_bytes(b"an image")
    return found


@pytest.fixture
def here(folders: Folders, shims: Shims, monkeypatch: pytest.MonkeyPatch) -> Dynos:
    monkeypatch.setattr("fleet.hostkit.dynos.os.chown", lambda *_words, **_more: None)
    monkeypatch.setattr("fleet.hostkit.images.ensure_mounted", lambda folders, _path, image: folders.mount(image))
    monkeypatch.setattr(placing, "LAUNCH_SECONDS", 0.1)
    return Dynos(folders, cast("Spawner", shims))


def wanted(name: str = "shop.web.1", *, operation: str = "o1", **more: Any) -> Json:
    usual = {"dyno": name, "app": "shop", "stack": "cedar-14", "image": DIGEST, "memory_mb": 64}
    return {"dyno": {**usual, **more}, "operation": operation}


def refusal(here: Dynos, request: Json) -> tuple[str, bool]:
    with pytest.raises(Refused) as refused:
        here.start(request)
    return refused.value.code, refused.value.retry


def names(here: Dynos) -> list[str]:
    return [dyno["dyno"] for dyno in here.listed()]


def test_a_placed_dyno_is_provisional_until_it_is_committed(here: Dynos, shims: Shims) -> None:
    placed = here.start(wanted())["dyno"]
    assert (placed["dyno"], placed["app"], placed["memory_mb"], placed["pid"]) == ("shop.web.1", "shop", 64, 4711)
    assert (placed["state"], placed["healthy"], placed["provisional"]) == ("starting", False, True)
    assert placed["port"] == FIRST_PORT
    assert here.commit("shop.web.1")["dyno"]["provisional"] is False
    assert shims.spawned == ["shop.web.1"]


def test_the_same_operation_finds_its_dyno_and_another_is_refused(here: Dynos, shims: Shims) -> None:
    first = here.start(wanted())
    assert here.start(wanted()) == first
    assert shims.spawned == ["shop.web.1"]
    assert refusal(here, wanted(operation="o2")) == ("exists_elsewise", False)
    assert names(here) == ["shop.web.1"]


def test_a_shim_that_died_is_spawned_again_by_the_same_operation(here: Dynos, shims: Shims) -> None:
    here.start(wanted())
    shims.end("shop.web.1")
    assert here.described(here.folders.dyno("shop.web.1"))["state"] == "crashed"
    here.start(wanted())
    assert shims.spawned == ["shop.web.1", "shop.web.1"]


def test_one_that_has_ended_makes_room_for_another_of_its_name(here: Dynos, shims: Shims) -> None:
    here.start(wanted())
    shims.end("shop.web.1")
    write_json(here.folders.dyno("shop.web.1") / "state.json", {"state": "stopped"})
    assert names(here) == []
    assert here.start(wanted(operation="o2"))["dyno"]["provisional"] is True
    assert names(here) == ["shop.web.1"]


def test_each_dyno_has_a_port_of_its_own_and_a_free_one_is_used_again(here: Dynos, shims: Shims) -> None:
    ports = [here.start(wanted(f"a.{n}", operation=f"o{n}"))["dyno"]["port"] for n in range(3)]
    assert ports == [FIRST_PORT, FIRST_PORT + 1, FIRST_PORT + 2]
    shims.end("a.1")
    assert here.stop("a.1", 0.0) == {"dyno": "a.1", "state": "stopped"}
    assert here.start(wanted("a.3", operation="o3"))["dyno"]["port"] == FIRST_PORT + 1


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (wanted(memory_mb=257), "no_capacity"), (wanted(stack="none"), "no_image"),
        (wanted(image="sha256:" + "1" * 64), "no_image"), (wanted(image="latest"), "bad_request"),
        (wanted("../up"), "bad_request"), (wanted(app=""), "bad_request"), (wanted(memory_mb=0), "bad_request"),
        (wanted(memory_mb="64"), "bad_request"), (wanted(command=["run"]), "bad_request"),
        (wanted(command="/app/run"), "bad_request"), (wanted(command=["/app/run", 5]), "bad_request"),
        ({"dyno": ["shop.web.1"], "operation": "o1"}, "bad_request"), ({"operation": "o1"}, "bad_request"),
        ({**wanted(), "commit_within_seconds": -1}, "bad_request"),
    ],
)  # fmt: skip
def test_what_cannot_be_placed_leaves_nothing_behind(here: Dynos, shims: Shims, request_: Json, code: str) -> None:
    assert refusal(here, request_) == (code, False)
    assert (names(here), shims.spawned, list(here.folders.dynos.iterdir())) == ([], [], [])


def test_a_full_host_says_what_is_full(here: Dynos) -> None:
    here.start(wanted("a.1", memory_mb=200))
    with pytest.raises(Refused, match="200 MB of 256 MB are taken, 64 MB more do not fit"):
        here.start(wanted("a.2", operation="o2"))
    here.start(wanted("a.2", operation="o2", memory_mb=20))
    here.start(wanted("a.3", operation="o3", memory_mb=20))
    with pytest.raises(Refused, match="all 3 slots are taken"):
        here.start(wanted("a.4", operation="o4", memory_mb=1))


@pytest.mark.parametrize("mark", ['{"reason": "bad image"}', "", "{", "[]", "5"])
def test_a_tainted_host_takes_none_though_the_mark_is_damaged(here: Dynos, mark: str) -> None:
    here.folders.taint.write_text(mark)
    assert refusal(here, wanted()) == ("tainted", False)
    here.folders.taint.unlink()
    here.start(wanted())


def test_an_image_that_does_not_mount_is_none(here: Dynos, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_words: object) -> Path:
        raise OSError(22, "wrong fs type, bad superblock")

    monkeypatch.setattr("fleet.hostkit.images.ensure_mounted", broken)
    with pytest.raises(Refused, match=r"does not mount: .*bad superblock") as refused:
        here.start(wanted())
    assert refused.value.code == "no_image"
    assert names(here) == []


def test_one_whose_process_does_not_come_up_may_be_asked_for_again(here: Dynos, shims: Shims) -> None:
    shims.silent = True
    assert refusal(here, wanted()) == ("not_launched", True)
    assert names(here) == ["shop.web.1"], "it may come up yet"
    write_json(here.folders.dyno("shop.web.1") / "state.json", {"state": "running"})
    assert here.start(wanted())["dyno"]["dyno"] == "shop.web.1"


# ---- commit, stop, health ----


def test_what_is_not_there_cannot_be_kept_and_is_stopped_already(here: Dynos) -> None:
    with pytest.raises(Refused) as refused:
        here.commit("nobody")
    assert refused.value.code == "absent"
    assert here.stop("nobody", 0.0) == {"dyno": "nobody", "state": "absent"}
    assert here.health("nobody", 0.0) == {"dyno": "nobody", "healthy": False, "state": "absent"}


@pytest.mark.parametrize("how", ["stopped", "expired"])
def test_what_has_ended_cannot_be_kept_any_more(here: Dynos, shims: Shims, how: str) -> None:
    here.start(wanted())
    folder = here.folders.dyno("shop.web.1")
    if how == "expired":
        (folder / "expired").touch()
    else:
        write_json(folder / "state.json", {"state": "stopped"})
    with pytest.raises(Refused) as refused:
        here.commit("shop.web.1")
    assert refused.value.code == "ended"
    assert not (folder / "committed").exists()
    assert here.health("shop.web.1", 5.0)["state"] == "stopped", "it is not waited for"


def test_one_that_does_not_end_is_said_to_run_still(here: Dynos, monkeypatch: pytest.MonkeyPatch) -> None:
    here.start(wanted())
    write_json(here.folders.dyno("shop.web.1") / "state.json", {"state": "running", "shim_pid": None})
    clock = iter(range(0, 1000, 5))
    monkeypatch.setattr("fleet.hostkit.dynos.time.monotonic", lambda: float(next(clock)))
    with pytest.raises(Refused) as refused:
        here.stop("shop.web.1", 1.0)
    assert (refused.value.code, refused.value.retry) == ("still_running", True)
    assert json.loads((here.folders.dyno("shop.web.1") / "stop.json").read_text()) == {"grace_seconds": 1.0}


def test_a_shim_that_is_gone_already_is_not_woken(here: Dynos, shims: Shims, monkeypatch: pytest.MonkeyPatch) -> None:
    here.start(wanted())
    write_json(here.folders.dyno("shop.web.1") / "state.json", {"state": "running", "shim_pid": 1 << 30})
    kill = os.kill

    def woken(pid: int, number: int) -> None:
        shims.end("shop.web.1")
        kill(pid, number)

    monkeypatch.setattr("fleet.hostkit.dynos.os.kill", woken)
    assert here.stop("shop.web.1", 1.0)["state"] == "stopped"
    assert not here.folders.dyno("shop.web.1").exists()


# ---- what is found on disk ----


@pytest.mark.parametrize("found", ["", "{", "[]", "7", "null", "{}", '{"dyno": "shop.web.1", "port": 20000}'])
def test_a_damaged_dyno_holds_up_none_of_the_others(here: Dynos, found: str) -> None:
    here.start(wanted("a.1"))
    here.start(wanted("a.2", operation="o2"))
    (here.folders.dyno("a.1") / "spec.json").write_text(found)
    assert names(here) == ["a.2"]
    here.start(wanted("a.3", operation="o3"))
    assert names(here) == ["a.2", "a.3"]


@pytest.mark.parametrize("found", ["", "[]", "7", "null", '{"state": 5}'])
def test_a_damaged_state_is_one_that_starts_while_its_shim_lives(here: Dynos, shims: Shims, found: str) -> None:
    here.start(wanted())
    (here.folders.dyno("shop.web.1") / "state.json").write_text(found)
    [dyno] = here.listed()
    assert (dyno["healthy"], dyno["restarts"]) == (False, 0)
    assert here.health("shop.web.1", 0.0)["healthy"] is False


def test_one_that_runs_though_its_record_is_damaged_is_not_started_a_second_time(here: Dynos, shims: Shims) -> None:
    here.start(wanted())
    (here.folders.dyno("shop.web.1") / "spec.json").write_text("{")
    for operation in ("o1", "o2"):
        assert refusal(here, wanted(operation=operation)) == ("exists_elsewise", False)
    shims.end("shop.web.1")
    here.start(wanted(operation="o2"))
    assert names(here) == ["shop.web.1"]


def test_files_beside_the_dynos_are_none(here: Dynos) -> None:
    (here.folders.dynos / "lost+found").mkdir()
    (here.folders.dynos / "notes.txt").write_text("x")
    assert names(here) == []
