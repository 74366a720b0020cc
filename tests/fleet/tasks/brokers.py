"""A RabbitMQ and a Redis of the system, on loopback, in folders of their own; each can be stopped and started again."""

import os
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

from config.embedded.ports import free_port

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
PATIENCE_SECONDS = 90
PASSWORD = "only-here"


def missing(name: str) -> str:
    """Why a broker cannot run here; empty where it can."""
    is_there = RABBITMQ.exists() and shutil.which("epmd") if name == "rabbitmq" else shutil.which("redis-server")
    return "" if is_there else f"needs {name}-server: as root on Debian, apt-get install {name}-server"


class Broker(ABC):
    """One server and what it needs beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = ""
        self.processes: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def argvs(self) -> list[list[str]]:
        """The programs to run, the server last."""

    def environment(self) -> dict[str, str]:
        """What they need of the environment, and nothing of the caller's settings."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)}

    def start(self) -> None:
        """Starts it and waits until it answers."""
        with (self.folder / "printed").open("ab") as printed:
            self.processes = [
                subprocess.Popen(argv, env=self.environment(), stdout=printed, stderr=printed, cwd=self.folder)
                for argv in self.argvs()
            ]
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert self.processes[-1].poll() is None, (self.folder / "printed").read_text()[-2000:]
            assert time.monotonic() < until, "the broker did not come up"
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends it; what it has written stays."""
        for process in reversed(self.processes):
            process.terminate()
            process.wait(60)
        self.processes = []

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class Redis(Broker):
    """A Redis that writes down what it is given."""

    def argvs(self) -> list[list[str]]:
        self.url = f"redis://127.0.0.1:{self.port}/0"
        kept = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir", str(self.folder)]
        return [["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), *kept]]


class RabbitMq(Broker):
    """A RabbitMQ with a node, a cookie and a name service of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.name_port, self.node_port = free_port(), free_port()
        login = f"default_user = faultline\ndefault_pass = {PASSWORD}\n"
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n{login}")
        (folder / "plugins").write_text("[].")

    def argvs(self) -> list[list[str]]:
        self.url = f"amqp://faultline:{PASSWORD}@127.0.0.1:{self.port}//"
        return [["epmd", "-address", "127.0.0.1", "-port", str(self.name_port)], [str(RABBITMQ)]]

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.name_port),
            "RABBITMQ_NODENAME": f"faultline-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.node_port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
        }


BROKERS = {"rabbitmq": RabbitMq, "redis": Redis}
