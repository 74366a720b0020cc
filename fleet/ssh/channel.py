"""The bytes of one SSH channel, cut into lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import asyncssh

from fleet.ssh.evidence import clean
from fleet.ssh.limits import Limits

if TYPE_CHECKING:
    Session = asyncssh.SSHClientSession[bytes]
else:
    Session = asyncssh.SSHClientSession


class Lines(Session):
    """Feeds whole lines to `on_line` (None for one over the limit) and, once, the reason of the end to `on_end`."""

    def __init__(
        self, limits: Limits, *, on_line: Callable[[bytes | None], None], on_end: Callable[[str], None]
    ) -> None:
        self._limits, self._on_line, self._on_end = limits, on_line, on_end
        self._parts: list[bytes] = []
        self._size = 0
        self._said = b""  # what the host wrote to standard error, the first of it
        self._status: str | None = None
        self.paused = False

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Bytes of answers, or of standard error."""
        if datatype is not None:
            self._said += data[: max(0, self._limits.evidence_characters - len(self._said))]
            return
        *ends, rest = data.split(b"\n")
        for end in ends:
            line, self._parts, self._size = b"".join([*self._parts, end]), [], 0
            self._on_line(line if len(line) <= self._limits.answer_bytes else None)
        if rest:
            self._keep(rest)

    def _keep(self, rest: bytes) -> None:
        self._parts.append(rest)
        self._size += len(rest)
        if self._size > self._limits.answer_bytes:
            self._parts, self._size = [], 0
            self._on_line(None)

    def pause_writing(self) -> None:
        """The host reads nothing for now."""
        self.paused = True

    def resume_writing(self) -> None:
        """It reads again."""
        self.paused = False

    def exit_status_received(self, status: int) -> None:
        """The host program ended."""
        self._status = f"status {status}"

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:  # noqa: ARG002
        """The host program was killed."""
        self._status = f"signal {clean(signal, most=20)}"

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel or the whole connection ended."""
        ended = f"the host program ended with {self._status}" if self._status else "the connection was lost"
        said = f" ({clean(str(exc), most=200)})" if exc is not None and str(exc) else ""
        heard = f"; it wrote: {clean(self._said, most=300)}" if self._said else ""
        self._on_end(f"{ended}{said}{heard}")
