"""Webhook sources and their secrets."""

from datetime import datetime

from django.db import transaction

from fleet.ingest.formats import PARSERS
from fleet.ingest.signatures import new_secret
from fleet.models import WebhookSource


def create_source(*, name: str, format: str = "faultline", now: datetime) -> tuple[WebhookSource, str]:  # noqa: A002
    """Makes a source of deploy webhooks; gives it with its secret. Raises ValueError for a format nobody reads."""
    if format not in PARSERS:
        raise ValueError(f"Nobody reads the format {format}; known are {', '.join(sorted(PARSERS))}.")
    secret = new_secret()
    with transaction.atomic():
        source = WebhookSource.objects.create(name=name, format=format, secret=secret, created_at=now)
    return source, secret


def rotate_secret(*, source: WebhookSource) -> str:
    """Gives the source a new secret; the one before it works on until the next change."""
    secret = new_secret()
    updated = WebhookSource.objects.filter(pk=source.pk, secret=source.secret).update(
        secret=secret, previous_secret=source.secret
    )
    if not updated:
        raise ValueError(f"The secret of {source.name} was just changed by somebody else; look again.")
    return secret
