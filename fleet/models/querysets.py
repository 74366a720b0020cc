"""What the querysets of rows with a lifecycle share."""

from datetime import datetime
from typing import Any, TypeVar

from django.db import models

from fleet.states import State

Row = TypeVar("Row", bound=models.Model)


class LifecycleQuerySet(models.QuerySet[Row]):
    """Rows whose `state` changes by conditional updates alone."""

    def advance(self, to: State, **changes: Any) -> int:
        """Brings the rows whose state allows it to `to`; gives how many it was. The others stay untouched."""
        return self.filter(state__in=to.predecessors()).update(state=to.value, **changes)

    def live(self) -> "LifecycleQuerySet[Row]":
        """The rows after whose state something may still follow."""
        field = self.model._meta.get_field("state")  # noqa: SLF001 - Django's documented interface
        return self.filter(state__in=field.lifecycle.live())  # type: ignore[union-attr]


class StateField(models.CharField):  # type: ignore[type-arg]
    """A state of one lifecycle; the database refuses any other word (see `state_is_known`)."""

    def __init__(self, lifecycle: type[State] | None = None, **options: Any) -> None:
        self.lifecycle = lifecycle
        if lifecycle:
            options |= {"choices": lifecycle.choices(), "max_length": 16}
        super().__init__(**options)

    def deconstruct(self) -> Any:
        """As a plain character field, so that migrations do not depend on the lifecycle's words."""
        name, _, args, options = super().deconstruct()
        options.pop("choices", None)
        return name, "django.db.models.CharField", args, options


def state_is_known(lifecycle: type[State], name: str) -> models.CheckConstraint:
    """A constraint that only the lifecycle's own words stand in `state`."""
    return models.CheckConstraint(condition=models.Q(state__in=lifecycle.values()), name=name)


def due(now: datetime) -> models.Q:
    """Condition on rows with a lease: nobody holds it, or it ran out."""
    return models.Q(lease_until__isnull=True) | models.Q(lease_until__lt=now)
