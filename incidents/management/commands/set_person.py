"""Adds a person or changes their role, and prints a new password, once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from incidents.errors import Refused
from incidents.people import ROLES, nobody_can_sign_in, set_person


class Command(BaseCommand):
    """manage.py set_person NAME --role responder"""

    help = "Adds a person, or gives a known one another role, and prints a new password. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name, role, and whether only the very first person is meant."""
        parser.add_argument("name", help="what they sign in with")
        parser.add_argument("--role", choices=ROLES, default="responder")
        parser.add_argument("--first", action="store_true", help="do nothing where somebody can sign in already")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        """Prints the password alone on standard output."""
        if options["first"] and not nobody_can_sign_in():
            return
        try:
            _, password = set_person(name=options["name"], role=options["role"])
        except Refused as refused:
            raise CommandError(refused.message) from refused
        self.stdout.write(password)
