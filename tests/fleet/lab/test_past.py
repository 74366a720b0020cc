"""The quiet past is quiet, reproducible, and of the rate that was asked for."""

from datetime import UTC, datetime

from fleet.lab.past import PlacedDyno, quiet_past

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DYNOS = [PlacedDyno(f"web.{number}", f"app-{number % 25}", f"h{number % 12}") for number in range(120)]


def test_rate_order_and_range() -> None:
    crashes = list(quiet_past(DYNOS, until=NOON, seconds=3600, crashes_per_dyno_hour=5, seed=1))
    assert 520 < len(crashes) < 680
    times = [crash["at"] for crash in crashes]
    assert times == sorted(times)
    assert times[0] >= "2026-03-01T11:00"
    assert times[-1] < "2026-03-01T12:00"


def test_no_crash_is_a_fatal_memory_signal() -> None:
    crashes = quiet_past(DYNOS, until=NOON, seconds=3600, crashes_per_dyno_hour=5, seed=1)
    assert {crash["signal"] for crash in crashes} == {None, "SIGABRT", "SIGKILL"}


def test_the_seed_decides() -> None:
    def made(seed: int) -> list[dict[str, object]]:
        return list(quiet_past(DYNOS, until=NOON, seconds=600, crashes_per_dyno_hour=5, seed=seed))

    assert made(1) == made(1) != made(2)


def test_no_dynos_no_past() -> None:
    assert list(quiet_past([], until=NOON, seconds=600, crashes_per_dyno_hour=5, seed=1)) == []
