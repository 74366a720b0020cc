"""Who did something: a person, a token's holder, a host, or Faultline itself."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["person", "system", "token", "host"]


@dataclass(frozen=True)
class Actor:
    """The one to whom a change is attributed; `user_id` only where it is a person."""

    kind: Kind
    name: str
    user_id: int | None = None


SYSTEM = Actor("system", "Faultline")
