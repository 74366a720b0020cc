"""Nudges over a real RabbitMQ and a real Redis: workers and brokers die, and the rows see to it that work is done."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone
from kombu import pools

from config.celery import app
from fleet.actions import taint_hosts
from fleet.actor import SYSTEM
from fleet.lifecycle import OperationState
from fleet.models import Host, Operation
from fleet.performing import PENDING_SECONDS
from fleet.tasks.acting import sweep
from tests.fleet.tasks.brokers import BROKERS, Broker, missing

Make = Callable[..., tuple[Any, Any, list[Host]]]
pytestmark = [pytest.mark.skipif(sys.platform != "linux", reason="servers of the system"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=list(BROKERS))
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if reason := missing(request.param):
        pytest.skip(reason)
    broker = BROKERS[request.param](tmp_path_factory.mktemp(request.param))
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def broker(running: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """The same, with this process's nudges going there."""
    for name in ("broker_url", "broker_read_url", "broker_write_url"):
        monkeypatch.setitem(app.conf, name, running.url)
    forget_connections()
    yield running
    monkeypatch.undo()
    forget_connections()


def forget_connections() -> None:
    pools.reset()
    app._pool = app.amqp._producer_pool = None  # type: ignore[attr-defined]


@pytest.fixture
def spawn(broker: Broker, transactional_db: None) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts workers of the acting queue on this test's database."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    with ExitStack() as stack:

        def start(name: str) -> subprocess.Popen[bytes]:
            given = {"DATABASE_URL": url, "BROKER_URL": broker.url, "SSH_KEY_FILE": str(django_settings.SSH_KEY_FILE)}
            argv = [
                sys.executable,
                "-m",
                "celery",
                "--app",
                "config",
                "worker",
                "--pool",
                "threads",
                "--concurrency",
                "2",
            ]
            quiet = ["--queues", "acting", "--without-gossip", "--without-mingle", "--hostname", f"{name}@here"]
            worker = subprocess.Popen([*argv, *quiet], env=os.environ | given, cwd=django_settings.BASE_DIR)
            stack.callback(worker.wait, 30)
            stack.callback(worker.kill)
            return worker

        yield start


def eventually(condition: Callable[[], bool], seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, list(Operation.objects.values_list("name", "state", "attempts", "message"))
        time.sleep(0.1)


def taint(host: Host) -> Operation:
    now = timezone.now()
    return taint_hosts(hosts=[host], reason="bad image", reference="", actor=SYSTEM, now=now)[0]


def state_of(operation: Operation) -> str:
    return str(Operation.objects.values_list("state", flat=True).get(pk=operation.pk))


def is_tainted(lab: Any, host: Host) -> bool:
    return bool(lab.host(host.name).machine.facts({})["tainted"])


def test_what_a_killed_worker_had_begun_another_finishes(
    enrolled_lab: Make, spawn: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    _, lab, (host, *_) = enrolled_lab(sources=1, targets=1, dynos=1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        Host.objects.filter(pk=host.pk).update(port=silent.getsockname()[1])
        first, operation = spawn("first"), taint(host)
        eventually(lambda: state_of(operation) == OperationState.RUNNING)
        first.send_signal(signal.SIGKILL)
        first.wait()
    Host.objects.filter(pk=host.pk).update(port=host.port)
    assert not is_tainted(lab, host)
    spawn("second")
    # Its lease is over later than a test wants to wait.
    Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep()
    eventually(lambda: state_of(operation) == OperationState.SUCCEEDED)
    operation.refresh_from_db()
    assert (operation.attempts, is_tainted(lab, host)) == (2, True)


def test_a_nudge_outlives_the_broker_and_a_lost_one_is_sent_again(
    enrolled_lab: Make, broker: Broker, spawn: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    _, lab, (early, late) = enrolled_lab(sources=1, targets=1, dynos=1)
    kept = taint(early)
    broker.stop()
    begun = time.monotonic()
    lost = taint(late)
    assert time.monotonic() - begun < 20
    assert (state_of(kept), state_of(lost)) == (OperationState.PENDING, OperationState.PENDING)
    broker.start()
    spawn("only")
    eventually(lambda: state_of(kept) == OperationState.SUCCEEDED)
    assert state_of(lost) == OperationState.PENDING
    Operation.objects.filter(pk=lost.pk).update(requested_at=timezone.now() - timedelta(seconds=PENDING_SECONDS + 1))
    sweep()
    eventually(lambda: state_of(lost) == OperationState.SUCCEEDED)
    assert is_tainted(lab, early)
    assert is_tainted(lab, late)
