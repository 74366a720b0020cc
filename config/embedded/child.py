"""One process that the supervisor runs: tied to it, in a group of its own, and how it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from config.embedded.program import Program

TETHER = Path(__file__).with_name("tether.py")


def tethered(argv: list[str], *, death_signal: int, identity: str = "-") -> list[str]:
    """The command, tied to this process."""
    return [sys.executable, "-IS", str(TETHER), str(os.getpid()), str(int(death_signal)), identity, *argv]


class Child:
    """A program and the process that runs it now."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.state = "new"
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.due_at = 0.0
        self.failures = 0

    @property
    def pid(self) -> int | None:
        """The number of its process, while there is one."""
        return self.process.pid if self.process and self.process.poll() is None else None

    def start(self) -> None:
        """Start the process. Belongs to the keeper's thread: a tie holds to the thread that started it."""
        program = self.program
        if program.before:
            program.before()
        program.log.parent.mkdir(parents=True, exist_ok=True)
        argv = tethered(program.argv, death_signal=program.death_signal, identity=program.identity)
        environment = None if program.environment is None else dict(program.environment)
        with program.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=program.folder,
                start_new_session=True,
            )
        self.started_at = time.monotonic()
        self.state = "starting"

    def signal(self, number: int) -> None:
        """Send a signal to it, if it still runs."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)

    def await_end(self, until: float) -> None:
        """Wait for its end, force it when the time is over, and end what it left in its process group."""
        if not self.process:
            return
        try:
            self.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.clear_group()
        self.state = "stopped"

    def clear_group(self) -> None:
        """End whatever the process left behind in its group."""
        if self.process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


def end_together(children: list[Child]) -> None:
    """Ask all to end, then wait for each."""
    asked_at = time.monotonic()
    for child in children:
        child.signal(child.program.stop_signal)
    for child in children:
        child.await_end(asked_at + child.program.stop_seconds)
