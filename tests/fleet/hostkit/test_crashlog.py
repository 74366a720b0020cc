from pathlib import Path

import pytest

from fleet.hostkit import crashlog

SPEC = {
    "host": "h1", "dyno": "web.1", "app": "shop", "stack": "cedar-14", "image": "sha256:0", "command": ["/app/run"],
}  # fmt: skip


def crash(root: Path, pid: int, status: int = 139) -> None:
    (root / "crashes").mkdir(exist_ok=True)
    crashlog.append_crash(root, SPEC, pid=pid, started=1000.0, exit_status=status)


def test_a_crash_is_a_record_of_the_contract(tmp_path: Path) -> None:
    crash(tmp_path, 7)
    (found,), _, _ = crashlog.read_crashes(tmp_path, 0, 0, 10)
    assert found["type"] == "crash"
    assert (found["host"], found["app"], found["dyno"], found["program"]) == ("h1", "shop", "web.1", "run")
    assert (found["signal"], found["exit_status"], found["source"]) == ("SIGSEGV", 139, "exit_status")
    assert found["at"].endswith("Z")


def test_a_cursor_misses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    segment, offset, seen = 0, 0, []
    for number in range(25):
        crash(tmp_path, number)
        if number % 4 == 3:
            found, segment, offset = crashlog.read_crashes(tmp_path, segment, offset, 3)
            seen += [entry["pid"] for entry in found]
    found, segment, offset = crashlog.read_crashes(tmp_path, segment, offset, 100)
    assert seen + [entry["pid"] for entry in found] == list(range(25))
    assert crashlog.read_crashes(tmp_path, segment, offset, 100)[0] == []


def test_a_cursor_goes_on_over_full_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashlog, "SEGMENT_BYTES", 1000)
    segment, offset, seen = 0, 0, []
    for number in range(40):
        crash(tmp_path, number)
        found, segment, offset = crashlog.read_crashes(tmp_path, segment, offset, 100)
        seen += [entry["pid"] for entry in found]
    assert seen == list(range(40))
    assert len(list((tmp_path / "crashes").glob("*.ndjson"))) <= crashlog.SEGMENTS_KEPT


def test_a_half_written_line_waits(tmp_path: Path) -> None:
    crash(tmp_path, 1)
    with (tmp_path / "crashes" / "1.ndjson").open("ab") as stream:
        stream.write(b'{"half":')
    found, segment, offset = crashlog.read_crashes(tmp_path, 0, 0, 10)
    assert len(found) == 1
    with (tmp_path / "crashes" / "1.ndjson").open("ab") as stream:
        stream.write(b' "pid"}\n')
    assert crashlog.read_crashes(tmp_path, segment, offset, 10)[0] == [{"half": "pid"}]


@pytest.mark.parametrize(("status", "name"), [(139, "SIGSEGV"), (135, "SIGBUS"), (1, None), (128, None), (255, None)])
def test_signals_behind_an_exit_status(status: int, name: str | None) -> None:
    assert crashlog.signal_name(status) == name
