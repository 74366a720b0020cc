"""Host programs called without a connection between: what becomes of a call can be told for each one."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from fleet.hostkit.dynohost import MemoryStore, Program
from fleet.lab.simulated import IMAGES, STACK, Nature, SimulatedMachine
from fleet.lab.simulated.demo import put_images
from fleet.ssh import CallError, Endpoint, Pool
from fleet.ssh.answers import Request, judge

AT_ONCE = Nature(crashes_per_dyno_hour=0.0, start_least_seconds=0.0, start_most_seconds=0.0)


@dataclass
class Mishap:
    """What happens to the next calls of a verb: `problem` is raised, before or after the host has done its part."""

    verb: str
    problem: CallError
    after: bool
    left: int


@dataclass
class Programs:
    """Stands where the pool of connections does; keeps the names of the operations that were sent."""

    machines: dict[str, SimulatedMachine] = field(default_factory=dict)
    programs: dict[str, Program] = field(default_factory=dict)
    mishaps: list[Mishap] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, *, nature: Nature = AT_ONCE) -> SimulatedMachine:
        """One more host, with the image on it."""
        machine = SimulatedMachine(name, attributes={}, memory_mb=512, slots=8, dice=random.Random(name), nature=nature)
        put_images(machine, [IMAGES["original"]], tools="2.0", at=machine.clock() - 86400)
        self.machines[name], self.programs[name] = machine, Program(machine, MemoryStore())
        return machine

    @contextmanager
    def mishap(self, verb: str, problem: CallError, *, after: bool = False, times: int = 99) -> Iterator[None]:
        """While it lasts, calls of that verb come to this."""
        one = Mishap(verb, problem, after, times)
        self.mishaps.append(one)
        try:
            yield
        finally:
            self.mishaps.remove(one)

    async def call(
        self,
        endpoint: Endpoint,
        *,
        verb: str,
        operation: str | None = None,
        fence: int | None = None,
        deadline_seconds: float,
        arguments: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """One call, as the pool makes it."""
        mishap = next((one for one in self.mishaps if one.verb == verb and one.left > 0), None)
        if mishap:
            mishap.left -= 1
            if not mishap.after:
                raise mishap.problem
        arguments = arguments or {}
        request = Request(verb, operation, fence, arguments)
        self.sent.append((verb, endpoint.name))
        words = {**arguments, "verb": verb, "id": len(self.sent), "deadline_seconds": deadline_seconds}
        words |= {"operation": operation} if operation else {}
        words |= {"fence": fence} if fence is not None else {}
        answer = self.programs[endpoint.name].handle(words)
        if mishap:
            raise mishap.problem
        return judge(request, answer, host=endpoint.name, seconds=0.0).result

    def places(self) -> dict[str, list[str]]:
        """Where each dyno runs, with a star where it is provisional."""
        found: dict[str, list[str]] = {}
        for machine in self.machines.values():
            for dyno in machine.placed.here.values():
                star = "" if dyno.commit_by is None else "*"
                found.setdefault(dyno.name, []).append(f"{machine.name}{star}")
        return found

    def reach(self, work: Callable[[Pool], Awaitable[Any]]) -> Any:
        """Stands where workers reach hosts."""

        async def whole() -> Any:
            return await work(cast("Pool", self))

        return asyncio.run(whole())


__all__ = ["IMAGES", "STACK", "Programs"]
