"""The kernel's ring, read as the kernel gives it: one record a read, from a pipe that keeps packets apart."""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.hostkit import kernel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pipes that keep packets apart")
Say = Callable[..., None]


def opened(ring: Path) -> int:
    """The end to write to, each write a packet."""
    pipe = os.open(ring, os.O_WRONLY)
    fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_DIRECT)
    return pipe


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    path = tmp_path / "kmsg"
    os.mkfifo(path)
    return path


@pytest.fixture
def log(ring: Path) -> kernel.KernelLog:
    log = kernel.KernelLog(str(ring))
    assert log.lines(-1) == []
    return log


@pytest.fixture
def say(ring: Path, log: kernel.KernelLog) -> Iterator[Say]:
    """Writes records; the pipe's other end is open since the log was asked first."""
    pipe = opened(ring)

    def write(number: int, text: str, *, microseconds: int = 0) -> None:
        os.write(pipe, f"4,{number},{microseconds},-;{text}\n".encode())

    yield write
    os.close(pipe)


def segfault(pid: int) -> str:
    return f"ruby[{pid}]: segfault at 8 ip 00007f7ca91b1f24 sp 00007ffc010c8a60 error 4 in libc.so.6"


def test_lines_of_interest_are_kept_and_all_are_counted(log: kernel.KernelLog, say: Say) -> None:
    say(7, segfault(1))
    say(8, "usb 1-1: new device")
    say(9, "I/O error, dev loop3, sector 8 op 0x0:(READ)")
    say(10, "another thing")
    assert [(line.number, line.kind) for line in log.lines(-1)] == [(7, "segfault"), (9, "loop_io_error")]
    assert log.last_number == 10


def test_a_line_is_given_again_to_whoever_has_not_seen_it(log: kernel.KernelLog, say: Say) -> None:
    for number in range(3):
        say(number, segfault(number + 1))
    assert [line.pid for line in log.lines(0)] == [2, 3]
    say(3, segfault(4))
    assert [line.pid for line in log.lines(0)] == [2, 3, 4]
    assert [line.pid for line in log.lines(2)] == [4]
    assert log.lines(3) == []


def test_only_so_many_lines_are_kept_and_the_newest(
    log: kernel.KernelLog, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "MOST_LINES_KEPT", 4)
    for number in range(9):
        say(number, segfault(number + 1))
    assert [line.number for line in log.lines(-1)] == [5, 6, 7, 8]


def test_what_is_no_text_and_what_is_no_record_breaks_nothing(log: kernel.KernelLog, say: Say, ring: Path) -> None:
    pipe = opened(ring)
    for record in (b"\xff\xfe;\x00", b"nonsense", b"4,x,0,-;text", b",,,;"):
        os.write(pipe, record)
    os.close(pipe)
    say(5, segfault(1))
    assert [line.number for line in log.lines(-1)] == [5]
    assert log.last_number == 5


def test_a_long_line_is_cut(log: kernel.KernelLog, say: Say) -> None:
    say(1, segfault(1) + "x" * 3000)
    assert len(log.lines(-1)[0].line) == 400


def test_a_host_that_may_not_read_its_kernel_says_nothing_and_works(tmp_path: Path) -> None:
    log = kernel.KernelLog(str(tmp_path / "none"))
    assert (log.lines(-1), log.last_number) == ([], -1)


def test_time_runs_from_the_start_of_the_machine(log: kernel.KernelLog, say: Say) -> None:
    say(1, segfault(1), microseconds=5_000_000)
    say(2, segfault(2), microseconds=65_000_000)
    first, second = log.lines(-1)
    assert second.at - first.at == pytest.approx(60)
