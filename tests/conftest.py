"""What every test needs."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.db.models.signals import post_migrate
from hypothesis import settings
from pytest_django.plugin import DjangoDbBlocker

# Each run tries the same examples: it fails on every machine or on none. `--hypothesis-profile random` goes further.
settings.register_profile("same", derandomize=True)
settings.register_profile("random", derandomize=False)
settings.load_profile("same")
roles = import_module("incidents.migrations.0002_roles")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The flush after a transactional test empties the timeline too, which no database but this one allows."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE incidents_timelineentry DISABLE TRIGGER pgtrigger_never_emptied_cc550")


@pytest.fixture(autouse=True, scope="session")
def _whole_flushes() -> None:
    """What the flush after a transactional test takes along or passes over would fail whichever test comes next."""
    post_migrate.connect(_complete_flush, sender=apps.get_app_config("incidents"))


def _complete_flush(**_: object) -> None:
    roles.make_roles(apps, None)
    with connection.cursor() as cursor:  # tables that are made by SQL of their own, so the flush does not know them
        cursor.execute("TRUNCATE fleet_crash, fleet_crash_minute")
