"""The stream of events behind every open page."""

import re

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from incidents.sse import events

TOPIC = re.compile(r"[a-z]+(:\d+)?\Z")
MOST = 10


async def live(request: HttpRequest) -> HttpResponseBase:
    """Tells one page what changed among its topics; holds no database connection while it does."""
    user = await request.auser()
    if not user.is_authenticated:
        return HttpResponse("Sign in again to see what happens.", status=401, content_type="text/plain")
    topics = frozenset(topic for topic in request.GET.getlist("topic")[:MOST] if TOPIC.match(topic))
    await sync_to_async(connections.close_all)()
    response = StreamingHttpResponse(events(topics), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response
