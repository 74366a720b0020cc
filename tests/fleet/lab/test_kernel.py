"""What a simulated kernel says, and what it holds back; the host program must understand every line of it."""

import random
from collections import Counter

import pytest

from fleet.hostkit import kernel as real
from fleet.lab.simulated.files import ImageFile, Mount
from fleet.lab.simulated.kernel import BURST, BURST_SECONDS, KEPT, KernelLine, KernelLog

MOUNT = Mount(ImageFile("cedar-14", "sha256:ab", 7, 0.0), "loop3", 0.0)
OTHER = Mount(ImageFile("cedar-14", "sha256:cd", 8, 0.0), "loop4", 0.0)


class Willing(random.Random):
    """Dice that always say yes."""

    def random(self) -> float:
        return 0.0


def log(dice: random.Random | None = None) -> KernelLog:
    return KernelLog(dice or Willing(1))


def every(kernel: KernelLog) -> list[KernelLine]:
    return kernel.after(-1, KEPT)


def told_of(signal: str, times: int = 600) -> int:
    kernel = KernelLog(random.Random(5))
    for number in range(times):
        kernel.crashed(number * BURST_SECONDS * 2, signal=signal, program="ruby", pid=number + 1)
    return len(every(kernel))


def test_most_faults_are_told_bus_errors_and_exits_never() -> None:
    assert 300 < told_of("SIGSEGV") < 420
    assert 420 < told_of("SIGILL") < 540
    assert (told_of("SIGBUS"), told_of("SIGKILL"), told_of("")) == (0, 0, 0)


@pytest.mark.parametrize("signal", ["SIGSEGV", "SIGILL"])
@pytest.mark.parametrize("seed", range(5))
def test_the_program_on_real_hosts_reads_its_crashes(signal: str, seed: int) -> None:
    kernel = KernelLog(random.Random(seed))
    while not every(kernel):
        kernel.crashed(10.0, signal=signal, program="ruby", pid=4242)
    [line] = every(kernel)
    read = real.parse(f"4,{line.number},0,-;{line.line}", booted_at=line.at)
    assert read
    assert (read.kind, read.pid, read.number, read.at) == ("segfault", 4242, line.number, 10.0)


@pytest.mark.parametrize("seed", range(8))
def test_the_program_on_real_hosts_reads_its_errors_with_their_device(seed: int) -> None:
    kernel = KernelLog(random.Random(seed))
    for _ in range(6):
        kernel.failed_to_read(10.0, MOUNT, "ruby")
    lines = every(kernel)
    assert lines
    for line in lines:
        read = real.parse(f"3,{line.number},0,-;{line.line}", booted_at=0.0)
        assert read
        assert (read.kind, read.device) == (line.kind, line.device) == (line.kind, "loop3")


def test_of_many_at_once_the_first_are_told_and_the_rest_counted() -> None:
    kernel = log()
    for number in range(BURST + 7):
        kernel.crashed(100.0 + number / 100, signal="SIGSEGV", program="ruby", pid=number + 1)
    assert Counter(line.kind for line in every(kernel)) == {"segfault": BURST}
    kernel.crashed(100.0 + BURST_SECONDS + 1, signal="SIGSEGV", program="ruby", pid=99)
    suppressed, last = every(kernel)[-2:]
    assert (suppressed.kind, suppressed.line) == ("suppressed", "show_signal: 7 callbacks suppressed")
    assert last.kind == "segfault"
    read = real.parse(f"4,1,0,-;{suppressed.line}", booted_at=0.0)
    assert read
    assert read.kind == "suppressed"


def test_nothing_is_said_to_be_held_back_where_nothing_was() -> None:
    kernel = log()
    for burst in range(3):
        for number in range(BURST):
            kernel.crashed(burst * 2 * BURST_SECONDS, signal="SIGSEGV", program="ruby", pid=number + 1)
    assert Counter(line.kind for line in every(kernel)) == {"segfault": 3 * BURST}


def test_lines_are_read_on_from_a_number_and_only_so_many() -> None:
    kernel = log()
    for number in range(9):
        kernel.crashed(number * 100.0, signal="SIGSEGV", program="ruby", pid=number + 1)
    assert [line.number for line in kernel.after(-1, 4)] == [0, 1, 2, 3]
    assert [line.number for line in kernel.after(3, 100)] == [4, 5, 6, 7, 8]
    assert kernel.after(8, 100) == []
    assert kernel.next_number == 9


def test_a_reader_that_pages_gets_each_line_once() -> None:
    kernel, seen, last = log(), [], -1
    for number in range(40):
        kernel.crashed(number * 100.0, signal="SIGSEGV", program="ruby", pid=number + 1)
        for line in kernel.after(last, 3):
            seen.append(line.number)
            last = line.number
    assert seen == list(range(40))


def test_an_old_line_goes_and_its_number_is_never_given_again() -> None:
    kernel = log()
    for number in range(KEPT + 5):
        kernel.crashed(number * 100.0, signal="SIGSEGV", program="ruby", pid=1)
    assert [every(kernel)[0].number, every(kernel)[-1].number] == [5, KEPT + 4]


def test_errors_of_a_device_are_its_own_and_not_older_than_asked() -> None:
    kernel = log()
    kernel.failed_to_read(10.0, MOUNT, "ruby")
    kernel.failed_to_read(20.0, OTHER, "ruby")
    kernel.failed_to_read(30.0, MOUNT, "ruby")
    kernel.crashed(31.0, signal="SIGSEGV", program="ruby", pid=1)
    assert {line.at for line in kernel.errors_of("loop3", 0.0)} == {10.0, 30.0}
    assert {line.at for line in kernel.errors_of("loop3", 10.1)} == {30.0}
    assert {line.device for line in kernel.errors_of("loop4", 0.0)} == {"loop4"}
    assert kernel.errors_of("loop5", 0.0) == []
