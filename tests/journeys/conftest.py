"""A whole Faultline with its lab, as `make demo` starts it, and a real browser before it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.journeys.browser import CHROMIUM, browsing, free_port

ROOT = Path(__file__).parents[2]
SIGN_IN = re.compile(r"at (http://\S+/)\s+sign in as (\S+) with (\S+)")


@dataclass(frozen=True)
class RunningDemo:
    """Where the demo is, and who may sign in."""

    url: str
    user: str
    password: str
    folder: Path


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[RunningDemo]:
    given = {"FAULTLINE_VAR": str(tmp_path), "PORT": str(free_port()), "PYTHONUNBUFFERED": "1"}
    environment = {
        name: word for name, word in os.environ.items() if name not in ("DATABASE_URL", "BROKER_URL")
    } | given
    argv = [sys.executable, "-m", "config.demo"]
    with subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = next((match for line in process.stdout if (match := SIGN_IN.search(line))), None)
            assert found, "the demo ended before it printed its address"
            yield RunningDemo(url=found[1], user=found[2], password=found[3], folder=tmp_path / "demo")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


@pytest.fixture
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not here; apt-get install chromium")
    with browsing() as browser:
        yield browser
