"""Backtests: asked for by a person, run one at a time by a process of their own, cancelled at any moment."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from threading import Lock

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from fleet.actor import Actor
from fleet.live import announce
from fleet.models import Deploy
from fleet.tasks.nudges import nudge_on_commit
from incidents.backtesting.compare import Paged, as_json, rows
from incidents.backtesting.stored import boards, first_stored, span_of
from incidents.backtesting.thresholds import BadThresholdError, changed, differing, read
from incidents.correlation.verdict import Verdict
from incidents.errors import Refused
from incidents.lifecycle import BacktestState
from incidents.models import Backtest, TimelineEntry
from incidents.models.backtests import BacktestQuerySet
from incidents.watching.memory import correlation_settings
from incidents.wording import Cause, cohort_words, deploy_name

TASK = "incidents.tasks.backtesting.run"
TOPIC = "backtests"
MOST_TICKS = 7 * 1440
LEAST_TICKS = 10
LEASE = timedelta(seconds=60)
TELL_SECONDS = 1.0
MOST_ATTEMPTS = 2
_one_process = Lock()


def request_backtest(
    *, wanted: Mapping[str, str], since: datetime, until: datetime, actor: Actor, now: datetime
) -> Backtest:
    """Queues a run. Raises Refused where a threshold or the span makes no sense, or another one runs."""
    try:
        changes = {name: read(name, text) for name, text in wanted.items()}
    except BadThresholdError as problem:
        raise Refused(f"{problem} Nothing was started.") from None
    _check_span(since, until, now)
    try:
        with transaction.atomic():
            backtest = Backtest.objects.create(
                changes=differing(correlation_settings(), changes), since_at=since, until_at=min(until, now),
                requested_at=now, requested_by=actor.name,
            )  # fmt: skip
            announce(TOPIC)
            nudge_on_commit(TASK, [backtest.pk])
    except IntegrityError:
        raise Refused("Another backtest is under way; wait for its end, or cancel it. Nothing was started.") from None
    return backtest


def cancel_backtest(*, backtest: Backtest, actor: Actor, now: datetime) -> None:
    """Gives it up; the process that runs it sees that at its next tick. Raises Refused where it has ended."""
    message = f"{actor.name} cancelled it."
    with transaction.atomic():
        if not Backtest.objects.filter(pk=backtest.pk).advance(
            BacktestState.CANCELLED, finished_at=now, message=message
        ):
            raise Refused(f"{backtest} has ended already; nothing was changed.")
        announce(TOPIC)


def run_in_process(backtest_id: int) -> None:
    """Runs it in a process of its own, at low priority: the worker's threads, and its watch, are not held up.

    The process ends when this one does, for then its standard input closes.
    """
    if not _one_process.acquire(blocking=False):
        return
    try:
        argv = [sys.executable, str(settings.BASE_DIR / "manage.py"), "run_backtest", str(backtest_id)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, cwd=settings.BASE_DIR, env=dict(os.environ)) as process:
            process.wait()
    finally:
        _one_process.release()


def run_backtest(backtest_id: int, *, tell_seconds: float = TELL_SECONDS) -> None:
    """Runs it here, if nobody else does. What came of it is written only while the claim holds."""
    owner = _claim(backtest_id, timezone.now())
    if owner is None:
        return
    backtest = Backtest.objects.get(pk=backtest_id)
    held = Backtest.objects.filter(pk=backtest_id, lease_owner=owner)
    try:
        would = list(_would_have_been(backtest, held, tell_seconds))
    except _LostError:
        return
    except Exception as problem:
        _end(held, BacktestState.FAILED, message=f"It failed: {type(problem).__name__}: {problem}"[:500])
        raise
    compared = rows(would, _was(backtest), bin_seconds=settings.TICK_SECONDS)
    _end(held, BacktestState.DONE, result=as_json(compared), progress=1.0)


class _LostError(Exception):
    """It was cancelled, or somebody else took it over."""


def _check_span(since: datetime, until: datetime, now: datetime) -> None:
    first, until = first_stored(), min(until, now)
    if first is None:
        raise Refused("No crash is stored yet, so there is no past to try on. Nothing was started.")
    if since < first - timedelta(minutes=1):
        raise Refused(
            f"The stored past begins at {first:%Y-%m-%d %H:%M} UTC; begin there or later. Nothing was started."
        )
    ticks = (until - since).total_seconds() / settings.TICK_SECONDS
    if not LEAST_TICKS <= ticks <= MOST_TICKS:
        least, most = (timedelta(seconds=n * settings.TICK_SECONDS) for n in (LEAST_TICKS, MOST_TICKS))
        raise Refused(f"The span is {least} long at least, and {most} at most. Nothing was started.")


def _claim(backtest_id: int, now: datetime) -> str | None:
    """Takes it on; gives the owner's name. One whose process died again and again is given up."""
    mine = Backtest.objects.due(now).filter(pk=backtest_id)
    worn_out = mine.filter(attempts__gte=MOST_ATTEMPTS)
    if worn_out.advance(BacktestState.FAILED, finished_at=now, message="The process that ran it died, every time."):
        announce(TOPIC)
        return None
    owner = secrets.token_hex(8)
    taken = mine.update(
        state=BacktestState.RUNNING, lease_owner=owner, lease_until=now + LEASE, attempts=F("attempts") + 1,
        started_at=now, progress=0.0,
    )  # fmt: skip
    return owner if taken else None


def _would_have_been(backtest: Backtest, held: BacktestQuerySet, tell_seconds: float) -> Iterator[Paged]:
    length = settings.TICK_SECONDS
    span = span_of(since=backtest.since_at, until=backtest.until_at, bin_seconds=length)
    told_at = time.monotonic()
    for board in boards(span, changed(correlation_settings(), backtest.changes)):
        if time.monotonic() - told_at >= tell_seconds:
            told_at = time.monotonic()
            _tell_progress(held, (board.at - span.begins) / span.seconds)
        if board.at >= span.since:
            yield from (_paged(notice.at, notice.verdict) for notice in board.pages)


def _tell_progress(held: BacktestQuerySet, progress: float) -> None:
    renewed = held.filter(state=BacktestState.RUNNING).update(progress=progress, lease_until=timezone.now() + LEASE)
    if not renewed:
        raise _LostError
    announce(TOPIC)


def _end(held: BacktestQuerySet, state: BacktestState, **changes: object) -> None:
    held.advance(state, finished_at=timezone.now(), lease_owner="", lease_until=None, **changes)
    announce(TOPIC)


def _paged(at: float, verdict: Verdict) -> Paged:
    words = subject_words(verdict.kind, verdict.subject, verdict.cohort)
    return Paged(at, verdict.kind, verdict.subject, words, len(verdict.hosts), round(verdict.score, 1))


def _was(backtest: Backtest) -> Iterator[Paged]:
    """What the timelines of that time say was named: as it opened, and when the blame moved."""
    entries = TimelineEntry.objects.filter(
        kind__in=["opened", "cause"], occurred_at__gte=backtest.since_at, occurred_at__lte=backtest.until_at,
        data__has_keys=["verdict", "subject"],
    )  # fmt: skip
    for entry in entries.order_by("occurred_at"):
        verdict, subject, cohort = entry.data["verdict"], entry.data["subject"], entry.data.get("cohort", {})
        yield Paged(
            entry.occurred_at.timestamp(), verdict, subject, subject_words(verdict, subject, cohort),
            len(entry.data.get("hosts", [])), round(entry.data.get("score", 0.0), 1), entry.incident_id,
        )  # fmt: skip


def subject_words(verdict: str, subject: str, cohort: Mapping[str, str]) -> str:
    """A cause in a few words: "Redeploy d3 of cedar-14 on hosts with tools 1.9"."""
    if verdict == "deploy":
        such = f" on hosts with {cohort_words(cohort)}" if cohort else ""
        return f"{_deploy_words(subject)}{such}"
    if verdict == "group":
        return f"Hosts with {cohort_words(cohort) or subject}"
    return "The whole fleet" if verdict == "fleet" else f"{verdict.capitalize()} {subject}"


def _deploy_words(key: str) -> str:
    deploy = Deploy.objects.select_related("stack").filter(key=key).first()
    if deploy is None:
        return f"Deploy {key}"
    stack = deploy.stack.name if deploy.stack else ""
    return deploy_name(Cause("deploy", key, deploy_kind=deploy.kind, target=deploy.target, stack=stack))
