"""Hosts join the fleet: where they are, and the key that is theirs from then on."""

from datetime import datetime
from typing import Any

from django.db import transaction

from fleet.actor import Actor
from fleet.lifecycle import HostState
from fleet.models import Host


class KeyChanged(ValueError):  # noqa: N818 - says what is wrong
    """The host is enrolled with another key; nothing was changed."""


@transaction.atomic
def enrol_host(
    *, name: str, address: str, port: int, ssh_user: str, host_key: str, actor: Actor, now: datetime, **facts: Any
) -> Host:
    """Enrols a host, or brings its facts up to date: `attributes`, `memory_mb`, `slots`, `provisioned_at`.

    Raises KeyChanged where it was enrolled with another key: a key is changed by retiring the host first.
    """
    host, _ = Host.objects.select_for_update().get_or_create(name=name, defaults={"added_at": now})
    if host.host_key and _key_alone(host.host_key) != _key_alone(host_key) and host.state != HostState.RETIRED:
        raise KeyChanged(f"{name} is enrolled with another host key; {actor.name} must retire it before it may change.")
    where = {"address": address, "port": port, "ssh_user": ssh_user, "host_key": host_key}
    Host.objects.filter(pk=host.pk).update(**where, **facts)
    Host.objects.filter(pk=host.pk, state__in=[HostState.UNKNOWN, HostState.ENROLLING, HostState.RETIRED]).update(
        state=HostState.IN_SERVICE
    )
    host.refresh_from_db()
    return host


def _key_alone(line: str) -> list[str]:
    """Type and key of an OpenSSH public key line, with the mark of an authority; its comment left out."""
    words = line.split()
    return words[: 3 if line.startswith("@") else 2]
