"""State on disk: whole or as it was, whoever dies in between and whatever is found there."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fleet.hostkit import disk
from fleet.hostkit.disk import KEEP_ANSWERS_SECONDS, DiskStore, is_locked, locked, read_json, write_json
from fleet.hostkit.dynohost import Json, Program, Refused
from fleet.hostkit.folders import Folders, checked_image, checked_name, checked_seconds, checked_text
from tests.fleet.hostkit.test_dynohost import CountingMachine

DIGEST = "sha256:" + "0a" * 32
HOLDS = """
import sys, time
from pathlib import Path
from fleet.hostkit.disk import locked
with locked(Path(sys.argv[1]), 0) as mine:
    print(mine, flush=True)
    time.sleep(600)
"""


def taint(program: Program, fence: int = 5, operation: str = "o1") -> Json:
    return program.handle({"verb": "taint", "operation": operation, "fence": fence})


# ---- files ----


def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_json(path, {"state": "running"})
    with pytest.raises(TypeError):
        write_json(path, {"state": object()})
    assert read_json(path) == {"state": "running"}
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


def test_a_full_disk_leaves_the_old_content_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    write_json(path, 1)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fleet.hostkit.disk.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_json(path, 2)
    assert read_json(path) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


def test_many_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: write_json(path, {"writer": number, "more": "x" * 5000}), range(40)))
    assert len(read_json(path)["more"]) == 5000  # type: ignore[index]
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("text", ["", "{", "nonsense", "\x00", '{"a":'])
def test_what_is_no_whole_file_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "half.json").write_text(text)
    assert read_json(tmp_path / "half.json") is None
    assert read_json(tmp_path / "not-there.json") is None
    assert read_json(tmp_path / "half.json" / "below.json") is None


# ---- locks ----


def test_a_lock_is_free_again_the_moment_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    assert not is_locked(path)
    with subprocess.Popen([sys.executable, "-c", HOLDS, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert is_locked(path)
        with locked(path, 0) as mine:
            assert not mine
        holder.kill()
    assert not is_locked(path)
    with locked(path, 0) as mine:
        assert mine


def test_a_taken_lock_is_waited_for_as_long_as_was_said(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    with locked(path, 0), ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        waiting = pool.submit(lambda: locked(path, 0.2).__enter__())
        assert waiting.result(10) is False
        assert time.monotonic() - began >= 0.2


# ---- fences and answers ----


@pytest.mark.parametrize(
    "found", ["", "{", "[]", "7", "null", '"5"', "{}", '{"fence": null}', '{"fence": "9"}', '{"fence": -3}']
)
def test_a_damaged_fence_is_none_and_the_next_one_is_kept(tmp_path: Path, found: str) -> None:
    store = DiskStore(tmp_path)
    (tmp_path / "fence.json").write_text(found)
    assert store.highest_fence() == 0
    answer = taint(Program(CountingMachine(), store), fence=3)
    assert (answer["ok"], store.highest_fence()) == (True, 3)


def test_a_fence_only_grows_whoever_raises_it(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(store.raise_fence, [5, 9, 1, 7, 9, 3, 8, 2]))
    assert store.highest_fence() == DiskStore(tmp_path).highest_fence() == 9
    assert all(highest >= asked for highest, asked in zip(told, [5, 9, 1, 7, 9, 3, 8, 2], strict=True))
    assert store.raise_fence(4) == 9


@pytest.mark.parametrize("found", ["", "[]", "7", "null", "{"])
def test_a_damaged_answer_is_none_and_the_effect_is_done_again(tmp_path: Path, found: str) -> None:
    machine = CountingMachine()
    program = Program(machine, DiskStore(tmp_path))
    first = taint(program)
    (kept,) = (path for path in tmp_path.glob("*.json") if path.name != "fence.json")
    kept.write_text(found)
    again = taint(Program(machine, DiskStore(tmp_path)))
    assert (first["ok"], again["ok"], again["replayed"]) == (True, True, False)
    assert taint(Program(machine, DiskStore(tmp_path)))["replayed"] is True


def test_an_answer_that_cannot_be_kept_is_not_told_and_may_be_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, store = CountingMachine(), DiskStore(tmp_path)
    program = Program(machine, store)
    write = disk.write_json

    def full(path: Path, content: Any) -> None:
        if path.name != "fence.json":
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(disk, "write_json", full)
    refused = taint(program)
    assert (refused["ok"], refused["error"], refused["retry"]) == (False, "failed", True)
    assert "No space left" in refused["message"]
    monkeypatch.setattr(disk, "write_json", write)
    assert taint(program)["ok"]
    assert taint(program)["replayed"]


def test_answers_are_forgotten_after_weeks_and_the_fence_never(tmp_path: Path) -> None:
    program = Program(CountingMachine(), DiskStore(tmp_path))
    taint(program, operation="old")
    taint(program, operation="fresh")
    past = time.time() - KEEP_ANSWERS_SECONDS - 60
    for path in tmp_path.iterdir():
        if path.stem in {DiskStore(tmp_path)._path("old", "").name, "fence"}:
            os.utime(path, (past, past))
    store = DiskStore(tmp_path)
    assert store.answer("old") is None
    assert store.answer("fresh") is not None
    assert store.highest_fence() == 5
    assert (tmp_path / "fence.lock").exists()


def test_odd_names_of_operations_are_files_of_their_own(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    for name in ("../../etc/passwd", "a/b", "\0", "\ud800", "x" * 200, "ünï"):
        store.keep(name, {"name": name.encode(errors="replace").decode(), "ok": True})
        assert store.answer(name) == {"name": name.encode(errors="replace").decode(), "ok": True}
        assert not store.is_claimed(name)
    assert {path.parent for path in tmp_path.rglob("*.json")} == {tmp_path}


# ---- words of requests ----


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (lambda value: checked_name(value, "dyno"), ["a", "web.1", "app-000.web.1", "A_b@c", "9", "x" * 128]),
        (checked_image, [DIGEST]),
        (lambda value: checked_seconds(value, 5.0), [0, 0.5, 86400]),
        (lambda value: checked_text(value, "reason"), ["", "a b\n", "x" * 2000]),
    ],
)
def test_what_is_in_order_stays_as_it_is(check: Callable[[Any], Any], good: list[Any]) -> None:
    for value in good:
        assert check(value) == value


@pytest.mark.parametrize(
    ("check", "bad"),
    [
        (lambda value: checked_name(value, "dyno"),
         [None, 7, "", ".", "..", ".a", "a/b", "a b", "a\n", "-a", "x" * 129, "ünï", ["a"], "a\0"]),
        (checked_image, [None, "", "sha256:", DIGEST[:-1], DIGEST + "0", DIGEST.upper(), DIGEST + "\n", "md5:00", 5]),
        (lambda value: checked_seconds(value, 5.0),
         [-0.1, 86401, float("nan"), float("inf"), True, "5", [5], {}]),
        (lambda value: checked_text(value, "reason"), [None, 5, "x" * 2001, ["a"]]),
    ],
)  # fmt: skip
def test_what_is_not_is_refused_in_words(check: Callable[[Any], Any], bad: list[Any]) -> None:
    for value in bad:
        with pytest.raises(Refused) as refused:
            check(value)
        assert (refused.value.code, refused.value.retry) == ("bad_request", False)


def test_a_word_that_is_missing_has_its_usual_value() -> None:
    assert checked_seconds(None, 5.0) == 5.0
    assert checked_text(None, "reason", "none") == "none"


def test_every_path_lies_in_the_hosts_own_folder(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "root")
    assert folders.settings() == {}
    (tmp_path / "root" / "host.json").write_text(json.dumps({"slots": 3}))
    assert folders.settings() == {"slots": 3}
    for path in (folders.dyno("a.1"), folders.image("cedar-14", DIGEST), folders.mount(DIGEST)):
        assert tmp_path / "root" in path.resolve().parents
    for stack in ("..", "../..", "/etc", ""):
        with pytest.raises(Refused):
            folders.image(stack, DIGEST)
