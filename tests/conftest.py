"""What every test needs."""

import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The flush after a transactional test empties the timeline too, which no database but this one allows."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE incidents_timelineentry DISABLE TRIGGER pgtrigger_never_emptied_cc550")


@pytest.fixture(autouse=True)
def _no_crashes_of_others(request: pytest.FixtureRequest) -> None:
    """Crash tables are made by SQL of their own, so the flush after a transactional test passes them over."""
    marker = request.node.get_closest_marker("django_db")
    transactional = "transactional_db" in request.fixturenames or (marker and marker.kwargs.get("transaction"))
    if transactional:
        request.getfixturevalue("transactional_db")
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE fleet_crash, fleet_crash_minute")
