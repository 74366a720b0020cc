"""The processes that are Faultline: the web, the workers, the worker that acts on hosts, and the clock."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from config.embedded import Program, StartError, Supervisor
from config.embedded.ports import answers, is_free

BASE_DIR = Path(__file__).resolve().parent.parent.parent
CELERY = [sys.executable, "-m", "celery", "--app", "config"]
# Threads: a worker mostly waits for the database or for hosts, and a pool of processes costs 80 MB for each one more.
WORKER = ["worker", "--pool", "threads", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
SSH_KEY_VARIABLE = "SSH_KEY_FILE"
# `migrate` has just run them: once is enough, and each of these processes would load every page for it.
WITHOUT_CHECKS = {"CELERY_SKIP_CHECKS": "1"}


def port_in(environment: Mapping[str, str]) -> int:
    """The web's port. Raises StartError for what is none."""
    text = environment.get("PORT") or "8000"
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 0 < int(text) < 1 << 16):
        raise StartError(f"PORT={text} is no port; it is a number from 1 to 65535.")
    return int(text)


def check_port(port: int) -> None:
    """Say clearly when somebody else listens on the web's port."""
    if not is_free(port):
        raise StartError(
            f"Port {port} is taken by another program. Stop that one, or choose another port with PORT={port + 1}."
        )


def migrate(supervisor: Supervisor, *, environment: Mapping[str, str]) -> None:
    """Bring the database to the newest schema."""
    argv = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
    supervisor.run("migrate", argv, environment=without_key(environment), folder=BASE_DIR)
    supervisor.say("database", "migrated")


def services(
    var_dir: Path, *, port: int, environment: Mapping[str, str], ssh_key_file: Path | None, acting_threads: int = 2
) -> list[Program]:
    """All of Faultline's processes. Only the acting worker learns where the SSH key is."""
    return [
        web(var_dir, port=port, environment=environment),
        *workers(var_dir, environment=environment, ssh_key_file=ssh_key_file, acting_threads=acting_threads),
    ]


def workers(
    var_dir: Path, *, environment: Mapping[str, str], ssh_key_file: Path | None, acting_threads: int = 2
) -> list[Program]:
    """The processes that do what the web leaves to them, and the clock."""
    common = without_key(environment)
    acting = common | ({SSH_KEY_VARIABLE: str(ssh_key_file)} if ssh_key_file else {})
    return [
        worker(var_dir, name="worker", queue="default", threads=4, environment=common),
        worker(var_dir, name="acting", queue="acting", threads=acting_threads, environment=acting),
        beat(var_dir, environment=common),
    ]


def without_key(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of those who must not reach hosts."""
    return {name: value for name, value in environment.items() if name != SSH_KEY_VARIABLE}


def web(var_dir: Path, *, port: int, environment: Mapping[str, str]) -> Program:
    """The web server, on the loopback interface."""
    address = ["--host", "127.0.0.1", "--port", str(port)]
    return Program(
        name="web",
        argv=[
            *(sys.executable, "-m", "uvicorn", "config.asgi:application", *address),
            *("--lifespan", "off", "--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "3"),
        ],
        log=_log(var_dir, "web"),
        before=_new_log(var_dir, "web"),
        environment=without_key(environment),
        folder=BASE_DIR,
        ready=lambda: answers(port),
    )


def worker(var_dir: Path, *, name: str, queue: str, threads: int, environment: Mapping[str, str]) -> Program:
    """A worker of one queue."""
    log = _log(var_dir, name)
    return Program(
        name=name,
        argv=[*CELERY, *WORKER, "--queues", queue, "--hostname", f"{name}@%h", "--concurrency", str(threads)],
        log=log,
        before=_new_log(var_dir, name),
        environment={**environment, **WITHOUT_CHECKS},
        folder=BASE_DIR,
        ready=lambda: _says(log, " ready."),
        stop_seconds=6,
    )


def beat(var_dir: Path, *, environment: Mapping[str, str]) -> Program:
    """The clock that sends the periodic nudges."""
    schedule = var_dir / "beat" / "schedule"
    schedule.parent.mkdir(parents=True, exist_ok=True)
    log = _log(var_dir, "beat")
    return Program(
        name="beat",
        argv=[*CELERY, "beat", "--schedule", str(schedule), "--pidfile", "", "--loglevel", "INFO"],
        log=log,
        before=_new_log(var_dir, "beat"),
        environment={**environment, **WITHOUT_CHECKS},
        folder=BASE_DIR,
        ready=lambda: _says(log, "beat: Starting"),
    )


def _log(var_dir: Path, name: str) -> Path:
    return var_dir / "log" / f"{name}.log"


def _new_log(var_dir: Path, name: str) -> Callable[[], None]:
    """Begins a new log at every start and keeps the one before."""
    log = _log(var_dir, name)

    def begin() -> None:
        if log.exists():
            log.replace(log.with_suffix(".log.1"))

    return begin


def _says(log: Path, words: str) -> bool:
    return log.exists() and words in log.read_text(errors="replace")
