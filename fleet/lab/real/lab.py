"""A fleet of real hosts on one Linux machine, everything of it under one folder and gone when it stops."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.hostkit.linux import set_immutable
from fleet.lab.base import LabHost
from fleet.lab.real import network
from fleet.lab.real.command import run
from fleet.lab.real.host import RealHost
from fleet.lab.real.images import Registry, StackVersion, build_registry
from fleet.lab.real.needs import missing

PLAIN_EXIT_SHARE = 0.25
VERSIONS = [
    StackVersion("cedar-14", "2016-11-30", "ext4"),
    StackVersion("cedar-14", "2016-12-07", "ext4"),
    StackVersion("birch-16", "2016-11-30", "squashfs"),
]


@dataclass(frozen=True)
class Size:
    """How many hosts of each kind, and what runs on them."""

    old_hosts: int = 4
    new_hosts: int = 6
    fresh_hosts: int = 2
    dynos_a_host: int = 10
    apps: int = 20
    dyno_memory_mb: int = 16
    slots: int = 16
    fresh_slots: int = 24

    @property
    def hosts(self) -> int:
        """All of them."""
        return self.old_hosts + self.new_hosts + self.fresh_hosts


class RealLab:
    """Network namespaces with an OpenSSH server each, loop-mounted images, dynos as processes. Needs root."""

    def __init__(
        self, folder: Path, *, size: Size | None = None, crashes_per_dyno_hour: float = 0.4, pause_ms: int = 3000
    ) -> None:
        self.folder, self.size = folder.resolve(), size or Size()
        self.crashes_per_dyno_hour, self.pause_ms = crashes_per_dyno_hour, pause_ms
        self.client_key = self.folder / "client_key"
        self.hosts: list[LabHost] = []
        self.images: dict[str, str] = {}
        self.real_hosts: dict[str, RealHost] = {}
        self._registry: Registry | None = None

    async def start(self) -> None:
        """Clear what an earlier lab of this folder left, then build, wire, boot and fill the hosts."""
        if lacking := missing():
            raise RuntimeError(" ".join(lacking))
        try:
            await asyncio.to_thread(self._start)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(self._clear))
            raise

    async def stop(self) -> None:
        """End every process, namespace, mount and loop device of the lab; images built stay for the next start."""
        await asyncio.to_thread(self._clear)

    async def install(self, host_name: str, *, stack: str, image: str, tools: str) -> str:
        """What the installer of version `tools` does on that host."""
        host = self.real_hosts[host_name]
        return await asyncio.to_thread(host.install, self.registry, stack=stack, image=image, tools=tools)

    async def drop_caches(self, host_name: str) -> None:
        """Have that host's images read again."""
        await asyncio.to_thread(self.real_hosts[host_name].forget_pages)

    @property
    def registry(self) -> Registry:
        """Where images come from; there once the lab has started."""
        if self._registry is None:
            raise RuntimeError("the lab has not started")
        return self._registry

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._clear()
        self._registry, names = build_registry(self.folder, VERSIONS)
        self.images = {"original": names[0], "upgrade": names[1]}
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(self.client_key)])
        wiring = network.plan_network(self.folder)
        network.set_up(wiring, self.size.hosts)
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.real_hosts = {host.name: host for host in self._planned(wiring)}
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda host: self._boot(host, names[2]), self.real_hosts.values()))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._fill, self.real_hosts.values(), self._shares(names[2])))
        self.hosts = [host.as_lab_host() for host in self.real_hosts.values()]

    def _planned(self, wiring: network.Network) -> Iterator[RealHost]:
        size = self.size
        kinds = [("1.9", "autumn")] * size.old_hosts + [("2.0", "winter")] * size.new_hosts
        kinds += [("2.0", "fresh")] * size.fresh_hosts
        for number, (tools, provisioned) in enumerate(kinds, start=1):
            name = f"host-{number:02d}"
            attributes = {"tools": tools, "zone": "abc"[number % 3], "provisioned": provisioned}
            slots = size.fresh_slots if provisioned == "fresh" else size.slots
            yield RealHost(
                name=name,
                folder=self.folder / "hosts" / name,
                namespace=wiring.host(number),
                address=wiring.address(number),
                attributes=attributes,
                memory_mb=slots * size.dyno_memory_mb * 2,
                slots=slots,
            )

    def _boot(self, host: RealHost, other_image: str) -> None:
        public = self.client_key.with_suffix(".pub").read_text().strip()
        host.folder.mkdir(parents=True)
        host.prepare(client_key=public, program=self.registry.program, environment=self._dyno_environment())
        tools = host.attributes["tools"]
        host.install(self.registry, stack="cedar-14", image=self.images["original"], tools=tools)
        host.install(self.registry, stack="birch-16", image=other_image, tools=tools)
        host.start_server()
        host.wait_until_ready()

    def _dyno_environment(self) -> dict[str, str]:
        works_an_hour = 3600_000 / self.pause_ms
        share = self.crashes_per_dyno_hour / works_an_hour / (1 - PLAIN_EXIT_SHARE)
        return {"PAUSE_MS": str(self.pause_ms), "BOOT_MS": "500", "FAULT_PER_MILLION": str(round(share * 1e6))}

    def _shares(self, other_image: str) -> list[list[dict[str, Any]]]:
        """The dynos of each host: apps spread over hosts, every fifth on the other stack; fresh hosts have none."""
        filled = self.size.old_hosts + self.size.new_hosts
        shares: list[list[dict[str, Any]]] = [[] for _ in range(self.size.hosts)]
        for number in range(filled * self.size.dynos_a_host):
            host, place = number % filled, number // filled
            app = (3 * host + place) % self.size.apps + 1
            other = app % 5 == 0
            shares[host].append(
                {
                    "dyno": f"web.{1000 + number}",
                    "app": f"app-{app:02d}",
                    "stack": "birch-16" if other else "cedar-14",
                    "image": other_image if other else self.images["original"],
                    "memory_mb": self.size.dyno_memory_mb,
                }
            )
        return shares

    @staticmethod
    def _fill(host: RealHost, dynos: list[dict[str, Any]]) -> None:
        if not dynos:
            return
        host.ask([_request("start", dyno["dyno"], dyno=dyno, commit_within_seconds=300) for dyno in dynos])
        host.ask([_request("commit", dyno["dyno"], dyno=dyno["dyno"]) for dyno in dynos])
        host.ask([{"verb": "health", "dyno": dyno["dyno"], "wait_seconds": 20} for dyno in dynos])

    def _clear(self) -> None:
        network.tear_down(network.tag_of(self.folder))
        for host in self.real_hosts.values():
            if host.server is not None:
                host.server.wait()
        self.real_hosts, self.hosts = {}, []
        for image in (self.folder / "hosts").glob("*/root/images/*/*"):
            set_immutable(image, False)
        shutil.rmtree(self.folder / "hosts", ignore_errors=True)
        for key in ("client_key", "client_key.pub"):
            with contextlib.suppress(FileNotFoundError):
                (self.folder / key).unlink()


def _request(verb: str, subject: str, **arguments: Any) -> dict[str, Any]:
    return {"verb": verb, "operation": f"lab-{verb}-{subject}", "fence": 0, **arguments}
