"""Calls that feed the fleet: crashes, hosts, dynos."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from fleet.api import schemas
from fleet.api.access import Scoped, actor_of
from fleet.api.intake import read_batch, told, too_many, unpacked
from fleet.api.problems import Problem
from fleet.ingest import crashes, dynos, inventory
from fleet.ingest.batches import Batch, TooManyRecords
from fleet.ingest.feeds import Place, read_feed
from fleet.ingest.formats import FEEDS
from fleet.ingest.pressure import Busy, place
from fleet.ingest.records import CrashRecord
from fleet.metrics import INTAKE

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
    return _take(request, lambda: read_batch(request, crashes.READER))


@router.post(
    "/feeds/{feed}",
    auth=Scoped("crashes"),
    response={202: schemas.CrashReceipt, **schemas.problems(400, 404, 413, 415, 429, 503)},
    openapi_extra=schemas.FEED,
    tags=["crashes"],
)
def post_feed(request: HttpRequest, feed: str, host: str | None = None, app: str | None = None) -> HttpResponse:
    """Take in crashes in a sender's own format. `host` and `app` are for those it does not name them for."""
    if feed not in FEEDS:
        raise Problem(404, f"Nobody reads the format {feed[:40]}; known are {', '.join(FEEDS)}.")
    return _take(request, lambda: _read_feed(request, feed, Place(host=host, app=app)))


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


def _take(request: HttpRequest, read: Callable[[], Batch[CrashRecord]]) -> HttpResponse:
    """Reads and stores a batch where there is a place for it."""
    try:
        with place():
            receipt = crashes.store_crashes(batch=read(), source=actor_of(request).name[:50], now=timezone.now())
    except Busy as error:
        INTAKE.turn_away()
        raise Problem(429, "Too many batches at once; send this one again.", headers={"Retry-After": "1"}) from error
    INTAKE.count(receipt)
    return told(receipt, status=202)


def _read_feed(request: HttpRequest, feed: str, where: Place) -> Batch[CrashRecord]:
    body = unpacked(request)
    try:
        return read_feed(feed=feed, body=body.content, place=where, cut_off=body.cut_off)
    except TooManyRecords as error:
        raise too_many() from error
