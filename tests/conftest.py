"""What every test needs."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.db.models.signals import post_migrate
from pytest_django.plugin import DjangoDbBlocker

roles = import_module("incidents.migrations.0002_roles")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The flush after a transactional test empties the timeline too, which no database but this one allows."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE incidents_timelineentry DISABLE TRIGGER pgtrigger_never_emptied_cc550")


@pytest.fixture(autouse=True, scope="session")
def _roles_outlive_a_flush() -> None:
    """The flush after a transactional test takes the roles along, and whichever test comes next may need them."""
    post_migrate.connect(_make_roles, sender=apps.get_app_config("incidents"))


def _make_roles(**_: object) -> None:
    roles.make_roles(apps, None)


@pytest.fixture(autouse=True)
def _no_crashes_of_others(request: pytest.FixtureRequest) -> None:
    """Crash tables are made by SQL of their own, so the flush after a transactional test passes them over."""
    marker = request.node.get_closest_marker("django_db")
    transactional = "transactional_db" in request.fixturenames or (marker and marker.kwargs.get("transaction"))
    if transactional:
        request.getfixturevalue("transactional_db")
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE fleet_crash, fleet_crash_minute")
