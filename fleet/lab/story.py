"""The story of the overwritten image: an upgrade is begun and aborted, the original is deployed again everywhere.

Only what operators did is written here. Whether and where dynos crash follows from what became of the images.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fleet.lab.base import Lab, LabHost
from fleet.lab.deployer import Deployer, Rollout
from fleet.lab.faultline import Faultline

BUGGY_TOOLS = "2.0"
FRESH = "fresh"


@dataclass(frozen=True)
class Script:
    """The names and the pace of one telling. `tale` makes the deploys' keys its own."""

    tale: str
    stack: str
    original: str
    upgrade: str
    quiet_seconds: float = 10.0
    seconds_between_hosts: float = 0.5


async def play(lab: Lab, faultline: Faultline, script: Script, say: Callable[[str], None]) -> dict[str, str]:
    """Tells the story once; gives the outcomes that the redeploy reported by host."""
    deployer = Deployer(lab, faultline, say)
    say(f"a quiet fleet for {script.quiet_seconds:g} s")
    await asyncio.sleep(script.quiet_seconds)
    hosts = deployed_hosts(lab.hosts)
    await deployer.roll(_rollout(script, "upgrade", script.upgrade), _first_two(lab.hosts), aborted=True)
    say("the upgrade is aborted; the standard procedure deploys the original version to every host")
    outcomes = await deployer.roll(_rollout(script, "redeploy", script.original), [host.name for host in hosts])
    for host in outcomes:
        await lab.drop_caches(host)
    return outcomes


def deployed_hosts(hosts: Sequence[LabHost]) -> list[LabHost]:
    """Hosts that the deploy tool knows of; fresh ones came after its list was made."""
    return [host for host in hosts if host.attributes.get("provisioned") != FRESH]


def _first_two(hosts: Sequence[LabHost]) -> list[str]:
    """An upgrade begins on two hosts built with the new tools."""
    return [host.name for host in deployed_hosts(hosts) if host.attributes.get("tools") == BUGGY_TOOLS][:2]


def _rollout(script: Script, kind: str, image: str) -> Rollout:
    return Rollout(
        key=f"{script.tale}-{kind}",
        kind=kind,
        stack=script.stack,
        image=image,
        tools=BUGGY_TOOLS,
        seconds_between_hosts=script.seconds_between_hosts,
    )
