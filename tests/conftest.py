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


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the run, a file stays whole, and the real lab's hosts are the business of one."""
    for item in items:
        group = "real lab" if item.get_closest_marker("real_lab") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
