"""For callers that are not asynchronous, such as Celery tasks: one event loop, one pool, one piece of work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from fleet.ssh.limits import Limits
from fleet.ssh.pool import Pool

try:
    import uvloop
except ImportError:  # where there is no wheel of it
    new_event_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    new_event_loop = uvloop.new_event_loop

Result = TypeVar("Result")


def run_with_pool(
    work: Callable[[Pool], Awaitable[Result]],
    *,
    client_keys: Sequence[Path | str],
    limits: Limits | None = None,
    program_digests: Sequence[str] = (),
) -> Result:
    """Run `work(pool)` to its end in a loop of its own; its calls may fan out to any number of hosts."""

    async def with_pool() -> Result:
        async with Pool(client_keys=client_keys, limits=limits, program_digests=program_digests) as pool:
            return await work(pool)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(with_pool())
