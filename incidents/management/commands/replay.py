"""Runs the correlation over recorded files: pages and updates as they would have been sent."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from incidents.correlation.replay import BadRecordError, run


class Command(BaseCommand):
    """`manage.py replay FILE... [--json]`; needs no database."""

    help = "Runs the correlation over recorded data, offline, on the data's own clock."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Files in order; NDJSON, plain or gzip."""
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Prints what would have been sent."""
        try:
            for line in run(options["files"], json_lines=options["json"]):
                self.stdout.write(line)
        except (BadRecordError, OSError) as error:
            raise CommandError(str(error)) from error
