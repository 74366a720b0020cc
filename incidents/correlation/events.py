"""The novel crashes of the last hours, as growing arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Row = tuple[int, int, int, int, int]
COLUMNS = 5


def sums(cells: Ints, weights: Floats, size: int) -> Floats:
    """The sum of the weights of each cell."""
    summed: Floats = np.bincount(cells, weights, minlength=size).astype(np.float64, copy=False)
    return summed


@dataclass(frozen=True, slots=True)
class Events:
    """Columns of novel crashes: absolute bin, indices of host, app and stack (-1: unknown), kind class, weight."""

    bin: Ints
    host: Ints
    app: Ints
    stack: Ints
    kind: Ints
    weight: Floats

    def __len__(self) -> int:
        return len(self.bin)

    def where(self, chosen: Mask | Ints) -> "Events":
        """Only the rows of the mask, or those with these places."""
        place = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return Events(
            self.bin[place], self.host[place], self.app[place], self.stack[place], self.kind[place], self.weight[place]
        )

    def since(self, place: int) -> "Events":
        """The rows from a place on, without a copy."""
        return Events(
            self.bin[place:], self.host[place:], self.app[place:], self.stack[place:], self.kind[place:],
            self.weight[place:],
        )  # fmt: skip


class EventStore:
    """Appends in amortised constant time, in any order of time; drops what is too old.

    `dropped` counts the rows that went before those that are kept, so that a reader knows where it was.
    """

    def __init__(self) -> None:
        self._numbers = np.zeros((COLUMNS, 1024), dtype=np.int64)
        self._latest = np.zeros(1024, dtype=np.int64)  # the newest bin of all rows so far
        self._weights = np.zeros(1024)
        self._size = 0
        self.dropped = 0

    def __len__(self) -> int:
        return self._size

    def add(self, row: Row, weight: float) -> None:
        """Adds one event: (bin, host, app, stack, kind class)."""
        self.extend([[number] for number in row], [weight])

    def extend(self, columns: Sequence[Sequence[int]], weights: Sequence[float]) -> None:
        """Adds events by columns: bins, hosts, apps, stacks, kind classes."""
        end = self._size + len(weights)
        while end > len(self._weights):
            self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)], axis=1)
            self._latest = np.concatenate([self._latest, np.zeros_like(self._latest)])
            self._weights = np.concatenate([self._weights, np.zeros_like(self._weights)])
        self._numbers[:, self._size : end] = columns
        self._weights[self._size : end] = weights
        before = self._latest[self._size - 1] if self._size else np.iinfo(np.int64).min
        newest = np.maximum.accumulate(self._numbers[0, self._size : end])
        self._latest[self._size : end] = np.maximum(newest, before)
        self._size = end

    def all(self) -> Events:
        """Everything that is kept."""
        numbers = self._numbers[:, : self._size]
        return Events(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], self._weights[: self._size])

    def place_of(self, first_bin: int) -> int:
        """A place before which there are only events of earlier bins."""
        return int(np.searchsorted(self._latest[: self._size], first_bin))

    def between(self, first_bin: int, end_bin: int) -> Events:
        """The events of bins first_bin (included) to end_bin (not)."""
        events = self.all().since(self.place_of(first_bin))
        return events.where((events.bin >= first_bin) & (events.bin < end_bin))

    def forget_before(self, first_bin: int) -> None:
        """Drops the oldest rows, as long as they are of earlier bins."""
        place = self.place_of(first_bin)
        rest = self._size - place
        self._numbers[:, :rest] = self._numbers[:, place : self._size].copy()
        self._latest[:rest] = self._latest[place : self._size].copy()
        self._weights[:rest] = self._weights[place : self._size].copy()
        self._size = rest
        self.dropped += place
