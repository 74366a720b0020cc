"""PURE. A vocabulary of states: each with its meaning and the states that may follow it."""

from enum import StrEnum
from typing import Self


class State(StrEnum):
    """Base of a lifecycle; a member is written `NAME = value, meaning, *values that may follow`.

    A member is its value (a `str`), so it can be stored and compared as it is.
    """

    meaning: str
    successors: frozenset[str]

    def __new__(cls, value: str, meaning: str, *successors: str) -> Self:
        """Makes one member."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.successors = frozenset(successors)
        return member

    @classmethod
    def of(cls, value: str) -> Self:
        """The state that is stored as `value`. Raises ValueError for any other word."""
        return cls(value)  # type: ignore[call-arg]

    @property
    def label(self) -> str:
        """The state as a person reads it."""
        return str(self.value).replace("_", " ")

    @property
    def is_final(self) -> bool:
        """Whether nothing may follow."""
        return not self.successors

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        """Pairs of value and label, as form and model fields want them."""
        return [(state.value, state.label) for state in cls]

    @classmethod
    def values(cls) -> list[str]:
        """Every value."""
        return [state.value for state in cls]

    @classmethod
    def live(cls) -> list[str]:
        """The values after which something may still follow."""
        return [state.value for state in cls if not state.is_final]

    def predecessors(self) -> list[str]:
        """The values from which this state may be reached."""
        return [state.value for state in type(self) if self.value in state.successors]
