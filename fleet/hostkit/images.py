"""Bringing stack images here and keeping them untouched: install, protect, and the one mount of each."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, Dict, List

from . import linux, receipts
from .disk import locked, read_json, sync_folder, write_json
from .dynohost import VERSION, Json, Refused
from .folders import Folders

DOWNLOAD_SECONDS = 600


def install(image: Path, *, source: str, digest: str, tools: str = VERSION) -> str:
    """`skipped` when the image is whole by any format's record, else `installed`; never writes to an old one."""
    with locked(image.with_suffix(".lock")) as mine:
        if not mine:
            raise Refused("busy", "another install of this image runs", retry=True)
        if receipts.is_whole(image):
            return "skipped"
        spare = image.with_name(".{}.part".format(image.name))
        _fetch(source, spare)
        _check_digest(spare, digest)
        _put_in_place(spare, image, digest, tools)
        return "installed"


def _fetch(source: str, spare: Path) -> None:
    spare.unlink(missing_ok=True)
    try:
        with _opened(source) as stream, spare.open("xb") as target:
            shutil.copyfileobj(stream, target, receipts.CHUNK)
            target.flush()
            os.fsync(target.fileno())
            if getattr(stream, "length", None):
                raise OSError("it ended {} bytes early".format(stream.length))
    except (OSError, HTTPException) as problem:
        spare.unlink(missing_ok=True)
        raise Refused("download_failed", "cannot fetch {}: {}".format(source, problem), retry=True) from problem


@contextlib.contextmanager
def _opened(source: str) -> Any:
    if source.startswith(("https://", "http://")):
        stream: IO[bytes] = urllib.request.urlopen(source, timeout=DOWNLOAD_SECONDS)  # noqa: S310 - scheme checked
    elif source.startswith("/"):
        stream = Path(source).open("rb")  # noqa: SIM115 - closed below, with the other kind
    else:
        raise Refused("bad_request", "source must be an http(s) address or an absolute path")
    with stream:
        yield stream


def _check_digest(spare: Path, digest: str) -> None:
    algorithm, _, _ = digest.partition(":")
    if algorithm not in {"sha256", "sha384", "sha512"}:
        spare.unlink()
        raise Refused("bad_request", "digest must be of sha256, sha384 or sha512")
    found = receipts.digest_of(spare, algorithm)
    if found != digest:
        spare.unlink()
        raise Refused("digest_mismatch", "what was fetched is {}, not {}".format(found, digest))


def _put_in_place(spare: Path, image: Path, digest: str, tools: str) -> None:
    """Old dynos keep the old inode; the receipt comes last, when nothing changes the file any more."""
    if image.exists():
        linux.set_immutable(image, False)
    receipts.receipt_path(image).unlink(missing_ok=True)
    spare.replace(image)
    sync_folder(image.parent)
    immutable = linux.set_immutable(image, True)
    receipts.write_receipt(image, digest=digest, tools=tools, immutable=immutable, installed_at=time.time())


def listed(folders: Folders) -> List[Json]:
    """Every image here with what is known of it without reading it."""
    return [_described(path) for path in sorted(folders.images.glob("*/*.img"))]


def _described(path: Path) -> Json:
    record, now = receipts.recorded(path), path.stat()
    return {
        "stack": path.parent.name,
        "image": "sha256:" + path.stem,
        "size": now.st_size,
        "changed_at": now.st_ctime,
        "immutable": linux.is_immutable(path),
        "digest": record.digest if record else None,
        "tools": record.tools if record else None,
        "receipt": receipts.read_receipt(path) is not None,
    }


def protect(path: Path) -> Json:
    """chattr +i; keeps the change time from before, for chattr itself changes it and must not wipe that trace."""
    before = path.stat()
    if linux.is_immutable(path):
        return dict(_described(path), protected="already")
    receipt = receipts.read_receipt(path)
    if not linux.set_immutable(path, True):
        return dict(_described(path), protected="impossible")
    untouched = receipt is not None and receipt.get("change_time_ns") == before.st_ctime_ns
    record = receipts.recorded(path)
    kept: Dict[str, Any] = {"protected_at": time.time(), "changed_before_protection_ns": before.st_ctime_ns}
    if receipt:
        kept["installed_at"] = receipt.get("installed_at")
    digest = record.digest if record else receipts.digest_of(path)
    kept["matched_before_protection"] = untouched if receipt else None
    receipts.write_receipt(path, digest=digest, tools=record.tools if record else "unknown", immutable=True, **kept)
    return dict(_described(path), protected="now")


def ensure_mounted(folders: Folders, image_path: Path, image: str) -> Path:
    """The image's mount on this host, made when it is not there."""
    point = folders.mount(image)
    with locked(point.with_suffix(".lock")):
        point.mkdir(exist_ok=True)
        if not any(mount.point == str(point) for mount in linux.mounts()):
            inode = image_path.stat().st_ino
            linux.mount_image(image_path, point)
            note = {"image": image, "path": str(image_path), "inode": inode, "mounted_at": time.time()}
            write_json(point.with_suffix(".json"), note)
    return point


def mount_note(folders: Folders, image: str) -> Json:
    """When, and on which inode, the image was mounted."""
    return dict(read_json(folders.mount(image).with_suffix(".json")) or {})


def mounting_since(folders: Folders) -> float:
    """Since when this host has had images mounted; what the kernel said before was about somebody else's."""
    notes = [read_json(path) or {} for path in folders.mounts.glob("*.json")]
    return min([float(note["mounted_at"]) for note in notes if "mounted_at" in note], default=time.time())
