"""Detection: the thresholds in use, and backtests of others over the stored past."""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fleet.views.frame import actor_of, render_page
from incidents.backtesting.running import MOST_TICKS, cancel_backtest, request_backtest
from incidents.backtesting.stored import first_stored
from incidents.backtesting.thresholds import BY_NAME, THRESHOLDS, plain
from incidents.errors import Refused
from incidents.lifecycle import BacktestState
from incidents.models import Backtest
from incidents.views.acting import carry_out
from incidents.views.settings import administering
from incidents.watching.memory import correlation_settings

SHOWN = 20
USUAL_TICKS = 1440


@require_http_methods(["GET", "HEAD", "POST"])
@administering
def detection(request: HttpRequest) -> HttpResponse:
    """What is in use, and what would others have done?"""
    if request.method != "POST":
        return _form(request, {}, "")
    asked = request.POST
    try:
        wanted = {name: asked[name] for name in BY_NAME if asked.get(name, "").strip()}
        begun = request_backtest(
            wanted=wanted, since=_time(asked.get("since", "")), until=_time(asked.get("until", "")),
            actor=actor_of(request), now=timezone.now(),
        )  # fmt: skip
    except Refused as refused:
        return _form(request, asked.dict(), refused.message)
    return redirect("settings-backtest", number=begun.pk)


@require_safe
@administering
def backtest(request: HttpRequest, number: int) -> HttpResponse:
    """How far is it, and what would have been paged?"""
    found = get_object_or_404(Backtest, pk=number)
    context = {
        "backtest": found, "live": found.state in BacktestState.live(), "changes": changes_of(found),
        "rows": [_shown(row) for row in found.result.get("rows", [])],
    }  # fmt: skip
    return render_page(request, "incidents/settings/backtest.html", context)


@require_POST
@administering
def cancel(request: HttpRequest, number: int) -> HttpResponse:
    """Gives a backtest up."""
    found = get_object_or_404(Backtest, pk=number)

    def do() -> str:
        cancel_backtest(backtest=found, actor=actor_of(request), now=timezone.now())
        return f"Cancelled {found}. Nothing else was changed by it."

    carry_out(request, do)
    return redirect("settings-backtest", number=number)


def changes_of(found: Backtest) -> list[str]:
    """The changed thresholds, in words."""
    in_use = correlation_settings()
    return [
        f"{BY_NAME[name].words}: {plain(value)} {BY_NAME[name].unit}, now {BY_NAME[name].of(in_use)}"
        for name, value in found.changes.items()
        if name in BY_NAME
    ]


def _form(request: HttpRequest, typed: dict[str, str], problem: str) -> HttpResponse:
    now, first, in_use = timezone.now(), first_stored(), correlation_settings()
    begins = (
        max(now - timedelta(seconds=USUAL_TICKS * settings.TICK_SECONDS), first + timedelta(minutes=1))
        if first
        else now
    )
    context = {
        "thresholds": [(one, one.of(in_use), typed.get(one.name, "")) for one in THRESHOLDS],
        "since": typed.get("since") or f"{begins:%Y-%m-%d %H:%M}",
        "until": typed.get("until") or f"{now:%Y-%m-%d %H:%M}",
        "first": first, "most": timedelta(seconds=MOST_TICKS * settings.TICK_SECONDS), "problem": problem,
        "tick_seconds": settings.TICK_SECONDS, "backtests": Backtest.objects.all()[:SHOWN],
    }  # fmt: skip
    return render_page(request, "incidents/settings/detection.html", context, status=422 if problem else 200)


def _shown(row: dict[str, object]) -> dict[str, object]:
    """A row of the result with times in place of seconds."""
    sides = {}
    for name in ("would", "was"):
        side = row[name]
        sides[name] = side and {**side, "at": datetime.fromtimestamp(side["at"], UTC)}  # type: ignore[dict-item, index]
    return {**row, **sides}


def _time(text: str) -> datetime:
    try:
        at = parse_datetime(text.strip())
    except ValueError:
        at = None
    if at is None:
        raise Refused("Say from when to when, as 2026-12-31 23:59 in UTC. Nothing was started.")
    return at if at.tzinfo else at.replace(tzinfo=UTC)
