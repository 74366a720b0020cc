"""PostgreSQL and Valkey of one's own, under a folder, for demo, development and tests.

    with Supervisor() as supervisor:
        parts = embedded.start(var_dir, supervisor=supervisor)
        parts.environment()     # os.environ with DATABASE_URL and BROKER_URL

DATABASE_URL and BROKER_URL, where given, are used instead. Two folders never clash: each chooses free ports and
remembers them. Everything is tied to the supervisor and ends with it; see supervisor.py.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.embedded.kept import Kept, Place
from config.embedded.ports import is_free
from config.embedded.postgres import Postgres
from config.embedded.program import Program, StartError
from config.embedded.supervisor import Supervisor
from config.embedded.valkey import Valkey

__all__ = ["Parts", "Program", "StartError", "Supervisor", "start", "start_broker", "start_database"]

TRIES = 3


@dataclass(frozen=True)
class Parts:
    """Where the database and the broker are."""

    database_url: str
    broker_url: str
    kept: Kept

    def environment(self) -> dict[str, str]:
        """This process's environment, pointed to the parts."""
        return {**os.environ, "DATABASE_URL": self.database_url, "BROKER_URL": self.broker_url}


def start(var_dir: Path, *, supervisor: Supervisor, fast: bool = False) -> Parts:
    """Start what is not given by the environment, and return where everything is."""
    kept = Kept(var_dir / "embedded")
    database_url = given("DATABASE_URL") or start_database(var_dir, kept=kept, supervisor=supervisor, fast=fast)
    broker_url = given("BROKER_URL") or start_broker(var_dir, kept=kept, supervisor=supervisor)
    return Parts(database_url, broker_url, kept)


def given(name: str) -> str | None:
    """What the environment says, by itself or through NAME_FILE."""
    file = os.environ.get(f"{name}_FILE")
    return Path(file).read_text().strip() if file else os.environ.get(name)


def start_database(var_dir: Path, *, kept: Kept, supervisor: Supervisor, fast: bool = False) -> str:
    """Start PostgreSQL and return its address."""

    def at(place: Place) -> Postgres:
        return Postgres(folder=var_dir / "embedded" / "postgres", port=place.port, password=place.password, fast=fast)

    return _start("postgres", at, kept=kept, supervisor=supervisor)


def start_broker(var_dir: Path, *, kept: Kept, supervisor: Supervisor) -> str:
    """Start Valkey and return its address."""

    def at(place: Place) -> Valkey:
        return Valkey(folder=var_dir / "embedded" / "valkey", port=place.port, password=place.password)

    return _start("valkey", at, kept=kept, supervisor=supervisor)


def _start(name: str, at: Callable[[Place], Postgres | Valkey], *, kept: Kept, supervisor: Supervisor) -> str:
    """Start a part at its place; where somebody else took the port meanwhile, at another."""
    part = at(kept.place(name))
    for left in reversed(range(TRIES)):
        part.prepare()
        _clear_old(part)
        if not is_free(part.port):
            supervisor.say(name, f"port {part.port} is taken, choosing another")
            part = at(kept.move(name))
            part.prepare()
        try:
            supervisor.spawn(part.program())
        except StartError:
            if not left:
                raise
        else:
            break
    return part.url


def _clear_old(part: Postgres | Valkey) -> None:
    """End what a killed supervisor left, before asking whether the port is free."""
    before = part.program().before
    if before:
        before()
