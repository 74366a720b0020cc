"""What is started, with what environment, and when it counts as ready; nothing of it runs here."""

import os
import signal
import socket
from pathlib import Path

import pytest

from config.embedded import Program, StartError
from config.launch.services import check_port, port_in, services, without_key

ENVIRONMENT = {"DATABASE_URL": "postgres://x", "SSH_KEY_FILE": "/an/earlier/key"}


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, Program]:
    key = tmp_path / "key"
    return {one.name: one for one in services(tmp_path, port=8123, environment=ENVIRONMENT, ssh_key_file=key)}


def test_only_the_worker_that_acts_learns_where_the_key_is(programs: dict[str, Program], tmp_path: Path) -> None:
    keys = {name: (program.environment or {}).get("SSH_KEY_FILE") for name, program in programs.items()}
    assert keys == {"web": None, "worker": None, "beat": None, "acting": str(tmp_path / "key")}
    assert all((program.environment or {})["DATABASE_URL"] == "postgres://x" for program in programs.values())
    assert without_key(ENVIRONMENT) == {"DATABASE_URL": "postgres://x"}
    assert ENVIRONMENT["SSH_KEY_FILE"]  # what was given stays as it is


def test_without_a_key_nobody_has_one(tmp_path: Path) -> None:
    for program in services(tmp_path, port=8123, environment=ENVIRONMENT, ssh_key_file=None):
        assert "SSH_KEY_FILE" not in (program.environment or {})


def test_each_queue_has_its_worker_and_the_web_listens_on_the_loopback_alone(programs: dict[str, Program]) -> None:
    queues = {name: programs[name].argv[programs[name].argv.index("--queues") + 1] for name in ("worker", "acting")}
    assert queues == {"worker": "default", "acting": "acting"}
    web = programs["web"].argv
    assert (web[web.index("--host") + 1], web[web.index("--port") + 1]) == ("127.0.0.1", "8123")
    assert all(program.stop_signal == signal.SIGTERM for program in programs.values())


def test_only_those_that_serve_no_pages_skip_the_checks_that_the_migration_made(programs: dict[str, Program]) -> None:
    skipping = {name for name, one in programs.items() if "CELERY_SKIP_CHECKS" in (one.environment or {})}
    assert skipping == {"worker", "acting", "beat"}


def test_a_start_begins_a_log_of_its_own_and_keeps_the_one_before(programs: dict[str, Program]) -> None:
    worker = programs["worker"]
    assert worker.before is not None
    worker.before()
    worker.log.parent.mkdir()
    worker.log.write_text("celery@h ready.\n")
    assert worker.ready()
    worker.before()
    assert not worker.log.exists()
    assert not worker.ready(), "what an earlier one said does not count"
    assert worker.log.with_suffix(".log.1").read_text() == "celery@h ready.\n"


def test_the_web_is_ready_when_somebody_answers(programs: dict[str, Program], tmp_path: Path) -> None:
    assert not programs["web"].ready()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        web = services(tmp_path, port=port, environment={}, ssh_key_file=None)[0]
        assert web.ready()
        with pytest.raises(StartError, match=rf"Port {port} is taken .* PORT={port + 1}"):
            check_port(port)
    check_port(port)


@pytest.mark.parametrize(("text", "port"), [(None, 8000), ("", 8000), ("1", 1), ("65535", 65535), ("08080", 8080)])
def test_the_port_is_the_given_one_or_the_usual_one(text: str | None, port: int) -> None:
    assert port_in({} if text is None else {"PORT": text}) == port


@pytest.mark.parametrize("text", ["eighty", "0", "-1", "65536", "80.0", " ", "8000 ", "²", "9" * 5000])
def test_what_is_no_port_is_said_to_be_none(text: str) -> None:
    with pytest.raises(StartError, match="is no port; it is a number from 1 to 65535"):
        port_in(os.environ | {"PORT": text})
