"""Runs one backtest that was asked for on the page of settings; the worker starts this as a process of its own."""

import os
import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from incidents.backtesting.running import run_backtest

PRIORITY = 10


class Command(BaseCommand):
    """manage.py run_backtest NUMBER; ends when its standard input does."""

    help = "Runs one backtest. The page of settings is where to ask for one; this is how workers run it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Its number."""
        parser.add_argument("number", type=int)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs it, with what the watch leaves over."""
        os.nice(PRIORITY)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        run_backtest(options["number"])


def _end_with_parent() -> None:
    # Not through sys.stdin: its lock would be held when the interpreter ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)
