"""The host program's core: what a request is, who may act, and how an answer is given once and for ever.

Part of the single file put on a host: Python 3.8+, standard library only. `Machine` is what a host can do,
`Store` what it remembers, `Program` puts the two together by the contract, `serve` speaks JSON lines.
"""

from __future__ import annotations

import abc
import contextlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, Callable, Dict, Iterator, Optional

VERSION = "1.0"
Json = Dict[str, Any]

READS = frozenset({"facts", "dynos", "images", "health", "verify", "crashes", "operation"})
EFFECTS = frozenset({"start", "commit", "stop", "taint", "untaint", "install", "protect"})
LONGEST_LINE = 1 << 20
MOST_IN_FLIGHT = 32


class Refused(Exception):  # noqa: N818 - the word of the contract
    """The host says no: `code` is for programs, `message` for people, `retry` whether asking again can help."""

    def __init__(self, code: str, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.retry = code, message, retry


class Machine(abc.ABC):
    """What a host can do, one method a verb: takes the request, returns the result or raises `Refused`."""

    @abc.abstractmethod
    def facts(self, request: Json) -> Json:
        """Name, version, tools, attributes, size, taint."""

    @abc.abstractmethod
    def dynos(self, request: Json) -> Json:
        """`{"dynos": [dyno, ...]}` of everything the host runs or has not yet cleared away."""

    @abc.abstractmethod
    def images(self, request: Json) -> Json:
        """`{"images": [...]}`: the stack images here, with their receipts."""

    @abc.abstractmethod
    def health(self, request: Json) -> Json:
        """Wait up to `wait_seconds` for `dyno` to be healthy."""

    @abc.abstractmethod
    def verify(self, request: Json) -> Json:
        """Evidence on one stack image."""

    @abc.abstractmethod
    def crashes(self, request: Json) -> Json:
        """Crashes and kernel lines after `cursor`."""

    @abc.abstractmethod
    def start(self, request: Json) -> Json:
        """Start `dyno`, provisionally."""

    @abc.abstractmethod
    def commit(self, request: Json) -> Json:
        """Keep a provisional `dyno`."""

    @abc.abstractmethod
    def stop(self, request: Json) -> Json:
        """End `dyno`; an absent one is fine."""

    @abc.abstractmethod
    def taint(self, request: Json) -> Json:
        """Refuse new dynos from now on."""

    @abc.abstractmethod
    def untaint(self, request: Json) -> Json:
        """Accept dynos again."""

    @abc.abstractmethod
    def install(self, request: Json) -> Json:
        """Bring a stack image here, never touching one that is there."""

    @abc.abstractmethod
    def protect(self, request: Json) -> Json:
        """Make images immutable."""


class Store(abc.ABC):
    """What a host remembers: the highest fence, and the answers of operations. Safe between threads."""

    @abc.abstractmethod
    def highest_fence(self) -> int:
        """The highest fence seen, 0 before any."""

    @abc.abstractmethod
    def raise_fence(self, fence: int) -> int:
        """Remember `fence` if it is higher than any before; returns the highest."""

    @abc.abstractmethod
    def claim(self, operation: str, wait_seconds: float) -> contextlib.AbstractContextManager[bool]:
        """Be the only one to run `operation`: enters with True, or False when the wait was too short."""

    @abc.abstractmethod
    def is_claimed(self, operation: str) -> bool:
        """Whether somebody runs `operation` now."""

    @abc.abstractmethod
    def answer(self, operation: str) -> Optional[Json]:
        """The kept answer, if there is one."""

    @abc.abstractmethod
    def keep(self, operation: str, answer: Json) -> None:
        """Keep the answer of `operation`, durably, before anybody hears it."""


class MemoryStore(Store):
    """A store that lasts as long as its process, for simulated hosts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._fence = 0
        self._running: Dict[str, bool] = {}
        self._answers: Dict[str, Json] = {}

    def highest_fence(self) -> int:
        """The highest fence seen."""
        return self._fence

    def raise_fence(self, fence: int) -> int:
        """Remember a higher fence."""
        with self._lock:
            self._fence = max(self._fence, fence)
            return self._fence

    @contextlib.contextmanager
    def claim(self, operation: str, wait_seconds: float) -> Iterator[bool]:
        """Wait for the operation to be free."""
        with self._freed:
            mine = self._freed.wait_for(lambda: operation not in self._running, wait_seconds)
            if mine:
                self._running[operation] = True
        try:
            yield mine
        finally:
            if mine:
                with self._freed:
                    del self._running[operation]
                    self._freed.notify_all()

    def is_claimed(self, operation: str) -> bool:
        """Whether it runs now."""
        with self._lock:
            return operation in self._running

    def answer(self, operation: str) -> Optional[Json]:
        """The kept answer."""
        with self._lock:
            return self._answers.get(operation)

    def keep(self, operation: str, answer: Json) -> None:
        """Keep an answer."""
        with self._lock:
            self._answers[operation] = answer


class Program:
    """Requests in, answers out: validates, fences, replays or joins, runs. Thread-safe and blocking."""

    def __init__(self, machine: Machine, store: Store) -> None:
        self.machine, self.store = machine, store

    def handle(self, request: Any) -> Json:
        """The answer to one request; never raises for anything a caller can send."""
        try:
            verb = self._validated(request)
            self._pass_fence(request)
            answer = self._read(verb, request) if verb in READS else self._effect(verb, request)
        except Refused as refusal:
            answer = _refusal(request, refusal)
        except OSError as problem:  # what must be on disk before anybody hears of it is not: asking again is safe
            answer = _refusal(request, Refused("failed", "cannot keep state: {}".format(problem), retry=True))
        return dict(answer, id=request["id"]) if isinstance(request, dict) and "id" in request else answer

    def _validated(self, request: Any) -> str:
        if not isinstance(request, dict):
            raise Refused("bad_request", "a request is one JSON object")
        verb, operation, fence = request.get("verb"), request.get("operation"), request.get("fence")
        if not isinstance(verb, str) or verb not in READS | EFFECTS:
            raise Refused("unknown_verb", "there is no verb {!r}; known: {}".format(verb, ", ".join(READS | EFFECTS)))
        named = isinstance(operation, str) and 0 < len(operation) <= 200
        if not named and (verb in EFFECTS or verb == "operation"):
            raise Refused("bad_request", verb + " needs an operation: a text of 1 to 200 characters")
        if (verb in EFFECTS or fence is not None) and (type(fence) is not int or fence < 0):
            raise Refused("bad_request", verb + " needs a fence: a whole number, 0 or more")
        return verb

    def _pass_fence(self, request: Json) -> None:
        fence = request.get("fence")
        if fence is None:
            return
        highest = self.store.raise_fence(fence)
        if fence < highest:
            raise Refused("stale_fence", "fence {} is past: this host has seen {}".format(fence, highest))

    def _read(self, verb: str, request: Json) -> Json:
        if verb == "operation":
            return _success(request, self._what_became_of(request["operation"]))
        answer = self._run(verb, request)
        if verb == "facts" and answer["ok"]:
            answer["result"]["fence"] = self.store.highest_fence()
        return answer

    def _what_became_of(self, operation: str) -> Json:
        kept = self.store.answer(operation)
        state = "done" if kept else "running" if self.store.is_claimed(operation) else "absent"
        return {"operation": operation, "state": state, "answer": kept or self.store.answer(operation)}

    def _effect(self, verb: str, request: Json) -> Json:
        operation = request["operation"]
        with self.store.claim(operation, _deadline(request)) as mine:
            if not mine:
                raise Refused("still_running", "this operation still runs: ask again", retry=True)
            kept = self.store.answer(operation)
            if kept is not None:
                return _replayed(kept, verb)
            answer = self._run(verb, request)
            if answer["ok"] or not answer["retry"]:
                self.store.keep(operation, dict(answer, verb=verb))
            return answer

    def _run(self, verb: str, request: Json) -> Json:
        method: Callable[[Json], Json] = getattr(self.machine, verb)
        try:
            return _success(request, method(request))
        except Refused as refusal:
            return _refusal(request, refusal)
        except Exception as problem:  # noqa: BLE001 - whatever happens here, the caller gets an answer
            return _refusal(request, Refused("failed", "{}: {}".format(type(problem).__name__, problem), retry=True))


def _deadline(request: Json) -> float:
    seconds = request.get("deadline_seconds", 60)
    return float(seconds) if isinstance(seconds, (int, float)) and 0 <= seconds <= 86400 else 60.0


def _success(request: Json, result: Json) -> Json:
    return {"ok": True, "operation": request.get("operation"), "replayed": False, "result": result}


def _refusal(request: Any, refusal: Refused) -> Json:
    operation = request.get("operation") if isinstance(request, dict) else None
    return {
        "ok": False,
        "operation": operation,
        "replayed": False,
        "error": refusal.code,
        "message": refusal.message,
        "retry": refusal.retry,
    }


def _replayed(kept: Json, verb: str) -> Json:
    if kept.get("verb") != verb:
        raise Refused("operation_reused", "this operation was a {}, not a {}".format(kept.get("verb"), verb))
    return {key: value for key, value in dict(kept, replayed=True).items() if key != "verb"}


def serve(program: Program, lines: IO[bytes], answers: IO[bytes]) -> None:
    """Answer JSON lines until the input ends; answers may overtake each other; what runs is run to its end."""
    turn = threading.Lock()

    def respond(line: bytes) -> None:
        answer = _answer_line(program, line)
        with turn, contextlib.suppress(OSError, ValueError):  # the caller is gone: the answer is kept for the next
            answers.write(answer)
            answers.flush()

    with ThreadPoolExecutor(MOST_IN_FLIGHT) as pool:
        for line in _whole_lines(lines):
            if line.strip():
                pool.submit(respond, line)


def _whole_lines(lines: IO[bytes]) -> Iterator[bytes]:
    """Lines, of which one that is too long is only its beginning: the rest of it is no line of its own."""
    for line in iter(lambda: lines.readline(LONGEST_LINE + 1), b""):
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = lines.readline(LONGEST_LINE + 1)
        yield line


def _answer_line(program: Program, line: bytes) -> bytes:
    try:
        request = json.loads(line) if len(line) <= LONGEST_LINE else None
    except (ValueError, RecursionError):
        request = None
    return json.dumps(program.handle(request), separators=(",", ":")).encode() + b"\n"
