"""PURE. What a deploy webhook can tell, whatever its format."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DeployFact:
    """A deploy has begun; also what is known of it when it is told of again."""

    deploy: str
    target: str
    kind: str
    at: datetime
    stack: str | None = None
    image: str | None = None
    image_version: str = ""
    from_image: str | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class DeployFinishedFact:
    """A deploy has ended, by itself or by being aborted."""

    deploy: str
    at: datetime
    aborted: bool = False


@dataclass(frozen=True, slots=True)
class HostDeployFact:
    """What a deploy did on one host."""

    deploy: str
    host: str
    at: datetime
    outcome: str
    tools_version: str = ""
    detail: str = ""
    started_at: datetime | None = None


Fact = DeployFact | DeployFinishedFact | HostDeployFact


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a payload: where, as a JSON path, and what."""

    path: str
    error: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a payload says. No facts and no problems: its type is of no interest."""

    facts: list[Fact] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
