"""A tied program ends with whoever started it, is who it was told to be, and says so where that cannot be."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.embedded.child import TETHER, tethered
from config.embedded.identity import identity
from config.embedded.tether import NOBODY, PARENT_IS_GONE, as_nobody

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ties are Linux's")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
STARTS_ONE = """
import subprocess, sys
from config.embedded.child import tethered
child = subprocess.Popen(tethered(sys.argv[2:], death_signal=int(sys.argv[1])), stdout=subprocess.PIPE)
print(child.pid, flush=True)
input()
"""


def run(argv: list[str], *, identity: str = "-") -> subprocess.CompletedProcess[str]:
    words = tethered(argv, death_signal=signal.SIGKILL, identity=identity)
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)


def is_gone(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def eventually_gone(process_id: int, seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while not is_gone(process_id) and time.monotonic() < until:
        time.sleep(0.02)
    return is_gone(process_id)


def test_it_becomes_the_program_with_its_arguments_and_its_status() -> None:
    done = run([sys.executable, "-c", "import sys; print(sys.argv[1:]); sys.exit(7)", "a b", "", "$HOME"])
    assert (done.returncode, done.stdout) == (7, "['a b', '', '$HOME']\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_its_parent_is_killed(number: signal.Signals) -> None:
    argv = [sys.executable, "-c", STARTS_ONE, str(int(number)), "sleep", "600"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not is_gone(child)
        parent.kill()
    assert eventually_gone(child)


def test_one_whose_parent_was_gone_before_the_tie_held_does_not_begin(tmp_path: Path) -> None:
    argv = [sys.executable, "-IS", str(TETHER), "1", str(int(signal.SIGKILL)), "-", "touch", str(tmp_path / "ran")]
    assert subprocess.run(argv, check=False, timeout=30).returncode == PARENT_IS_GONE
    assert not (tmp_path / "ran").exists()


def test_a_program_that_is_not_there_is_an_error_and_no_silence() -> None:
    done = run(["/nowhere/at-all"])
    assert done.returncode != 0
    assert "FileNotFoundError" in done.stderr


@as_root
def test_somebody_else_in_a_namespace_reads_what_only_root_may(tmp_path: Path) -> None:
    if identity() == "nobody":
        pytest.skip("user namespaces are not allowed here")
    kept = tmp_path / "kept"
    kept.write_text("for root")
    kept.chmod(0o600)
    assert run(["id", "-u"], identity=identity()).stdout.strip() == identity() != "0"
    assert run(["cat", str(kept)], identity=identity()).stdout == "for root"


@as_root
def test_nobody_passes_folders_and_keeps_the_tie(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "inside").write_text("found")
    assert run(["id", "-u"], identity="nobody").stdout.strip() == str(NOBODY)
    assert run(["cat", str(tmp_path / "inside")], identity="nobody").stdout == "found"


def test_the_command_for_nobody_names_the_signal_of_the_tie() -> None:
    argv = as_nobody(["postgres", "-D", "x"], death_signal=str(int(signal.SIGINT)))
    assert argv[0] == "setpriv"
    assert "--pdeathsig=SIGINT" in argv
    assert argv[-4:] == ["--", "postgres", "-D", "x"]
