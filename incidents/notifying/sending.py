"""Sends what is due: claim, commit, send outside of any transaction, record what came of it if the claim still holds.

A message comes at least once. Should the worker die after the service took it and before that is written down, it is
sent once more when the lease runs out, with the same `ref` in its text: no service can say whether it has it already.
"""

import random
import secrets
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from fleet.actor import SYSTEM
from fleet.live import announce
from fleet.wording import count
from incidents.errors import Refused
from incidents.lifecycle import DeliveryState
from incidents.models import Delivery
from incidents.notifying.message import Message, Told, compose, compose_test, pause_seconds
from incidents.notifying.posting import DEADLINE_SECONDS, NotSent, post
from incidents.notifying.queueing import TOPIC
from incidents.notifying.sealing import unseal
from incidents.timeline.record import record

MOST_ATTEMPTS = 10  # some 35 minutes
AT_ONCE = 6
OCCASION_WORDS = {
    "opened": "that it opened", "cause": "its new cause", "severity": "that it is worse", "resolved": "that it is over",
}  # fmt: skip
LEASE_SECONDS = DEADLINE_SECONDS + 40.0
# The worker's other threads stay free for the watch, however many receivers are slow.
_senders = BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery taken on by this process. `address` is secret; where it cannot be read, `trouble` says why."""

    delivery: Delivery
    address: str | None
    trouble: str = ""


def deliver_due(*, now: datetime | None = None) -> int:
    """Sends everything that is due; gives how many attempts it took. Any number may call it at once."""
    if not _senders.acquire(blocking=False):
        return 0
    attempts = 0
    try:
        while claims := claim_due(now=now or timezone.now()):
            attempts += len(claims)
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="messages") as threads:
                asked = {threads.submit(attempt, claim): claim for claim in claims}
                for done in as_completed(asked):
                    keep_outcome(asked[done], error=done.result(), now=now or timezone.now())
    finally:
        _senders.release()
    return attempts


@transaction.atomic
def claim_due(*, now: datetime) -> list[Claim]:
    """Takes on the next ones: each is this process's alone until the lease runs out.

    One that follows another, of the same incident through the same channel, waits until that one has ended.
    """
    before = Delivery.objects.live().filter(
        incident=OuterRef("incident"), channel=OuterRef("channel"), pk__lt=OuterRef("pk")
    )
    rows = Delivery.objects.due(now).exclude(Exists(before)).select_for_update(skip_locked=True, of=("self",))
    rows = rows.select_related("channel", "incident").order_by("next_attempt_at", "pk")
    return [_take(row, now) for row in rows[:AT_ONCE]]


def attempt(claim: Claim) -> str:
    """One attempt; gives why it failed, or nothing. It touches no row."""
    if claim.address is None:
        return claim.trouble
    try:
        post(address=claim.address, title=claim.delivery.title, text=claim.delivery.text)
    except NotSent as problem:
        return str(problem)
    return ""


@transaction.atomic
def keep_outcome(claim: Claim, *, error: str, now: datetime) -> bool:
    """Writes down what came of it, and tells the timeline; False where somebody else took the delivery over."""
    delivery = claim.delivery
    state = _state_after(delivery, error)
    pause = timedelta(seconds=pause_seconds(delivery.attempts, random.random()))  # noqa: S311 - only spreads retries
    held = Delivery.objects.filter(pk=delivery.pk, lease_owner=delivery.lease_owner)
    if not held.advance(
        state, lease_owner="", lease_until=None, last_error=error, next_attempt_at=now + pause,
        sent_at=None if error else now,
    ):  # fmt: skip
        return False
    announce(TOPIC)
    _tell_timeline(delivery, state, error, now)
    return True


def _take(row: Delivery, now: datetime) -> Claim:
    """Marks a row that this transaction has locked; its text is written the first time."""
    message = Message(row.title, row.text) if row.text else message_of(row)
    changes: dict[str, Any] = {
        "state": DeliveryState.SENDING, "attempts": row.attempts + 1, "lease_owner": secrets.token_hex(8),
        "lease_until": now + timedelta(seconds=LEASE_SECONDS), "title": message.title, "text": message.text,
    }  # fmt: skip
    Delivery.objects.filter(pk=row.pk).update(**changes)
    for name, value in changes.items():
        setattr(row, name, value)
    if row.attempts > MOST_ATTEMPTS:
        return Claim(row, None, "Whoever sent it ended without a word, every time. It may have arrived.")
    try:
        return Claim(row, unseal(row.channel.sealed))
    except Refused as refused:
        return Claim(row, None, refused.message)


def message_of(delivery: Delivery) -> Message:
    """What the delivery says, as things stand now."""
    incident, ref = delivery.incident, delivery.short_ref
    if incident is None:
        asked_by = delivery.key.partition(" ")[2]
        return compose_test(channel=delivery.channel.name, asked_by=asked_by, address=settings.PUBLIC_URL, ref=ref)
    return compose(
        Told(
            delivery.occasion, incident.pk, incident.severity, incident.verdict, incident.state, incident.headline,
            f"{settings.PUBLIC_URL}/incidents/{incident.pk}", ref, incident.acknowledged_by,
        )
    )  # fmt: skip


def _state_after(delivery: Delivery, error: str) -> DeliveryState:
    if not error:
        return DeliveryState.SENT
    last = delivery.incident is None or delivery.attempts >= MOST_ATTEMPTS
    return DeliveryState.DEAD if last else DeliveryState.FAILED


def _tell_timeline(delivery: Delivery, state: DeliveryState, error: str, now: datetime) -> None:
    """Once that it went out, once that it did not at first, once that it was given up."""
    if delivery.incident is None or (state is DeliveryState.FAILED and delivery.attempts > 1):
        return
    whom, tries = f"“{delivery.channel.name}” ({delivery.channel.service})", count(delivery.attempts, "attempt")
    what = OCCASION_WORDS[delivery.occasion]
    text = {
        DeliveryState.SENT: f"Told {whom} {what}" + (f", after {tries}." if delivery.attempts > 1 else "."),
        DeliveryState.FAILED: f"{whom} could not be told {what}; it is tried again. {error}",
        DeliveryState.DEAD: f"Gave up telling {whom} {what} after {tries}. Tell them in another way. {error}",
    }[state]
    data = {"channel": delivery.channel.name, "occasion": delivery.occasion, "ref": delivery.short_ref, "state": state}
    record(
        incident_id=delivery.incident.pk, kind="told", text=text, actor=SYSTEM, occurred_at=now,
        data=data | {"attempts": delivery.attempts},
    )  # fmt: skip
