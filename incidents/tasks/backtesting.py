"""Tasks of backtests."""

from celery import shared_task
from django.utils import timezone

from fleet.tasks.nudges import nudge
from incidents.backtesting.running import TASK, run_in_process
from incidents.models import Backtest


@shared_task(name=TASK)
def run(backtest_id: int) -> None:
    """Runs one."""
    run_in_process(backtest_id)


@shared_task(name="incidents.tasks.backtesting.sweep")
def sweep() -> None:
    """Nudges the one that waits, or whose process is gone."""
    for backtest_id in Backtest.objects.due(timezone.now()).values_list("pk", flat=True):
        nudge(TASK, [backtest_id])
