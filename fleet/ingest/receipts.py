"""PURE. What a sender is told of its batch."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record that does not count, and why. `line` counts from 1; in a JSON array it is the element's place."""

    line: int
    error: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch of crashes."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[Rejection] = field(default_factory=list)


@dataclass(slots=True)
class InventoryReceipt:
    """What became of inventory records; the three add up to the records that came."""

    created: int = 0
    updated: int = 0
    rejected: list[Rejection] = field(default_factory=list)

    def reject(self, line: int, error: str) -> None:
        """Notes a record that does not count."""
        self.rejected.append(Rejection(line, error))
