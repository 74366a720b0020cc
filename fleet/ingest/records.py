"""PURE. Records of the replay format as they come in. Unknown keys are ignored, limits are those of the columns."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

HostName = Annotated[str, Meta(min_length=1, max_length=253)]
AppName = Annotated[str, Meta(min_length=1, max_length=150)]
StackName = Annotated[str, Meta(min_length=1, max_length=100)]
Moment = Annotated[datetime, Meta(tz=True)]
Word = Annotated[str, Meta(max_length=200)]
AttributeName = Annotated[str, Meta(min_length=1, max_length=100)]
Attributes = Annotated[dict[AttributeName, Word | int | float | bool], Meta(max_length=100)]
Whole = Annotated[int, Meta(ge=0, le=2_147_483_647)]
FIRST_YEAR, LAST_YEAR = 1970, 9998  # in UTC all of these can be read back, and a few days be added


class CrashRecord(Struct, gc=False):
    """One dyno process that died hard."""

    at: Moment
    host: HostName
    type: Literal["crash"] = "crash"
    app: AppName | None = None
    signal: Annotated[str, Meta(max_length=16)] | None = None
    exit_status: Annotated[int, Meta(ge=-2_147_483_648, le=2_147_483_647)] | None = None
    received_at: Moment | None = None
    id: Annotated[str, Meta(max_length=400)] | Annotated[int, Meta(ge=0)] | None = None
    dyno: Annotated[str, Meta(max_length=400)] | None = None
    program: Word | None = None
    source: Annotated[str, Meta(max_length=50)] | None = None

    def texts(self) -> list[str | None]:
        """Every text in it that goes into the database."""
        return [self.host, self.app, self.signal, self.dyno, self.program, self.source]


class HostRecord(Struct):
    """A machine that runs dynos, as an inventory knows it. What is not said stays as it is."""

    host: HostName
    type: Literal["host"] = "host"
    attributes: Attributes | None = None
    address: Annotated[str, Meta(max_length=253)] | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    ssh_user: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    host_key: Annotated[str, Meta(max_length=4000)] | None = None
    memory_mb: Whole | None = None
    slots: Whole | None = None
    provisioned_at: Moment | None = None
    state: Literal["enrolling", "in_service", "retired"] | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a time that the database would keep but not give back."""
        check_year("provisioned_at", self.provisioned_at)

    def texts(self) -> list[str | None]:
        """Every text in it that goes into the database."""
        attributes = self.attributes or {}
        values = [value for value in attributes.values() if isinstance(value, str)]
        return [self.host, self.address, self.ssh_user, self.host_key, *attributes, *values]


class DynoRecord(Struct):
    """One dyno by its name (`dyno`), or how many of an app a host runs (`count`)."""

    host: HostName
    app: AppName
    type: Literal["dyno"] = "dyno"
    stack: StackName | None = None
    count: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    dyno: Annotated[str, Meta(min_length=1, max_length=400)] | None = None
    image: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    memory_mb: Whole | None = None
    started_at: Moment | None = None
    state: Literal["starting", "running", "crashed", "stopping", "stopped", "lost"] | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a time that the database would keep but not give back."""
        check_year("started_at", self.started_at)

    def texts(self) -> list[str | None]:
        """Every text in it that goes into the database."""
        return [self.host, self.app, self.stack, self.dyno, self.image]


def check_year(name: str, moment: datetime | None) -> None:
    """Raises ValueError for a time at the edges of the calendar; None passes."""
    if moment is not None and not is_plausible(moment):
        raise ValueError(f"{name} lies outside the years {FIRST_YEAR} to {LAST_YEAR}")


def is_plausible(moment: datetime) -> bool:
    """Whether a time can be kept, read back in UTC and reckoned with."""
    return FIRST_YEAR <= moment.year <= LAST_YEAR
