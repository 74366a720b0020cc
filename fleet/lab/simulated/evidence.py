"""PURE. What `verify` finds on a simulated host, in the shape of a real one's answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleet.hostkit.crashlog import rfc3339
from fleet.hostkit.verify import dyno_evidence, summed_up
from fleet.lab.simulated.files import ALGORITHMS, ImageFile, Mount
from fleet.lab.simulated.kernel import KernelLog

SAMPLE_FILES, DIRECT_BLOCKS = 60, 256
NO_SAMPLES = {"files": 0, "differ": 0, "unreadable": 0, "examples": [], "fresh_mount": "not mounted here"}
TOOLS_OF = {algorithm: tools for tools, algorithm in ALGORITHMS.items()}
EXAMPLES = (
    "usr/bin/python3",
    "usr/lib/libcrypto.so.3",
    "usr/lib/ruby/2.3.0/set.rb",
    "bin/bash",
    "usr/lib/locale/C/LC_TIME",
)


def image_evidence(
    file: ImageFile, mount: Mount | None, dynos: Sequence[dict[str, Any]], kernel: KernelLog, now: float, expected: Any
) -> dict[str, Any]:
    """Everything that can be said of one image, for and against."""
    current = mount is not None and mount.file is file
    bad_share = mount.bad_share if mount is not None and current else 0.0
    evidence: dict[str, Any] = {
        "stack": file.stack,
        "image": file.image,
        "at": rfc3339(now),
        "file": _file(file),
        "receipt": _record(file, expected),
        "content_changed_at": file.content_changed_at,
        "mounts": [] if mount is None else [_mount(mount, file)],
        "dynos": dyno_evidence(list(dynos), file.image, file.content_changed_at),
        "samples": _samples(bad_share) if current else dict(NO_SAMPLES),
        "direct": {
            "blocks": DIRECT_BLOCKS * (1 + current),
            "differ": round(DIRECT_BLOCKS * bad_share),
            "possible": True,
        },
        "kernel": _kernel(mount, kernel),
    }
    late = [dyno["dyno"] for dyno in evidence["dynos"] if dyno["image_changed_after_start"]]
    evidence["changed_after_start_of"] = late if current else []
    evidence["damage_seen"] = current and bool(bad_share or evidence["kernel"]["errors"])
    return {**evidence, **summed_up(evidence)}


def described(file: ImageFile) -> dict[str, Any]:
    """One image, with what is known of it without reading it."""
    algorithm = best_algorithm(file)
    tools = file.receipt["tools"] if file.receipt else TOOLS_OF.get(algorithm or "")
    return {
        "stack": file.stack,
        "image": file.image,
        "size": file.size,
        "changed_at": file.changed_at,
        "immutable": file.immutable,
        "digest": file.receipt["digest"] if file.receipt else file.checksums.get(algorithm or ""),
        "tools": tools,
        "receipt": file.receipt is not None,
    }


def best_algorithm(file: ImageFile) -> str | None:
    """Of the newest checksum file that lies beside the image."""
    return next((algorithm for algorithm in ("sha256", "md5") if algorithm in file.checksums), None)


def path_of(file: ImageFile) -> str:
    """Where the image would lie."""
    return f"/var/lib/dynohost/images/{file.stack}/{file.image[7:]}.img"


def _file(file: ImageFile) -> dict[str, Any]:
    return {
        "path": path_of(file),
        "size": file.size,
        "inode": file.inode,
        "changed_at": file.changed_at,
        "modified_at": file.content_changed_at,
        "digest": file.digest(),
        "immutable": file.immutable,
    }


def _record(file: ImageFile, expected: Any) -> dict[str, Any]:
    algorithm, receipt = best_algorithm(file), file.receipt
    found: dict[str, Any] = {
        "format": "receipt" if receipt else "checksum" if algorithm else None,
        "expected": expected,
    }
    if expected:
        found["digest_as_expected"] = file.digest(str(expected).split(":", 1)[0]) == expected
    if receipt:
        found |= {
            "receipt": receipt,
            "digest_matches": receipt["digest"] == file.digest(),
            "inode_matches": receipt["inode"] == file.inode,
            "size_matches": receipt["size"] == file.size,
            "change_time_matches": receipt["change_time_ns"] == int(file.changed_at * 1e9),
        }
    if algorithm:
        digest = file.checksums[algorithm]
        found["checksum"] = {"algorithm": algorithm, "digest": digest, "tools": TOOLS_OF[algorithm]}
        found["checksum_matches"] = digest == file.digest(algorithm)
    return found


def _mount(mount: Mount, file: ImageFile) -> dict[str, Any]:
    current = mount.file is file
    return {
        "loop": f"/dev/{mount.loop}",
        "backing_file": path_of(mount.file) + ("" if current else " (deleted)"),
        "backing_deleted": not current,
        "backing_is_this_file": current,
        "mount_point": f"/var/lib/dynohost/mounts/{file.image[7:23]}",
        "kind": "ext4",
        "mounted_at": mount.mounted_at,
    }


def _samples(bad_share: float) -> dict[str, Any]:
    bad = round(SAMPLE_FILES * bad_share)
    unreadable = bad // 3
    return {
        "files": SAMPLE_FILES,
        "differ": bad - unreadable,
        "unreadable": unreadable,
        "examples": list(EXAMPLES[:bad]),
        "fresh_mount": "ok",
    }


def _kernel(mount: Mount | None, kernel: KernelLog) -> dict[str, Any]:
    lines = kernel.errors_of(mount.loop, mount.mounted_at) if mount is not None else []
    return {"errors": len(lines), "lines": [line.line for line in lines[-10:]]}
