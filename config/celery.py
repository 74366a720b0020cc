"""The queues that carry nudges to the workers. Rows hold the truth: a lost message costs delay and nothing else."""

import os
from pathlib import Path
from pkgutil import iter_modules

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

BASE_DIR = Path(__file__).resolve().parent.parent
# The Redis family gives a dead worker's messages to others only after this long, so it lies above the longest task. The
# sweepers do not wait for it. RabbitMQ knows when a worker dies, and needs none of these.
TRANSPORT_OPTIONS = {"visibility_timeout": 1800, "unacked_restore_interval": 5, "unacked_restore_throttle": 1}


def task_modules() -> list[str]:
    """Every module under the apps' `tasks` packages."""
    return [
        f"{app_name}.tasks.{module.name}"
        for app_name in ("fleet", "incidents")
        for module in iter_modules([str(BASE_DIR / app_name / "tasks")])
    ]


app = Celery("faultline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    include=task_modules(),
    task_queues=[Queue("default"), Queue("acting")],
    task_default_queue="default",
    task_create_missing_queues=False,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options=TRANSPORT_OPTIONS,
    enable_utc=True,
    timezone="UTC",
)
