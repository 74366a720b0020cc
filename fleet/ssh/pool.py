"""Connections to many hosts: one each, opened when first needed, shared by all calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh

from fleet.ssh.answers import Answer, Request
from fleet.ssh.breaker import Breaker
from fleet.ssh.connection import Connection
from fleet.ssh.endpoint import Endpoint
from fleet.ssh.errors import CallError, NotStarted, Rejected, Unknown
from fleet.ssh.keys import load_client_keys
from fleet.ssh.limits import Limits
from fleet.ssh.login import login


class Pool:
    """Calls host programs. Belongs to one event loop; `async with` opens and closes it."""

    def __init__(
        self, *, client_keys: Sequence[Path | str], limits: Limits | None = None, program_digests: Sequence[str] = ()
    ) -> None:
        self.limits = limits or Limits()
        self._digests = frozenset(program_digests)  # where given, each connection checks the host program's digest
        self._key_paths = client_keys
        self._keys: Sequence[asyncssh.SSHKeyPair] = ()
        self._lines: dict[str, _HostLine] = {}
        self._handshakes = asyncio.Semaphore(self.limits.handshakes)
        self._open = False

    async def __aenter__(self) -> Self:
        self._keys = await asyncio.to_thread(load_client_keys, self._key_paths)
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        await asyncio.gather(*(line.close() for line in self._lines.values()))
        self._lines.clear()

    async def call(
        self,
        endpoint: Endpoint,
        *,
        verb: str,
        operation: str | None = None,
        fence: int | None = None,
        deadline_seconds: float = 60.0,
        arguments: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The `result` of one verb on one host, or NotStarted, Unknown or Rejected; never later than the deadline."""
        request = Request(verb, operation, fence, arguments or {})
        return (await self.ask(endpoint, request, deadline_seconds=deadline_seconds)).result

    async def ask(self, endpoint: Endpoint, request: Request, *, deadline_seconds: float = 60.0) -> Answer:
        """Like `call`, with all that is known about the answer."""
        if not self._open:
            raise NotStarted(f"{endpoint.where}: the pool is not open")
        return await self._line(endpoint).ask(request, time.monotonic() + deadline_seconds)

    async def forget(self, name: str) -> None:
        """Close the connection to a host that is no longer needed."""
        if line := self._lines.pop(name, None):
            await line.close()

    def _line(self, endpoint: Endpoint) -> _HostLine:
        line = self._lines.get(endpoint.name)
        if line is None or line.endpoint != endpoint:
            if line is not None:  # the host has moved or was enrolled again
                line.retire()
            line = self._lines[endpoint.name] = _HostLine(
                endpoint, self._keys, self.limits, self._handshakes, self._digests
            )
        return line


class _HostLine:
    """The way to one host: its connection, its breaker, its share of calls."""

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Sequence[asyncssh.SSHKeyPair],
        limits: Limits,
        handshakes: asyncio.Semaphore,
        digests: frozenset[str],
    ) -> None:
        self.endpoint, self.limits = endpoint, limits
        self._keys, self._handshakes, self._digests = keys, handshakes, digests
        self._calls = asyncio.Semaphore(limits.calls_per_host)
        self._breaker = Breaker(limits)
        self._connection: Connection | None = None
        self._opening: asyncio.Task[Connection] | None = None

    async def ask(self, request: Request, deadline_at: float) -> Answer:
        try:
            async with asyncio.timeout(deadline_at - time.monotonic()):
                await self._calls.acquire()
        except TimeoutError:
            raise self._not_sent(request, f"{self.limits.calls_per_host} other calls were before it") from None
        try:
            connection = await self._connected(request, deadline_at)
            return await self._exchange(connection, request, deadline_at)
        finally:
            self._calls.release()

    async def _connected(self, request: Request, deadline_at: float) -> Connection:
        if self._connection is not None and self._connection.usable:
            return self._connection
        self._stand_back_if_open(request)
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect())
            self._opening.add_done_callback(self._opened)
        opening = self._opening
        try:
            async with asyncio.timeout(deadline_at - time.monotonic()):
                return await asyncio.shield(opening)  # other calls wait for it as well
        except TimeoutError:
            raise self._not_sent(request, "the connection was not up") from None
        except asyncio.CancelledError:
            if opening.cancelled() and not _is_cancelled_itself():
                raise NotStarted(f"{self.endpoint.where}: {request.name} was not sent: the pool closes") from None
            raise

    def _stand_back_if_open(self, request: Request) -> None:
        if seconds := self._breaker.seconds_to_wait(time.monotonic()):
            raise NotStarted(
                f"{self.endpoint.where}: {request.name} not tried: {self._breaker.failures} failures in a row, "
                f"next try in {seconds:.1f} s; the last: {self._breaker.last_failure}"
            )

    async def _connect(self) -> Connection:
        async with self._handshakes:
            connection = await login(self.endpoint, keys=self._keys, limits=self.limits)
        if self._digests:
            try:
                await self._check_program(connection)
            except BaseException:
                await connection.close()
                raise
        return connection

    async def _check_program(self, connection: Connection) -> None:
        facts = Request("facts", None, None, {})
        try:
            answer = await connection.ask(facts, deadline_at=time.monotonic() + self.limits.login_seconds)
        except CallError as problem:
            raise NotStarted(f"{self.endpoint.where}: the host program does not say what it is: {problem}") from None
        if (digest := answer.result.get("digest")) not in self._digests:
            raise NotStarted(
                f"{self.endpoint.where}: the host program is not the one put there: its digest is {digest}"
            )

    def _opened(self, task: asyncio.Task[Connection]) -> None:
        self._opening = None
        if task.cancelled():
            return
        if problem := task.exception():
            self._breaker.failed(time.monotonic(), str(problem))
        else:
            self._connection = task.result()

    async def _exchange(self, connection: Connection, request: Request, deadline_at: float) -> Answer:
        try:
            answer = await connection.ask(request, deadline_at=deadline_at)
        except Rejected:
            self._breaker.succeeded()
            raise
        except Unknown as problem:
            if not connection.usable and connection is self._connection:  # one failure, however many calls were on it
                self._connection = None
                self._breaker.failed(time.monotonic(), str(problem))
            raise
        self._breaker.succeeded()
        return answer

    def _not_sent(self, request: Request, why: str) -> NotStarted:
        return NotStarted(f"{self.endpoint.where}: {request.name} was not sent before its deadline: {why}")

    def retire(self) -> None:
        """Take no new calls; close when the last one is done."""
        if self._opening is not None:
            self._opening.cancel()
        if self._connection is not None:
            self._connection.retire()

    async def close(self) -> None:
        """End the connection; calls in flight become Unknown, those still waiting for it NotStarted."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()


def _is_cancelled_itself() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
