"""One process's eyes: judges bin after bin, and catches up with what it missed, in the order in which it came."""

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings

from incidents.correlation.verdict import Board
from incidents.watching.keeping_memory import EVERY_BINS, forget_memories, load_memory, save_memory
from incidents.watching.memory import Look, Memory, bin_of, correlation_settings, oldest_at

SETTLE_SECONDS = 2.0
FINE_BINS = 60  # before now, when a memory is made anew: bin by bin
COARSE_BINS = 20  # and before that in steps of so many


class Watcher:
    """The correlation's memory in one process. Not for several threads at once."""

    def __init__(self) -> None:
        self.holder = secrets.token_hex(8)
        self.memory: Memory | None = None

    @property
    def board(self) -> Board | None:
        """What stood when it last looked."""
        return self.memory.board if self.memory else None

    def forget(self) -> None:
        """Drops the memory: the next look begins with one from the database."""
        self.memory = None

    def looks(self, *, judged_to: datetime | None, now: datetime) -> Iterator[Look]:
        """Every bin that has ended since the last one that was acted on; what lies before is judged in silence."""
        end_bin = settled_bin(now)
        acted_bin = end_bin - 1 if judged_to is None else bin_of(judged_to)
        memory = self._memory(judged_to, end_bin, now)
        memory.read(now)
        for next_bin in _bins(memory, end_bin):
            look = memory.judge(next_bin)
            if next_bin > acted_bin:
                yield look

    def keep_memory(self, *, now: datetime) -> None:
        """Saves the memory when it is time."""
        if self.memory and self.memory.judged_bin and self._is_time_to_save(self.memory):
            self.memory.saved_bin = self.memory.judged_bin
            save_memory(self.memory, now=now)

    @staticmethod
    def _is_time_to_save(memory: Memory) -> bool:
        return memory.saved_bin is None or memory.judged_bin - memory.saved_bin >= EVERY_BINS  # type: ignore[operator]

    def _memory(self, judged_to: datetime | None, end_bin: int, now: datetime) -> Memory:
        """The one at hand where it is no further than what was acted on; else a saved one, else one made anew."""
        memory = self.memory if judged_to else None
        if memory is not None and memory.is_outdated(now):
            forget_memories()
            memory = judged_to = None
        acted_bin = end_bin if judged_to is None else bin_of(judged_to)
        if memory is None or memory.judged_bin is None or memory.judged_bin > acted_bin:
            memory = load_memory(judged_to=judged_to) if judged_to else None
        if memory is None or memory.is_outdated(now) or end_bin - (memory.judged_bin or 0) > _most_behind():
            memory = Memory(since=oldest_at(now))
        self.memory = memory
        return memory


def settled_bin(now: datetime) -> int:
    """The last bin that ended long enough ago for all that was received in it to be committed."""
    return bin_of(now - timedelta(seconds=min(SETTLE_SECONDS, settings.TICK_SECONDS / 4)))


def _most_behind() -> int:
    """Beyond this nothing of the old memory is in any window any more."""
    return correlation_settings().keep_bins


def _bins(memory: Memory, end_bin: int) -> Iterator[int]:
    """The bins to judge on the way to this one; a new memory takes the far past in larger steps."""
    if memory.judged_bin is not None:
        yield from range(memory.judged_bin + 1, end_bin + 1)
        return
    first = memory.first_bin()
    for back in range(end_bin - (end_bin if first is None else min(first + 1, end_bin)), -1, -1):
        if back <= FINE_BINS or (end_bin - back) % COARSE_BINS == 0:
            yield end_bin - back
