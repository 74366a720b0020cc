"""Gives every test run an own PostgreSQL before Django reads its settings, and a broker to those who ask for one.

A given DATABASE_URL or BROKER_URL is used instead. Any number of runs can go on at the same time.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from config import embedded
from config.embedded.kept import Kept

PREFIX = "faultline-tests-"


class Run:
    """The folder and the programs of this test run."""

    def __init__(self) -> None:
        sweep()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._held = hold(self.folder)
        self.kept = Kept(self.folder / "embedded")
        self.supervisor = embedded.Supervisor(say=lambda _name, _state: None).__enter__()

    def end(self) -> None:
        """Stop the programs, remove the folder."""
        self.supervisor.stop()
        self.kept.let_go()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._held:
            self._held.close()


run: Run | None = None


def hold(folder: Path) -> IO[str] | None:
    """Lock a folder for as long as this process lives, or None if somebody else holds it."""
    file = (folder / "held").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def sweep() -> None:
    """Remove the folders of runs that were killed; their programs ended with them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if (folder / "held").exists() and (held := hold(folder)):
                shutil.rmtree(folder, ignore_errors=True)
                held.close()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(args: list[str]) -> Iterator[None]:
    """Before pytest-django sets Django up: wrappers go first."""
    global run  # noqa: PLW0603  hooks have no other place to keep it
    if not {"--help", "-h", "--version", "-V"} & set(args):
        run = Run()
        os.environ["FAULTLINE_VAR"] = str(run.folder)
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
        os.environ.setdefault("BROKER_URL", "memory://")
        os.environ.setdefault("CHART_CACHE_SECONDS", "0")
        if not embedded.given("DATABASE_URL"):
            os.environ["DATABASE_URL"] = embedded.start_database(
                run.folder, kept=run.kept, supervisor=run.supervisor, fast=True
            )
    return (yield)


def pytest_unconfigure() -> None:
    """At the end of the run."""
    if run:
        run.end()


@pytest.fixture(scope="session")
def broker_url() -> str:
    """The address of a real broker, the given one or a Valkey started for this run."""
    given = embedded.given("BROKER_URL")
    if given and given != "memory://":
        return given
    if run is None:
        pytest.skip("needs the run's own programs")
    return embedded.start_broker(run.folder, kept=run.kept, supervisor=run.supervisor)
