"""Writes down who is to be told of what, in the transaction of the change that it tells of."""

import uuid
from datetime import datetime

from django.db import transaction

from fleet.actor import Actor
from fleet.live import announce
from fleet.tasks.nudges import nudge_on_commit
from incidents.errors import Refused
from incidents.models import Channel, Delivery, Incident

TASK = "incidents.tasks.notifying.deliver"
TOPIC = "notifications"
Occasion = Delivery.Occasion
# What a person who was told that it opened wants to know further, whatever the channel asks for.
FOLLOWS_UP = frozenset({Occasion.CAUSE, Occasion.SEVERITY, Occasion.RESOLVED})


def tell_people(*, incident_id: int, occasion: Delivery.Occasion, now: datetime) -> int:
    """Queues a message for each channel that wants it; gives how many. The same occasion never makes two.

    Call it after the timeline entry that it tells of: that entry's number tells one change of cause from the next. The
    text is written when the message is first sent, so it says what stands by then.
    """
    channels = list(Channel.objects.usable())
    if not channels:
        return 0
    incident = Incident.objects.get(pk=incident_id)
    chosen = _chosen(channels, incident, occasion)
    Delivery.objects.bulk_create(
        (
            Delivery(
                channel=channel, incident=incident, occasion=occasion, key=_key(incident, occasion),
                next_attempt_at=now, queued_at=now,
            )
            for channel in chosen
        ),
        ignore_conflicts=True,
    )  # fmt: skip
    if chosen:
        _nudge()
    return len(chosen)


def send_test(*, channel: Channel, actor: Actor, now: datetime) -> Delivery:
    """Queues a test message; it takes the way of every other one. Raises Refused where the channel is off."""
    if not Channel.objects.usable().filter(pk=channel.pk).exists():
        raise Refused(f"“{channel}” is off, so nothing was sent. Turn it on first.")
    with transaction.atomic():
        delivery = Delivery.objects.create(
            channel=channel, occasion=Occasion.TEST, key=f"{uuid.uuid4().hex} {actor.name}"[:100],
            next_attempt_at=now, queued_at=now,
        )  # fmt: skip
        _nudge()
    return delivery


def _chosen(channels: list[Channel], incident: Incident, occasion: Delivery.Occasion) -> list[Channel]:
    mine = Delivery.objects.filter(incident=incident)
    told = set(mine.values_list("channel_id", flat=True)) if occasion in FOLLOWS_UP else set()
    # A message that nobody has tried to send yet will say the newest anyway.
    newest = occasion in {Occasion.CAUSE, Occasion.SEVERITY}
    soon = set(mine.unsent().values_list("channel_id", flat=True)) if newest else set()
    wanted = [c for c in channels if c.pk in told or (c.wants(incident) and occasion != Occasion.RESOLVED)]
    return [channel for channel in wanted if channel.pk not in soon]


def _key(incident: Incident, occasion: Delivery.Occasion) -> str:
    return {Occasion.OPENED: "", Occasion.SEVERITY: str(incident.severity)}.get(occasion, str(incident.last_sequence))


def _nudge() -> None:
    announce(TOPIC)
    nudge_on_commit(TASK)
