"""Evidence on one stack image of this host. A right digest alone proves nothing, so much more is looked at."""

from __future__ import annotations

import contextlib
import os
import random
import stat
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from . import images, linux, receipts
from .dynohost import Json, Refused
from .folders import Folders

SAMPLE_FILES, SAMPLE_BYTES, DIRECT_BLOCKS = 60, 1 << 18, 256


def file_evidence(path: Path) -> Json:
    """The file as it is now."""
    now = path.stat()
    return {
        "path": str(path),
        "size": now.st_size,
        "inode": now.st_ino,
        "changed_at": now.st_ctime,
        "modified_at": now.st_mtime,
        "digest": receipts.digest_of(path),
        "immutable": linux.is_immutable(path),
    }


def receipt_evidence(path: Path, digest: str, expected: Optional[str]) -> Json:
    """What the records beside the file say, held against the file."""
    receipt, checksum, now = receipts.read_receipt(path), receipts.read_checksum(path), path.stat()
    found: Json = {"format": "receipt" if receipt else "checksum" if checksum else None, "expected": expected}
    if expected:
        found["digest_as_expected"] = receipts.digest_of(path, expected.split(":")[0]) == expected
    if receipt:
        found.update(receipt=receipt, digest_matches=receipts.is_whole(path))
        found["inode_matches"] = receipt["inode"] == now.st_ino
        found["size_matches"] = receipt["size"] == now.st_size
        found["change_time_matches"] = receipt["change_time_ns"] == now.st_ctime_ns
    if checksum:
        found["checksum"] = {"algorithm": checksum.algorithm, "digest": checksum.digest, "tools": checksum.tools}
        own = digest if checksum.algorithm == "sha256" else receipts.digest_of(path, checksum.algorithm)
        found["checksum_matches"] = own == checksum.digest
    return found


def content_changed_at(path: Path) -> float:
    """When the content may last have changed. A protection since then moved the change time, but noted the old one."""
    receipt, now = receipts.read_receipt(path), path.stat()
    if receipt and receipt["change_time_ns"] == now.st_ctime_ns:
        before = receipt.get("changed_before_protection_ns")
        return before / 1e9 if before else float(receipt.get("installed_at") or now.st_ctime)
    return now.st_ctime


def mount_evidence(folders: Folders, path: Path, image: str) -> List[Json]:
    """Mounts and loop devices that use the file, or the file that was at its place before."""
    note, inode, found = images.mount_note(folders, image), path.stat().st_ino, []
    points = {Path(mount.source).name: mount for mount in linux.mounts() if mount.source.startswith("/dev/loop")}
    for name, backing in sorted(linux.loop_of(path).items()):
        mount = points.get(name)
        own = mount is not None and mount.point == str(folders.mount(image))
        deleted = backing.endswith("(deleted)")
        found.append(
            {
                "loop": "/dev/" + name,
                "backing_file": backing,
                "backing_deleted": deleted,
                "backing_is_this_file": not deleted and (not own or note.get("inode") in {None, inode}),
                "mount_point": mount.point if mount else None,
                "kind": mount.kind if mount else None,
                "mounted_at": note.get("mounted_at") if own else None,
            }
        )
    return found


def dyno_evidence(dynos: List[Json], image: str, changed_at: float) -> List[Json]:
    """The dynos that run on the image, each with whether the file changed after it was placed."""
    users = [dyno for dyno in dynos if dyno.get("image") == image]
    return [
        {
            "dyno": dyno["dyno"],
            "app": dyno["app"],
            "placed_at": dyno["placed_at"],
            "started_at": dyno["started_at"],
            "image_changed_after_start": dyno["placed_at"] is not None and changed_at > dyno["placed_at"],
        }
        for dyno in users
    ]


def sample_evidence(path: Path, point: Path) -> Json:
    """The same files read through the dynos' mount and through a fresh mount of the file as it is now."""
    with tempfile.TemporaryDirectory(prefix="verify-", dir=str(point.parent)) as folder:
        fresh = Path(folder)
        try:
            linux.mount_image(path, fresh)
        except OSError as problem:
            return {"files": 0, "differ": 0, "unreadable": 0, "examples": [], "fresh_mount": str(problem)}
        try:
            return _compared(point, fresh)
        finally:
            linux.unmount(fresh)


def _compared(point: Path, fresh: Path) -> Json:
    names = _files_of(fresh)
    chosen = sorted(random.sample(names, min(SAMPLE_FILES, len(names))))
    differ, unreadable, examples = 0, 0, []
    for name in chosen:
        want, got = _start_of(fresh / name), _start_of(point / name)
        unreadable += got is None
        differ += got is not None and got != want
        if got != want:
            examples.append(name)
    shown: Json = {"files": len(chosen), "differ": differ, "unreadable": unreadable, "examples": examples[:5]}
    return dict(shown, fresh_mount="ok")


def _files_of(root: Path) -> List[str]:
    found = []
    for folder, _, names in os.walk(str(root)):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 - a walk's own words
            with contextlib.suppress(OSError):
                if stat.S_ISREG(os.lstat(path).st_mode):
                    found.append(os.path.relpath(path, str(root)))
    return found


def _start_of(path: Path) -> Optional[bytes]:
    try:
        with path.open("rb") as stream:
            return stream.read(SAMPLE_BYTES)
    except OSError:
        return None


def direct_evidence(path: Path, loops: List[str]) -> Json:
    """Blocks of the file read around the caches, against the file's cache and the loop devices' caches."""
    size = path.stat().st_size
    blocks = range(size // linux.BLOCK)
    chosen = sorted(random.sample(blocks, min(DIRECT_BLOCKS, len(blocks))))
    compared, differ = 0, 0
    for reader in [str(path), *loops]:
        done, other = _against_direct(str(path), reader, chosen)
        compared, differ = compared + done, differ + other
    return {"blocks": compared, "differ": differ, "possible": compared > 0}


def _against_direct(path: str, reader: str, blocks: List[int]) -> Tuple[int, int]:
    done, other = 0, 0
    try:
        with open(reader, "rb", buffering=0) as stream:  # noqa: PTH123 - unbuffered on purpose
            for block in blocks:
                truth = linux.read_direct(path, block * linux.BLOCK)
                if truth is not None:
                    done += 1
                    other += os.pread(stream.fileno(), linux.BLOCK, block * linux.BLOCK) != truth
    except OSError:
        other += 1
    return done, other


def damage_seen(evidence: Dict[str, Any]) -> bool:
    """Something reads wrongly; or content that its own record denies came under dynos that had started."""
    samples = evidence["samples"]
    wrong = samples["differ"] + samples["unreadable"] + evidence["direct"]["differ"] + evidence["kernel"]["errors"]
    return bool(wrong) or (_is_whole(evidence["receipt"]) is False and bool(evidence["changed_after_start_of"]))


def _is_whole(receipt: Json) -> Optional[bool]:
    whole: Optional[bool] = receipt.get("digest_matches", receipt.get("checksum_matches"))
    return whole


def summed_up(evidence: Dict[str, Any]) -> Json:
    """What of the evidence speaks against the image as its dynos see it, and what for it, in plain words."""
    against: List[str] = []
    in_favour: List[str] = []
    for statement, bad in _statements(evidence):
        if bad is not None:
            (against if bad else in_favour).append(statement[0] if bad else statement[1])
    return {"against": against, "in_favour": in_favour, "damaged": bool(evidence["damage_seen"])}


def _statements(evidence: Dict[str, Any]) -> List[Tuple[Tuple[str, str], Optional[bool]]]:
    receipt, samples, direct = evidence["receipt"], evidence["samples"], evidence["direct"]
    late = [dyno for dyno in evidence["dynos"] if dyno["image_changed_after_start"]]
    whole = _is_whole(receipt)
    return [
        (
            ("content is not what its record says", "content is what its record says"),
            None if whole is None else not whole,
        ),
        (("no record beside the image", "has a record"), receipt["format"] is None),
        (
            ("changed since its receipt was written", "untouched since its receipt was written"),
            not receipt["change_time_matches"] if "change_time_matches" in receipt else None,
        ),
        (
            (
                "file changed after {} dyno{} started on it".format(len(late), "" if len(late) == 1 else "s"),
                "no dyno is older than the file's last change",
            ),
            bool(late) if evidence["dynos"] else None,
        ),
        (
            (
                "{differ} of {files} files differ through the mount, {unreadable} cannot be read".format(**samples),
                "{files} sampled files read the same through the mount".format(**samples),
            ),
            bool(samples["differ"] + samples["unreadable"]) if samples["files"] else None,
        ),
        (
            (
                "{differ} of {blocks} cached blocks are not what the disk has".format(**direct),
                "cached blocks are what the disk has",
            ),
            bool(direct["differ"]) if direct["possible"] else None,
        ),
        (
            ("file system errors in the kernel log since it was mounted", "no file system error since it was mounted"),
            bool(evidence["kernel"]["errors"]),
        ),
    ]


def require_image(path: Path) -> None:
    """Refuse when there is nothing to verify."""
    if not path.is_file():
        raise Refused("no_image", "there is no image at {}".format(path))
