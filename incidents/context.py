"""What every page's frame shows."""

from django.conf import settings
from django.http import HttpRequest

from incidents.models import Incident


def shell(request: HttpRequest) -> dict[str, object]:
    """The number of ongoing incidents, and whether a tick is not a minute; for people who are signed in."""
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return {}
    return {
        "ongoing_incidents": Incident.objects.ongoing().count(),
        "tick_seconds": settings.TICK_SECONDS,
    }
