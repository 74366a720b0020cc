"""Where the fleet writes down what happened to it, for whoever keeps the record.

The settings name the keeper (`FLEET_JOURNAL`), so that the fleet need not know of incidents.
Call it inside the transaction of the change that it tells of: both are committed, or neither.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, NotRequired, Protocol, TypedDict, Unpack, cast

from django.conf import settings
from django.utils.module_loading import import_string

from fleet.actor import Actor


class Fact(TypedDict):
    """One thing that happened, as it is told to any record: by whom, when, and with which numbers."""

    kind: str
    text: str
    actor: Actor
    occurred_at: datetime
    data: NotRequired[Mapping[str, Any]]


class Journal(Protocol):
    """Keeps one fact; `reference` says what it belongs to, such as "incident:12"."""

    def __call__(self, *, reference: str, **fact: Unpack[Fact]) -> None:
        """Keeps it, or raises."""
        ...


@cache
def _journal(path: str) -> Journal:
    return cast("Journal", import_string(path))


def record(*, reference: str, **fact: Unpack[Fact]) -> None:
    """Hands one fact to the journal that the settings name; nothing to do for an empty reference."""
    if reference:
        _journal(settings.FLEET_JOURNAL)(reference=reference, **fact)
