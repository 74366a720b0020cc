"""One simulated host: its machine, its key, its listener, and what can be done to them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import asyncssh

from fleet.hostkit.dynohost import MemoryStore, Program
from fleet.lab.base import LabHost
from fleet.lab.simulated.machine import SimulatedMachine
from fleet.lab.simulated.server import Door, HostSession

ADDRESS, USER = "127.0.0.1", "dynohost"
SERVER = {
    "config": None,
    "encoding": None,
    "gss_host": None,
    "x509_trusted_certs": None,
    "password_auth": False,
    "kbdint_auth": False,
    "host_based_auth": False,
    "allow_pty": False,
    "agent_forwarding": False,
    "allow_scp": False,
    "line_editor": False,
    "compression_algs": None,
    "login_timeout": 60,
}


@dataclass
class SimulatedHost:
    """Listens on a port of the loopback that stays its own for as long as it lives."""

    machine: SimulatedMachine
    authorized: asyncssh.SSHAuthorizedKeys
    key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    port: int = 0
    _acceptor: asyncssh.SSHAcceptor | None = None
    _deaf: asyncio.Server | None = None
    _doors: set[asyncssh.SSHServerConnection] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.program = Program(self.machine, MemoryStore())

    @property
    def lab_host(self) -> LabHost:
        """How it is enrolled."""
        machine = self.machine
        return LabHost(
            name=machine.name,
            address=ADDRESS,
            port=self.port,
            user=USER,
            host_key=self.key.export_public_key().decode().strip(),
            attributes=machine.attributes,
            memory_mb=machine.memory_mb,
            slots=machine.slots,
        )

    async def listen(self) -> None:
        """Take callers."""
        self._acceptor = await asyncssh.listen(
            ADDRESS,
            self.port,
            server_host_keys=[self.key],
            authorized_client_keys=self.authorized,
            server_factory=lambda: Door(self._doors, lambda: HostSession(self.program, self.machine)),
            **SERVER,
        )
        self.port = self._acceptor.get_port()

    async def refuse(self) -> None:
        """Take no callers and send away those that are here; `listen` ends it."""
        for server in (self._acceptor, self._deaf):
            if server is not None:
                server.close()
        self._acceptor = self._deaf = None
        for connection in list(self._doors):
            connection.abort()
        await asyncio.sleep(0)

    async def hang(self) -> None:
        """Take callers and never say a word; `refuse`, then `listen`, ends it."""
        await self.refuse()
        self._deaf = await asyncio.start_server(_ignore, ADDRESS, self.port)

    async def change_key(self) -> None:
        """Show another key from now on."""
        await self.refuse()
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        await self.listen()


async def _ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        logging.getLogger(__name__).debug("a caller of a silent host went away")
    finally:
        writer.close()
