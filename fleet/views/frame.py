"""What all pages share: page or fragment, who may act, and who it was."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

from fleet.actor import Actor

P = ParamSpec("P")
LONGEST_NUMBER = 18
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def render_page(request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
    """The whole page, or its main part alone where htmx asks; it is the view that chooses."""
    frame = "fragment.html" if getattr(request, "htmx", False) else "base.html"
    response = render(request, template, {**context, "frame": frame}, status=status)
    response["Vary"] = "HX-Request, Cookie"
    response["Cache-Control"] = "no-store"
    return response


def text_in(form: QueryDict, name: str, default: str = "") -> str:
    """What a person typed, less what the database cannot keep."""
    return form.get(name, default).replace("\x00", "")


def whole_number(text: str) -> int | None:
    """A number as addresses and forms carry it; None for anything else, and for one beyond any key."""
    return int(text) if text.isdecimal() and len(text) <= LONGEST_NUMBER else None


def actor_of(request: HttpRequest) -> Actor:
    """The person who is signed in."""
    return Actor("person", request.user.get_username(), request.user.pk)


def may_act(request: HttpRequest) -> bool:
    """Whether the person may change anything."""
    return request.user.has_perm(settings.ACT_PERMISSION)


def acting(view: View[P]) -> View[P]:
    """Lets responders and administrators through; says to others why not."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not may_act(request):
            name = request.user.get_username()
            raise PermissionDenied(
                f"You are signed in as {name}, a viewer: you see everything and change nothing. "
                "Nothing was done. An administrator can give you the role responder."
            )
        return view(request, *args, **kwargs)

    return login_required(guarded)  # type: ignore[return-value]
