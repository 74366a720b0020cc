"""Settings, for administrators: whom to tell of what, and what may happen by itself."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fleet.views.frame import actor_of, render_page
from incidents.backtesting.thresholds import plain
from incidents.errors import Refused
from incidents.gate_policy import set_policy, standing_policy
from incidents.models import Channel, Incident
from incidents.notifying.channels import Wanted, add_channel, change_channel, remove_channel, turn_channel
from incidents.notifying.queries import channel_rows, page_of_deliveries, undelivered
from incidents.notifying.queueing import send_test
from incidents.views.acting import carry_out
from incidents.watching.memory import correlation_settings

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
# What most want: whatever is a page. Notices go to those who ask for them.
USUAL = {"verdicts": ["deploy", "host", "group", "fleet"], "severities": ["major", "minor"]}
VERDICT_WORDS = {
    "deploy": "a deploy is to blame", "host": "one host is sick", "group": "a group of hosts is sick",
    "fleet": "the whole fleet is worse", "app": "one app is sick (notices only)",
}  # fmt: skip


def administering(view: View[P]) -> View[P]:
    """Lets administrators through; says to others why not."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.has_perm("incidents.administer"):
            name = request.user.get_username()
            raise PermissionDenied(
                f"You are signed in as {name}, who is not an administrator: settings are for those alone. "
                "Nothing was done. An administrator can give you the role."
            )
        return view(request, *args, **kwargs)

    return login_required(guarded)  # type: ignore[return-value]


@require_safe
@administering
def overview(request: HttpRequest) -> HttpResponse:
    """What is set, in a sentence each?"""
    context = {
        "channels": channel_rows(), "policy": standing_policy(), "undelivered": undelivered(timezone.now()),
        "page_score": plain(correlation_settings().page_score),
    }  # fmt: skip
    return render_page(request, "incidents/settings/overview.html", context)


@require_safe
@administering
def notifications(request: HttpRequest) -> HttpResponse:
    """Who is told of what, and did it reach them?"""
    page = page_of_deliveries(request.GET.get("page", "1"))
    context = {"channels": channel_rows(), "page": page, "undelivered": undelivered(timezone.now())}
    return render_page(request, "incidents/settings/notifications.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@administering
def new_channel(request: HttpRequest) -> HttpResponse:
    """A form for a new channel, and the adding of it."""
    if request.method != "POST":
        return _channel_form(request, None, USUAL)
    try:
        added = add_channel(wanted=_wanted(request), actor=actor_of(request), now=timezone.now())
    except Refused as refused:
        return _channel_form(request, None, _typed(request), problem=refused.message)
    messages.success(request, f"Added “{added}”. Send a test message to see whether it works.")
    return redirect("settings-channel", number=added.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@administering
def channel(request: HttpRequest, number: int) -> HttpResponse:
    """One channel: what it wants, and the changing of it."""
    found = get_object_or_404(Channel.objects.kept(), pk=number)
    if request.method != "POST":
        kept = {"name": found.name, "verdicts": found.verdicts, "severities": found.severities}
        return _channel_form(request, found, kept)
    try:
        change_channel(channel=found, wanted=_wanted(request), actor=actor_of(request), now=timezone.now())
    except Refused as refused:
        found.refresh_from_db()
        return _channel_form(request, found, _typed(request), problem=refused.message)
    messages.success(request, f"Changed “{found}”.")
    return redirect("settings-channel", number=number)


@require_POST
@administering
def channel_act(request: HttpRequest, number: int, act: str) -> HttpResponse:
    """Tests, turns on or off, or deletes a channel."""
    found = get_object_or_404(Channel.objects.kept(), pk=number)
    if act not in CHANNEL_ACTS:
        raise Http404
    carry_out(request, lambda: CHANNEL_ACTS[act](request, found))
    return redirect("settings-notifications")


@require_http_methods(["GET", "HEAD", "POST"])
@administering
def policy(request: HttpRequest) -> HttpResponse:
    """What may happen by itself?"""
    if request.method == "POST":

        def change() -> str:
            asked = request.POST
            kept = set_policy(
                enabled="enabled" in asked, least_score=asked.get("least_score", ""),
                least_severity=asked.get("least_severity", ""), actor=actor_of(request), now=timezone.now(),
            )  # fmt: skip
            return "Gates close by policy from now on." if kept.enabled else "Gates close only by hand from now on."

        carry_out(request, change)
        return redirect("settings-policy")
    context = {"policy": standing_policy(), "severities": Incident.Severity.choices}
    return render_page(request, "incidents/settings/policy.html", context)


def _test(request: HttpRequest, found: Channel) -> str:
    send_test(channel=found, actor=actor_of(request), now=timezone.now())
    return f"A test message to “{found}” is on its way; what came of it stands in the record below."


def _turn_on(request: HttpRequest, found: Channel) -> str:
    turn_channel(channel=found, on=True, actor=actor_of(request), now=timezone.now())
    return f"“{found}” is on."


def _turn_off(request: HttpRequest, found: Channel) -> str:
    turn_channel(channel=found, on=False, actor=actor_of(request), now=timezone.now())
    return f"“{found}” is off: nobody is told through it, and what still waited was given up."


def _delete(request: HttpRequest, found: Channel) -> str:
    remove_channel(channel=found, actor=actor_of(request), now=timezone.now())
    return f"Deleted “{found}” and its address. The record of what was sent stays."


CHANNEL_ACTS: dict[str, Callable[[HttpRequest, Channel], str]] = {
    "test": _test, "on": _turn_on, "off": _turn_off, "delete": _delete,
}  # fmt: skip


def _wanted(request: HttpRequest) -> Wanted:
    asked = request.POST
    return Wanted(
        asked.get("name", ""), asked.get("address", ""), asked.getlist("verdicts"), asked.getlist("severities")
    )


def _typed(request: HttpRequest) -> dict[str, Any]:
    """What was typed, to be shown again; never the address."""
    wanted = _wanted(request)
    return {"name": wanted.name, "verdicts": wanted.verdicts, "severities": wanted.severities}


def _channel_form(
    request: HttpRequest, found: Channel | None, typed: dict[str, Any], *, problem: str = ""
) -> HttpResponse:
    context = {
        "channel": found, "typed": typed, "problem": problem, "verdicts": VERDICT_WORDS.items(),
        "severities": Incident.Severity.values,
    }  # fmt: skip
    return render_page(request, "incidents/settings/channel.html", context, status=422 if problem else 200)
