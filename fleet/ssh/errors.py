"""What is known about a call that gave no result: it never started, nobody knows, or the host said no."""

from __future__ import annotations


class CallError(Exception):
    """A call without a result; catch this to mean all three."""


class NotStarted(CallError):  # noqa: N818 - the word of the product
    """The request certainly never reached the host program: safe to try elsewhere."""


class Unknown(CallError):  # noqa: N818
    """The request may have run: ask again with the same operation id."""


class Rejected(CallError):  # noqa: N818
    """The host answered no: `code` for programs, `message` for people, `retry` whether asking again can help."""

    def __init__(self, code: str, message: str, retry: bool = False) -> None:
        super().__init__(code, message, retry)
        self.code, self.message, self.retry = code, message, retry

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
