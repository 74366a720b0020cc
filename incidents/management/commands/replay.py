"""Runs the correlation over recorded files, or over the stored past: pages and updates as they would have been sent."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from incidents.backtesting.stored import boards, first_stored, span_of
from incidents.backtesting.thresholds import BadThresholdError, changed, from_pairs
from incidents.correlation.replay import BadRecordError, printed, run
from incidents.correlation.settings import Settings
from incidents.correlation.verdict import Notice
from incidents.watching.memory import correlation_settings

A_DAY = timedelta(days=1)


class Command(BaseCommand):
    """`manage.py replay FILE... [--json] [--set page_score=12]`; with files it needs no database."""

    help = "Runs the correlation over recorded data, offline, on the data's own clock; or over the stored past."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Files in order, NDJSON, plain or gzip; or --stored."""
        parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.add_argument(
            "--set", action="append", default=[], dest="changes", metavar="NAME=VALUE",
            help="a threshold of the correlation, such as page_score=12; as often as you like",
        )  # fmt: skip
        parser.add_argument("--stored", action="store_true", help="the past that the database holds, in place of files")
        parser.add_argument("--since", type=_time, help="with --stored: from when on; default: a day before its end")
        parser.add_argument("--until", type=_time, help="with --stored: until when; default: now")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Prints what would have been sent."""
        self._check(options)
        try:
            for line in self._lines(options):
                self.stdout.write(line)
        except (BadRecordError, BadThresholdError, OSError) as error:
            raise CommandError(str(error)) from error

    @staticmethod
    def _check(options: dict[str, Any]) -> None:
        if options["stored"] and options["files"]:
            raise CommandError("Either files or --stored, not both.")
        if not options["stored"] and not options["files"]:
            raise CommandError("Name the files to replay, or use --stored for the past that the database holds.")
        if not options["stored"] and (options["since"] or options["until"]):
            raise CommandError("--since and --until go with --stored; files are replayed whole.")

    @staticmethod
    def _lines(options: dict[str, Any]) -> Iterator[str]:
        changes = from_pairs(options["changes"])
        if not options["stored"]:
            return run(options["files"], json_lines=options["json"], settings=changed(Settings(), changes))
        until = options["until"] or timezone.now()
        sent = stored_notices(options["since"] or until - A_DAY, until, changed(correlation_settings(), changes))
        return printed(sent, json_lines=options["json"])


def stored_notices(since: datetime, until: datetime, thresholds: Settings) -> Iterator[Notice]:
    """Every page and update of the span. Raises CommandError where nothing is stored of it."""
    first = first_stored()
    if since >= until or first is None or first > until:
        begins = f"it begins at {first:%Y-%m-%d %H:%M} UTC" if first else "no crash is stored yet"
        raise CommandError(f"There is no stored past from {since} to {until}: {begins}.")
    span = span_of(since=since, until=until, bin_seconds=settings.TICK_SECONDS)
    for board in boards(span, thresholds):
        if board.at >= span.since:
            yield from (*board.pages, *board.updates)


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
