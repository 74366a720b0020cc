"""A lab in a thread of its own: brought up, asked, and taken down whatever happens."""

import asyncio
import threading

import pytest

from fleet.lab.running import RunningLab
from tests.fleet.lab.hub import NotingLab


def lab_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lab" and thread.is_alive()]


def test_it_is_up_inside_and_down_after() -> None:
    lab = NotingLab()
    with RunningLab(lab) as running:
        assert lab.done == [("start",)]
        assert running.do(lab.install("h1", stack="s", image="i", tools="2.0")) == "installed"
        assert len(lab_threads()) == 1
    assert lab.done[-1] == ("stop",)
    assert lab_threads() == []


def test_work_runs_in_the_labs_loop_and_its_errors_reach_the_caller() -> None:
    async def where() -> threading.Thread:
        return threading.current_thread()

    async def fail() -> None:
        raise ValueError("of the lab")

    with RunningLab(NotingLab()) as running:
        assert running.do(where()) in lab_threads()
        with pytest.raises(ValueError, match="of the lab"):
            running.do(fail())
        assert running.do(where()).is_alive()


def test_it_is_taken_down_after_an_error_inside() -> None:
    lab = NotingLab()
    with pytest.raises(KeyError), RunningLab(lab):
        raise KeyError("a test")
    assert lab.done == [("start",), ("stop",)]
    assert lab_threads() == []


def test_now_returns_after_what_was_asked_before() -> None:
    seen: list[int] = []

    async def schedule() -> None:
        asyncio.get_running_loop().call_soon(seen.append, 1)

    with RunningLab(NotingLab()) as running:
        running.do(schedule())
        running.now()
        assert seen == [1]


class Broken(NotingLab):
    async def start(self) -> None:
        raise RuntimeError("no room")


def test_a_lab_that_does_not_come_up_leaves_no_thread() -> None:
    with pytest.raises(RuntimeError, match="no room"):
        RunningLab(Broken()).__enter__()
    assert lab_threads() == []
