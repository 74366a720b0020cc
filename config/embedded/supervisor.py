"""Keeps programs running: starts them, waits until they are ready, starts them again when they die, ends them all.

    with Supervisor(signals=True) as supervisor:
        parts = embedded.start(var_dir, supervisor=supervisor)      # PostgreSQL and Valkey, or the given ones
        supervisor.run("migrate", [python, "manage.py", "migrate"], environment=parts.environment())
        supervisor.spawn(Program(name="web", argv=[...], log=path, environment=..., ready=lambda: answers(8000)))
        supervisor.wait()                                           # until Ctrl-C or SIGTERM

`spawn` returns when the program is ready and raises StartError, with its last words, when it does not come up;
`spawn_together` does it for several side by side, and `begin` with `await_ready` leaves time for other work. From then
on the supervisor keeps it up, with growing pauses between tries. Leaving the `with` block ends everything: first the
programs of stage 1 (those that use the database), then stage 0. Nothing outlives the supervisor, not even one that
is killed: each program is tied to it (tether.py) and runs in a process group of its own. `adopt=True` also waits for
what a killed program leaves behind; only for a process that is nothing but a supervisor.
"""

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Any, Self

from config.embedded.child import Child, end_together, tethered
from config.embedded.orphans import adopt_orphans, bury
from config.embedded.program import Program, StartError

LOOK_SECONDS = 0.05
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None
# SIGINT too: a shell that starts a job in the background makes it deaf to Ctrl-C.
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def say_line(name: str, state: str) -> None:
    """Print one line a state."""
    print(f"  {name:<14} {state}", flush=True)


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Treat any ending signal as Ctrl-C."""
    raise KeyboardInterrupt


class Supervisor:
    """Starts programs and keeps them running; see the module's text."""

    def __init__(
        self, *, say: Callable[[str, str], None] = say_line, signals: bool = False, adopt: bool = False
    ) -> None:
        self.say = say
        self.children: list[Child] = []
        self._begun: list[Child] = []
        self._signals = signals
        self._adopt = adopt
        self._former: dict[signal.Signals, Handler] = {}
        self._requests: SimpleQueue[tuple[Child, Future[None]]] = SimpleQueue()
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        if self._adopt:
            adopt_orphans()
        if self._signals:
            for number in ENDING_SIGNALS:
                self._former[number] = signal.signal(number, interrupt)
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def spawn(self, program: Program) -> Child:
        """Start a program and keep it running. Returns when it is ready; raises StartError if it does not come up."""
        return self.spawn_together([program])[0]

    def spawn_together(self, programs: Iterable[Program]) -> list[Child]:
        """Start programs side by side; as `spawn`, for all of them."""
        children = self.begin(programs)
        self.await_ready(children)
        return children

    def begin(self, programs: Iterable[Program]) -> list[Child]:
        """Start programs side by side and wait for none: `await_ready` does."""
        children = []
        for program in programs:
            children.append(Child(program))
            self._begun.append(children[-1])
            self._start_in_keeper(children[-1])
        return children

    def await_ready(self, children: Iterable[Child]) -> None:
        """Return when all are ready, and keep them running from then on.

        Raises StartError when one does not come up, and ends every program that was not seen ready yet.
        """
        try:
            for child in children:
                self._await_ready(child)
                self._begun.remove(child)
                self._ready(child)
                self.children.append(child)
        except BaseException:
            self._end_begun()
            raise

    def run(
        self, name: str, argv: list[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> str:
        """Run a command to its end and return what it printed; raises StartError when it fails."""
        command = tethered(argv, death_signal=signal.SIGTERM)
        env = None if environment is None else dict(environment)
        done = subprocess.run(
            command, env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StartError(f"{name} failed (exit {done.returncode}):\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def wait(self) -> None:
        """Return at Ctrl-C, SIGTERM or SIGHUP."""
        with contextlib.suppress(KeyboardInterrupt):
            self._stopping.wait()

    def stop(self) -> None:
        """End everything, those of the highest stage first. Safe to call twice."""
        with self._unshaken():
            self._stopping.set()
            if self._keeper.is_alive():
                self._keeper.join()
            self._end_begun()
            for stage in sorted({child.program.stage for child in self.children}, reverse=True):
                self._stop_all([child for child in self.children if child.program.stage == stage])
            self.children.clear()

    def _end_begun(self) -> None:
        end_together(self._begun)
        self._begun.clear()

    def _stop_all(self, children: list[Child]) -> None:
        end_together(children)
        for child in children:
            self.say(child.program.name, "stopped")
        self._bury()

    @contextlib.contextmanager
    def _unshaken(self) -> Iterator[None]:
        """Ignore further signals while everything is being ended, then put the former handlers back."""
        if not self._signals:
            yield
            return
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        try:
            yield
        finally:
            for number, former in self._former.items():
                signal.signal(number, former)

    def _start_in_keeper(self, child: Child) -> None:
        started: Future[None] = Future()
        self._requests.put((child, started))
        started.result()

    def _await_ready(self, child: Child) -> None:
        program = child.program
        until = child.started_at + program.ready_seconds
        while not program.ready():
            if child.pid is None:
                raise StartError(f"{program.name} ended while starting:\n{program.last_words()}")
            if time.monotonic() > until:
                raise StartError(
                    f"{program.name} was not ready in {program.ready_seconds:.0f} s:\n{program.last_words()}"
                )
            time.sleep(LOOK_SECONDS)

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._take_request()
            for child in list(self.children):
                self._look_after(child)

    def _take_request(self) -> None:
        try:
            child, started = self._requests.get(timeout=LOOK_SECONDS)
        except Empty:
            return
        try:
            child.start()
        except Exception as error:  # noqa: BLE001  it is the caller's, who waits for it
            started.set_exception(error)
        else:
            started.set_result(None)

    def _look_after(self, child: Child) -> None:
        if child.state == "waiting":
            if time.monotonic() >= child.due_at:
                self._restart(child)
        elif child.pid is None:
            self._died(child)
        elif child.state == "starting" and child.program.ready():
            self._ready(child)
        elif child.failures and time.monotonic() - child.started_at > STEADY_SECONDS:
            child.failures = 0

    def _ready(self, child: Child) -> None:
        child.state = "ready"
        self.say(child.program.name, "ready")

    def _died(self, child: Child) -> None:
        child.clear_group()
        self._bury()
        pause = min(FIRST_PAUSE_SECONDS * 2**child.failures, LONGEST_PAUSE_SECONDS)
        child.failures += 1
        child.due_at = time.monotonic() + pause
        child.state = "waiting"
        code = child.process.returncode if child.process else None
        self.say(child.program.name, f"died (exit {code}), starts again in {pause:g} s")

    def _restart(self, child: Child) -> None:
        try:
            child.start()
        except (OSError, StartError) as error:
            self.say(child.program.name, f"does not start: {error}")
            self._died(child)

    def _bury(self) -> None:
        if self._adopt:
            names = {Path(child.program.argv[0]).name[:15] for child in self.children if child.program.stage == 0}
            bury(names, spare={child.process.pid for child in self.children if child.process})
