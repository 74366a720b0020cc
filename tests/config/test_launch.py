"""`make run` without make: everything comes up, comes back, and ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import pytest

from config.celery import app
from config.embedded.orphans import children_of, is_zombie
from config.embedded.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = [pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"), pytest.mark.timeout(300)]


class Launched:
    """A running Faultline and what it prints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        given = {"FAULTLINE_VAR": str(folder), "PORT": str(self.port), "SSH_KEY_FILE": str(folder / "key")}
        left_out = {"DATABASE_URL", "BROKER_URL", "SECRET_KEY"}
        environment = {name: value for name, value in os.environ.items() if name not in left_out} | given
        self.printed = (folder / "printed").open("w+")
        argv = [sys.executable, "-m", "config.launch"]
        self.process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=self.printed, stderr=self.printed)

    def says(self, words: str) -> bool:
        return words in (self.folder / "printed").read_text()

    def children(self) -> dict[int, str]:
        """The command line of each of its processes."""
        found = {}
        for pid in children_of(self.process.pid):
            if not is_zombie(pid):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def one(self, words: str) -> int:
        return next(pid for pid, command in self.children().items() if words in command)


def eventually(condition: Callable[[], bool], seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not come about"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    running = Launched(tmp_path_factory.mktemp("launched"))
    try:
        eventually(lambda: running.says("It is shown this once") or running.process.poll() is not None)
        assert running.process.poll() is None, (running.folder / "printed").read_text()
        yield running
    finally:
        running.process.terminate()
        running.process.wait(30)
        running.printed.close()


def status_of(url: str) -> int:
    try:
        with urlopen(url, timeout=60) as answer:  # noqa: S310  our own address
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.mark.timeout(180)
def test_it_serves(launched: Launched) -> None:
    assert status_of(f"http://127.0.0.1:{launched.port}/healthz") == 200
    assert status_of(f"http://127.0.0.1:{launched.port}/readyz") == 200


def test_the_first_account_is_made_and_can_sign_in(launched: Launched) -> None:
    password = (launched.folder / "printed").read_text().partition("Sign in as admin with ")[2].split()[0]
    site, jar = f"http://127.0.0.1:{launched.port}", CookieJar()
    browser = build_opener(HTTPCookieProcessor(jar))
    browser.open(f"{site}/sign-in", timeout=20)
    token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
    form = {"username": "admin", "password": password, "csrfmiddlewaretoken": token}
    answer = browser.open(f"{site}/sign-in", urlencode(form).encode(), timeout=20)
    assert answer.url == f"{site}/"
    assert answer.status == 200


def test_only_the_acting_worker_knows_the_key(launched: Launched) -> None:
    knowing = [
        command
        for pid, command in launched.children().items()
        if b"SSH_KEY_FILE=" in Path(f"/proc/{pid}/environ").read_bytes()
    ]
    assert len(knowing) == 1
    assert "--queues acting" in knowing[0]


def test_a_killed_worker_comes_back(launched: Launched) -> None:
    killed = launched.one("--queues default")
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: launched.says("died (exit -9)"))
    eventually(lambda: (launched.folder / "printed").read_text().rstrip().endswith("ready"))
    assert launched.one("--queues default") != killed


def test_a_taken_port_is_said_with_what_to_do(launched: Launched, tmp_path: Path) -> None:
    environment = os.environ | {"FAULTLINE_VAR": str(tmp_path), "PORT": str(launched.port)}
    argv = [sys.executable, "-m", "config.launch"]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"Port {launched.port} is taken" in done.stderr
    assert f"PORT={launched.port + 1}" in done.stderr


def test_ctrl_c_leaves_nothing(launched: Launched) -> None:
    """Comes last: it ends what the others share."""
    processes = launched.children()
    launched.process.send_signal(signal.SIGINT)
    assert launched.process.wait(30) == 0
    assert len(processes) == 6
    assert all(is_zombie(pid) or not Path(f"/proc/{pid}").exists() for pid in processes)
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", launched.port)) != 0


def test_every_beat_entry_names_a_task_on_a_queue_that_somebody_serves() -> None:
    app.loader.import_default_modules()
    queues = {queue.name for queue in app.conf.task_queues}
    for name, entry in app.conf.beat_schedule.items():
        assert entry["task"] in app.tasks, name
        assert app.amqp.router.route({}, entry["task"])["queue"].name in queues


def test_a_message_outlives_the_worker_that_held_it() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.accept_content == ["json"]
    assert app.conf.broker_transport_options["unacked_restore_interval"] == 5
