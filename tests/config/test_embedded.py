"""The embedded parts: side by side, after kill -9, on a taken port, as somebody who is not root."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
import redis

from config import embedded
from config.embedded import Parts, StartError, Supervisor
from config.embedded.orphans import is_zombie
from config.embedded.postgres import SETTINGS

ROOT = Path(__file__).resolve().parent.parent.parent
HOLD = """
import contextlib, sys
from pathlib import Path
from config import embedded
ended = contextlib.suppress(KeyboardInterrupt)  # the signal may come as soon as the line is out
with ended, embedded.Supervisor(say=lambda _name, _state: None, signals=True) as supervisor:
    parts = embedded.start(Path(sys.argv[1]), supervisor=supervisor)
    print(parts.database_url, parts.broker_url, *(child.pid for child in supervisor.children), flush=True)
    supervisor.wait()
"""


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "BROKER_URL"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def running(folder: Path) -> Iterator[tuple[Parts, Supervisor]]:
    with Supervisor(say=lambda _name, _state: None) as supervisor:
        parts = embedded.start(folder, supervisor=supervisor)
        try:
            yield parts, supervisor
        finally:
            supervisor.stop()
            parts.kept.let_go()


def ask(parts: Parts, question: LiteralString) -> Any:
    with psycopg.connect(parts.database_url) as connection:
        row = connection.execute(question).fetchone()
    assert row
    return row[0]


def is_alive(process_id: int) -> bool:
    return Path(f"/proc/{process_id}").exists() and not is_zombie(process_id)


def eventually(condition: Callable[[], bool], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not come about"
        time.sleep(0.05)


def test_two_folders_run_side_by_side_and_remember_their_ports(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first, _ = stack.enter_context(running(tmp_path / "a"))
        second, _ = stack.enter_context(running(tmp_path / "b"))
        assert first.database_url != second.database_url
        with psycopg.connect(first.database_url) as connection:
            connection.execute("CREATE TABLE seen AS SELECT 7 AS it")
        redis.Redis.from_url(first.broker_url).set("seen", "7")
    with running(tmp_path / "a") as (again, _):
        assert (again.database_url, again.broker_url) == (first.database_url, first.broker_url)
        assert ask(again, "SELECT it FROM seen") == 7
        assert redis.Redis.from_url(again.broker_url).get("seen") == b"7"


def test_loopback_scram_checksums_and_closed_files(tmp_path: Path) -> None:
    with running(tmp_path) as (parts, _):
        assert ask(parts, "SHOW listen_addresses") == "127.0.0.1"
        assert ask(parts, "SHOW data_checksums") == "on"
        assert ask(parts, "SHOW unix_socket_directories") == SETTINGS["unix_socket_directories"]
        assert str(ask(parts, "SELECT rolpassword FROM pg_authid WHERE rolcanlogin")).startswith("SCRAM-SHA-256$")
        wrong = parts.database_url.replace("faultline:", "faultline:x", 1)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url("redis://" + parts.broker_url.split("@")[1]).ping()
    for secret in (tmp_path / "embedded" / "embedded.json", tmp_path / "embedded" / "valkey" / "valkey.conf"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_a_killed_database_comes_back_with_what_was_committed(tmp_path: Path) -> None:
    with running(tmp_path) as (parts, supervisor):
        with psycopg.connect(parts.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS it")
        database = supervisor.children[0]
        killed = database.pid
        assert killed
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: database.pid not in {None, killed} and database.state == "ready")
        assert ask(parts, "SELECT it FROM kept") == 1


def start_holder(folder: Path) -> tuple[subprocess.Popen[str], list[str]]:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert holder.stdout
    return holder, holder.stdout.readline().split()


def test_a_killed_supervisor_takes_everything_with_it_and_starts_again(tmp_path: Path) -> None:
    holder, (database_url, _broker_url, *pids) = start_holder(tmp_path)
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS it")
    holder.kill()
    holder.wait()
    with running(tmp_path) as (parts, _):
        assert parts.database_url == database_url
        assert ask(parts, "SELECT it FROM kept") == 1
        assert not any(is_alive(int(pid)) for pid in pids)


def test_everything_killed_at_once_starts_again(tmp_path: Path) -> None:
    holder, (_database_url, _broker_url, *pids) = start_holder(tmp_path)
    for pid in (holder.pid, *map(int, pids)):
        os.kill(pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "embedded/postgres/data/postmaster.pid").exists()
    with running(tmp_path) as (parts, _):
        assert ask(parts, "SELECT 1") == 1


def test_sigterm_ends_everything(tmp_path: Path) -> None:
    holder, (_database_url, _broker_url, *pids) = start_holder(tmp_path)
    holder.terminate()
    assert holder.wait(20) == 0
    assert not any(is_alive(int(pid)) for pid in pids)
    assert not (tmp_path / "embedded/postgres/data/postmaster.pid").exists()


def test_a_second_start_in_the_same_folder_says_who_is_there(tmp_path: Path) -> None:
    with (
        running(tmp_path),
        pytest.raises(StartError, match=rf"already runs from .*process {os.getpid()}.*FAULTLINE_VAR"),
    ):
        embedded.start(tmp_path, supervisor=Supervisor())


def test_a_taken_port_is_left_to_its_owner(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    port = json.loads((tmp_path / "embedded/embedded.json").read_text())["postgres"]["port"]
    with socket.create_server(("127.0.0.1", port)), running(tmp_path) as (parts, _):
        assert f":{port}/" not in parts.database_url
        assert ask(parts, "SELECT 1") == 1


def test_what_is_given_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("redis://elsewhere/0\n")
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/db")
    monkeypatch.setenv("BROKER_URL_FILE", str(tmp_path / "url"))
    with running(tmp_path) as (parts, supervisor):
        assert (parts.database_url, parts.broker_url) == ("postgres://elsewhere/db", "redis://elsewhere/0")
        assert not supervisor.children


def test_a_database_that_cannot_start_says_its_last_words(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    (tmp_path / "embedded/postgres/data/global/pg_control").unlink()
    with pytest.raises(StartError, match="could not find the database system"), running(tmp_path):
        pass


def test_without_postgres_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.embedded.postgres.find_spec", lambda _name: None)
    monkeypatch.setattr("config.embedded.postgres.SYSTEM_PROGRAMS", tmp_path)
    with pytest.raises(StartError, match="PG_BIN"), running(tmp_path):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("how", ["setpriv", "nobody"])
def test_as_an_ordinary_user_and_where_namespaces_are_not_allowed(how: str) -> None:
    """`setpriv`: all of it as nobody. `nobody`: supervised by root, PostgreSQL itself as nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = HOLD
        argv = [sys.executable, "-c"]
        if how == "setpriv":
            os.chown(folder, 65534, 65534)
            argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *pass_folders(), "--", *argv]
        else:
            script = "import config.embedded.postgres as p; p.identity = lambda: 'nobody'" + HOLD
            folder.chmod(0o755)
        holder = subprocess.Popen([*argv, script, str(folder / "var")], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert holder.stdout
        database_url, _broker_url, database, _broker = holder.stdout.readline().split()
        with psycopg.connect(database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert Path(f"/proc/{database}").stat().st_uid == 65534
        holder.terminate()
        assert holder.wait(20) == 0


def pass_folders() -> list[str]:
    """So that the test also works from a checkout that only root can read."""
    return ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]


def test_a_command_on_a_throw_away_database_hands_back_its_status() -> None:
    code = (
        "import os, psycopg; psycopg.connect(os.environ['DATABASE_URL']); print(os.environ['FAULTLINE_VAR']); exit(3)"
    )
    argv = [sys.executable, "-m", "config.embedded", "-c", code]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert not Path(done.stdout.strip()).exists()
