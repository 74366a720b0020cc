import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.lab.real.lab import RealLab, Size
from fleet.lab.real.needs import missing

SMALL = Size(old_hosts=2, new_hosts=1, fresh_hosts=1, dynos_a_host=6, apps=12)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if lacking := missing():
        for item in items:
            if item.get_closest_marker("real_lab"):
                item.add_marker(pytest.mark.skip(reason=" ".join(lacking)))


def new_lab(folder: Path) -> RealLab:
    """A small lab whose healthy dynos never crash by themselves, and are busy."""
    return RealLab(folder, size=SMALL, crashes_per_dyno_hour=0, pause_ms=600)


@pytest.fixture(scope="session")
def lab_folder() -> Iterator[Path]:
    """One folder for the whole run, so that images are built once."""
    with tempfile.TemporaryDirectory(prefix="faultline-lab-") as folder:
        yield Path(folder)


@pytest.fixture
def lab(lab_folder: Path) -> Iterator[RealLab]:
    lab = new_lab(lab_folder)
    asyncio.run(lab.start())
    yield lab
    asyncio.run(lab.stop())
    assert leftovers(lab_folder) == []


def leftovers(folder: Path) -> list[str]:
    """Whatever of the lab in this folder is still on the machine."""
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    mounts = Path("/proc/self/mountinfo").read_text()
    loops = [path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    return [line for text in (processes, mounts, *loops) for line in text.splitlines() if f"{folder}/hosts" in line]
