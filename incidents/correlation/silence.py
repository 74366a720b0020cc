"""Hosts of which nothing is heard: what is missing is neither quiet nor trouble, and counts for neither side."""

import math

import numpy as np

from incidents.correlation.events import Ints
from incidents.correlation.view import FAR, hull


class Silence:
    """Each silent host, by its number, and the first bin that was not heard to its end."""

    def __init__(self, bin_seconds: float) -> None:
        self._bin_seconds = bin_seconds
        self._first: dict[int, int] = {}

    def __len__(self) -> int:
        """How many hosts are silent."""
        return len(self._first)

    def begins(self, host: int, since: float) -> None:
        """Nothing was heard of it after `since` (epoch seconds)."""
        self._first[host] = math.floor(since / self._bin_seconds)

    def ends(self, host: int) -> None:
        """It is heard again; what it had to say of the time between comes late."""
        self._first.pop(host, None)

    def left_out(self, gone: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
        """First and end bin on each host of what is not looked at: `gone`, and the silence where there is any."""
        if not self._first:
            return gone
        first = np.full(len(gone[0]), FAR, dtype=np.int64)
        first[list(self._first)] = list(self._first.values())
        return hull(gone, (first, np.where(first < FAR, FAR - 1, FAR)))
