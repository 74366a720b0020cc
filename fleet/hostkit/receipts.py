"""What proves that an image is here and whole: receipts, and the checksum files of every earlier tools version."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

from .disk import read_json, write_json
from .dynohost import VERSION

Receipt = Dict[str, Any]
CHUNK = 1 << 20


class Checksum(NamedTuple):
    """What an earlier tool wrote beside an image."""

    algorithm: str
    digest: str
    tools: str


def digest_of(path: Path, algorithm: str = "sha256") -> str:
    """`algorithm:hex` of a file's content as reads give it."""
    digest = hashlib.new(algorithm)
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return algorithm + ":" + digest.hexdigest()


def receipt_path(image: Path) -> Path:
    """The receipt beside an image."""
    return image.with_name(image.name + ".receipt.json")


def read_receipt(image: Path) -> Optional[Receipt]:
    """The receipt, if the image has one."""
    content = read_json(receipt_path(image))
    return content if isinstance(content, dict) and "digest" in content else None


def write_receipt(image: Path, *, digest: str, tools: str, **more: Any) -> Receipt:
    """Note what is here now: content, size, inode and change time."""
    now = image.stat()
    receipt = dict(
        more,
        digest=digest,
        algorithm=digest.split(":", maxsplit=1)[0],
        size=now.st_size,
        inode=now.st_ino,
        change_time_ns=now.st_ctime_ns,
        tools=tools,
        written_by="dynohost " + VERSION,
    )
    write_json(receipt_path(image), receipt)
    return receipt


def read_checksum(image: Path) -> Optional[Checksum]:
    """The newest checksum file that earlier tools left: `.sha256` of 2.0, `.md5` of 1.x, `.sum` (SHA-1) of 1.0."""
    for ending, algorithm, tools in ((".sha256", "sha256", "2.0"), (".md5", "md5", "1.9"), (".sum", "sha1", "1.0")):
        path = image.with_name(image.name + ending)
        if path.is_file():
            words = path.read_text(errors="replace").split()
            if words:
                return Checksum(algorithm, algorithm + ":" + words[0].lower(), tools)
    return None


def recorded(image: Path) -> Optional[Checksum]:
    """What the best record here says the file's content is."""
    receipt = read_receipt(image)
    if receipt:
        return Checksum(str(receipt["algorithm"]), str(receipt["digest"]), str(receipt.get("tools")))
    return read_checksum(image)


def is_whole(image: Path) -> bool:
    """Whether the image is here and its content is what its own record says, whichever tools wrote that."""
    record = recorded(image)
    return image.is_file() and record is not None and digest_of(image, record.algorithm) == record.digest
