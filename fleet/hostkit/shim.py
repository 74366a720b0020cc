"""One small detached process a dyno: runs it, restarts it, and writes down how it ended."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, NoReturn, Optional

from . import linux
from .crashlog import append_crash
from .disk import locked, read_json, write_json

STEADY_SECONDS = 20.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 12.0
WATCHED = (signal.SIGCHLD, signal.SIGTERM)


class Spawner:
    """A single-threaded child that forks shims, so that a process with threads never has to."""

    def __init__(self) -> None:
        self._near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            self._near.close()
            _spawn_until_closed(far)
        far.close()

    def spawn(self, folder: Path) -> None:
        """Have a shim run the dyno of `folder`; it outlives everybody here."""
        self._near.send(os.fsencode(str(folder)))


def _spawn_until_closed(orders: socket.socket) -> NoReturn:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    for folder in iter(lambda: orders.recv(4096), b""):
        if os.fork() == 0:
            os.setsid()
            orders.close()
            _be_shim(Path(os.fsdecode(folder)))
    os._exit(0)


def _be_shim(folder: Path) -> NoReturn:
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        _own_streams(folder / "output.log")
        lock = os.open(str(folder / "shim.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(BlockingIOError):  # another shim has this dyno: it stays the only one
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            Shim(folder).run()
        status = 0
    except BaseException as problem:  # noqa: BLE001 - the last frame of this process
        sys.stderr.write("shim: {!r}\n".format(problem))
        sys.stderr.flush()
    os._exit(status)


def _own_streams(log: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, 1024)


class Shim:
    """The life of one dyno on this host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec: Dict[str, Any] = read_json(folder / "spec.json") or {}
        self.restarts, self.pause = 0, FIRST_PAUSE_SECONDS
        self.stopping: Optional[str] = None
        self.state: Dict[str, Any] = {"shim_pid": os.getpid(), "placed_at": time.time()}

    def run(self) -> None:
        """Until it is stopped, or its time to be committed runs out."""
        while not self.stopping:
            pid = self._launch()
            started = time.time()
            self._note(state="running", pid=pid, started_at=started)
            ended = self._watch(pid, None)
            if ended is None:
                ended = self._end(pid)
            elif not self.stopping:
                self._note_exit(pid, started, ended)
                self._watch(None, self._next_pause(started))
        self._note(state="stopped", pid=None, reason=self.stopping, stopped_at=time.time())

    def _note(self, **news: Any) -> None:
        self.state.update(news, restarts=self.restarts)
        write_json(self.folder / "state.json", self.state)

    def _note_exit(self, pid: int, started: float, status: int) -> None:
        fatal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        code = 128 + fatal if fatal else os.WEXITSTATUS(status)
        self.restarts += 1
        if code > 128:
            append_crash(self.folder.parent.parent, self.spec, pid=pid, started=started, exit_status=code)
        self._note(state="crashed", pid=None, last_exit=code, last_exit_at=time.time())

    def _next_pause(self, started: float) -> float:
        pause = FIRST_PAUSE_SECONDS if time.time() - started > STEADY_SECONDS else self.pause
        self.pause = min(LONGEST_PAUSE_SECONDS, pause * 1.6)
        return pause

    def _watch(self, pid: Optional[int], seconds: Optional[float]) -> Optional[int]:
        """The exit status of `pid`; None when the time is over or the dyno has to stop."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            if pid is not None:
                gone, status = os.waitpid(pid, os.WNOHANG)
                if gone:
                    return status
            self._look_for_end()
            if self.stopping or (until is not None and time.monotonic() >= until):
                return None
            signal.sigtimedwait(WATCHED, self._patience(until))

    def _patience(self, until: Optional[float]) -> float:
        limits = [3600.0]
        if until is not None:
            limits.append(until - time.monotonic())
        if self.spec.get("commit_by") and not (self.folder / "committed").exists():
            limits.append(self.spec["commit_by"] - time.time() + 0.01)
        return max(0.001, min(limits))

    def _look_for_end(self) -> None:
        """A stop is a file, so that it holds though its signal was lost; so is a commitment, decided under a lock."""
        if (self.folder / "stop.json").exists():
            self.stopping = "stopped"
        elif self.spec.get("commit_by") and time.time() >= self.spec["commit_by"]:
            with locked(self.folder / "commit.lock"):
                if not (self.folder / "committed").exists():
                    (self.folder / "expired").touch()
                    self.stopping = "not committed in time"

    def _end(self, pid: int) -> int:
        grace = float((read_json(self.folder / "stop.json") or {}).get("grace_seconds", 5))
        _signal_group(pid, signal.SIGTERM)
        until = time.monotonic() + grace
        while time.monotonic() < until:
            gone, status = os.waitpid(pid, os.WNOHANG)
            if gone:
                _signal_group(pid, signal.SIGKILL)
                return status
            signal.sigtimedwait((signal.SIGCHLD,), max(0.001, until - time.monotonic()))
        _signal_group(pid, signal.SIGKILL)
        return os.waitpid(pid, 0)[1]

    def _launch(self) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                _become_dyno(self.folder, self.spec)
            except OSError as problem:
                sys.stderr.write("cannot run: {}\n".format(problem))
                sys.stderr.flush()
                os._exit(126 if problem.errno == errno.EACCES else 127)
            except BaseException:  # noqa: BLE001 - never return into the shim's own code
                os._exit(127)
        return pid


def _signal_group(pid: int, sign: int) -> None:
    for send in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(pid, sign)


def _become_dyno(folder: Path, spec: Dict[str, Any]) -> NoReturn:
    os.setsid()
    linux.die_with_parent(signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    root = str(folder / "root")
    linux.unshare_mounts()
    linux.bind(spec["mount"], root, read_only=True)
    linux.bind(str(folder / "app"), root + "/app")
    _offer_devices(root)
    linux.change_root(root)
    os.chdir("/app")
    os.setgroups([])
    os.setgid(spec["user_id"])
    os.setuid(spec["user_id"])
    linux.die_with_parent(signal.SIGKILL)  # changing the user cleared it
    command: List[str] = spec["command"]
    os.execve(command[0], command, spec["environment"])  # noqa: S606 - this is what a shim is for


def _offer_devices(root: str) -> None:
    for device in ("/dev/null", "/dev/urandom"):
        if os.path.exists(root + device):  # noqa: PTH110 - pathlib would swallow less in a damaged image
            linux.bind(device, root + device)
