"""A lab's network: a namespace with a switch, one namespace a host, one address for us. All named by its folder."""

import contextlib
import hashlib
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from fleet.lab.real.command import CommandFailed, run

HERE_LAST_BYTE = 254
END_SECONDS = 10.0


@dataclass(frozen=True)
class Network:
    """Names and addresses that no other folder's lab has."""

    tag: str
    prefix: str

    @property
    def switch(self) -> str:
        """The namespace that holds the bridge; also this machine's own interface into it."""
        return f"fl{self.tag}"

    def host(self, number: int) -> str:
        """A host's namespace."""
        return f"fl{self.tag}-h{number:02d}"

    def address(self, number: int) -> str:
        """A host's address."""
        return f"{self.prefix}.{number}"


def tag_of(folder: Path) -> str:
    """What all names of the lab in this folder begin with."""
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:6]


def plan_network(folder: Path) -> Network:
    """A private range for the folder, another than any this machine has a route to."""
    tag = tag_of(folder)
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]) or b"[]")
    taken = {str(route.get("dst", "")).rpartition(".")[0] for route in routes}
    start = int(tag, 16)
    for step in range(4096):
        number = (start + step * 257) % (96 * 256)
        prefix = f"10.{128 + number // 256}.{number % 256}"
        if prefix not in taken:
            return Network(tag, prefix)
    raise CommandFailed("no private address range is free on this machine")


def set_up(network: Network, hosts: int) -> None:
    """Make the switch and a namespace for each host, numbered from 1."""
    switch = network.switch
    run(["ip", "netns", "add", switch])
    run(["ip", "link", "add", switch, "type", "veth", "peer", "name", "outside", "netns", switch])
    run(["ip", "address", "add", f"{network.prefix}.{HERE_LAST_BYTE}/24", "dev", switch])
    run(["ip", "link", "set", switch, "up"])
    inside = [
        "link add bridge0 type bridge",
        "link set bridge0 up",
        "link set outside master bridge0",
        "link set outside up",
    ]
    for number in range(1, hosts + 1):
        run(["ip", "netns", "add", network.host(number)])
        inside.append(f"link add port{number} type veth peer name eth0 netns {network.host(number)}")
        inside.append(f"link set port{number} master bridge0")
        inside.append(f"link set port{number} up")
    _batch(switch, inside)
    for number in range(1, hosts + 1):
        address = f"address add {network.address(number)}/24 dev eth0"
        _batch(network.host(number), [address, "link set eth0 up", "link set lo up"])


def tear_down(tag: str) -> None:
    """End every process of the lab and take its namespaces away; mounts and loop devices go with their last process."""
    names = _namespaces(tag)
    until = time.monotonic() + END_SECONDS
    while living := [pid for name in names for pid in _pids(name)]:
        if time.monotonic() > until:
            raise CommandFailed(f"processes of the lab do not end: {living}")
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    for name in names:
        run(["ip", "netns", "delete", name])
    if Path(f"/sys/class/net/fl{tag}").exists():
        with contextlib.suppress(CommandFailed):  # it may just be going with its other end
            run(["ip", "link", "delete", f"fl{tag}"])


def _namespaces(tag: str) -> list[str]:
    folder = Path("/run/netns")
    found = sorted(path.name for path in folder.glob(f"fl{tag}*")) if folder.is_dir() else []
    return [name for name in found if name == f"fl{tag}" or name.startswith(f"fl{tag}-h")]


def _pids(name: str) -> list[int]:
    return [int(word) for word in run(["ip", "netns", "pids", name]).split()]


def _batch(namespace: str, lines: list[str]) -> None:
    run(["ip", "-n", namespace, "-batch", "-"], feed="\n".join(lines).encode() + b"\n")
