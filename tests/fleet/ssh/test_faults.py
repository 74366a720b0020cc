"""The SSH layer against simulated hosts, each with one fault: the right outcome, within its deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.lab.simulated import IMAGES, STACK, Nature, SimulatedLab, demo_fleet
from fleet.ssh import CallError, Endpoint, Limits, NotStarted, Pool, Rejected, Unknown, fingerprint
from fleet.ssh.session import new_event_loop

QUICK = Limits(connect_seconds=1, login_seconds=1, silence_seconds=1.2, answer_bytes=300_000, backoff_seconds=0.3)
Work = Callable[[SimulatedLab, Pool], Awaitable[Any]]


def endpoint(lab: SimulatedLab, name: str) -> Endpoint:
    host = next(host for host in lab.hosts if host.name == name)
    return Endpoint(host.name, host.address, host.port, host.user, host.host_key)


def fresh_names(lab: SimulatedLab) -> list[str]:
    return [host.name for host in lab.hosts if host.attributes["provisioned"] == "fresh"]


def play(folder: Path, work: Work, *, limits: Limits = QUICK, nature: Nature | None = None) -> Any:
    async def whole() -> Any:
        lab = demo_fleet(3, folder=folder, nature=nature or Nature(crashes_per_dyno_hour=0))
        await lab.start()
        try:
            async with Pool(client_keys=[lab.client_key], limits=limits) as pool:
                return await work(lab, pool)
        finally:
            await lab.stop()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(whole())


async def start(pool: Pool, where: Endpoint, name: str = "shop.web.99", **words: Any) -> dict[str, Any]:
    words = {"operation": f"{name}-start", "fence": 1, "deadline_seconds": 3.0, **words}
    dyno = {"dyno": name, "app": "shop", "stack": STACK, "image": IMAGES["original"], "memory_mb": 64}
    return await pool.call(where, verb="start", arguments={"dyno": dyno}, **words)


async def names_on(pool: Pool, where: Endpoint) -> set[str]:
    return {dyno["dyno"] for dyno in (await pool.call(where, verb="dynos"))["dynos"]}


async def outcome(call: Awaitable[Any]) -> tuple[CallError, float]:
    began = time.monotonic()
    with pytest.raises(CallError) as caught:
        await call
    return caught.value, time.monotonic() - began


def test_a_dyno_is_started_becomes_healthy_and_is_committed(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        where = endpoint(lab, fresh_names(lab)[0])
        started = await start(pool, where)
        assert started["dyno"]["state"] == "starting"
        began = time.monotonic()
        arguments = {"dyno": "shop.web.99", "wait_seconds": 5}
        health = await pool.call(where, verb="health", arguments=arguments)
        assert health == {"dyno": "shop.web.99", "healthy": True, "state": "running"}
        assert time.monotonic() - began < 3.5
        arguments = {"dyno": "shop.web.99"}
        kept = await pool.call(where, verb="commit", operation="c", fence=1, arguments=arguments)
        assert kept["dyno"]["provisional"] is False

    play(tmp_path, work)


def test_the_same_operation_again_is_one_effect(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        where = endpoint(lab, fresh_names(lab)[0])
        answers = await asyncio.gather(*(start(pool, where) for _ in range(20)))
        assert len({answer["dyno"]["pid"] for answer in answers}) == 1
        assert "shop.web.99" in await names_on(pool, where)

    play(tmp_path, work)


def test_refused_connections_are_not_started_and_open_the_breaker(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        name = fresh_names(lab)[0]
        where = endpoint(lab, name)
        await lab.host(name).refuse()
        for _ in range(QUICK.failures_to_open):
            problem, _ = await outcome(start(pool, where))
            assert type(problem) is NotStarted
            assert "refused" in str(problem)
        problem, seconds = await outcome(start(pool, where))
        assert type(problem) is NotStarted
        assert "3 failures in a row" in str(problem)
        assert seconds < 0.05
        await lab.host(name).listen()
        await asyncio.sleep(0.35)
        await start(pool, where)

    play(tmp_path, work)


def test_a_silent_server_is_not_started_at_the_login_deadline(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        name = fresh_names(lab)[0]
        await lab.host(name).hang()
        problem, seconds = await outcome(start(pool, endpoint(lab, name), deadline_seconds=10.0))
        assert type(problem) is NotStarted
        assert "no login" in str(problem)
        assert 0.9 < seconds < 2

    play(tmp_path, work)


def test_a_call_has_a_shorter_deadline_than_the_login(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        name = fresh_names(lab)[0]
        await lab.host(name).hang()
        problem, seconds = await outcome(start(pool, endpoint(lab, name), deadline_seconds=0.3))
        assert type(problem) is NotStarted
        assert seconds < 0.6

    play(tmp_path, work)


def test_a_changed_key_is_not_started_and_shows_both(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        name = fresh_names(lab)[0]
        where = endpoint(lab, name)
        await pool.call(where, verb="facts")
        await lab.host(name).change_key()
        await asyncio.sleep(0.1)
        problem, _ = await outcome(start(pool, where))
        shown = lab.host(name).lab_host.host_key
        assert type(problem) is NotStarted
        for part in ("host key changed", fingerprint(shown), fingerprint(where.host_key)):
            assert part in str(problem)
        assert "shop.web.99" not in lab.host(name).machine.placed.here
        await start(pool, replace(where, host_key=shown))  # enrolled again

    play(tmp_path, work)


@pytest.mark.parametrize("lie", ["garbage", "wrong_operation", "no_ok", "huge"])
def test_a_lie_is_unknown(tmp_path: Path, lie: Any) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        name = fresh_names(lab)[0]
        lab.host(name).machine.faults.answers = lie
        problem, seconds = await outcome(start(pool, endpoint(lab, name)))
        assert type(problem) is Unknown
        assert "hunter2" not in str(problem)
        assert seconds < 2
        lab.host(name).machine.faults.answers = "true"
        again = await start(pool, endpoint(lab, name))  # the same operation: what really became of it
        assert again["dyno"]["dyno"] == "shop.web.99"

    play(tmp_path, work)


def test_no_answer_is_unknown_at_the_deadline(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        name = fresh_names(lab)[0]
        lab.host(name).machine.faults.answers = "none"
        problem, seconds = await outcome(start(pool, endpoint(lab, name), deadline_seconds=0.5))
        assert type(problem) is Unknown
        assert 0.4 < seconds < 0.8

    play(tmp_path, work)


@pytest.mark.parametrize(("moment", "ran"), [("before", False), ("after", True)])
def test_a_connection_dropped_in_a_call_is_unknown_and_asking_again_settles_it(
    tmp_path: Path, moment: Any, ran: bool
) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        name = fresh_names(lab)[0]
        machine, where = lab.host(name).machine, endpoint(lab, name)
        machine.faults.drop = moment
        problem, _ = await outcome(start(pool, where))
        assert type(problem) is Unknown
        assert ("shop.web.99" in machine.placed.here) is ran
        became = await pool.call(where, verb="operation", operation="shop.web.99-start")
        assert became["state"] == ("done" if ran else "absent")
        await start(pool, where)
        assert "shop.web.99" in await names_on(pool, where)

    play(tmp_path, work)


def test_hosts_that_say_no_are_rejected_with_their_code(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        name = fresh_names(lab)[0]
        machine, where = lab.host(name).machine, endpoint(lab, name)
        machine.faults.failing_starts = 1.0
        problem, _ = await outcome(start(pool, where))
        assert isinstance(problem, Rejected)
        assert (problem.code, problem.retry) == ("not_launched", True)
        machine.faults.failing_starts = 0.0
        await pool.call(where, verb="taint", operation="t", fence=5, arguments={"reason": "sick", "reference": "x:1"})
        problem, _ = await outcome(start(pool, where, operation="other", fence=5))
        assert isinstance(problem, Rejected)
        assert problem.code == "tainted"
        problem, _ = await outcome(start(pool, where, operation="late", fence=4))
        assert isinstance(problem, Rejected)
        assert problem.code == "stale_fence"

    play(tmp_path, work)


def test_a_slow_start_is_not_healthy_in_time(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        name = fresh_names(lab)[0]
        lab.host(name).machine.faults.slow_start_seconds = 30
        where = endpoint(lab, name)
        await start(pool, where)
        health = await pool.call(where, verb="health", arguments={"dyno": "shop.web.99", "wait_seconds": 0.4})
        assert (health["healthy"], health["state"]) == (False, "starting")

    play(tmp_path, work)


def test_waiting_for_health_ends_when_the_dyno_is_stopped(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        name = fresh_names(lab)[0]
        lab.host(name).machine.faults.never_healthy = True
        where = endpoint(lab, name)
        await start(pool, where)
        arguments = {"dyno": "shop.web.99", "wait_seconds": 20}
        waiting = asyncio.create_task(pool.call(where, verb="health", arguments=arguments))
        await asyncio.sleep(0.2)
        await pool.call(where, verb="stop", operation="s", fence=1, arguments={"dyno": "shop.web.99"})
        assert (await asyncio.wait_for(waiting, 1))["state"] == "absent"

    play(tmp_path, work)


def test_one_host_that_hangs_holds_nobody_else_up(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        await lab.host(lab.hosts[0].name).hang()
        began = time.monotonic()
        calls = [pool.call(endpoint(lab, host.name), verb="facts") for host in lab.hosts for _ in range(4)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(answer) for answer in answers[:4]] == [NotStarted] * 4
        assert all(isinstance(answer, dict) for answer in answers[4:])
        assert time.monotonic() - began < 3

    play(tmp_path, work)


def test_another_host_program_than_the_one_put_there_is_not_started(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        where = endpoint(lab, fresh_names(lab)[0])
        digest = (await pool.call(where, verb="facts"))["digest"]
        async with Pool(client_keys=[lab.client_key], limits=QUICK, program_digests=[digest]) as right:
            await right.call(where, verb="dynos")
        async with Pool(client_keys=[lab.client_key], limits=QUICK, program_digests=["sha256:0"]) as wrong:
            problem, _ = await outcome(start(wrong, where))
        assert type(problem) is NotStarted
        assert digest in str(problem)
        assert "shop.web.99" not in await names_on(pool, where)

    play(tmp_path, work)


def test_leaving_the_pool_answers_every_caller(tmp_path: Path) -> None:
    async def work(lab: SimulatedLab, pool: Pool) -> None:
        name, silent = fresh_names(lab)[:2]
        lab.host(name).machine.faults.answers = "none"
        await lab.host(silent).hang()
        callers = [asyncio.create_task(start(pool, endpoint(lab, host))) for host in (name, silent)]
        await asyncio.sleep(0.4)
        await asyncio.gather(pool.forget(name), pool.forget(silent))
        sent, waiting = await asyncio.gather(*callers, return_exceptions=True)
        assert (type(sent), type(waiting)) == (Unknown, NotStarted)

    play(tmp_path, work)
