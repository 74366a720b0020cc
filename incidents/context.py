"""What every page's frame shows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from fleet.views.frame import may_act
from incidents.models import Incident


def shell(request: HttpRequest) -> dict[str, Any]:
    """The number of ongoing incidents, the person's role, whether a tick is not a minute; for those signed in."""
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return {}
    role = "administrator" if request.user.has_perm("incidents.administer") else "viewer"
    return {
        "ongoing_incidents": Incident.objects.ongoing().count(),
        "role": "responder" if role == "viewer" and may_act(request) else role,
        "tick_seconds": settings.TICK_SECONDS,
    }
