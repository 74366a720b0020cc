"""Keeps the pages and updates of the correlation, each once, in the words of the replay."""

from datetime import UTC, datetime, timedelta

from incidents.correlation.replay import as_json
from incidents.correlation.verdict import Board
from incidents.correlation.verdict import Notice as Told
from incidents.models import Notice
from incidents.watching.memory import correlation_settings


def keep_notices(board: Board, *, now: datetime) -> None:
    """Writes down what went out; a page of the same verdict and subject not twice in six hours."""
    told = [*(page for page in board.pages if not _was_sent(page)), *board.updates]
    rows = [
        Notice(
            at=_moment(notice.at), update=notice.update, verdict=notice.verdict.kind, subject=notice.verdict.subject,
            content=as_json(notice), recorded_at=now,
        )
        for notice in told
    ]  # fmt: skip
    Notice.objects.bulk_create(rows, ignore_conflicts=True)


def _was_sent(page: Told) -> bool:
    lately = _moment(page.at) - timedelta(seconds=correlation_settings().page_repeat_seconds)
    verdict = page.verdict
    pages = Notice.objects.filter(verdict=verdict.kind, subject=verdict.subject, update=False)
    return pages.filter(at__gt=lately, at__lte=_moment(page.at)).exists()


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
