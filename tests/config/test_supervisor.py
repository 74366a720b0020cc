"""The supervisor with small programs: order, restarts, last words, ties."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from config.embedded import Program, StartError, Supervisor
from config.embedded.orphans import is_zombie

WAITS = "import time; time.sleep(600)"
LEAVES_A_CHILD = (
    "import subprocess, sys, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
)


class Said(list[tuple[str, str]]):
    def __call__(self, name: str, state: str) -> None:
        self.append((name, state))


def program(folder: Path, name: str, code: str, *, stage: int = 1, ready_seconds: float = 10) -> Program:
    log = folder / name
    argv = [sys.executable, "-c", code]
    return Program(name=name, argv=argv, log=log, stage=stage, ready=log.exists, ready_seconds=ready_seconds)


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < until, "did not come about"
        time.sleep(0.02)


def ended(process_id: int) -> bool:
    return not Path(f"/proc/{process_id}").exists() or is_zombie(process_id)


def test_the_later_stage_ends_first(tmp_path: Path) -> None:
    said = Said()
    with Supervisor(say=said) as supervisor:
        supervisor.spawn(program(tmp_path, "database", WAITS, stage=0))
        supervisor.spawn(program(tmp_path, "web", WAITS))
    assert said == [("database", "ready"), ("web", "ready"), ("web", "stopped"), ("database", "stopped")]


def test_what_dies_starts_again(tmp_path: Path) -> None:
    said = Said()
    with Supervisor(say=said) as supervisor:
        child = supervisor.spawn(program(tmp_path, "web", WAITS))
        first = child.pid
        assert first
        os.kill(first, signal.SIGKILL)
        eventually(lambda: child.pid not in {None, first})
        eventually(lambda: child.state == "ready")
    assert ("web", "died (exit -9), starts again in 0.5 s") in said


def test_what_dies_again_and_again_waits_longer(tmp_path: Path) -> None:
    said = Said()
    with Supervisor(say=said) as supervisor:
        supervisor.spawn(program(tmp_path, "web", "raise SystemExit(3)"))
        eventually(lambda: ("web", "died (exit 3), starts again in 1 s") in said)


def test_what_a_killed_program_left_ends_too(tmp_path: Path) -> None:
    with Supervisor(say=Said()) as supervisor:
        child = supervisor.spawn(program(tmp_path, "web", LEAVES_A_CHILD))
        eventually(lambda: (tmp_path / "web").read_text().endswith("\n"))
        left = int((tmp_path / "web").read_text())
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        eventually(lambda: ended(left))


def test_what_does_not_come_up_says_its_last_words(tmp_path: Path) -> None:
    never = Program(
        name="web",
        argv=[sys.executable, "-c", "raise SystemExit('no such table')"],
        log=tmp_path / "web",
        ready=lambda: False,
    )
    with pytest.raises(StartError, match=r"web ended while starting:\nno such table"), Supervisor(say=Said()) as s:
        s.spawn(never)


def test_what_is_never_ready_is_given_up_and_ended(tmp_path: Path) -> None:
    slow = Program(
        name="web",
        argv=[sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"],
        log=tmp_path / "web",
        ready=lambda: False,
        ready_seconds=1,
    )
    with Supervisor(say=Said()) as supervisor:
        with pytest.raises(StartError, match="was not ready in 1 s"):
            supervisor.spawn(slow)
        assert ended(int((tmp_path / "web").read_text()))


def test_programs_come_up_side_by_side_and_are_kept(tmp_path: Path) -> None:
    logs = [tmp_path / "worker", tmp_path / "beat"]
    code = """
import pathlib, sys, time
while not all(pathlib.Path(path).exists() for path in sys.argv[1:]):
    time.sleep(0.01)
print('met', flush=True)
time.sleep(600)
"""

    def one_of(log: Path) -> Program:
        argv = [sys.executable, "-c", code, *map(str, logs)]
        return Program(name=log.name, argv=argv, log=log, ready=lambda: "met" in log.read_text())

    said = Said()
    with Supervisor(say=said) as supervisor:
        children = supervisor.spawn_together(one_of(log) for log in logs)
        assert [child.state for child in children] == ["ready", "ready"]
        first = children[1].pid
        assert first
        os.kill(first, signal.SIGKILL)
        eventually(lambda: children[1].pid not in {None, first})
    assert said[:2] == [("worker", "ready"), ("beat", "ready")]


def test_one_that_does_not_come_up_ends_those_that_were_begun_with_it(tmp_path: Path) -> None:
    tells = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    slow = Program(name="lab", argv=[sys.executable, "-c", tells], log=tmp_path / "lab", ready=lambda: False)
    broken = program(tmp_path, "web", "raise SystemExit('no such table')")
    with Supervisor(say=Said()) as supervisor:
        begun = supervisor.begin([slow])
        eventually(lambda: (tmp_path / "lab").read_text().endswith("\n"))
        with pytest.raises(StartError, match="web ended while starting"):
            supervisor.spawn(replace(broken, ready=lambda: False))
        assert begun[0].pid is None
        assert ended(int((tmp_path / "lab").read_text()))


def test_what_was_only_begun_ends_with_the_rest(tmp_path: Path) -> None:
    with Supervisor(say=Said()) as supervisor:
        pid = supervisor.begin([program(tmp_path, "lab", WAITS)])[0].pid
    assert pid
    assert ended(pid)


def test_a_stubborn_program_is_forced(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    stubborn = Program(
        name="web",
        argv=[sys.executable, "-c", code],
        log=tmp_path / "web",
        ready=lambda: "deaf" in (tmp_path / "web").read_text(),
        stop_seconds=0.3,
    )
    with Supervisor(say=Said()) as supervisor:
        pid = supervisor.spawn(stubborn).pid
    assert pid
    assert ended(pid)


def test_a_command_that_fails_tells_what_it_printed() -> None:
    with Supervisor(say=Said()) as supervisor:
        assert supervisor.run("greet", [sys.executable, "-c", "print('hello')"]) == "hello\n"
        with pytest.raises(StartError, match=r"migrate failed \(exit 4\):\nno database"):
            supervisor.run("migrate", [sys.executable, "-c", "print('no database'); raise SystemExit(4)"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a program to its parent")
def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from config.embedded import Program, Supervisor
log = Path({str(tmp_path / "web")!r})
with Supervisor(say=lambda _name, _state: None) as supervisor:
    child = supervisor.spawn(Program(name="web", argv=[sys.executable, "-c", {WAITS!r}], log=log))
    print(child.pid, flush=True)
    time.sleep(600)
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    pid = int(holder.stdout.readline())
    assert not ended(pid)
    holder.kill()
    holder.wait()
    eventually(lambda: ended(pid))
