"""The host program by its real argv: what it answers, what it survives, and what outlives its connection."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.hostkit.dynohost import EFFECTS, LONGEST_LINE, READS, VERSION, Json
from tests.fleet.hostkit.conftest import Depot, HostProgram

CONTENT = b"stack image " * 5000
IMAGE = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
DYNO = {"dyno": "web.1", "app": "shop", "stack": "cedar-14", "image": IMAGE, "memory_mb": 16}


def install(operation: str, source: str, fence: int = 1) -> Json:
    words = {"stack": "cedar-14", "image": IMAGE, "source": source}
    return {"verb": "install", "operation": operation, "fence": fence, **words}


def eventually(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_it_says_what_it_is(host: HostProgram) -> None:
    done = subprocess.run([sys.executable, str(host.file), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == VERSION
    facts = host.ask("facts")["result"]
    assert (facts["version"], facts["digest"], facts["tainted"]) == (VERSION, host.digest, False)


def test_a_changed_program_has_another_digest(host: HostProgram) -> None:
    with host.file.open("ab") as stream:
        stream.write(b"#")
    assert host.ask("facts")["result"]["digest"] not in {host.digest, "unknown"}


@pytest.mark.parametrize("python", ["python3.8", "python3.9"])
def test_the_oldest_pythons_run_it(host: HostProgram, python: str) -> None:
    found = shutil.which(python)
    if not found or subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no {python} here")
    lines = [{"verb": "taint", "operation": "t", "fence": 3, "reason": "sick"}, {"verb": "facts"}, {"verb": "dynos"}]
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    done = subprocess.run(host.argv(found), input=text, capture_output=True, timeout=30, check=True)
    assert [json.loads(line)["ok"] for line in done.stdout.splitlines()] == [True] * 3
    assert done.stderr == b""


def test_all_verbs_of_the_contract_are_there() -> None:
    contract = "facts dynos images start health commit stop taint untaint install verify protect crashes operation"
    assert set(contract.split()) == READS | EFFECTS


def test_a_taint_holds_without_faultline_and_start_refuses(host: HostProgram) -> None:
    host.ask("taint", operation="t", reason="looks sick", reference="incident:1")
    refused = host.ask("start", operation="s", dyno=DYNO)
    assert (refused["ok"], refused["error"], refused["retry"]) == (False, "tainted", False)
    assert "looks sick" in refused["message"]
    assert host.ask("untaint", operation="u")["ok"]
    assert host.ask("start", operation="s2", dyno=DYNO)["error"] == "no_image"
    assert host.ask("start", operation="s", dyno=DYNO)["error"] == "tainted", "its answer was given once and for ever"


def test_a_taint_that_cannot_be_read_is_a_taint(host: HostProgram) -> None:
    host.root.mkdir()
    for number, content in enumerate(["", "not json", "[]", "{}"]):
        (host.root / "tainted.json").write_text(content)
        assert host.ask("start", operation=f"s{number}", dyno=DYNO)["error"] == "tainted", content


SENSELESS: list[Json] = [
    {"dyno": None},
    {"dyno": {**DYNO, "dyno": "../web.1"}},
    {"dyno": {**DYNO, "app": ""}},
    {"dyno": {**DYNO, "stack": "a/b"}},
    {"dyno": {**DYNO, "image": "latest"}},
    {"dyno": {**DYNO, "memory_mb": True}},
    {"dyno": {**DYNO, "command": ["run"]}},
    {"dyno": DYNO, "commit_within_seconds": -1},
    {"dyno": DYNO, "commit_within_seconds": "soon"},
]


def test_starts_that_make_no_sense_leave_nothing(host: HostProgram) -> None:
    wanted = [{"verb": "start", "operation": f"s{n}", "fence": 1, **words} for n, words in enumerate(SENSELESS)]
    assert [answer.get("error") for answer in host.ask_all(wanted)] == ["bad_request"] * len(SENSELESS)
    assert list((host.root / "dynos").iterdir()) == []


def test_rubbish_is_answered_in_words_and_harms_nothing(host: HostProgram) -> None:
    rubbish = [b"\xff\xfe\x00", b"[" * 100_000, b'{"verb":', b"null", b'"facts"', b"1e999", b'{"verb":{"a":1}}']
    answers = host.talk(b"\n".join([*rubbish, b"", b"   ", b'{"verb":"facts","id":"good"}']) + b"\n")
    assert len(answers) == len(rubbish) + 1
    refused = [answer for answer in answers if not answer["ok"]]
    assert {answer["error"] for answer in refused} == {"bad_request", "unknown_verb"}
    assert [answer["id"] for answer in answers if answer["ok"]] == ["good"]


def test_a_line_too_long_is_one_refusal_and_its_end_is_no_request(host: HostProgram) -> None:
    hidden = json.dumps({"verb": "taint", "operation": "hidden", "fence": 1}).encode()
    padding = b"x" * (LONGEST_LINE + 1) + hidden + b"x" * LONGEST_LINE + b"\n"
    answers = host.talk(padding + b'{"verb":"facts","id":1}\n')
    assert sorted(answer["ok"] for answer in answers) == [False, True]
    assert not (host.root / "tainted.json").exists()


def test_hundreds_in_flight_are_each_answered_once(host: HostProgram) -> None:
    requests = [{"verb": "facts", "id": number} for number in range(300)]
    requests += [{"verb": "taint", "operation": f"t{n % 50}", "fence": 1, "id": 300 + n} for n in range(200)]
    answers = host.ask_all(requests)
    assert sorted(answer["id"] for answer in answers) == list(range(500))
    assert all(answer["ok"] for answer in answers)
    first = [answer["operation"] for answer in answers if answer["id"] >= 300 and not answer["replayed"]]
    assert sorted(first) == sorted(f"t{number}" for number in range(50))


def test_two_connections_do_one_operation_once(host: HostProgram, depot: Depot) -> None:
    depot.content = CONTENT
    depot.go.clear()
    line = json.dumps(install("i", depot.url)).encode() + b"\n"
    programs = [host.begin() for _ in range(2)]
    for program in programs:
        assert program.stdin
        program.stdin.write(line)
        program.stdin.flush()
    assert depot.asked.wait(10)
    depot.go.set()
    answers = [json.loads(program.communicate(timeout=30)[0]) for program in programs]
    assert sorted(answer["replayed"] for answer in answers) == [False, True]
    assert {answer["result"]["outcome"] for answer in answers} == {"installed"}


def test_an_effect_outlives_its_connection(host: HostProgram, depot: Depot) -> None:
    depot.content = CONTENT
    depot.go.clear()
    program = host.begin(start_new_session=True)
    assert program.stdin
    assert program.stdout
    program.stdin.write(json.dumps(install("i", depot.url)).encode() + b"\n")
    program.stdin.flush()
    assert depot.asked.wait(10)
    program.stdin.close()
    program.stdout.close()
    os.killpg(program.pid, signal.SIGHUP)
    assert host.ask("operation", operation="i")["result"] == {"operation": "i", "state": "running", "answer": None}
    depot.go.set()
    assert eventually(lambda: host.ask("operation", operation="i")["result"]["state"] == "done")
    assert host.ask("operation", operation="i")["result"]["answer"]["result"]["outcome"] == "installed"
    assert program.wait(10) == 0


def test_a_program_killed_in_the_middle_leaves_an_operation_to_do_again(host: HostProgram, depot: Depot) -> None:
    depot.content = CONTENT
    depot.go.clear()
    with host.begin() as program:
        assert program.stdin
        program.stdin.write(json.dumps(install("i", depot.url)).encode() + b"\n")
        program.stdin.flush()
        assert depot.asked.wait(10)
        program.kill()
    depot.go.set()
    assert host.ask("operation", operation="i")["result"]["state"] == "absent"
    again = host.ask_all([install("i", depot.url)])[0]
    assert (again["replayed"], again["result"]["outcome"]) == (False, "installed")


def test_a_fence_is_seen_by_connections_already_open(host: HostProgram) -> None:
    with host.begin() as program:
        assert program.stdin
        assert program.stdout
        program.stdin.write(b'{"verb":"facts"}\n')
        program.stdin.flush()
        assert json.loads(program.stdout.readline())["ok"]
        assert host.ask("facts", fence=9)["result"]["fence"] == 9
        program.stdin.write(b'{"verb":"taint","operation":"t","fence":8}\n')
        program.stdin.flush()
        assert json.loads(program.stdout.readline())["error"] == "stale_fence"
        assert not (host.root / "tainted.json").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    point = tmp_path / "root"
    point.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", str(point)]
    if os.geteuid() != 0 or subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("needs root to mount a small disk")
    yield point
    subprocess.run(["umount", str(point)], check=True)


def test_a_full_disk_is_told_and_passes(small_disk: Path, host: HostProgram, depot: Depot) -> None:
    host.ask("facts")
    depot.content = CONTENT * 3
    assert len(depot.content) > 65536
    refused = host.ask_all([install("i", depot.url)])[0]
    assert (refused["error"], refused["retry"]) == ("download_failed", True)
    assert "No space left" in refused["message"]
    assert [path.suffix for path in (host.root / "images" / "cedar-14").iterdir()] == [".lock"]
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(b"x" * 512):
            pass
    answers = host.ask_all([{"verb": "taint", "operation": "t", "fence": 1, "id": 1}, {"verb": "facts", "id": 2}])
    by_id = {answer["id"]: answer for answer in answers}
    assert (by_id[1]["error"], by_id[1]["retry"]) == ("failed", True)
    assert by_id[2]["ok"]
    assert not list(host.root.glob("**/.*"))
    filler.unlink()
    assert host.ask("taint", operation="t")["replayed"] is False
    assert host.ask("taint", operation="t")["replayed"] is True
