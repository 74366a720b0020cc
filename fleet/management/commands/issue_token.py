"""Makes an API token and prints it, once."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from fleet.actor import Actor
from fleet.ingest.tokens import issue_token
from fleet.models import ApiToken


class Command(BaseCommand):
    """manage.py issue_token NAME --scope crashes --scope read"""

    help = "Makes a token for a program and prints it. It is shown this once: only a digest of it is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name, scopes, days."""
        parser.add_argument("name", help="who will use it")
        parser.add_argument("--scope", action="append", required=True, choices=ApiToken.Scope.values, dest="scopes")
        parser.add_argument("--days", type=int, help="days until it expires; default: never")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        """Prints the secret alone on standard output."""
        now = timezone.now()
        expires_at = now + timedelta(days=options["days"]) if options["days"] else None
        actor = Actor("system", "command line")
        try:
            _, secret = issue_token(
                name=options["name"], scopes=options["scopes"], actor=actor, now=now, expires_at=expires_at
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(secret)
