"""The slices of a fleet that are looked at together: the whole, and each value of each attribute."""

from dataclasses import dataclass

import numpy as np

from incidents.correlation.events import Floats, Ints, Mask
from incidents.correlation.fleet import Fleet
from incidents.correlation.settings import Settings

Slice = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Slices:
    """`codes[row, host]` is the number of a slice or -1; each row is a partition. `prices` pay for the search."""

    codes: Ints
    names: tuple[Slice, ...]
    prices: Floats

    def __len__(self) -> int:
        return len(self.names)

    def hosts_of(self, number: int) -> Mask:
        """The hosts of one slice."""
        mask: Mask = (self.codes == number).any(axis=0)
        return mask


def all_slices(fleet: Fleet, settings: Settings, *, within: Mask | None = None, apart_from: Slice = ()) -> Slices:
    """The whole fleet (number 0) and every value of every attribute; perhaps only within some hosts."""
    hosts = np.ones(len(fleet.hosts), dtype=bool) if within is None else within
    rows, names, prices = [np.where(hosts, 0, -1)], [apart_from], [0.0]
    known = {key for key, _ in apart_from}
    for attribute in fleet.attributes:
        if attribute.key in known or not 2 <= len(attribute.values) <= settings.most_values:
            continue
        rows.append(np.where(hosts & (attribute.codes >= 0), attribute.codes + len(names), -1))
        names += [(*apart_from, (attribute.key, value)) for value in attribute.values]
        prices += [float(np.log(len(attribute.values)))] * len(attribute.values)
    return Slices(np.stack(rows), tuple(names), np.array(prices))


def members(fleet: Fleet, slice_: Slice) -> Mask:
    """The hosts of a slice."""
    mask = np.ones(len(fleet.hosts), dtype=bool)
    for attribute in fleet.attributes:
        for key, value in slice_:
            if key == attribute.key:
                mask &= attribute.codes == attribute.values.index(value)
    return mask
