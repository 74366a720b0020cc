"""One request as a line, one answer line judged: a result, a refusal, or something no host program says."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.ssh.errors import NotStarted, Rejected, Unknown
from fleet.ssh.evidence import clean
from fleet.ssh.limits import Limits

STILL_RUNNING = "still_running"
UNFIT = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Answer:
    """A host's yes: its `result`, and whether it was `replayed` from an earlier call with the same operation id."""

    result: dict[str, Any]
    operation: str | None
    replayed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Request:
    """One call's words; `fence` and `operation` may be absent for reads."""

    verb: str
    operation: str | None
    fence: int | None
    arguments: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The verb and the operation, for messages."""
        return f"{self.verb} {self.operation}" if self.operation else self.verb

    def line(self, *, number: int, deadline_seconds: float, limits: Limits) -> bytes:
        """The request as one JSON line."""
        words: dict[str, Any] = {**self.arguments, "verb": self.verb, "id": number}
        words |= {} if self.operation is None else {"operation": self.operation}
        words |= {} if self.fence is None else {"fence": self.fence}
        words["deadline_seconds"] = round(deadline_seconds, 3)
        try:
            line = json.dumps(words, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as problem:
            raise NotStarted(f"{self.name}: the request is not JSON: {problem}") from None
        if len(line) > limits.request_bytes:
            raise NotStarted(f"{self.name}: the request has {len(line)} bytes, over {limits.request_bytes}")
        return line


def parse_line(line: bytes) -> dict[str, Any] | None:
    """The JSON object on `line`, or None when it is anything else; what no database keeps is replaced in it."""
    try:
        text = line.decode()
        answer = json.loads(text, parse_float=_finite, parse_constant=_finite)
        if "\\u" in text:  # only an escape can bring in what UTF-8 itself cannot say
            answer = _fit(answer)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _finite(number: str) -> float | None:
    """The number, None where it is none or beyond all measure."""
    value = float(number)
    return value if math.isfinite(value) else None


def _fit(value: Any) -> Any:
    if isinstance(value, str):
        return UNFIT.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_fit(item) for item in value]
    return {_fit(key): _fit(item) for key, item in value.items()} if isinstance(value, dict) else value


def judge(request: Request, answer: dict[str, Any], *, host: str, seconds: float) -> Answer:
    """The answer to `request`; raises Rejected for the host's no, Unknown for what cannot be believed."""
    ok, operation = answer.get("ok"), answer.get("operation")
    if not isinstance(ok, bool):
        raise _unbelievable(request, host, 'its answer has no "ok"', answer)
    if operation != request.operation:
        raise _unbelievable(request, host, f"its answer is for operation {operation!r}", answer)
    if not ok:
        raise _refusal(request, host, answer)
    result = answer.get("result")
    if not isinstance(result, dict):
        raise _unbelievable(request, host, "its answer has no result object", answer)
    return Answer(result, request.operation, answer.get("replayed") is True, seconds)


def _refusal(request: Request, host: str, answer: dict[str, Any]) -> Rejected | Unknown:
    code, message = answer.get("error"), answer.get("message", "")
    if not isinstance(code, str) or not code or not isinstance(message, str):
        return _unbelievable(request, host, "its refusal has no error code", answer)
    if code == STILL_RUNNING:  # neither a yes nor a no: the effect is on its way
        return Unknown(f"{host}: {request.name} still runs there: ask again with the same operation id")
    return Rejected(clean(code, most=100), clean(message), answer.get("retry") is True)


def _unbelievable(request: Request, host: str, why: str, answer: object) -> Unknown:
    shown = clean(repr(answer)[:2000], most=300)
    return Unknown(f"{host}: {request.name}: {clean(why, most=300)}; it may have run. The answer: {shown}")
