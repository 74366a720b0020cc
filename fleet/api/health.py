"""Whether this process lives, whether it can serve, and what monitoring is told."""

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection
from kombu.exceptions import OperationalError as BrokerError

from fleet.api.problems import out_of_service
from fleet.metrics import exposition

EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
WELL = "ok"
CONNECT_SECONDS = 2


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Alive; asks nobody else."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """What monitoring is told; 503 while the database is away."""
    try:
        text = exposition(now=timezone.now())
    except (OperationalError, InterfaceError):
        return out_of_service().response()
    return HttpResponse(text, content_type=EXPOSITION)


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Able to serve: 200, or 503 with what is missing."""
    parts = {**_database(), "broker": _broker()}
    ready = all(state == WELL for state in parts.values())
    return JsonResponse({"status": "ready" if ready else "not ready", **parts}, status=200 if ready else 503)


def _database() -> dict[str, str]:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return {"database": "cannot be reached", "migrations": "not known"}
    return {"database": WELL, "migrations": f"{len(missing)} to be applied" if missing else WELL}


def _broker() -> str:
    try:
        with Connection(settings.CELERY_BROKER_URL, connect_timeout=CONNECT_SECONDS) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
    except (OSError, BrokerError):
        return "cannot be reached"
    return WELL
