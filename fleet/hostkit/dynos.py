"""Dynos on this host: placed under one lock, run by shims, committed, stopped, looked at."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

from . import images
from .disk import is_locked, locked, read_json, write_json
from .dynohost import Json, Refused
from .folders import Folders, checked_image, checked_name, checked_seconds
from .shim import Spawner

FIRST_PORT, LAST_PORT = 20000, 29999
LAUNCH_SECONDS = 15.0
DEFAULT_COMMIT_SECONDS = 120.0
DEFAULT_COMMAND = ["/app/run"]
KNOWN = ("dyno", "app", "stack", "image", "memory_mb", "port")  # what is told of a dyno as it was placed
SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"


class Dynos:
    """What runs here. A dyno is a folder; it lives while its shim holds the folder's lock."""

    def __init__(self, folders: Folders, spawner: Spawner) -> None:
        self.folders, self.spawner = folders, spawner

    def listed(self) -> List[Json]:
        """Every dyno that lives, or should and does not."""
        found = [self.described(folder) for folder in sorted(self.folders.dynos.iterdir()) if folder.is_dir()]
        return [dyno for dyno in found if dyno["state"] not in {"stopped", "absent"}]

    def described(self, folder: Path) -> Json:
        """One dyno in the contract's shape."""
        spec, state = _spec_of(folder), read_json(folder / "state.json")
        if spec is None:
            return {"dyno": folder.name, "state": "absent", "healthy": False}
        state = state if isinstance(state, dict) else {}
        word = self._state(folder, state)
        running = word == "running"
        healthy = running and _listens(spec["port"])
        return dict(
            {key: spec[key] for key in KNOWN},
            state="running" if healthy else "starting" if running else word,
            healthy=healthy,
            started_at=state.get("started_at"),
            placed_at=state.get("placed_at"),
            provisional=bool(spec.get("commit_by")) and not (folder / "committed").exists(),
            restarts=state.get("restarts", 0),
            pid=state.get("pid"),
            last_exit=state.get("last_exit"),
        )

    def _state(self, folder: Path, state: Json) -> str:
        word = str(state.get("state", "starting"))
        if word == "stopped" or (folder / "expired").exists():
            return "stopped"
        if is_locked(folder / "shim.lock"):
            return word
        return "crashed" if state else "absent"

    def start(self, request: Json) -> Json:
        """Place the dyno, or find it placed by this same operation; answers once its process runs."""
        wanted = _checked_dyno(request.get("dyno"))
        seconds = checked_seconds(request.get("commit_within_seconds"), DEFAULT_COMMIT_SECONDS)
        folder = self.folders.dyno(wanted["dyno"])
        with locked(self.folders.place_lock):
            if not self._is_placed(folder, request["operation"]):
                self._refuse_when_tainted()
                self._refuse_without_room(wanted)
                self._place(folder, wanted, request["operation"], seconds)
        if not is_locked(folder / "shim.lock"):
            self.spawner.spawn(folder)
        self._wait_for_launch(folder)
        return {"dyno": self.described(folder)}

    def _is_placed(self, folder: Path, operation: str) -> bool:
        """True when this operation placed it before; whatever is left of an ended one of that name is cleared."""
        spec = _spec_of(folder)
        if spec is None and not is_locked(folder / "shim.lock"):
            return False
        if spec is not None and spec.get("operation") == operation:
            return True
        if is_locked(folder / "shim.lock") or not (folder / "state.json").exists():
            raise Refused("exists_elsewise", "{} runs here already, started otherwise".format(folder.name))
        shutil.rmtree(str(folder))
        return False

    def _refuse_when_tainted(self) -> None:
        taint = read_json(self.folders.taint)
        if taint or self.folders.taint.exists():
            reason = taint.get("reason") if isinstance(taint, dict) else None
            raise Refused("tainted", "this host takes no new dynos: {}".format(reason or "tainted"))

    def _refuse_without_room(self, wanted: Json) -> None:
        settings, here = self.folders.settings(), self.listed()
        memory, slots = int(settings.get("memory_mb", 1024)), int(settings.get("slots", 16))
        used = sum(int(dyno["memory_mb"]) for dyno in here)
        if len(here) >= slots:
            raise Refused("no_capacity", "all {} slots are taken".format(slots))
        if used + wanted["memory_mb"] > memory:
            text = "{} MB of {} MB are taken, {} MB more do not fit"
            raise Refused("no_capacity", text.format(used, memory, wanted["memory_mb"]))

    def _place(self, folder: Path, wanted: Json, operation: str, seconds: float) -> None:
        image_path = self.folders.image(wanted["stack"], wanted["image"])
        if not image_path.is_file():
            raise Refused("no_image", "{} {} is not on this host".format(wanted["stack"], wanted["image"]))
        try:
            mount = images.ensure_mounted(self.folders, image_path, wanted["image"])
        except OSError as problem:
            raise Refused("no_image", "the image does not mount: {}".format(problem)) from problem
        port = self._free_port()
        settings = self.folders.settings()
        environment = dict(settings.get("dyno_environment", {}), PORT=str(port), HOME="/app", PATH=SEARCH_PATH)
        environment.update(DYNO=wanted["dyno"], APP=wanted["app"])
        (folder / "root").mkdir(parents=True, exist_ok=True)
        self._copy_slug(wanted["app"], folder / "app", port)
        spec = dict(wanted, operation=operation, mount=str(mount), port=port, user_id=port, environment=environment)
        spec.update(host=settings.get("host", "unknown"), commit_by=time.time() + seconds)
        write_json(folder / "spec.json", spec)

    def _copy_slug(self, app: str, target: Path, user_id: int) -> None:
        own = self.folders.slugs / app
        source = own if own.is_dir() else self.folders.slugs / "default"
        if target.exists():
            shutil.rmtree(str(target))
        if source.is_dir():
            shutil.copytree(str(source), str(target), symlinks=True)
        else:
            target.mkdir()
        for path in [target, *target.rglob("*")]:
            os.chown(str(path), user_id, user_id, follow_symlinks=False)

    def _free_port(self) -> int:
        specs = [_spec_of(path.parent) for path in self.folders.dynos.glob("*/spec.json")]
        taken = {spec["port"] for spec in specs if spec}
        return next(port for port in range(FIRST_PORT, LAST_PORT) if port not in taken)

    def _wait_for_launch(self, folder: Path) -> None:
        until = time.monotonic() + LAUNCH_SECONDS
        while not (folder / "state.json").exists():
            if time.monotonic() > until:
                raise Refused("not_launched", "its process did not come up in time", retry=True)
            time.sleep(0.01)

    def health(self, name: str, wait_seconds: float) -> Json:
        """Whether the dyno answers on its port; waits for that, but not for one that has ended."""
        until = time.monotonic() + wait_seconds
        while True:
            dyno = self.described(self.folders.dyno(name))
            if dyno["healthy"] or dyno["state"] in {"stopped", "absent"} or time.monotonic() >= until:
                return {"dyno": name, "healthy": dyno["healthy"], "state": dyno["state"]}
            time.sleep(0.05)

    def commit(self, name: str) -> Json:
        """From now on the dyno stays, whoever goes away."""
        folder = self.folders.dyno(name)
        if not folder.is_dir():
            raise Refused("absent", name + " is not here")
        with locked(folder / "commit.lock"):
            if self.described(folder)["state"] in {"stopped", "absent"}:
                raise Refused("ended", name + " has ended, for it was not committed in time or was stopped")
            (folder / "committed").touch()
            _sync(folder / "committed")
        return {"dyno": self.described(folder)}

    def stop(self, name: str, grace_seconds: float) -> Json:
        """End the dyno and clear it away; nothing to do is fine."""
        folder = self.folders.dyno(name)
        if not folder.is_dir():
            return {"dyno": name, "state": "absent"}
        write_json(folder / "stop.json", {"grace_seconds": grace_seconds})
        if not self._ended(folder, grace_seconds + 10):
            raise Refused("still_running", name + " does not end", retry=True)
        with locked(self.folders.place_lock):
            shutil.rmtree(str(folder), ignore_errors=True)
        return {"dyno": name, "state": "stopped"}

    def _ended(self, folder: Path, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while is_locked(folder / "shim.lock"):
            if time.monotonic() > until:
                return False
            _wake(read_json(folder / "state.json"))
            time.sleep(0.03)
        return True


def _spec_of(folder: Path) -> Optional[Json]:
    """How the dyno of this folder was placed; None where that is not wholly there."""
    spec = read_json(folder / "spec.json")
    return spec if isinstance(spec, dict) and all(key in spec for key in KNOWN) else None


def _wake(state: Optional[Dict[str, Any]]) -> None:
    """Only a hint: the shim finds stop.json by itself. The lock was held a moment ago, so the number is the shim's."""
    if state and state.get("shim_pid"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(state["shim_pid"]), signal.SIGTERM)


def _sync(path: Path) -> None:
    descriptor = os.open(str(path.parent), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _checked_dyno(dyno: Any) -> Json:
    if not isinstance(dyno, dict):
        raise Refused("bad_request", "dyno must be an object")
    memory, command = dyno.get("memory_mb", 64), dyno.get("command") or DEFAULT_COMMAND
    if type(memory) is not int or not 0 < memory <= 1 << 20:
        raise Refused("bad_request", "memory_mb must be a whole number above 0")
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command) or command[0][:1] != "/":
        raise Refused("bad_request", "command must be a list of texts that begins with an absolute path")
    return {
        "dyno": checked_name(dyno.get("dyno"), "dyno"),
        "app": checked_name(dyno.get("app"), "app"),
        "stack": checked_name(dyno.get("stack"), "stack"),
        "image": checked_image(dyno.get("image")),
        "memory_mb": memory,
        "command": command,
    }
