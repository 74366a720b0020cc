"""The lab's deploy tool: rolls a deploy through hosts, tells Faultline of each, asks the gate before it goes on."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleet.lab.base import Lab
from fleet.lab.faultline import Faultline


@dataclass(frozen=True)
class Rollout:
    """One deploy: which image of which stack, as what, by which version of the installer."""

    key: str
    kind: str
    stack: str
    image: str
    tools: str
    seconds_between_hosts: float = 0.5


@dataclass(frozen=True)
class Deployer:
    """Brings images onto hosts of a lab. `say` gets a line for each thing done."""

    lab: Lab
    faultline: Faultline
    say: Callable[[str], None]

    async def roll(self, rollout: Rollout, hosts: Iterable[str], *, aborted: bool = False) -> dict[str, str]:
        """Installs on the hosts one after the other; gives each host's outcome as the installer reported it.

        Stops where the gate is closed. `aborted` says at the end that an operator broke it off.
        """
        await self._announce("deploy.started", self._deploy(rollout))
        outcomes: dict[str, str] = {}
        for host in hosts:
            if not await asyncio.to_thread(self.faultline.gate_is_open, rollout.stack):
                self.say(f"{rollout.key}: the gate of {rollout.stack} is closed, so it stops here")
                break
            outcomes[host] = await self._install(rollout, host)
            await asyncio.sleep(rollout.seconds_between_hosts)
        ending = {"deploy": rollout.key, "at": _now(), "aborted": aborted or len(outcomes) == 0}
        await self._announce("deploy.finished", ending)
        return outcomes

    async def _install(self, rollout: Rollout, host: str) -> str:
        outcome = await self.lab.install(host, stack=rollout.stack, image=rollout.image, tools=rollout.tools)
        self.say(f"{rollout.key} on {host}: {outcome}")
        done = {
            "deploy": rollout.key,
            "host": host,
            "at": _now(),
            "outcome": outcome,
            "tools_version": rollout.tools,
        }
        await self._announce("host_deploy", done)
        return outcome

    async def _announce(self, kind: str, data: dict[str, Any]) -> None:
        await asyncio.to_thread(self.faultline.announce, kind, data)

    @staticmethod
    def _deploy(rollout: Rollout) -> dict[str, Any]:
        return {
            "deploy": rollout.key,
            "at": _now(),
            "target": "stack",
            "kind": rollout.kind,
            "stack": rollout.stack,
            "image": rollout.image,
            "by": "lab deploy tool",
        }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
