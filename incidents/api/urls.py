"""The whole of /api/v1/: what feeds the fleet, and what is told of incidents."""

from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from fleet.api.problems import DETAILS, Problem, out_of_service
from fleet.api.routes import router as fleet_router
from incidents.api.routes import router as incidents_router
from incidents.errors import Refused

api = NinjaAPI(title="Faultline", version="1", docs_url=None, urls_namespace="api")
api.add_router("", fleet_router)
api.add_router("", incidents_router)


@api.exception_handler(Problem)
def on_problem(request: HttpRequest, problem: Problem) -> HttpResponse:  # noqa: ARG001
    """As it is."""
    return problem.response()


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def on_database(request: HttpRequest, error: Exception) -> HttpResponse:  # noqa: ARG001
    """The database is away, or all connections are in use."""
    return out_of_service().response()


@api.exception_handler(Refused)
def on_refusal(request: HttpRequest, refusal: Refused) -> HttpResponse:  # noqa: ARG001
    """The service said no, and why."""
    return Problem(409, refusal.message).response()


@api.exception_handler(Http404)
def on_missing(request: HttpRequest, error: Http404) -> HttpResponse:  # noqa: ARG001
    """Nothing there."""
    return Problem(404, DETAILS[404]).response()


@api.exception_handler(HttpError)
def on_framework(request: HttpRequest, error: HttpError) -> HttpResponse:  # noqa: ARG001
    """What the framework refuses, such as a body that is no JSON."""
    return Problem(error.status_code, error.message).response()


@api.exception_handler(ValidationError)
def on_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:  # noqa: ARG001
    """Parameters or a body that do not fit the description."""
    errors = [{"path": _path(fault["loc"]), "error": fault["msg"]} for fault in error.errors]
    return Problem(422, "The request does not fit; errors names each part at fault.", errors=errors).response()


def _path(location: tuple[str | int, ...]) -> str:
    """Where the fault is: `query.limit`, `body.text`; the framework's own name of the body is left out."""
    kept = location[2:] if location[0] == "body" and len(location) > 2 else location[1:]
    return ".".join(map(str, (location[0], *kept)))


urlpatterns = [path("api/v1/", api.urls)]
