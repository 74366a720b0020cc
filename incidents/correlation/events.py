"""The novel crashes of the last hours, as growing arrays."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


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

    def where(self, mask: Mask) -> "Events":
        """Only the rows of the mask."""
        return Events(
            self.bin[mask], self.host[mask], self.app[mask], self.stack[mask], self.kind[mask], self.weight[mask]
        )


class EventStore:
    """Appends in amortised constant time, in any order of time; drops what is too old."""

    def __init__(self) -> None:
        self._numbers = np.zeros((5, 1024), dtype=np.int64)
        self._weights = np.zeros(1024)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, row: tuple[int, int, int, int, int], weight: float) -> None:
        """Adds one event: (bin, host, app, stack, kind class)."""
        if self._size == len(self._weights):
            self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)], axis=1)
            self._weights = np.concatenate([self._weights, np.zeros_like(self._weights)])
        self._numbers[:, self._size] = row
        self._weights[self._size] = weight
        self._size += 1

    def all(self) -> Events:
        """Everything that is kept."""
        numbers = self._numbers[:, : self._size]
        return Events(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], self._weights[: self._size])

    def between(self, first_bin: int, end_bin: int) -> Events:
        """The events of bins first_bin (included) to end_bin (not)."""
        events = self.all()
        return events.where((events.bin >= first_bin) & (events.bin < end_bin))

    def forget_before(self, first_bin: int) -> None:
        """Drops the events of earlier bins."""
        keep = np.flatnonzero(self._numbers[0, : self._size] >= first_bin)
        self._numbers[:, : len(keep)] = self._numbers[:, keep]
        self._weights[: len(keep)] = self._weights[keep]
        self._size = len(keep)
