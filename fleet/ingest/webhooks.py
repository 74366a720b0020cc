"""Deliveries of deploy webhooks: checked, kept raw, understood, all of it once."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import IntegrityError, transaction

from fleet.actor import Actor
from fleet.ingest.deploys import UnknownDeploy, record_facts
from fleet.ingest.formats import PARSERS
from fleet.ingest.formats.facts import Parsed, Problem
from fleet.ingest.signatures import verify
from fleet.models import Deploy, WebhookDelivery, WebhookSource

logger = logging.getLogger(__name__)
KEPT_HEADERS = ("content-type", "user-agent", "webhook-id", "webhook-timestamp")
Status = WebhookDelivery.Status


@dataclass(frozen=True)
class Outcome:
    """What is told the sender."""

    delivery: str
    status: str
    duplicate: bool = False
    problems: tuple[Problem, ...] = ()


def receive_delivery(*, source: WebhookSource, headers: Mapping[str, str], body: bytes, now: datetime) -> Outcome:
    """Takes in one delivery. Raises BadSignature, and then keeps nothing.

    One that was understood before is a duplicate; one that was not is looked at again.
    """
    secrets = [secret for secret in (source.secret, source.previous_secret) if secret]
    delivery = verify(secrets=secrets, headers=headers, body=body, now=now)
    with transaction.atomic():
        row = _kept(source, delivery, headers, body, now)
        if row.status in {Status.ACCEPTED, Status.IGNORED}:
            return Outcome(delivery, row.status, duplicate=True)
        return understand_delivery(row=row, now=now)


class NoDelivery(LookupError):  # noqa: N818 - it is an answer
    """The inbox has no such delivery, or several."""


@transaction.atomic
def replay_delivery(*, delivery: str, source: str = "", actor: Actor, now: datetime) -> Outcome:
    """Reads a kept delivery again, whatever was made of it before; its facts change only what they say anew.

    `source` tells deliveries of the same id apart. Raises NoDelivery.
    """
    kept = WebhookDelivery.objects.select_for_update(of=("self",)).select_related("source").filter(delivery=delivery)
    rows = list(kept.filter(source__name=source) if source else kept)
    if not rows:
        raise NoDelivery(f"The inbox keeps no delivery {delivery}{f' of {source}' if source else ''}.")
    if len(rows) > 1:
        names = ", ".join(sorted(row.source.name for row in rows))
        raise NoDelivery(f"Several sources sent a delivery {delivery}; say which one of {names} is meant.")
    logger.info("%s replays delivery %s of %s", actor.name, delivery, rows[0].source)
    return understand_delivery(row=rows[0], now=now)


def understand_delivery(*, row: WebhookDelivery, now: datetime) -> Outcome:
    """Makes facts of a kept delivery, in the caller's transaction."""
    parsed = _parsed(row)
    deploy: Deploy | None = None
    problems = list(parsed.problems)
    if parsed.facts:
        try:
            deploy = record_facts(facts=parsed.facts, source=row.source.name, now=now)
        except UnknownDeploy as error:
            problems = [error.problem]
    understood = Status.ACCEPTED if parsed.facts else Status.IGNORED
    row.status = Status.NOT_UNDERSTOOD if problems else understood
    row.problems, row.deploy = [asdict(problem) for problem in problems], deploy
    row.save(update_fields=["status", "problems", "deploy"])
    return Outcome(row.delivery, row.status, problems=tuple(problems))


def _kept(
    source: WebhookSource, delivery: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> WebhookDelivery:
    """The delivery's row, locked: a second one with the same id waits here until the first is through."""
    kept = {name: headers[name][:500] for name in KEPT_HEADERS if name in headers}
    fresh = {"received_at": now, "headers": kept, "body": body, "status": Status.NOT_UNDERSTOOD}
    try:
        with transaction.atomic():
            return WebhookDelivery.objects.create(source=source, delivery=delivery, **fresh)
    except IntegrityError:
        row = WebhookDelivery.objects.select_for_update().get(source=source, delivery=delivery)
    if row.status == Status.NOT_UNDERSTOOD:
        WebhookDelivery.objects.filter(pk=row.pk).update(**fresh)
        row.body = body
    return row


def _parsed(row: WebhookDelivery) -> Parsed:
    try:
        payload: Any = msgspec.json.decode(bytes(row.body))
    except (ValueError, RecursionError):
        return Parsed(problems=[Problem("$", "the body is not JSON")])
    return PARSERS[row.source.format](payload)
