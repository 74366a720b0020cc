"""Hands an incident's record out as a file."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_safe

from incidents.errors import Refused
from incidents.models import Incident
from incidents.timeline.export import FORMATS, export


@login_required
@require_safe
def export_incident(request: HttpRequest, number: int, form: str) -> HttpResponse:
    """The record in one of the formats, to be saved."""
    if form not in FORMATS:
        raise Http404
    try:
        document = export(get_object_or_404(Incident, pk=number), form)
    except Refused as refused:
        messages.error(request, refused.message)
        return redirect("incident", number=number)
    response = HttpResponse(document.content, content_type=document.content_type)
    response["Content-Disposition"] = f'attachment; filename="{document.filename}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
