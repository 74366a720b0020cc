import os

import psycopg
import redis


def test_a_database_of_our_own() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("off",)


def test_a_broker_on_demand(broker_url: str) -> None:
    assert redis.Redis.from_url(broker_url).ping()
