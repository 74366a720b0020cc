"""Asks the hosts themselves which dynos they run, past every row of the database."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from fleet.lab.base import LabHost
from fleet.ssh import Endpoint, Pool

DEADLINE_SECONDS = 15.0
NOT_RUNNING = {"stopped", "absent"}


async def take_census(hosts: Sequence[LabHost], client_key: Path) -> dict[str, list[str]]:
    """The hosts on which each dyno runs. Raises what the SSH layer raises when a host does not say."""
    async with Pool(client_keys=[client_key]) as pool:
        told = await asyncio.gather(*(_dynos_of(pool, host) for host in hosts))
    places: dict[str, list[str]] = defaultdict(list)
    for host, names in zip(hosts, told, strict=True):
        for name in names:
            places[name].append(host.name)
    return places


async def _dynos_of(pool: Pool, host: LabHost) -> list[str]:
    endpoint = Endpoint(host.name, host.address, host.port, host.user, host.host_key)
    answer = await pool.call(endpoint, verb="dynos", deadline_seconds=DEADLINE_SECONDS, arguments={})
    return [dyno["dyno"] for dyno in answer["dynos"] if dyno["state"] not in NOT_RUNNING]
