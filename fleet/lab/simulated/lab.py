"""A fleet of simulated hosts over real SSH in this process."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterable, Mapping
from pathlib import Path

import asyncssh

from fleet.lab.base import LabHost
from fleet.lab.simulated.host import SimulatedHost
from fleet.lab.simulated.machine import SimulatedMachine
from fleet.lab.simulated.settings import Nature

FILES_PER_HOST = 4  # a listener, both ends of a connection, and one to spare


class SimulatedLab:
    """Any number of hosts; `folder` holds the client key that all of them let in."""

    def __init__(
        self, machines: Iterable[SimulatedMachine], *, folder: Path, images: Mapping[str, str], nature: Nature
    ) -> None:
        self.images, self.nature = images, nature
        self.crashes_per_dyno_hour = nature.crashes_per_dyno_hour
        self.client_key = folder / "client_key"
        key = asyncssh.generate_private_key("ssh-ed25519", comment="lab")
        folder.mkdir(parents=True, exist_ok=True)
        self.client_key.touch(mode=0o600)
        self.client_key.write_bytes(key.export_private_key())
        authorized = asyncssh.import_authorized_keys(key.export_public_key().decode())
        self._hosts = {machine.name: SimulatedHost(machine, authorized) for machine in machines}
        self.hosts: list[LabHost] = []

    def host(self, name: str) -> SimulatedHost:
        """One host, to look into or to harm; `.machine.faults` says what is wrong with it."""
        return self._hosts[name]

    async def start(self) -> None:
        """Every host listens."""
        _allow_files(len(self._hosts) * FILES_PER_HOST + 200)
        await asyncio.gather(*(host.listen() for host in self._hosts.values()))
        self.hosts = [host.lab_host for host in self._hosts.values()]

    async def stop(self) -> None:
        """No host listens, no connection is left."""
        await asyncio.gather(*(host.refuse() for host in self._hosts.values()))

    async def install(self, host_name: str, *, stack: str, image: str, tools: str) -> str:
        """Run the deploy tool's installer of that version there."""
        return self._hosts[host_name].machine.run_installer(stack=stack, image=image, tools=tools)

    async def drop_caches(self, host_name: str) -> None:
        """Make that host read every page again."""
        self._hosts[host_name].machine.drop_caches()


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
