"""Reads a kept webhook delivery again."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from fleet.actor import Actor
from fleet.ingest.webhooks import NoDelivery, replay_delivery


class Command(BaseCommand):
    """manage.py replay_delivery msg_2f9 --source ci"""

    help = "Reads a delivery of the inbox again, such as one that was not understood before. Twice does no harm."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which one."""
        parser.add_argument("delivery", help="its id, as the sender and the answer named it")
        parser.add_argument("--source", default="", help="needed where several sources sent one of that id")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        """Says what was made of it; an error where it is not understood."""
        try:
            outcome = replay_delivery(
                delivery=options["delivery"], source=options["source"], actor=Actor("system", "command line"),
                now=timezone.now(),
            )  # fmt: skip
        except NoDelivery as error:
            raise CommandError(str(error)) from error
        if outcome.problems:
            paths = "\n".join(f"  {problem.path}: {problem.error}" for problem in outcome.problems)
            raise CommandError(f"{outcome.delivery} is not understood:\n{paths}")
        self.stdout.write(f"{outcome.delivery}: {outcome.status}")
