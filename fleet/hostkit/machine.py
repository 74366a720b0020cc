"""A real host behind every verb."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any, List, Set, Tuple

from . import attempts, images, verify
from .crashlog import read_crashes, rfc3339
from .disk import locked, read_json, write_json
from .dynohost import VERSION, Json, Machine, Refused
from .dynos import Dynos
from .folders import Folders, checked_name, checked_seconds, checked_text
from .kernel import KernelLog, concerning, own_loops
from .receipts import read_receipt
from .shim import Spawner

MOST_CRASHES = 1000
MOST_LINES = 500


class RealMachine(Machine):
    """Linux with loop devices and mount namespaces; needs root."""

    def __init__(self, root: Path, spawner: Spawner, program: Path) -> None:
        self.folders = Folders(root)
        self.placed = Dynos(self.folders, spawner)
        self.kernel = KernelLog()
        self._digest = _digest_of_program(program)

    def facts(self, request: Json) -> Json:  # noqa: ARG002 - every verb takes its request
        """What this host is."""
        settings = self.folders.settings()
        return {
            "host": settings.get("host", platform.node()),
            "version": VERSION,
            "digest": self._digest,
            "tools": settings.get("tools", "unknown"),
            "attributes": settings.get("attributes", {}),
            "memory_mb": int(settings.get("memory_mb", 1024)),
            "slots": int(settings.get("slots", 16)),
            "tainted": self.folders.taint.exists(),
            "taint": read_json(self.folders.taint),
            "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            "kernel": platform.release(),
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "at": rfc3339(time.time()),
        }

    def dynos(self, request: Json) -> Json:  # noqa: ARG002
        """What runs here."""
        return {"dynos": self.placed.listed()}

    def images(self, request: Json) -> Json:  # noqa: ARG002
        """What is here to run on."""
        return {"images": images.listed(self.folders)}

    def health(self, request: Json) -> Json:
        """Whether a dyno answers."""
        wait = checked_seconds(request.get("wait_seconds"), 0.0, 600.0)
        return self.placed.health(checked_name(request.get("dyno"), "dyno"), wait)

    def start(self, request: Json) -> Json:
        """Start a dyno, provisionally."""
        return self.placed.start(request)

    def commit(self, request: Json) -> Json:
        """Keep a dyno."""
        return self.placed.commit(_dyno_name(request))

    def stop(self, request: Json) -> Json:
        """End a dyno."""
        return self.placed.stop(_dyno_name(request), checked_seconds(request.get("grace_seconds"), 5.0, 600.0))

    def taint(self, request: Json) -> Json:
        """No new dynos; under the placing lock, so that after the answer none begins any more."""
        reason = checked_text(request.get("reason"), "reason", "")
        reference = checked_text(request.get("reference"), "reference", "")
        with locked(self.folders.place_lock):
            taint = {"reason": reason, "reference": reference, "at": rfc3339(time.time())}
            write_json(self.folders.taint, taint)
        return {"tainted": True, "taint": taint}

    def untaint(self, request: Json) -> Json:  # noqa: ARG002
        """Dynos are welcome again."""
        with contextlib.suppress(FileNotFoundError):
            self.folders.taint.unlink()
        return {"tainted": False}

    def install(self, request: Json) -> Json:
        """Bring an image here, safely."""
        image = request.get("image")
        path = self.folders.image(request.get("stack", ""), str(image))
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = checked_text(request.get("digest"), "digest", str(image))
        outcome = images.install(path, source=checked_text(request.get("source"), "source"), digest=digest)
        return {"outcome": outcome, "image": image, "path": str(path), "receipt": read_receipt(path)}

    def protect(self, request: Json) -> Json:
        """Make the images of one stack, or all, immutable; with `test`, try whether that holds instead."""
        stack = request.get("stack")
        pattern = (checked_name(stack, "stack") if stack else "*") + "/*.img"
        paths = sorted(self.folders.images.glob(pattern))
        if not request.get("test"):
            return {"images": [images.protect(path) for path in paths]}
        tried = {path.stem: attempts.attempts(path) for path in paths}
        return {"attempts": tried, "held": all(attempts.held(outcomes) for outcomes in tried.values())}

    def verify(self, request: Json) -> Json:
        """Evidence on one image."""
        image = str(request.get("image"))
        path = self.folders.image(request.get("stack", ""), image)
        verify.require_image(path)
        changed_at = verify.content_changed_at(path)
        file = verify.file_evidence(path)
        mounted = verify.mount_evidence(self.folders, path, image)
        point = self.folders.mount(image)
        current = any(entry["mount_point"] == str(point) and entry["backing_is_this_file"] for entry in mounted)
        evidence: Json = {
            "stack": request.get("stack"),
            "image": image,
            "at": rfc3339(time.time()),
            "file": file,
            "receipt": verify.receipt_evidence(path, file["digest"], request.get("digest")),
            "content_changed_at": changed_at,
            "mounts": mounted,
            "dynos": verify.dyno_evidence(self.placed.listed(), image, changed_at),
            "samples": verify.sample_evidence(path, point) if current else dict(NO_SAMPLES),
            "direct": verify.direct_evidence(
                path, [entry["loop"] for entry in mounted if entry["backing_is_this_file"]]
            ),
            "kernel": self._kernel_evidence(mounted),
        }
        late = [dyno["dyno"] for dyno in evidence["dynos"] if dyno["image_changed_after_start"]]
        evidence["changed_after_start_of"] = late if current else []
        evidence["damage_seen"] = current and verify.damage_seen(evidence)
        return dict(evidence, **verify.summed_up(evidence))

    def _kernel_evidence(self, mounted: List[Json]) -> Json:
        """Errors on the devices now under the image, later than the mount: a device's number had other users before."""
        loops = {Path(entry["loop"]).name for entry in mounted}
        since = min([entry["mounted_at"] for entry in mounted if entry["mounted_at"]], default=0.0)
        lines = [
            line for line in self.kernel.lines(-1) if line.at >= since and line.kind in {"loop_io_error", "fs_error"}
        ]
        found = concerning(lines, loops, set())
        return {"errors": len(found), "lines": [line["line"] for line in found[-10:]]}

    def crashes(self, request: Json) -> Json:
        """What died, and what the kernel said, since the cursor."""
        segment, offset, number = _from_cursor(request.get("cursor"))
        limit = request.get("limit", MOST_CRASHES)
        if type(limit) is not int or not 0 < limit <= MOST_CRASHES:
            raise Refused("bad_request", "limit must be a whole number from 1 to {}".format(MOST_CRASHES))
        found, segment, offset = read_crashes(self.folders.root, segment, offset, limit)
        since, loops = images.mounting_since(self.folders), own_loops(self.folders.mounts)
        lines = [line for line in self.kernel.lines(number) if line.at >= since]
        said = concerning(lines, loops, self._pids(found))
        newest = max(number, self.kernel.last_number) if len(said) <= MOST_LINES else said[MOST_LINES - 1]["number"]
        return {"crashes": found, "kernel": said[:MOST_LINES], "cursor": _to_cursor(segment, offset, newest)}

    def _pids(self, found: List[Json]) -> Set[int]:
        """The processes of dynos that live or have just died."""
        living = {dyno["pid"] for dyno in self.placed.listed() if dyno.get("pid")}
        return living | {crash["pid"] for crash in found}


NO_SAMPLES = {"files": 0, "differ": 0, "unreadable": 0, "examples": [], "fresh_mount": "not mounted here"}


def _dyno_name(request: Json) -> str:
    """`dyno` as a name, or as the object that start took."""
    dyno: Any = request.get("dyno")
    return checked_name(dyno.get("dyno") if isinstance(dyno, dict) else dyno, "dyno")


def _digest_of_program(program: Path) -> str:
    if not program.is_file():
        return "unknown"
    return "sha256:" + hashlib.sha256(program.read_bytes()).hexdigest()


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]


def _to_cursor(segment: int, offset: int, number: int) -> str:
    return json.dumps([segment, offset, number, _boot()], separators=(",", ":"))


def _from_cursor(cursor: Any) -> Tuple[int, int, int]:
    if cursor is None:
        return 0, 0, -1
    try:
        segment, offset, number, boot = json.loads(cursor)
        return int(segment), int(offset), int(number) if boot == _boot() else -1
    except (TypeError, ValueError) as problem:
        raise Refused("bad_request", "this cursor is not one of ours") from problem
