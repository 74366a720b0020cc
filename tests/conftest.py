"""What every test needs."""

import pytest
from django.db import connection


@pytest.fixture(autouse=True)
def _no_crashes_of_others(request: pytest.FixtureRequest) -> None:
    """Crash tables are made by SQL of their own, so the flush after a transactional test passes them over."""
    marker = request.node.get_closest_marker("django_db")
    transactional = "transactional_db" in request.fixturenames or (marker and marker.kwargs.get("transaction"))
    if transactional:
        request.getfixturevalue("transactional_db")
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE fleet_crash, fleet_crash_minute")
