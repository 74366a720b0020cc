"""How many batches one web process takes in at once; the others are asked to come back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE = 3
WAITING = 8
WAIT_SECONDS = 5.0
_places = threading.BoundedSemaphore(AT_ONCE)
_queue = threading.BoundedSemaphore(AT_ONCE + WAITING)


class Busy(RuntimeError):  # noqa: N818 - it is an answer
    """Too many batches at once."""


@contextmanager
def place() -> Iterator[None]:
    """A place to take a batch in; waits a little for one. Raises Busy when there is none."""
    if not _queue.acquire(blocking=False):
        raise Busy
    try:
        if not _places.acquire(timeout=WAIT_SECONDS):
            raise Busy
        try:
            yield
        finally:
            _places.release()
    finally:
        _queue.release()
