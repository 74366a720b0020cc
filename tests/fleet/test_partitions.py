"""Partitions are made once, also by several at a time, and dropped when their time is over."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from fleet.partitions import CRASHES, MINUTES, drop_partitions, ensure_partitions, keep_partitions, partitions

NOON = datetime(2001, 3, 1, 12, 30, tzinfo=UTC)  # before all that other tests make and leave


@pytest.mark.django_db
def test_a_partition_holds_its_range_and_is_made_once() -> None:
    times = [NOON, NOON + timedelta(minutes=10), NOON + timedelta(hours=1)]
    assert ensure_partitions(CRASHES, times=times) == ["fleet_crash_2001030112", "fleet_crash_2001030113"]
    assert ensure_partitions(CRASHES, times=times) == []


@pytest.mark.django_db
def test_only_what_lies_wholly_before_is_dropped() -> None:
    ensure_partitions(CRASHES, times=[NOON - timedelta(hours=2), NOON - timedelta(hours=1), NOON])
    assert drop_partitions(CRASHES, before=NOON) == ["fleet_crash_2001030110", "fleet_crash_2001030111"]
    assert "fleet_crash_2001030112" in partitions(CRASHES)


@pytest.mark.django_db
def test_keeping_looks_ahead() -> None:
    keep_partitions(now=NOON)
    assert {"fleet_crash_2001030112", "fleet_crash_2001030117"} <= set(partitions(CRASHES))
    assert {"fleet_crash_minute_20010301", "fleet_crash_minute_20010303"} <= set(partitions(MINUTES))


@pytest.mark.django_db(transaction=True)
def test_many_makers_do_not_collide() -> None:
    def make(_: int) -> int:
        try:
            return len(ensure_partitions(MINUTES, times=[NOON, NOON + timedelta(days=1)]))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(8))) == 2
    drop_partitions(MINUTES, before=NOON + timedelta(days=3))
