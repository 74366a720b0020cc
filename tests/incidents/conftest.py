from typing import Any

import pytest

from tests.incidents.fleet_in_trouble import TICK, Fleet, troubled


@pytest.fixture
def fast_ticks(settings: Any) -> None:
    settings.TICK_SECONDS = TICK
    settings.COLLECT_SECONDS = TICK


@pytest.fixture
def quiet_fleet(db: None, fast_ticks: None) -> Fleet:
    return Fleet().with_past()


@pytest.fixture
def troubled_fleet(db: None, fast_ticks: None) -> Fleet:
    return troubled()
