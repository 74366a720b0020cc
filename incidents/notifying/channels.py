"""What an administrator does with channels: add, change, turn on and off, delete."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from fleet.actor import Actor
from fleet.live import announce
from incidents.errors import Refused
from incidents.lifecycle import DeliveryState
from incidents.models import Channel, Delivery, Incident
from incidents.models.notifying import WAITING
from incidents.notifying.message import masked
from incidents.notifying.posting import NotSent, check_address
from incidents.notifying.queueing import TOPIC
from incidents.notifying.sealing import seal
from incidents.timeline.chain import settled_text


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a channel shall be. An empty address leaves the one that is kept."""

    name: str
    address: str
    verdicts: Sequence[str]
    severities: Sequence[str]


def add_channel(*, wanted: Wanted, actor: Actor, now: datetime) -> Channel:
    """Adds a channel. Raises Refused, saying what is wrong with it."""
    if not wanted.address.strip():
        raise Refused("Enter the address of the channel. Nothing was added.")
    return _keep(Channel(enabled=True), wanted, now=now, actor=actor)


def change_channel(*, channel: Channel, wanted: Wanted, actor: Actor, now: datetime) -> Channel:
    """Changes a channel. Raises Refused, saying what is wrong."""
    return _keep(channel, wanted, now=now, actor=actor)


@transaction.atomic
def turn_channel(*, channel: Channel, on: bool, actor: Actor, now: datetime) -> None:
    """Turns a channel on, or off: then what still waited for it is given up."""
    Channel.objects.kept().filter(pk=channel.pk).update(enabled=on, changed_at=now, changed_by=actor.name)
    if not on:
        _give_up(channel, f"{actor.name} turned the channel off before this was sent.")
    announce(TOPIC)


@transaction.atomic
def remove_channel(*, channel: Channel, actor: Actor, now: datetime) -> None:
    """Deletes a channel and its address; the record of what went through it stays."""
    Channel.objects.kept().filter(pk=channel.pk).update(
        enabled=False, sealed="", removed_at=now, changed_at=now, changed_by=actor.name
    )
    _give_up(channel, f"{actor.name} deleted the channel before this was sent.")
    announce(TOPIC)


def _keep(channel: Channel, wanted: Wanted, *, actor: Actor, now: datetime) -> Channel:
    channel.name = _name(wanted.name)
    channel.verdicts = _chosen(wanted.verdicts, Incident.Verdict.values, "kinds of verdict")
    channel.severities = _chosen(wanted.severities, Incident.Severity.values, "severities")
    if address := wanted.address.strip():
        channel.sealed, channel.shown, channel.service = seal(address), masked(address), _service(address)[:80]
    channel.changed_at, channel.changed_by = now, actor.name
    try:
        with transaction.atomic():
            channel.save()
            announce(TOPIC)
    except IntegrityError:
        raise Refused(f"There is a channel “{channel.name}” already. Give this one another name.") from None
    return channel


def _name(text: str) -> str:
    name = settled_text(" ".join(text.split()))
    if not name or len(name) > 80:
        raise Refused("Give the channel a name of at most 80 characters, such as “on call”. Nothing was changed.")
    return name


def _chosen(values: Sequence[str], known: Sequence[str], words: str) -> list[str]:
    chosen = [value for value in known if value in values]
    if not chosen or set(values) - set(known):
        raise Refused(f"Choose which {words} the channel wants: {', '.join(known)}. Nothing was changed.")
    return chosen


def _service(address: str) -> str:
    try:
        return check_address(address)
    except NotSent as problem:
        raise Refused(f"{problem} Nothing was changed.") from None


def _give_up(channel: Channel, why: str) -> None:
    waiting = Delivery.objects.filter(channel=channel, state__in=WAITING)
    waiting.update(state=DeliveryState.DEAD, last_error=why)
