"""The SSH layer against a real OpenSSH server."""

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.ssh import CallError, Limits, NotStarted, Pool, Rejected, Unknown, fingerprint, generate_key, run_with_pool
from fleet.ssh import write_key as write
from tests.fleet.ssh.conftest import Server, certify, free_port

pytestmark = pytest.mark.sshd
QUICK = Limits(connect_seconds=2, login_seconds=5, silence_seconds=1.5, answer_bytes=200_000)


def run(server: Server, work: Callable[[Pool], Awaitable[Any]], limits: Limits = QUICK) -> Any:
    return run_with_pool(work, client_keys=[server.client_key], limits=limits)


def call(server: Server, verb: str, *, limits: Limits = QUICK, deadline_seconds: float = 10, **words: Any) -> Any:
    async def work(pool: Pool) -> dict[str, Any]:
        return await pool.call(server.endpoint, verb=verb, deadline_seconds=deadline_seconds, **words)

    return run(server, work, limits)


def test_the_request_arrives_whole_and_the_result_comes_back(sshd: Server) -> None:
    dyno = {"dyno": "web.1", "app": "café"}
    result = call(sshd, "start", operation="move-1-start", fence=7, arguments={"dyno": dyno})
    assert result["command"] == "dynohost"
    sent = result["echo"]
    assert (sent["verb"], sent["operation"], sent["fence"], sent["dyno"]) == ("start", "move-1-start", 7, dyno)
    assert 0 < sent["deadline_seconds"] < 10


def test_sixty_calls_share_one_connection_and_overtake_each_other(sshd: Server) -> None:
    async def work(pool: Pool) -> tuple[list[dict[str, Any]], float]:
        await pool.call(sshd.endpoint, verb="facts")
        began = time.monotonic()
        waits = [0.5 if n % 2 else 0.1 for n in range(60)]
        calls = [pool.call(sshd.endpoint, verb="wait", arguments={"seconds": s, "n": n}) for n, s in enumerate(waits)]
        results = await asyncio.gather(*calls)
        assert [r["waited"] for r in results] == waits
        return results, time.monotonic() - began

    _, seconds = run(sshd, work, replace(QUICK, calls_per_host=60))
    assert seconds < 3  # one after another would be 18


def test_a_refusal_keeps_its_code(sshd: Server) -> None:
    with pytest.raises(Rejected) as caught:
        call(sshd, "refuse", operation="o1", fence=1)
    assert (caught.value.code, caught.value.message, caught.value.retry) == ("no_capacity", "full", False)


def test_a_changed_host_key_is_refused_with_both_fingerprints(sshd: Server) -> None:
    other = generate_key().public

    async def work(pool: Pool) -> None:
        await pool.call(sshd.with_host_key(other), verb="facts")

    with pytest.raises(NotStarted, match="host key changed") as caught:
        run(sshd, work)
    assert fingerprint(other) in str(caught.value)
    assert fingerprint(sshd.endpoint.host_key) in str(caught.value)


def test_another_kind_of_key_pinned_is_a_changed_key_too(sshd: Server, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "key"], check=True)
    line = (tmp_path / "key.pub").read_text()

    async def work(pool: Pool) -> None:
        await pool.call(sshd.with_host_key(line), verb="facts")

    with pytest.raises(NotStarted, match="host key changed"):
        run(sshd, work)


@pytest.mark.parametrize("line", ["", "   ", "not a key", "ssh-ed25519 AAAA"])
def test_no_usable_pin_means_no_connection(sshd: Server, line: str) -> None:
    async def work(pool: Pool) -> None:
        await pool.call(sshd.with_host_key(line), verb="facts")

    with pytest.raises(NotStarted, match="host key"):
        run(sshd, work)


def authority_line(path: Path) -> str:
    return "@cert-authority " + Path(f"{path}.pub").read_text().strip()


def test_a_host_whose_key_the_pinned_authority_signed_is_trusted(sshd: Server) -> None:
    async def work(pool: Pool) -> dict[str, Any]:
        return await pool.call(sshd.with_host_key(authority_line(sshd.authority)), verb="facts")

    assert run(sshd, work)["echo"]["verb"] == "facts"


def test_another_authority_or_another_name_is_not_trusted(sshd: Server, tmp_path: Path) -> None:
    write(tmp_path / "other", generate_key())

    async def work(pool: Pool) -> None:
        with pytest.raises(NotStarted, match="host key changed"):
            await pool.call(sshd.with_host_key(authority_line(tmp_path / "other")), verb="facts")
        stranger = replace(sshd.with_host_key(authority_line(sshd.authority)), name="h2")
        with pytest.raises(NotStarted, match="not to be trusted"):
            await pool.call(stranger, verb="facts")

    run(sshd, work)


def test_a_user_certificate_beside_the_key_lets_in_until_it_expires(sshd: Server, tmp_path: Path) -> None:
    async def work(pool: Pool) -> dict[str, Any]:
        return await pool.call(sshd.endpoint, verb="facts")

    for name, validity in (("valid", "+5m"), ("expired", "20200101:20200102")):
        write(tmp_path / name, generate_key())
        certify(sshd.authority, tmp_path / name, "-n", sshd.endpoint.user, "-V", validity)
    assert run_with_pool(work, client_keys=[tmp_path / "valid"], limits=QUICK)["echo"]["verb"] == "facts"
    with pytest.raises(NotStarted):
        run_with_pool(work, client_keys=[tmp_path / "expired"], limits=QUICK)


def test_a_fingerprint_is_the_one_ssh_keygen_shows(sshd: Server, tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(sshd.endpoint.host_key + "\n")
    shown = subprocess.run(
        ["ssh-keygen", "-lf", tmp_path / "key.pub"], check=True, capture_output=True, text=True
    ).stdout
    assert fingerprint(sshd.endpoint.host_key) == shown.split()[1]


def test_a_key_that_is_not_authorized_is_not_started(sshd: Server, tmp_path: Path) -> None:
    write(tmp_path / "stranger", generate_key())

    async def work(pool: Pool) -> None:
        await pool.call(sshd.endpoint, verb="facts")

    with pytest.raises(NotStarted, match="refused"):
        run_with_pool(work, client_keys=[tmp_path / "stranger"], limits=QUICK)


def test_a_missing_client_key_is_not_started(sshd: Server, tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        await pool.call(sshd.endpoint, verb="facts")

    with pytest.raises(NotStarted, match="key cannot be read"):
        run_with_pool(work, client_keys=[tmp_path / "nothing"], limits=QUICK)


def test_nobody_listening_is_not_started(sshd: Server) -> None:
    endpoint = replace(sshd.endpoint, port=free_port())

    async def work(pool: Pool) -> None:
        await pool.call(endpoint, verb="start", operation="o", fence=1)

    with pytest.raises(NotStarted, match="refused"):
        run(sshd, work)


def test_garbage_is_unknown_and_its_secret_is_not_shown(sshd: Server) -> None:
    with pytest.raises(Unknown, match="answers nothing asked") as caught:
        call(sshd, "garbage", operation="o", fence=1)
    assert "hunter2" not in str(caught.value)


def test_an_endless_answer_is_unknown(sshd: Server) -> None:
    with pytest.raises(Unknown, match="without end"):
        call(sshd, "flood", operation="o", fence=1)


def test_a_program_that_dies_is_unknown_with_its_last_words(sshd: Server) -> None:
    with pytest.raises(Unknown, match="status 3") as caught:
        call(sshd, "leave", operation="o", fence=1)
    assert "Traceback" in str(caught.value)
    assert "abc123" not in str(caught.value)


def test_an_answer_that_never_comes_is_unknown_at_the_deadline(sshd: Server) -> None:
    began = time.monotonic()
    with pytest.raises(Unknown, match="no answer"):
        call(sshd, "ignore", operation="o", fence=1, deadline_seconds=0.7)
    assert time.monotonic() - began < 2.5


def test_the_next_call_goes_on_after_each_kind_of_loss(sshd: Server) -> None:
    async def work(pool: Pool) -> dict[str, Any]:
        for verb in ("garbage", "leave"):
            with pytest.raises(Unknown):
                await pool.call(sshd.endpoint, verb=verb, operation="o", fence=1)
        return await pool.call(sshd.endpoint, verb="facts")

    assert run(sshd, work)["echo"]["verb"] == "facts"


def test_a_cancelled_call_leaves_the_connection_to_the_others(sshd: Server) -> None:
    async def work(pool: Pool) -> dict[str, Any]:
        slow = asyncio.create_task(pool.call(sshd.endpoint, verb="wait", arguments={"seconds": 0.3}))
        other = asyncio.create_task(pool.call(sshd.endpoint, verb="wait", arguments={"seconds": 0.6}))
        await asyncio.sleep(0.2)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        return await other

    assert run(sshd, work) == {"waited": 0.6}


def test_cancelling_the_first_caller_does_not_take_the_connection_from_the_second(sshd: Server) -> None:
    async def work(pool: Pool) -> dict[str, Any]:
        first = asyncio.create_task(pool.call(sshd.endpoint, verb="facts"))
        second = asyncio.create_task(pool.call(sshd.endpoint, verb="facts"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert run(sshd, work)["echo"]["verb"] == "facts"


def test_a_server_frozen_in_the_middle_is_unknown_after_the_silence(sshd: Server) -> None:
    async def work(pool: Pool) -> float:
        await pool.call(sshd.endpoint, verb="facts")
        frozen = children(sshd.process.pid)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        try:
            with pytest.raises(Unknown):
                await pool.call(sshd.endpoint, verb="start", operation="o", fence=1, deadline_seconds=30)
            return time.monotonic() - began
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)

    assert run(sshd, work) < 5


def children(pid: int) -> list[int]:
    """All that descend from `pid`."""
    parents = {int(p.name): status_parent(p) for p in Path("/proc").iterdir() if p.name.isdigit()}
    found = [pid]
    for one in found:
        found.extend(child for child, parent in parents.items() if parent == one)
    return found[1:]


def status_parent(process: Path) -> int:
    try:
        found = re.search(r"PPid:\s+(\d+)", (process / "status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def test_closing_the_pool_ends_calls_in_flight_as_unknown(sshd: Server) -> None:
    async def work(pool: Pool) -> BaseException | None:
        task = asyncio.create_task(pool.call(sshd.endpoint, verb="wait", arguments={"seconds": 20}))
        await asyncio.sleep(0.5)
        await pool.forget("h1")
        return (await asyncio.gather(task, return_exceptions=True))[0]  # type: ignore[return-value]

    assert isinstance(run(sshd, work), Unknown)


@pytest.mark.parametrize("arguments", [{"x": object()}, {"x": float("nan")}, {"x": "y" * (1 << 21)}])
def test_what_cannot_be_sent_is_not_started(sshd: Server, arguments: dict[str, Any]) -> None:
    with pytest.raises(CallError) as caught:
        call(sshd, "facts", arguments=arguments)
    assert type(caught.value) is NotStarted
