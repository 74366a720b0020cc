"""A lab in a thread of its own, for callers that are not asynchronous: tests and measures."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from fleet.lab.base import Lab

Result = TypeVar("Result")


class RunningLab:
    """`with RunningLab(lab) as running:` brings it up and takes it down; `running.do(...)` works in its loop."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.do(self.lab.start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.do(self.lab.stop())
        finally:
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of a coroutine of the lab."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def now(self) -> None:
        """Returns once the loop has come round, so that what was asked before is done."""
        self.do(asyncio.sleep(0))
