"""Keeps the rows of dynos in step with what their hosts say."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from fleet.lifecycle import DynoState
from fleet.models import App, Dyno, Host, Move, Stack, StackImage

KNOWN = {str(state) for state in DynoState}


def note_dynos(*, host: Host, told: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Takes over what a host says of its dynos.

    A dyno on its way to or from this host is the mover's to write about; a provisional one is nobody's yet.
    """
    committed = {dyno["dyno"]: dyno for dyno in told if not dyno.get("provisional")}
    rows = {row.name: row for row in Dyno.objects.filter(name__in=committed) | Dyno.objects.placed().filter(host=host)}
    moving = set(Move.objects.live().filter(dyno__in=rows.values()).values_list("dyno_id", flat=True))
    for row in rows.values():
        if row.pk not in moving and row.host_id == host.pk:
            _follow(row, committed.get(row.name), now)
    _add([dyno for name, dyno in committed.items() if name not in rows], host, now)


def _follow(row: Dyno, told: Mapping[str, Any] | None, now: datetime) -> None:
    state = str(DynoState.LOST) if told is None else str(told["state"])
    if state not in KNOWN or state == row.state:
        return
    Dyno.objects.filter(pk=row.pk, state=row.state, host_id=row.host_id).update(state=state, changed_at=now)


def _add(dynos: Iterable[Mapping[str, Any]], host: Host, now: datetime) -> None:
    new = list(dynos)
    if not new:
        return
    apps = _named(App, {dyno["app"] for dyno in new})
    stacks = _named(Stack, {dyno["stack"] for dyno in new})
    images = {(dyno["stack"], dyno["image"]): _image(stacks[dyno["stack"]], dyno["image"]) for dyno in new}
    Dyno.objects.bulk_create(
        [
            Dyno(
                name=dyno["dyno"],
                app=apps[dyno["app"]],
                host=host,
                stack=stacks[dyno["stack"]],
                image=images[dyno["stack"], dyno["image"]],
                state=dyno["state"] if dyno["state"] in KNOWN else DynoState.RUNNING,
                memory_mb=dyno.get("memory_mb") or 0,
                changed_at=now,
            )
            for dyno in new
        ],
        ignore_conflicts=True,
    )


def _named(model: Any, names: set[str]) -> dict[str, Any]:
    model.objects.bulk_create([model(name=name) for name in sorted(names)], ignore_conflicts=True)
    return {row.name: row for row in model.objects.filter(name__in=names)}


def _image(stack: Stack, digest: str) -> StackImage:
    return StackImage.objects.get_or_create(stack=stack, digest=digest)[0]
