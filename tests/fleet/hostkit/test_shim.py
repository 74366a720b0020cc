"""What a shim decides, without a dyno to run: when to try again, when to end, and what it writes down."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fleet.hostkit import shim
from fleet.hostkit.shim import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, STEADY_SECONDS, Shim

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosts run Linux")


def shim_of(folder: Path, **spec: Any) -> Shim:
    """A shim of a dyno's folder, two levels below its host's as always."""
    home = folder / "dynos" / "web.1"
    home.mkdir(parents=True)
    (folder / "crashes").mkdir()
    whole = {"host": "h1", "dyno": "web.1", "app": "app-1", "stack": "cedar-14", "image": "sha256:1"}
    (home / "spec.json").write_text(json.dumps({**whole, "command": ["/app/run"], **spec}))
    return Shim(home)


def state_of(one: Shim) -> dict[str, Any]:
    return dict(json.loads((one.folder / "state.json").read_text()))


def crashes_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("crashes/*.ndjson") for line in path.read_text().splitlines()]


def test_pauses_grow_up_to_a_limit_while_it_keeps_dying(tmp_path: Path) -> None:
    one = shim_of(tmp_path)
    pauses = [one._next_pause(time.time()) for _ in range(8)]
    assert pauses[0] == FIRST_PAUSE_SECONDS
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_one_that_ran_steadily_has_its_short_pause_back(tmp_path: Path) -> None:
    one = shim_of(tmp_path)
    for _ in range(5):
        one._next_pause(time.time())
    assert one._next_pause(time.time() - STEADY_SECONDS - 1) == FIRST_PAUSE_SECONDS


def test_a_stop_is_a_file_and_holds_without_a_signal(tmp_path: Path) -> None:
    one = shim_of(tmp_path)
    one._look_for_end()
    assert one.stopping is None
    (one.folder / "stop.json").write_text("{}")
    one._look_for_end()
    assert one.stopping == "stopped"


@pytest.mark.parametrize(
    ("left", "committed", "stopping"),
    [(60, False, None), (-1, True, None), (-1, False, "not committed in time"), (None, False, None)],
)
def test_only_what_was_not_committed_in_time_ends_by_itself(
    tmp_path: Path, left: float | None, committed: bool, stopping: str | None
) -> None:
    one = shim_of(tmp_path, commit_by=time.time() + left if left else None)
    if committed:
        (one.folder / "committed").touch()
    one._look_for_end()
    assert one.stopping == stopping
    assert (one.folder / "expired").exists() == (stopping is not None)


def test_it_sleeps_no_longer_than_to_what_comes_next(tmp_path: Path) -> None:
    one = shim_of(tmp_path)
    assert one._patience(None) == 3600
    assert 4 < one._patience(time.monotonic() + 5) <= 5
    assert one._patience(time.monotonic() - 5) > 0
    one.spec["commit_by"] = time.time() + 2
    assert 1 < one._patience(time.monotonic() + 50) <= 2.1
    (one.folder / "committed").touch()
    assert one._patience(None) == 3600


@pytest.mark.parametrize(
    ("code", "exit_status", "is_crash"),
    [("os.kill(os.getpid(), 11)", 139, True), ("os._exit(0)", 0, False), ("os._exit(1)", 1, False),
     ("os._exit(134)", 134, True), ("os._exit(128)", 128, False)],
)  # fmt: skip
def test_a_hard_death_is_a_crash_and_a_plain_exit_is_none(
    tmp_path: Path, code: str, exit_status: int, is_crash: bool
) -> None:
    one = shim_of(tmp_path)
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", f"import os; {code}"])
    _, status = os.waitpid(child.pid, 0)
    child.returncode = 0
    one._note_exit(child.pid, time.time() - 5, status)
    noted = state_of(one)
    assert (noted["state"], noted["pid"], noted["last_exit"], noted["restarts"]) == ("crashed", None, exit_status, 1)
    told = crashes_of(tmp_path)
    assert len(told) == is_crash
    assert not told or (told[0]["dyno"], told[0]["exit_status"]) == ("web.1", exit_status)


@pytest.fixture
def signals_held() -> Any:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, shim.WATCHED)
    yield
    while signal.sigtimedwait(shim.WATCHED, 0):
        pass
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def child_of(code: str) -> subprocess.Popen[bytes]:
    """A process in a group of its own; returns once it can be spoken to."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", f"import os, signal, time; {code}"], stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert child.stdout
    assert child.stdout.read(1) == b"x"
    return child


@pytest.mark.parametrize(
    ("code", "signal_number"),
    [("", signal.SIGTERM), ("signal.signal(signal.SIGTERM, signal.SIG_IGN); ", signal.SIGKILL)],
)
def test_a_dyno_is_asked_to_end_and_then_made_to(
    tmp_path: Path, signals_held: Any, code: str, signal_number: signal.Signals
) -> None:
    one = shim_of(tmp_path)
    (one.folder / "stop.json").write_text(json.dumps({"grace_seconds": 0.3}))
    unblocked = "signal.pthread_sigmask(signal.SIG_SETMASK, []); "
    child = child_of(f"{unblocked}{code}os.write(1, b'x'); time.sleep(60)")
    began = time.monotonic()
    status = one._end(child.pid)
    child.returncode = 0
    assert (os.WIFSIGNALED(status), os.WTERMSIG(status)) == (True, signal_number)
    assert time.monotonic() - began < 20


def test_a_watch_ends_with_the_process_the_time_or_the_stop(tmp_path: Path, signals_held: Any) -> None:
    one = shim_of(tmp_path)
    child = child_of("os.write(1, b'x'); os._exit(3)")
    assert one._watch(child.pid, 30) == 3 << 8
    child.returncode = 3
    assert one._watch(None, 0.05) is None
    assert one.stopping is None
    (one.folder / "stop.json").write_text("{}")
    began = time.monotonic()
    assert one._watch(None, 60) is None
    assert time.monotonic() - began < 5
    assert one.stopping == "stopped"
