"""A lab in a process of its own: what it writes, for whom, and that nothing is left of it."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import BASE_DIR
from fleet.lab.__main__ import write_whole
from tests.fleet.lab.hub import Hub

WAIT_SECONDS = 60


def awaited(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("in vain")


def refuses(host: dict[str, Any]) -> bool:
    try:
        socket.create_connection((host["address"], host["port"]), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "fleet.lab", "simulated", str(tmp_path / "lab")]
    process = subprocess.Popen(argv, cwd=BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_its_hosts_are_and_ends_when_told(
    lab: subprocess.Popen[str], tmp_path: Path, ending: signal.Signals
) -> None:
    told = tmp_path / "lab" / "hosts.json"
    awaited(told.exists)
    said = json.loads(told.read_text())
    assert set(said) == {"client_key", "hosts", "images", "crashes_per_dyno_hour"}
    assert {"name", "address", "port", "user", "host_key", "attributes", "memory_mb", "slots"} <= set(said["hosts"][0])
    assert [path.stat().st_mode & 0o077 for path in (told, Path(said["client_key"]), tmp_path / "lab")] == [0, 0, 0]
    assert {host["address"] for host in said["hosts"]} == {"127.0.0.1"}
    assert not any(refuses(host) for host in said["hosts"])
    lab.send_signal(ending)
    printed, _ = lab.communicate(timeout=WAIT_SECONDS)
    assert (lab.returncode, printed) == (0, "")
    assert all(refuses(host) for host in said["hosts"])


def test_the_story_is_told_once_its_settings_are_there(lab: subprocess.Popen[str], tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    awaited((folder / "hosts.json").exists)
    images = json.loads((folder / "hosts.json").read_text())["images"]
    with Hub(open_for=2) as hub:
        script = {"tale": "t1", "stack": "cedar-14", "quiet_seconds": 0, "seconds_between_hosts": 0}
        faultline = vars(hub.faultline())
        write_whole(folder / "story.json", {"faultline": faultline, "script": {**script, **images_of(images)}})
        awaited((folder / "told.json").exists)
    assert hub.events[0][0] == "deploy.started"
    assert json.loads((folder / "told.json").read_text()) == {}
    lab.send_signal(signal.SIGTERM)
    printed, _ = lab.communicate(timeout=WAIT_SECONDS)
    assert lab.returncode == 0
    assert "the upgrade is aborted" in printed


def images_of(images: dict[str, str]) -> dict[str, str]:
    return {name: images[name] for name in ("original", "upgrade")}


def test_a_story_that_cannot_be_told_ends_the_lab_with_an_error(lab: subprocess.Popen[str], tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    awaited((folder / "hosts.json").exists)
    said = json.loads((folder / "hosts.json").read_text())
    write_whole(folder / "story.json", {"faultline": {"url": "http://127.0.0.1:9"}, "script": {}})
    printed, _ = lab.communicate(timeout=WAIT_SECONDS)
    assert lab.returncode != 0
    assert "missing 3 required positional arguments" in printed
    assert all(refuses(host) for host in said["hosts"])


def test_a_lab_that_there_is_not_is_refused(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "fleet.lab", "imagined", str(tmp_path / "lab")]
    done = subprocess.run(argv, cwd=BASE_DIR, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "invalid choice: 'imagined'" in done.stderr
    assert not (tmp_path / "lab").exists()


def test_what_is_written_is_seen_whole_or_not_at_all_and_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "told.json"
    write_whole(path, {"a": 1})
    write_whole(path, {"a": [2, 3]})
    assert json.loads(path.read_text()) == {"a": [2, 3]}
    assert path.stat().st_mode & 0o077 == 0
    assert [one.name for one in tmp_path.iterdir()] == ["told.json"]
