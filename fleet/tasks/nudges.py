"""Nudges: messages that say "look again". Losing every one of them costs delay, never work, for rows are the truth."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def nudge(task: str, arguments: Sequence[Any] = ()) -> None:
    """Sends one; a broker that is down is no reason to fail, a sweeper nudges again."""
    try:
        current_app.send_task(task, args=list(arguments), retry=False)
    except (OperationalError, OSError) as problem:
        logger.warning("nudge %s not sent: %s", task, problem)


def nudge_on_commit(task: str, arguments: Sequence[Any] = ()) -> None:
    """Sends one once the transaction is committed, so that the row it speaks of is there."""
    transaction.on_commit(partial(nudge, task, arguments))
