"""Errors as RFC 9457 problem+json, for everything under /api/ and /hooks/."""

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

CONTENT_TYPE = "application/problem+json"
PREFIXES = ("/api/", "/hooks/")
KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")
DETAILS = {
    400: "The request is malformed; check its headers and its address.",
    404: "There is nothing at this address; /api/v1/openapi.json lists what there is.",
    405: "This address does not take this method; the Allow header says which it takes.",
    413: "The body is over the cap; send smaller batches.",
    500: "Something went wrong here. It is in the log; send the request again later.",
}
Answer = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class Problem(Exception):  # noqa: N818 - it is an answer
    """An answer that is not what was hoped for; `detail` says what to do."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, dict(headers or {}), more

    def response(self) -> HttpResponse:
        """As it goes over the wire."""
        content = {"type": "about:blank", "title": HTTPStatus(self.status).phrase, "status": self.status}
        body = json.dumps({**content, "detail": self.detail, **self.more})
        return HttpResponse(body, status=self.status, content_type=CONTENT_TYPE, headers=self.headers)


def out_of_service() -> Problem:
    """The database does not answer."""
    detail = "The database cannot be reached right now, and nothing was kept; send the request again."
    return Problem(503, detail, headers={"Retry-After": "5"})


@sync_and_async_middleware
def problem_middleware(get_response: Answer) -> Answer | AsyncAnswer:
    """Turns the framework's own error pages into problems where programs call."""
    if iscoroutinefunction(get_response):
        answer = cast("AsyncAnswer", get_response)

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            return _as_problem(request, await answer(request))

        return answer_later

    def answer_now(request: HttpRequest) -> HttpResponseBase:
        return _as_problem(request, get_response(request))

    return answer_now


def _as_problem(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    is_ours = request.path.startswith(PREFIXES) and response.status_code >= 400
    if not is_ours or response.headers.get("Content-Type") == CONTENT_TYPE:
        return response
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    detail = DETAILS.get(response.status_code, HTTPStatus(response.status_code).description)
    return Problem(response.status_code, detail, headers=headers).response()
