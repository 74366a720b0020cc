"""What killed programs leave behind: ended, waited for, and never mistaken for somebody else's."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.leftovers import clear_leftover
from config.embedded.orphans import children_of, is_zombie, name_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
HEARS = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); print('up', flush=True); time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that works in the folder, and hears SIGINT though whoever runs the tests may not."""
    process = subprocess.Popen([sys.executable, "-c", HEARS], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_server_left_in_the_folder_is_ended_and_its_file_goes(tmp_path: Path, server: subprocess.Popen[str]) -> None:
    file = tmp_path / "postmaster.pid"
    file.write_text(f"{server.pid}\n{tmp_path}\n5432\n")
    clear_leftover(file, folder=tmp_path)
    assert server.wait(5) == -signal.SIGINT
    assert not file.exists()


def test_one_that_is_deaf_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "postmaster.pid"
    with subprocess.Popen([sys.executable, "-c", DEAF], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as deaf:
        assert deaf.stdout is not None
        deaf.stdout.readline()
        file.write_text(f"{deaf.pid}")
        clear_leftover(file, folder=tmp_path, patience_seconds=0.2)
        assert deaf.wait(5) == -signal.SIGKILL


def test_a_number_used_again_by_another_program_is_left_alone(tmp_path: Path, server: subprocess.Popen[str]) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "postmaster.pid"
    file.write_text(str(server.pid))
    clear_leftover(file, folder=tmp_path / "data")
    assert server.poll() is None
    assert not file.exists()


@pytest.mark.parametrize("text", ["", "\n", "no number", "-1", "999999999", "1.5\n"])
def test_a_file_that_names_nobody_just_goes(tmp_path: Path, text: str) -> None:
    file = tmp_path / "postmaster.pid"
    file.write_text(text)
    clear_leftover(file, folder=tmp_path)
    clear_leftover(file, folder=tmp_path)
    assert not file.exists()


ADOPTS = """
import os, subprocess, sys, time
from config.embedded.orphans import adopt_orphans, bury, children_of, is_zombie, name_of
adopt_orphans()
middle = subprocess.Popen(["sh", "-c", "sleep 0.1 & echo $!"], stdout=subprocess.PIPE, text=True)
orphan = int(middle.communicate()[0])
while not is_zombie(orphan):
    assert orphan in set(children_of(os.getpid())) or is_zombie(orphan)
    time.sleep(0.01)
bury({"something-else"}, spare=set())
assert is_zombie(orphan), "of another name"
bury({"sleep"}, spare={orphan})
assert is_zombie(orphan), "spared"
bury({"sleep"}, spare=set())
print("buried" if not is_zombie(orphan) and name_of(orphan) == "" else "there")
"""


def test_orphans_are_adopted_and_those_of_our_names_waited_for() -> None:
    done = subprocess.run([sys.executable, "-c", ADOPTS], capture_output=True, text=True, check=False, timeout=30)
    assert (done.stdout, done.stderr) == ("buried\n", "")


def test_somebody_who_is_not_there_has_no_children_no_name_and_is_no_zombie() -> None:
    assert list(children_of(999_999_999)) == []
    assert name_of(999_999_999) == ""
    assert not is_zombie(999_999_999)
    assert not is_zombie(os.getpid())
