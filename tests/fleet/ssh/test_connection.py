"""One channel: bytes cut into lines, lines given to the calls that wait for them, and every call told when it ends."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any, cast

import asyncssh
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.ssh.answers import Answer, Request
from fleet.ssh.channel import Lines
from fleet.ssh.connection import Connection
from fleet.ssh.endpoint import Endpoint
from fleet.ssh.errors import CallError
from fleet.ssh.limits import Limits

WHERE = Endpoint("h1", "127.0.0.1", 22, "dynohost", "ssh-ed25519 AAAA")
SMALL = Limits(answer_bytes=100, evidence_characters=40)
STDERR = cast("Any", 1)


class Host:
    """The other end: keeps what was written, and is told what to say."""

    def __init__(self) -> None:
        self.connection = Connection(WHERE, SMALL)
        self.written: list[dict[str, Any]] = []
        self.broken = False
        self.aborted = self.closed = False
        self.connection._channel = cast("Any", self)
        self.connection._ssh = cast("Any", self)

    def write(self, line: bytes) -> None:
        if self.broken:
            raise BrokenPipeError(32, "Broken pipe")
        self.written.append(json.loads(line))

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.closed = True

    async def wait_closed(self) -> None:
        await asyncio.sleep(0)

    def say(self, data: bytes) -> None:
        self.connection._lines.data_received(data, None)

    def answer(self, number: int, **words: Any) -> None:
        answer = {"id": number, "ok": True, "operation": None, "result": {"number": number}, **words}
        self.say(json.dumps(answer).encode() + b"\n")

    def ask(self, verb: str = "facts", *, seconds: float = 5.0) -> Coroutine[Any, Any, Answer]:
        request = Request(verb, None, None, {})
        return self.connection.ask(request, deadline_at=time.monotonic() + seconds)


def play(work: Callable[[Host], Coroutine[Any, Any, Any]]) -> Any:
    async def whole() -> Any:
        return await work(Host())

    return asyncio.run(whole())


async def asked(host: Host, times: int = 1, **how: Any) -> list[asyncio.Task[Answer]]:
    tasks = [asyncio.ensure_future(host.ask(**how)) for _ in range(times)]
    await asyncio.sleep(0)
    assert len(host.written) == times
    return tasks


async def problem_of(call: Any) -> str:
    with pytest.raises(CallError) as caught:
        await call
    return f"{type(caught.value).__name__}: {caught.value}"


# ---- lines ----


def fed(pieces: list[bytes], limits: Limits = SMALL) -> list[bytes | None]:
    heard: list[bytes | None] = []
    lines = Lines(limits, on_line=heard.append, on_end=lambda _why: None)
    for piece in pieces:
        lines.data_received(piece, None)
    return heard


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line), max_size=8), st.data())
def test_lines_are_the_same_however_they_are_cut_into_pieces(lines: list[bytes], data: st.DataObject) -> None:
    text, pieces = b"".join(line + b"\n" for line in lines), []
    while text:
        size = data.draw(st.integers(1, len(text)))
        pieces.append(text[:size])
        text = text[size:]
    assert fed(pieces) == lines


@pytest.mark.parametrize("pieces", [[b"x" * 101 + b"\n"], [b"x" * 60, b"x" * 60], [b"x" * 100, b"x\n"]])
def test_a_line_over_the_limit_is_told_and_not_kept(pieces: list[bytes]) -> None:
    assert fed(pieces)[0] is None
    assert fed([b"x" * 100 + b"\n"]) == [b"x" * 100]


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda _lines: None, "the connection was lost"),
        (lambda lines: lines.exit_status_received(3), "the host program ended with status 3"),
        (lambda lines: lines.exit_signal_received("KILL\x1b[2J", False, "", ""),
         "the host program ended with signal KILL\N{REPLACEMENT CHARACTER}[2J"),
        (lambda lines: lines.data_received(b"sudo: no tty\ntoken=abc123", STDERR),
         "the connection was lost; it wrote: sudo: no tty\ntoken=[secret]"),
        (lambda lines: [lines.data_received(b"x" * 30, STDERR) for _ in range(9)],
         "the connection was lost; it wrote: " + "x" * 40),
    ],
)  # fmt: skip
def test_the_end_says_what_is_known_of_it(end: Callable[[Lines], Any], words: str) -> None:
    said: list[str] = []
    lines = Lines(SMALL, on_line=lambda _line: None, on_end=said.append)
    end(lines)
    lines.connection_lost(None)
    assert said == [words]


def test_the_reason_of_the_connections_own_stands_in_the_end() -> None:
    said: list[str] = []
    Lines(SMALL, on_line=lambda _line: None, on_end=said.append).connection_lost(asyncssh.ConnectionLost("reset"))
    assert said == ["the connection was lost (reset)"]


# ---- calls ----


def test_answers_find_their_calls_in_any_order() -> None:
    async def work(host: Host) -> None:
        calls = await asked(host, times=3)
        for number in (2, 3, 1):
            host.answer(number)
        assert [answer.result["number"] for answer in await asyncio.gather(*calls)] == [1, 2, 3]
        assert host.connection._pending == {}

    play(work)


@pytest.mark.parametrize(
    "line",
    [b"nonsense", b"{}", b"[]", b'{"id":0}', b'{"id":99}', b'{"id":"1"}', b'{"id":true}', b'{"id":1.0}', b"x" * 101],
)
def test_a_line_that_answers_nothing_asked_ends_the_connection_and_every_call(line: bytes) -> None:
    async def work(host: Host) -> list[str]:
        calls = await asked(host, times=2)
        host.say(line + b"\n")
        assert host.aborted
        assert not host.connection.usable
        assert "answers nothing asked" in await problem_of(host.ask())
        return [await problem_of(call) for call in calls]

    for said in play(work):
        assert said.startswith("Unknown: h1")
        assert "the call may have run" in said


def test_an_answer_nobody_waits_for_any_longer_harms_nothing() -> None:
    async def work(host: Host) -> None:
        (late,) = await asked(host, seconds=0.05)
        assert "no answer within" in await problem_of(late)
        host.connection.retired = False
        host.answer(1)
        host.answer(1)
        call = asyncio.ensure_future(host.ask())
        await asyncio.sleep(0)
        host.answer(2)
        assert (await call).result == {"number": 2}

    play(work)


def test_a_host_that_said_nothing_at_all_takes_no_more_calls_and_a_slow_one_does() -> None:
    async def work(host: Host, *, speaks: bool) -> bool:
        slow, other = await asked(host, times=2, seconds=0.05)
        if speaks:
            host.answer(2)
            await other
        assert (await problem_of(slow)).startswith("Unknown")
        await asyncio.gather(other, return_exceptions=True)
        return host.connection.usable

    assert play(lambda host: work(host, speaks=True)) is True
    assert play(lambda host: work(host, speaks=False)) is False


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda host: setattr(host, "broken", True), "Broken pipe; it was not sent"),
        (lambda host: setattr(host.connection._lines, "paused", True), "the host reads no more requests"),
        (lambda host: host.connection.retire(), "the connection closes; it was not sent"),
        (lambda host: host.connection._ended("the connection was lost"), "the connection was lost; it was not sent"),
        (lambda host: setattr(host.connection, "_channel", None), "the connection closes"),
    ],
)
def test_what_was_not_sent_is_said_not_to_have_started(prepare: Callable[[Host], Any], words: str) -> None:
    async def work(host: Host) -> str:
        prepare(host)
        said = await problem_of(host.ask())
        assert host.written == []
        assert host.connection._pending == {}
        return said

    said = play(work)
    assert said.startswith("NotStarted: h1")
    assert words in said


def test_a_deadline_that_has_passed_sends_nothing() -> None:
    assert "deadline passed before it could be sent" in play(lambda host: problem_of(host.ask(seconds=-1)))


def test_writing_goes_on_when_the_host_reads_again() -> None:
    async def work(host: Host) -> None:
        host.connection._lines.pause_writing()
        assert (await problem_of(host.ask())).startswith("NotStarted")
        host.connection._lines.resume_writing()
        (call,) = await asked(host)
        host.answer(1)
        await call

    play(work)


def test_the_host_is_told_a_little_less_time_than_the_caller_waits() -> None:
    async def work(host: Host) -> float:
        (call,) = await asked(host, seconds=10)
        host.answer(1)
        await call
        return float(host.written[0]["deadline_seconds"])

    assert 8.9 < play(work) <= 9.0


def test_one_that_retires_lets_its_last_call_end_and_then_closes() -> None:
    async def work(host: Host) -> None:
        first, second = await asked(host, times=2)
        host.connection.retire()
        assert not host.closed
        host.answer(1)
        await first
        assert not host.closed
        host.answer(2)
        await second
        assert host.closed

    play(work)


def test_closing_tells_the_calls_in_flight() -> None:
    async def work(host: Host) -> str:
        (call,) = await asked(host)
        await host.connection.close()
        assert host.closed
        return await problem_of(call)

    assert play(work).endswith("the connection was closed here; the call may have run")


def test_a_connection_that_does_not_close_is_cut() -> None:
    async def work(host: Host) -> None:
        async def for_ever() -> None:
            await asyncio.sleep(60)

        host.wait_closed = for_ever  # type: ignore[method-assign]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("fleet.ssh.connection.CLOSE_SECONDS", 0.02)
            await host.connection.close()
        assert host.aborted

    play(work)
