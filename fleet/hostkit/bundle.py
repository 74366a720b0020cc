"""Puts the host program together as the one file that goes to a host: a zip that Python runs, the same each time."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import lru_cache
from pathlib import Path

PARTS = (
    "attempts",
    "crashlog",
    "disk",
    "dynohost",
    "dynos",
    "folders",
    "images",
    "kernel",
    "linux",
    "machine",
    "program",
    "receipts",
    "shim",
    "verify",
)
STARTER = "from dynohost_parts.program import main\nmain()\n"
EPOCH = (2020, 1, 1, 0, 0, 0)


def build() -> bytes:
    """The whole program as bytes; equal sources give equal bytes."""
    here = Path(__file__).parent
    content = io.BytesIO(b"#!/usr/bin/env python3\n")
    content.seek(0, io.SEEK_END)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", EPOCH), STARTER)
        archive.writestr(zipfile.ZipInfo("dynohost_parts/__init__.py", EPOCH), "")
        for part in PARTS:
            archive.writestr(
                zipfile.ZipInfo("dynohost_parts/{}.py".format(part), EPOCH), (here / (part + ".py")).read_bytes()
            )
    return content.getvalue()


@lru_cache(maxsize=1)
def digest() -> str:
    """The digest of the whole program, as `facts` reports it."""
    return "sha256:" + hashlib.sha256(build()).hexdigest()


def write(path: Path) -> str:
    """Put the program at `path`, ready to run; returns its digest as `facts` reports it."""
    path.write_bytes(build())
    path.chmod(0o755)
    return digest()
