"""Hosts: the list, one host, and tainting from either."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from fleet.actions import taint_hosts, untaint_hosts
from fleet.blast_radius import beyond_policy, may_pass
from fleet.charts import Marker, pulse_chart
from fleet.lifecycle import HostState
from fleet.models import Host
from fleet.pulse import SPAN, host_pulse
from fleet.queries import HostSearch, fleet_state, host_detail, page_of_hosts
from fleet.views.frame import acting, actor_of, may_act, render_page, text_in, whole_number
from fleet.wording import count, plural

EXPIRIES = {"4": "4 hours", "24": "a day", "168": "a week", "": "until somebody lifts it"}


@login_required
@require_safe
def hosts(request: HttpRequest) -> HttpResponse:
    """Which hosts are there, and in what state?"""
    now = timezone.now()
    asked = request.GET
    search = HostSearch(
        words=text_in(asked, "q"),
        state=asked.get("state", ""),
        sort=asked.get("sort", "name"),
        page=asked.get("page", "1"),
    )
    page, rows = page_of_hosts(search, now=now)
    context = {
        "page": page, "rows": rows, "search": search, "fleet": fleet_state(now=now), "states": list(HostState),
        "may_act": may_act(request), "expiries": EXPIRIES.items(),
    }  # fmt: skip
    return render_page(request, "fleet/hosts.html", context)


@login_required
@require_safe
def host(request: HttpRequest, name: str) -> HttpResponse:
    """What happened to this host?"""
    now = timezone.now()
    found = get_object_or_404(Host, name=name)
    detail = host_detail(found, now=now)
    pulse = host_pulse(found, now=now)
    markers = [Marker(row.at, row.deploy.key) for row in detail["host_deploys"] if row.at > now - SPAN]
    chart = pulse_chart(
        minutes=pulse.minutes, hard=pulse.hard, other=pulse.other, recorded_until=pulse.recorded_until,
        markers=markers, title="Crashes per minute on this host",
    )  # fmt: skip
    context = {"host": found, "state": HostState.of(found.state), "chart": chart, "may_act": may_act(request)}
    return render_page(request, "fleet/host.html", {**context, **detail, "expiries": EXPIRIES.items()})


@require_POST
@acting
def taint(request: HttpRequest) -> HttpResponse:
    """Taints the chosen hosts; beyond the policy only for an administrator who confirms just that."""
    reason = text_in(request.POST, "reason").strip()
    chosen = list(Host.objects.filter(pk__in=_numbers(request.POST.getlist("host"))).order_by("name"))
    fresh = [host for host in chosen if host.state == HostState.IN_SERVICE]
    if not reason:
        messages.error(request, "Say why: the reason is shown wherever the taint is. Nothing was tainted.")
    elif not fresh:
        said = "Choose at least one host" if not chosen else "None of the chosen hosts is in service"
        messages.error(request, f"{said}. Nothing was tainted.")
    elif beyond := " ".join(beyond_policy(fresh, moves_dynos=False)):
        return _beyond(request, fresh, reason, beyond, left=len(chosen) - len(fresh))
    else:
        _taint(request, fresh, reason, left=len(chosen) - len(fresh))
    return _back(request)


def _beyond(request: HttpRequest, hosts: list[Host], reason: str, beyond: str, *, left: int) -> HttpResponse:
    """Refuses, asks, or acts where just this was confirmed; a fleet that changed since is asked about again."""
    if not may_pass(actor_of(request)):
        messages.error(request, f"{beyond} Only an administrator may pass that. Nothing was tainted.")
    elif request.POST.get("confirmed") == beyond:
        _taint(request, hosts, f"{reason} (beyond the policy, confirmed by {request.user.get_username()})", left=left)
    else:
        context = {
            "hosts": hosts, "beyond": beyond, "reason": reason, "hours": request.POST.get("hours", ""),
            "next": request.POST.get("next", ""), "until": EXPIRIES.get(request.POST.get("hours", ""), EXPIRIES[""]),
        }  # fmt: skip
        return render_page(request, "fleet/taint_beyond.html", context)
    return _back(request)


def _taint(request: HttpRequest, hosts: list[Host], reason: str, *, left: int) -> None:
    """Taints them, and says so; `left` of the chosen ones are not in service."""
    now, hours = timezone.now(), request.POST.get("hours", "")
    expires_at = now + timedelta(hours=int(hours)) if hours in EXPIRIES and hours else None
    taint_hosts(hosts=hosts, reason=reason, reference="", actor=actor_of(request), now=now, expires_at=expires_at)
    passed = (
        f" {left} not in service {plural(left, 'was', 'were')} left as {plural(left, 'it is', 'they are')}."
        if left
        else ""
    )
    messages.success(request, f"Tainted {count(len(hosts), 'host')}: no new dynos there.{passed}")


@require_POST
@acting
def untaint(request: HttpRequest, name: str) -> HttpResponse:
    """Lifts the taint of one host, with what was checked."""
    found, now = get_object_or_404(Host, name=name), timezone.now()
    checked = text_in(request.POST, "proof").strip()
    if not checked:
        messages.error(request, "Say what was checked: the taint keeps it. Nothing was changed.")
    elif found.state not in HostState.IN_SERVICE.predecessors():
        messages.error(request, _why_not_lifted(found))
    else:
        untaint_hosts(hosts=[found], proof={"checked": checked}, actor=actor_of(request), now=now)
        messages.success(request, f"Lifted the taint of {found}: it takes new dynos again.")
    return _back(request)


def _why_not_lifted(host: Host) -> str:
    if host.state == HostState.DRAINING:
        return (
            f"The dynos of {host} are being moved away; its taint can be lifted when that has ended. Nothing was done."
        )
    return f"{host} is {HostState.of(host.state).label}; there is no taint to lift. Nothing was done."


def _numbers(values: list[str]) -> list[int]:
    return [found for value in values[:1000] if (found := whole_number(value)) is not None]


def _back(request: HttpRequest) -> HttpResponse:
    """To the page that the form stood on."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()})
    return redirect(wanted if ours else reverse("hosts"))
