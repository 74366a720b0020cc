"""Keeps a watcher's memory in the database, so that another process can go on where it was."""

import hashlib
import hmac
import inspect
import pickle
import platform
import zlib
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
from django.conf import settings
from django.utils.crypto import salted_hmac

from incidents.correlation import correlator
from incidents.models import WatchMemory
from incidents.watching import memory as memories
from incidents.watching.memory import Memory, bin_of, moment

EVERY_BINS = 15
KEPT = 2


def save_memory(memory: Memory, *, now: datetime) -> None:
    """Saves it as of the bin it has judged last, and drops older ones."""
    if memory.judged_bin is None:
        return
    packed = zlib.compress(pickle.dumps(memory, protocol=5), level=1)
    WatchMemory.objects.create(
        judged_to=moment(memory.judged_bin), version=version(), content=_seal(packed) + packed, saved_at=now
    )
    last = WatchMemory.objects.order_by("-judged_to", "-pk").values("pk")[:KEPT]
    WatchMemory.objects.exclude(pk__in=list(last.values_list("pk", flat=True))).delete()


def load_memory(*, judged_to: datetime) -> Memory | None:
    """The newest one that is not past this time and was written by this very code; None where there is none."""
    rows = WatchMemory.objects.filter(judged_to__lte=judged_to, version=version())
    row = rows.order_by("-judged_to", "-pk").first()
    if row is None:
        return None
    content = bytes(row.content)
    size = hashlib.sha256().digest_size
    if not hmac.compare_digest(content[:size], _seal(content[size:])):
        return None
    memory: Memory = pickle.loads(zlib.decompress(content[size:]))  # noqa: S301
    return memory if memory.judged_bin == bin_of(row.judged_to) else None


def forget_memories() -> None:
    """Drops all: the past they were made from is not the past any more."""
    WatchMemory.objects.all().delete()


def _seal(packed: bytes) -> bytes:
    return salted_hmac("incidents.watching.memory", packed, algorithm="sha256").digest()


@cache
def _code() -> str:
    """A digest of the code whose objects are kept."""
    folders = (Path(inspect.getfile(correlator)).parent, Path(inspect.getfile(memories)).parent)
    files = [file for folder in folders for file in sorted(folder.glob("*.py"))]
    parts = [platform.python_version(), np.__version__, *(file.read_text() for file in files)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def version() -> str:
    """What has to be the same for a memory to be of use: the code, and the length of a bin."""
    return hashlib.sha256(f"{_code()} {settings.TICK_SECONDS!r}".encode()).hexdigest()
