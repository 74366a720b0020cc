"""What the pages of settings read."""

from datetime import datetime, timedelta

from django.core.paginator import Page, Paginator
from django.db.models import Count, Max, Q, QuerySet

from incidents.lifecycle import DeliveryState
from incidents.models import Channel, Delivery

LATELY = timedelta(days=1)
PAGE = 25


def channel_rows() -> QuerySet[Channel]:
    """The kept channels, each with when it last took a message and how many wait for it."""
    waiting = Q(deliveries__state__in=DeliveryState.live())
    return Channel.objects.kept().annotate(
        last_sent_at=Max("deliveries__sent_at"), waiting=Count("deliveries", filter=waiting)
    )


def page_of_deliveries(number: str) -> Page[Delivery]:
    """What was sent, and what was not, the newest first."""
    return Paginator(Delivery.objects.select_related("channel").order_by("-queued_at", "-pk"), PAGE).get_page(number)


def undelivered(now: datetime) -> int:
    """How many messages about incidents were given up in the last day."""
    return Delivery.objects.filter(
        state=DeliveryState.DEAD, queued_at__gte=now - LATELY, incident__isnull=False
    ).count()
