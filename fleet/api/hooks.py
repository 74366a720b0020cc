"""Deploy webhooks."""

from dataclasses import asdict

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from fleet.api.intake import raw_body
from fleet.api.problems import Problem, out_of_service
from fleet.ingest.signatures import BadSignature
from fleet.ingest.webhooks import Outcome, receive_delivery
from fleet.models import WebhookDelivery, WebhookSource


@csrf_exempt
@require_POST
def receive(request: HttpRequest, source: str) -> HttpResponse:
    """Takes in one delivery; answered after it is kept."""
    try:
        return _answer(_outcome(request, source))
    except Problem as problem:
        return problem.response()
    except (OperationalError, InterfaceError):
        return out_of_service().response()


def _outcome(request: HttpRequest, name: str) -> Outcome:
    source = None if "\0" in name else WebhookSource.objects.filter(name=name, enabled=True).first()
    if source is None:
        raise Problem(404, "There is no such webhook source; an administrator can add it.")
    body = raw_body(request, max_bytes=settings.WEBHOOK_MAX_BYTES)
    headers = {header.lower(): value for header, value in request.headers.items()}
    try:
        return receive_delivery(source=source, headers=headers, body=body, now=timezone.now())
    except BadSignature as error:
        raise Problem(401, str(error)) from error


def _answer(outcome: Outcome) -> HttpResponse:
    if outcome.status == WebhookDelivery.Status.NOT_UNDERSTOOD:
        errors = [asdict(problem) for problem in outcome.problems[:100]]
        detail = "Kept, but not understood; errors names each path at fault. Correct it and send it again."
        return Problem(422, detail, delivery=outcome.delivery, errors=errors).response()
    content = {"delivery": outcome.delivery, "status": str(outcome.status)}
    if outcome.duplicate:
        return JsonResponse({**content, "duplicate": True})
    return JsonResponse(content, status=202)
