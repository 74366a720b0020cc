"""Calls that feed the fleet: crashes, hosts, dynos."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from fleet.api import schemas
from fleet.api.access import Scoped, actor_of
from fleet.api.intake import read_batch, told
from fleet.api.problems import Problem
from fleet.ingest import crashes, dynos, inventory
from fleet.ingest.pressure import Busy, place

router = Router()


@router.post(
    "/crashes",
    auth=Scoped("crashes"),
    response={202: schemas.CrashReceipt, **schemas.problems(400, 413, 415, 429, 503)},
    openapi_extra=schemas.CRASHES,
    tags=["crashes"],
)
def post_crashes(request: HttpRequest) -> HttpResponse:
    """Take in a batch of crashes, NDJSON or a JSON array, gzip allowed; answered after it is committed."""
    try:
        with place():
            batch = read_batch(request, crashes.READER)
            receipt = crashes.store_crashes(batch=batch, source=actor_of(request).name[:50], now=timezone.now())
    except Busy as error:
        raise Problem(429, "Too many batches at once; send this one again.", headers={"Retry-After": "1"}) from error
    return told(receipt, status=202)


@router.put(
    "/hosts",
    auth=Scoped("inventory"),
    response={200: schemas.InventoryAnswer, **schemas.problems(400, 413, 415, 503)},
    openapi_extra=schemas.HOSTS,
    tags=["inventory"],
)
def put_hosts(request: HttpRequest) -> HttpResponse:
    """Upsert hosts. A pinned host key is never replaced, a taint never lifted this way."""
    batch = read_batch(request, inventory.READER)
    return told(inventory.store_hosts(batch=batch, now=timezone.now(), actor=actor_of(request)), status=200)


@router.put(
    "/dynos",
    auth=Scoped("inventory"),
    response={200: schemas.InventoryAnswer, **schemas.problems(400, 413, 415, 503)},
    openapi_extra=schemas.DYNOS,
    tags=["inventory"],
)
def put_dynos(request: HttpRequest) -> HttpResponse:
    """Upsert dynos, by name or as a count per host and app."""
    batch = read_batch(request, dynos.READER)
    return told(dynos.store_dynos(batch=batch, now=timezone.now(), actor=actor_of(request)), status=200)
