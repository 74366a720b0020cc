"""One SSH connection to one host, with one channel that carries many calls as JSON lines."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import asyncssh

from fleet.ssh.answers import Answer, Request, judge, parse_line
from fleet.ssh.channel import Lines
from fleet.ssh.endpoint import Endpoint
from fleet.ssh.errors import NotStarted, Unknown
from fleet.ssh.evidence import clean
from fleet.ssh.limits import Limits

CLOSE_SECONDS = 1.0


class Connection:
    """Sends requests, hands each answer to the call with its number, and knows when it can be trusted no more."""

    def __init__(self, endpoint: Endpoint, limits: Limits) -> None:
        self.endpoint, self.limits = endpoint, limits
        self.retired = False  # takes no new calls, lives until its last call is done
        self.lost: str | None = None
        self.heard_at = time.monotonic()
        self._numbers = itertools.count(1)
        self._issued = 0
        self._pending: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ssh: asyncssh.SSHClientConnection | None = None
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._lines = Lines(limits, on_line=self._heard, on_end=self._ended)

    @property
    def usable(self) -> bool:
        """Whether it takes new calls."""
        return self.lost is None and not self.retired

    async def attach(self, ssh: asyncssh.SSHClientConnection) -> None:
        """Open the channel to the host program."""
        self._ssh = ssh
        self._channel, _ = await ssh.create_session(lambda: self._lines, "dynohost", encoding=None, env={}, send_env=())

    async def ask(self, request: Request, *, deadline_at: float) -> Answer:
        """Send `request` and wait for its answer until `deadline_at`, in the clock of time.monotonic()."""
        sent_at = time.monotonic()
        number, waiter = self._send(request, deadline_seconds=deadline_at - sent_at)
        try:
            async with asyncio.timeout(deadline_at - sent_at):
                answer = await waiter
        except TimeoutError:
            # Nothing at all came back meanwhile: whatever hangs there would hang the next call too.
            self.retired = self.retired or self.heard_at < sent_at
            seconds = time.monotonic() - sent_at
            raise Unknown(f"{self._name(request)}: no answer within {seconds:.1f} s; it may have run") from None
        finally:
            self._pending.pop(number, None)
            self._close_if_done()
        return judge(request, answer, host=self.endpoint.name, seconds=time.monotonic() - sent_at)

    def _send(self, request: Request, *, deadline_seconds: float) -> tuple[int, asyncio.Future[dict[str, Any]]]:
        if deadline_seconds <= 0:
            raise NotStarted(f"{self._name(request)}: its deadline passed before it could be sent")
        if not self.usable or self._channel is None:
            raise NotStarted(f"{self._name(request)}: {self.lost or 'the connection closes'}; it was not sent")
        if self._lines.paused:
            raise NotStarted(f"{self._name(request)}: the host reads no more requests; it was not sent")
        number = next(self._numbers)
        # The host is told a little less than the caller waits, so that its own "still running" comes in time.
        line = request.line(number=number, deadline_seconds=deadline_seconds * 0.9, limits=self.limits)
        waiter: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[number], self._issued = waiter, number
        try:
            self._channel.write(line)
        except OSError as problem:  # raised before a byte is taken
            del self._pending[number]
            self.retired = True
            raise NotStarted(f"{self._name(request)}: {problem}; it was not sent") from None
        return number, waiter

    def _heard(self, line: bytes | None) -> None:
        """One answer line; None for one without end."""
        self.heard_at = time.monotonic()
        answer = None if line is None else parse_line(line)
        number = answer.get("id") if answer is not None else None
        if answer is None or type(number) is not int or not 0 < number <= self._issued:
            shown = "without end" if line is None else f": {clean(line, most=200)!r}"
            self._fail(f"the host sent a line that answers nothing asked{shown}")
            return
        waiter = self._pending.get(number)
        if waiter is not None and not waiter.done():  # else its caller has gone
            waiter.set_result(answer)

    def _ended(self, why: str) -> None:
        self._fail(why)

    def _fail(self, why: str) -> None:
        """Nothing more can be known from this connection: say so to every call in flight."""
        self.lost = self.lost or why
        for waiter in self._pending.values():
            if not waiter.done():
                waiter.set_exception(Unknown(f"{self.endpoint.where}: {why}; the call may have run"))
        if self._ssh is not None:
            self._ssh.abort()

    def _close_if_done(self) -> None:
        if self.retired and not self._pending and self._ssh is not None:
            self._ssh.close()

    def retire(self) -> None:
        """Take no new calls; close when the last one is done."""
        self.retired = True
        self._close_if_done()

    async def close(self) -> None:
        """End it; calls in flight become Unknown. The host's effects go on."""
        self.retired = True
        if self._pending:
            self._fail("the connection was closed here")
        if self._ssh is None:
            return
        self._ssh.close()
        try:
            await asyncio.wait_for(self._ssh.wait_closed(), CLOSE_SECONDS)
        except TimeoutError:
            self._ssh.abort()

    def _name(self, request: Request) -> str:
        return f"{self.endpoint.where}: {request.name}"
