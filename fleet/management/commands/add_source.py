"""Adds a source of deploy webhooks, or gives one a new secret."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_slug
from django.db import IntegrityError
from django.utils import timezone

from fleet.ingest.formats import PARSERS
from fleet.ingest.sources import create_source, rotate_secret
from fleet.models import WebhookSource


class Command(BaseCommand):
    """manage.py add_source NAME [--format faultline] [--rotate]"""

    help = "Adds a source of deploy webhooks, sent to /hooks/NAME, and prints its signing secret."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name, format, rotate."""
        parser.add_argument("name", help="a word of letters, digits, - and _")
        parser.add_argument("--format", default="faultline", choices=sorted(PARSERS))
        parser.add_argument(
            "--rotate", action="store_true", help="give it a new secret; the one before works until the next change"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        """Prints the secret alone on standard output."""
        name = options["name"]
        try:
            self.stdout.write(_rotated(name) if options["rotate"] else _created(name, options["format"]))
        except IntegrityError as error:
            raise CommandError(f"There is a source {name} already; --rotate gives it a new secret.") from error
        except (ValueError, ValidationError) as error:
            raise CommandError(f"{name}: {error}") from error


def _created(name: str, wanted: str) -> str:
    validate_slug(name)
    return create_source(name=name, format=wanted, now=timezone.now())[1]


def _rotated(name: str) -> str:
    source = WebhookSource.objects.filter(name=name).first()
    if source is None:
        raise CommandError(f"There is no source {name}.")
    return rotate_secret(source=source)
