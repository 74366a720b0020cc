"""Checks that timelines are complete and unchanged, in the database or in an exported file."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fleet.wording import count
from incidents.models import Incident
from incidents.timeline.chain import first_break_in
from incidents.timeline.record import first_break_of


class Command(BaseCommand):
    """`manage.py verify_timelines [--file EXPORT.json]`; names the first broken entry of each, and fails if any is."""

    help = "Checks that timelines are complete and unchanged; names the first entry that is not."

    def add_arguments(self, parser: CommandParser) -> None:
        """All incidents, or one exported file."""
        parser.add_argument("--file", type=Path, metavar="EXPORT.json", help="check an export instead of the database")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Prints what is broken, and how many were checked."""
        found = _in_file(options["file"]) if options["file"] else _in_database()
        broken = {name: place for name, place in found.items() if place is not None}
        for name, place in broken.items():
            self.stdout.write(f"{name}: not as it was written from entry {place} on")
        self.stdout.write(f"{count(len(found), 'timeline')} checked, {len(broken)} broken")
        if broken:
            raise CommandError("A timeline is not the one that was written.")


def _in_database() -> dict[str, int | None]:
    return {str(incident): first_break_of(incident) for incident in Incident.objects.order_by("pk").iterator()}


def _in_file(path: Path) -> dict[str, int | None]:
    try:
        return {path.name: first_break_in(json.loads(path.read_text())["timeline"])}
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise CommandError(f"{path} is no export of an incident as JSON: {problem!r}") from problem
