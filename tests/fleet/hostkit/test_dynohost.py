import io
import json
import threading
import time
from pathlib import Path

import pytest

from fleet.hostkit.disk import DiskStore
from fleet.hostkit.dynohost import EFFECTS, READS, Json, Machine, MemoryStore, Program, Refused, Store, serve


def nothing(self: Machine, request: Json) -> Json:
    """A verb that no test here asks for."""
    raise AssertionError("not asked for")


class CountingMachine(Machine):
    """Counts effects; `stop` waits until it is let go."""

    dynos = images = health = verify = crashes = commit = untaint = install = nothing

    def __init__(self) -> None:
        self.effects = 0
        self.let_go = threading.Event()
        self.begun = threading.Event()

    def facts(self, request: Json) -> Json:  # noqa: ARG002
        return {"host": "h1"}

    def taint(self, request: Json) -> Json:  # noqa: ARG002
        self.effects += 1
        return {"effects": self.effects}

    def stop(self, request: Json) -> Json:
        self.begun.set()
        self.let_go.wait(10)
        return self.taint(request)

    def start(self, request: Json) -> Json:
        self.effects += 1
        raise Refused(str(request["code"]), "no", retry=bool(request["retry"]))

    def protect(self, request: Json) -> Json:  # noqa: ARG002
        self.effects += 1
        raise OSError("the disk is gone")


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else DiskStore(tmp_path / "operations")


@pytest.fixture
def machine() -> CountingMachine:
    return CountingMachine()


@pytest.fixture
def program(machine: CountingMachine, store: Store) -> Program:
    return Program(machine, store)


def test_machines_and_stores_must_be_whole() -> None:
    for kind, verbs in ((Machine, (READS | EFFECTS) - {"operation"}), (Store, {"claim", "answer", "keep"})):
        assert verbs <= kind.__abstractmethods__
        with pytest.raises(TypeError, match="abstract"):
            kind()  # type: ignore[abstract]


def taint(operation: str = "op-1", fence: int = 5, **more: object) -> Json:
    return {"verb": "taint", "operation": operation, "fence": fence, **more}


def test_the_same_operation_gives_the_stored_answer(program: Program, machine: CountingMachine) -> None:
    first, second = program.handle(taint()), program.handle(taint())
    assert first == {"ok": True, "operation": "op-1", "replayed": False, "result": {"effects": 1}}
    assert second == {"ok": True, "operation": "op-1", "replayed": True, "result": {"effects": 1}}
    assert machine.effects == 1


def test_a_lower_fence_is_refused_even_for_a_stored_answer(program: Program, machine: CountingMachine) -> None:
    program.handle(taint(fence=7))
    for operation in ("op-1", "op-2"):
        answer = program.handle(taint(operation, fence=6))
        assert (answer["ok"], answer["error"], answer["retry"]) == (False, "stale_fence", False)
    assert machine.effects == 1


def test_a_read_with_a_fence_raises_it_for_everybody(program: Program) -> None:
    assert program.handle({"verb": "facts", "fence": 9})["result"]["fence"] == 9
    assert program.handle(taint(fence=8))["error"] == "stale_fence"
    assert program.handle({"verb": "facts"})["ok"]


def test_the_same_operation_joins_the_one_still_running(program: Program, machine: CountingMachine) -> None:
    answers: list[Json] = []
    request = {"verb": "stop", "operation": "op-1", "fence": 1}
    threads = [threading.Thread(target=lambda: answers.append(program.handle(request))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert machine.begun.wait(5)
    assert program.handle({"verb": "operation", "operation": "op-1"})["result"]["state"] == "running"
    machine.let_go.set()
    for thread in threads:
        thread.join(10)
    assert machine.effects == 1
    assert sorted(answer["replayed"] for answer in answers) == [False, True, True, True]
    assert {json.dumps(answer["result"]) for answer in answers} == {'{"effects": 1}'}


def test_joining_ends_at_the_deadline(program: Program, machine: CountingMachine) -> None:
    request = {"verb": "stop", "operation": "op-1", "fence": 1}
    thread = threading.Thread(target=program.handle, args=(request,))
    thread.start()
    assert machine.begun.wait(5)
    answer = program.handle({**request, "deadline_seconds": 0.1})
    assert (answer["error"], answer["retry"]) == ("still_running", True)
    machine.let_go.set()
    thread.join(10)


def test_what_became_of_an_operation(program: Program) -> None:
    assert program.handle({"verb": "operation", "operation": "op-1"})["result"]["state"] == "absent"
    program.handle(taint())
    result = program.handle({"verb": "operation", "operation": "op-1"})["result"]
    assert result["state"] == "done"
    assert result["answer"]["result"] == {"effects": 1}


def test_a_final_refusal_is_kept_and_a_passing_one_is_not(program: Program, machine: CountingMachine) -> None:
    final = {"verb": "start", "operation": "op-1", "fence": 1, "code": "no_capacity", "retry": False}
    passing = {"verb": "start", "operation": "op-2", "fence": 1, "code": "busy", "retry": True}
    assert [program.handle(final)["replayed"] for _ in range(2)] == [False, True]
    assert [program.handle(passing)["replayed"] for _ in range(2)] == [False, False]
    assert machine.effects == 3


def test_a_failure_is_an_answer_and_may_be_tried_again(program: Program, machine: CountingMachine) -> None:
    answer = program.handle({"verb": "protect", "operation": "op-1", "fence": 1})
    assert (answer["error"], answer["message"], answer["retry"]) == ("failed", "OSError: the disk is gone", True)
    program.handle({"verb": "protect", "operation": "op-1", "fence": 1})
    assert machine.effects == 2


def test_an_operation_cannot_become_another_verb(program: Program, machine: CountingMachine) -> None:
    program.handle(taint())
    machine.let_go.set()
    assert program.handle({"verb": "stop", "operation": "op-1", "fence": 5})["error"] == "operation_reused"


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ([], "bad_request"),
        (None, "bad_request"),
        ({"verb": "explode"}, "unknown_verb"),
        ({"verb": ["taint"]}, "unknown_verb"),
        ({"verb": "taint", "fence": 1}, "bad_request"),
        ({"verb": "taint", "operation": "x" * 201, "fence": 1}, "bad_request"),
        ({"verb": "taint", "operation": "op-1"}, "bad_request"),
        ({"verb": "taint", "operation": "op-1", "fence": True}, "bad_request"),
        ({"verb": "facts", "fence": "7"}, "bad_request"),
        ({"verb": "operation"}, "bad_request"),
    ],
)
def test_bad_requests_are_refused_in_words(
    program: Program, machine: CountingMachine, request_: object, error: str
) -> None:
    answer = program.handle(request_)
    assert (answer["ok"], answer["error"]) == (False, error)
    assert answer["message"]
    assert machine.effects == 0


def test_disk_keeps_answers_and_the_fence_over_a_restart(tmp_path: Path, machine: CountingMachine) -> None:
    Program(machine, DiskStore(tmp_path)).handle(taint(fence=7))
    again = Program(machine, DiskStore(tmp_path))
    assert again.handle(taint(fence=7))["replayed"] is True
    assert again.handle(taint("op-2", fence=6))["error"] == "stale_fence"
    assert machine.effects == 1


def test_lines_are_answered_with_their_id_and_finished_after_the_input_ends(machine: CountingMachine) -> None:
    lines = [json.dumps(taint(f"op-{number}", id=number)) for number in range(50)]
    out = io.BytesIO()
    serve(Program(machine, MemoryStore()), io.BytesIO("\n".join([*lines, "{half"]).encode()), out)
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert sorted(answer["id"] for answer in answers if answer["ok"]) == list(range(50))
    assert [answer["error"] for answer in answers if not answer["ok"]] == ["bad_request"]


def test_a_slow_request_holds_nobody_up(machine: CountingMachine) -> None:
    lines = [json.dumps({"verb": "stop", "operation": "slow", "fence": 5, "id": "slow"}), json.dumps(taint(id="quick"))]
    out = io.BytesIO()
    done = threading.Thread(
        target=serve, args=(Program(machine, MemoryStore()), io.BytesIO("\n".join(lines).encode()), out)
    )
    done.start()
    until = time.monotonic() + 5
    while not out.getvalue() and time.monotonic() < until:
        time.sleep(0.01)
    machine.let_go.set()
    done.join(10)
    assert [json.loads(line)["id"] for line in out.getvalue().splitlines()] == ["quick", "slow"]
