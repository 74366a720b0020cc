"""Names to ids, made where they are new. Safe when several do it at once: the database decides who was first."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet

from fleet.lifecycle import HostState
from fleet.models import App, Host, Stack, StackImage


def host_ids(names: Iterable[str], *, now: datetime) -> dict[str, int]:
    """Ids of hosts. Those never heard of are made as `unknown`: they crash, so they are there."""
    return _ids(Host.objects.all(), names, lambda name: Host(name=name, state=HostState.UNKNOWN, added_at=now))


def app_ids(names: Iterable[str]) -> dict[str, int]:
    """Ids of apps."""
    return _ids(App.objects.all(), names, lambda name: App(name=name))


def stack_ids(names: Iterable[str]) -> dict[str, int]:
    """Ids of stacks."""
    return _ids(Stack.objects.all(), names, lambda name: Stack(name=name))


def image_ids(images: Iterable[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """Ids of stack images, by stack id and digest."""
    wanted = set(images)
    known = _known_images(wanted)
    if missing := sorted(wanted - set(known)):
        rows = [StackImage(stack_id=stack, digest=digest) for stack, digest in missing]
        StackImage.objects.bulk_create(rows, ignore_conflicts=True)
        known |= _known_images(set(missing))
    return known


def _ids(named: QuerySet[Any], names: Iterable[str], make: Callable[[str], Model]) -> dict[str, int]:
    wanted = set(names)
    known = _known(named, list(wanted))
    # In the order of their names, so that two who make the same ones never wait for each other crosswise.
    if missing := sorted(wanted - set(known)):
        named.bulk_create([make(name) for name in missing], ignore_conflicts=True)
        known |= _known(named, missing)
    return known


def _known(named: QuerySet[Any], names: list[str]) -> dict[str, int]:
    return dict(named.filter(name__in=names).values_list("name", "pk"))


def _known_images(wanted: set[tuple[int, str]]) -> dict[tuple[int, str], int]:
    digests = {digest for _, digest in wanted}
    rows = StackImage.objects.filter(digest__in=digests).values_list("stack_id", "digest", "pk")
    return {(stack, digest): key for stack, digest, key in rows if (stack, digest) in wanted}
